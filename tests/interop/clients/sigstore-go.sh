# sigstore-go: the library, called by a small program (go/sigstore-go).
# shellcheck shell=bash disable=SC2154

install_sigstore-go() {
  go_build "$here/go" ./sigstore-go sigstore-go &&
    sed -n 's|^\s*github.com/sigstore/sigstore-go |sigstore-go |p' "$here/go/go.mod"
}

sigstore_go() { clean sigstore-go "$cache/go/bin/sigstore-go" "$@"; }

# sigstore_go_sign DIALECT BUNDLE OPTION… FILE
sigstore_go_sign() {
  local dialect=$1 bundle=$2
  shift 2
  sigstore_go sign -trusted-root "$trust/trusted_root.json" -token "$(token)" -bundle "$bundle" \
    -signing-config "$trust/signing_config.$dialect.json" "$@"
}

# sigstore_go_verify IDENTITY BUNDLE FILE
sigstore_go_verify() {
  sigstore_go verify -trusted-root "$trust/trusted_root.json" -identity "$1" -issuer "$url" -bundle "$2" "$3"
}

sign_sigstore-go() {
  local dialect
  jq -cn --arg digest "$(sha256sum "$artifact" | cut -d' ' -f1)" --slurpfile p "$here/predicate.json" \
    '{_type: "https://in-toto.io/Statement/v1", subject: [{name: "artifact", digest: {sha256: $digest}}],
      predicateType: "https://slsa.dev/provenance/v1", predicate: $p[0]}' >"$pass/statement.json"
  for dialect in v1 v2; do
    check sigstore-go "signs a file, Rekor $dialect" \
      sigstore_go_sign "$dialect" "$pass/go-$dialect.json" "$artifact"
    offer "sigstore-go's file, Rekor $dialect" "blob-$dialect" "$pass/go-$dialect.json" "$artifact"
    check sigstore-go "attests a file, Rekor $dialect" \
      sigstore_go_sign "$dialect" "$pass/go-attestation-$dialect.json" -statement "$pass/statement.json"
    offer "sigstore-go's attestation, Rekor $dialect" "attestation-$dialect" \
      "$pass/go-attestation-$dialect.json" "$artifact"
  done
  if [ -s "$trust/root.json" ]; then
    check sigstore-go "signs a file, by TUF" sigstore_go sign -tuf-mirror "$url/tuf" \
      -tuf-root "$trust/root.json" -token "$(token)" -bundle "$pass/go-tuf.json" "$artifact"
    offer "sigstore-go's file, by TUF" blob-v2 "$pass/go-tuf.json" "$artifact"
  fi
}

sigstore_go_verifies() {
  # The public log no longer accepts dsse 0.0.2, and Go's verifier does not support it.
  [ "$2" != attestation-v2-dsse ] || return 0
  check sigstore-go "verifies $1" sigstore_go_verify "$email" "$3" "$4"
}

verify_sigstore-go() {
  each_bundle sigstore_go_verifies
  if [ -s "$trust/root.json" ]; then
    check sigstore-go "verifies a file, by TUF" sigstore_go verify -tuf-mirror "$url/tuf" \
      -tuf-root "$trust/root.json" -identity "$email" -issuer "$url" -bundle "$pass/go-tuf.json" "$artifact"
  fi
}

sigstore_go_refuses() {
  local name=$1 bundle=$3 file=$4
  case $name in sigstore-go*) ;; *) return 0 ;; esac
  flip_signature "$bundle" "$pass/flipped.json"
  refuse sigstore-go "$name with a flipped bit" 'signature|verif' \
    sigstore_go_verify "$email" "$pass/flipped.json" "$file"
  refuse sigstore-go "$name for another identity" 'identit' \
    sigstore_go_verify mallory@example.com "$bundle" "$file"
  refuse sigstore-go "$name for another artifact" 'signature|digest|verif' \
    sigstore_go_verify "$email" "$bundle" "$other"
}

refuse_sigstore-go() { each_bundle sigstore_go_refuses; }
