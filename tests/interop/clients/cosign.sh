# cosign: files and container images, with each dialect by trust files, and with the TUF repository.
# shellcheck shell=bash disable=SC2154

cosign_image=localhost:5000/fox

install_cosign() {
  need docker-registry &&
    go_install github.com/google/go-containerregistry/cmd/crane@v0.22.1 &&
    go_install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
}

cosign() { clean cosign "$cache/go/bin/cosign" "$@"; }

# cosign_new DIALECT COMMAND…: signs with the configuration of that dialect.
cosign_new() {
  local dialect=$1 command=$2
  shift 2
  cosign "$command" --yes --identity-token "$(token)" --trusted-root "$trust/trusted_root.json" \
    --signing-config "$trust/signing_config.$dialect.json" "$@"
}

# cosign_who COMMAND IDENTITY …: verifies with trust files.
cosign_who() {
  local command=$1 identity=$2
  shift 2
  cosign "$command" --trusted-root "$trust/trusted_root.json" --certificate-identity "$identity" \
    --certificate-oidc-issuer "$url" "$@"
}

cosign_registry() {
  mkdir -p "$pass/registry"
  printf '%s\n' 'version: 0.1' 'log: {level: error}' 'http: {addr: "127.0.0.1:5000"}' \
    "storage: {filesystem: {rootdirectory: $pass/registry}}" >"$pass/registry.yml"
  docker-registry serve "$pass/registry.yml" >"$pass/registry.log" 2>&1 &
  cosign_registry_pid=$!
  local tries=0
  until curl -fs -o /dev/null http://localhost:5000/v2/; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { cat "$pass/registry.log"; return 1; }
    read -rt 0.1 <> <(:) || true
  done
}

# cosign_push NAME: pushes a small image and prints its reference by digest.
cosign_push() {
  printf '%s\n' "$1" >"$pass/$1.txt"
  tar -C "$pass" -cf "$pass/$1.tar" "$1.txt"
  clean cosign "$cache/go/bin/crane" append --oci-empty-base --new_layer "$pass/$1.tar" \
    --new_tag "$cosign_image:$1" 2>"$pass/out" || { cat "$pass/out" >&2; return 1; }
}

sign_cosign() {
  local dialect image
  cosign_registry || return
  if [ -s "$trust/root.json" ]; then
    check cosign "initialize from the TUF repository" \
      cosign initialize --mirror "$url/tuf" --root "$trust/root.json"
  fi
  for dialect in v1 v2; do
    check cosign "sign-blob, Rekor $dialect" cosign_new "$dialect" sign-blob \
      --bundle "$pass/cosign-$dialect.json" "$artifact"
    offer "cosign's file, Rekor $dialect" "blob-$dialect" "$pass/cosign-$dialect.json" "$artifact"
    check cosign "attest-blob, Rekor $dialect" cosign_new "$dialect" attest-blob \
      --predicate "$here/predicate.json" --type slsaprovenance1 \
      --bundle "$pass/cosign-attestation-$dialect.json" "$artifact"
    offer "cosign's attestation, Rekor $dialect" "attestation-$dialect" \
      "$pass/cosign-attestation-$dialect.json" "$artifact"
    image=$(cosign_push "$dialect") || return
    printf '%s' "$image" >"$pass/image-$dialect"
    check cosign "sign an image, Rekor $dialect" cosign_new "$dialect" sign "$image"
    check cosign "attest an image, Rekor $dialect" cosign_new "$dialect" attest \
      --predicate "$here/predicate.json" --type slsaprovenance1 "$image"
  done
  # Clients without signing configurations support the v1 dialect only.
  check cosign "sign-blob, by URLs" cosign sign-blob --yes --identity-token "$(token)" \
    --use-signing-config=false --trusted-root "$trust/trusted_root.json" --fulcio-url "$url" \
    --rekor-url "$url" --timestamp-server-url "$url/api/v1/timestamp" --oidc-issuer "$url" \
    --bundle "$pass/cosign-urls.json" "$artifact"
  offer "cosign's file, by URLs" blob-v1 "$pass/cosign-urls.json" "$artifact"
  if [ -s "$trust/root.json" ]; then
    check cosign "sign-blob, by TUF" cosign sign-blob --yes --identity-token "$(token)" \
      --bundle "$pass/cosign-tuf.json" "$artifact"
    offer "cosign's file, by TUF" blob-v2 "$pass/cosign-tuf.json" "$artifact"
  fi
}

# cosign_verify_bundle IDENTITY KIND BUNDLE FILE
cosign_verify_bundle() {
  case $2 in
    blob-*) cosign_who verify-blob "$1" --bundle "$3" "$4" ;;
    *) cosign_who verify-blob-attestation "$1" --bundle "$3" --type slsaprovenance1 "$4" ;;
  esac
}

cosign_verifies() {
  # The public log no longer accepts dsse 0.0.2, and Go's verifier does not support it.
  [ "$2" != attestation-v2-dsse ] || return 0
  check cosign "verifies $1" cosign_verify_bundle "$email" "$2" "$3" "$4"
}

verify_cosign() {
  local dialect image
  each_bundle cosign_verifies
  for dialect in v1 v2; do
    image=$(cat "$pass/image-$dialect")
    check cosign "verify an image, Rekor $dialect" cosign_who verify "$email" "$image"
    check cosign "verify-attestation of an image, Rekor $dialect" \
      cosign_who verify-attestation "$email" --type slsaprovenance1 "$image"
  done
  if [ -s "$trust/root.json" ]; then
    check cosign "verify-blob, by TUF" cosign verify-blob --bundle "$pass/cosign-tuf.json" \
      --certificate-identity "$email" --certificate-oidc-issuer "$url" "$artifact"
    check cosign "verify an image, by TUF" cosign verify --certificate-identity "$email" \
      --certificate-oidc-issuer "$url" "$(cat "$pass/image-v2")"
  fi
}

cosign_refuses() {
  local name=$1 kind=$2 bundle=$3 file=$4
  case $name in cosign*) ;; *) return 0 ;; esac
  flip_signature "$bundle" "$pass/flipped.json"
  refuse cosign "$name with a flipped bit" 'signature|verif|invalid' \
    cosign_verify_bundle "$email" "$kind" "$pass/flipped.json" "$file"
  refuse cosign "$name for another identity" 'identit' \
    cosign_verify_bundle mallory@example.com "$kind" "$bundle" "$file"
  refuse cosign "$name for another artifact" 'signature|digest|hash|subject|verif' \
    cosign_verify_bundle "$email" "$kind" "$bundle" "$other"
}

refuse_cosign() {
  local image
  each_bundle cosign_refuses
  image=$(cosign_push unsigned) || return
  refuse cosign "an image without a signature" 'no .*(signatures|bundle)' cosign_who verify "$email" "$image"
  refuse cosign "an image for another identity" 'identit' \
    cosign_who verify mallory@example.com "$(cat "$pass/image-v2")"
  refuse cosign "an attestation of another type" 'predicate' \
    cosign_who verify-attestation "$email" --type cyclonedx "$(cat "$pass/image-v2")"
}

again_cosign() {
  check cosign "sign-blob after a restart" cosign_new v2 sign-blob --bundle "$pass/cosign2.json" "$other"
  check cosign "verify-blob of it" cosign_verify_bundle "$email" blob-v2 "$pass/cosign2.json" "$other"
}

close_cosign() { kill "$cosign_registry_pid"; }
