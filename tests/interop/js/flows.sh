# Functions that the three files of JavaScript clients share. They source this file.
# shellcheck shell=bash disable=SC2154

# js_modules SET: prints the folder of the set's packages; SET is current or earlier.
js_modules() {
  printf '%s/js-%s' "$cache" "$(sha256sum "$here/js/$1/package-lock.json" | cut -c1-16)"
}

# js_install SET: installs the packages of the set's lock file, without running their scripts.
js_install() {
  local modules
  need node npm flock || return 1
  modules=$(js_modules "$1")
  (
    flock 9
    [ ! -e "$modules/complete" ] || exit 0
    rm -rf "$modules"
    mkdir -p "$modules"
    cp "$here/js/$1/package.json" "$here/js/$1/package-lock.json" "$modules"
    npm ci --prefix "$modules" --cache "$cache/npm" --ignore-scripts --no-audit --no-fund --loglevel=error &&
      touch "$modules/complete"
  ) 9>"$cache/js-$1.lock"
  [ -e "$modules/complete" ] && js_versions "$modules"
}

# js_versions MODULES: prints the installed versions.
js_versions() {
  jq -rs 'map(.name + " " + .version) | join(", ")' \
    "$1/node_modules/sigstore/package.json" "$1/node_modules/@sigstore/cli/package.json"
}

# js_library CLIENT SET ARGUMENT…: calls the library.
js_library() {
  local client=$1 set=$2
  shift 2
  clean "$client" node "$here/js/client.cjs" "$(js_modules "$set")" "$@"
}

# js_command CLIENT SET TOKEN ARGUMENT…: calls the command line, which reads its token as in CI.
js_command() {
  local client=$1 set=$2 token=$3
  shift 3
  clean "$client" CI=1 SIGSTORE_ID_TOKEN="$token" \
    node "$(js_modules "$set")/node_modules/@sigstore/cli/bin/run" "$@"
}

# js_attest CLIENT SET BUNDLE: signs a statement with the command line.
js_attest() {
  js_command "$1" "$2" "$(token)" attest --fulcio-url "$url" --rekor-url "$url" \
    --tsa-server-url "$url" --timeout 20 --output-file "$3" "$(statement)"
}

# js_verify CLIENT SET IDENTITY KIND BUNDLE FILE: verifies with the command line and the TUF repository.
js_verify() {
  local blob=()
  case $4 in blob-*) blob=(--blob-file "$6") ;; esac
  js_command "$1" "$2" '' verify --tuf-mirror-url "$url/tuf" --tuf-root-path "$trust/root.json" \
    --tuf-cache-path "$pass/home/$1/tuf" --certificate-issuer "$url" \
    --certificate-identity-email "$3" "${blob[@]}" "$5"
}

# js_library_verify CLIENT SET IDENTITY KIND BUNDLE FILE: verifies with the library.
js_library_verify() {
  local blob=()
  case $4 in blob-*) blob=("$6") ;; esac
  js_library "$1" "$2" verify "$url/tuf" "$trust/root.json" "$pass/home/$1/tuf" "$3" "$url" "$5" \
    "${blob[@]}"
}

# js_refuses CLIENT SET VERIFY NAME KIND BUNDLE FILE: checks that VERIFY, one of the two functions above,
# rejects invalid input. With a flipped bit, the timestamp is the first check to fail. These clients verify an
# attestation without an artifact.
js_refuses() {
  local client=$1 set=$2 verify=$3 name=$4 kind=$5 bundle=$6 file=$7
  flip_signature "$bundle" "$pass/flipped.json"
  refuse "$client" "$name with a flipped bit" '(timestamp|signature) could not be verified|mismatch' \
    "$verify" "$client" "$set" "$email" "$kind" "$pass/flipped.json" "$file"
  refuse "$client" "$name for another identity" 'identity' \
    "$verify" "$client" "$set" mallory@example.com "$kind" "$bundle" "$file"
  case $kind in
    blob-*) refuse "$client" "$name for another artifact" 'signature|invalid|mismatch' \
      "$verify" "$client" "$set" "$email" "$kind" "$bundle" "$other" ;;
  esac
}
