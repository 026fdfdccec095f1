# signet's own commands, with which the other clients are compared.
# shellcheck shell=bash disable=SC2154

signet_sign() {
  "$signet" sign --url "$url" --ca-file "$ca" --identity-token "$(token)" --bundle "$1" "$2"
}

signet_verify() {
  "$signet" verify --trusted-root "$trust/trusted_root.json" --certificate-identity "$1" \
    --certificate-oidc-issuer "$url" --bundle "$2" "$3"
}

sign_signet() {
  check signet "signs a file" signet_sign "$pass/signet.json" "$artifact"
  offer "signet's file" blob-v2 "$pass/signet.json" "$artifact"
}

signet_verifies() {
  local name=$1 bundle=$3 file=$4
  check signet "verifies $name" signet_verify "$email" "$bundle" "$file"
  check signet "verifies $name by digest" \
    signet_verify "$email" "$bundle" "sha256:$(sha256sum "$file" | cut -d' ' -f1)"
}

verify_signet() { each_bundle signet_verifies; }

signet_refuses() {
  local name=$1 bundle=$3 file=$4
  flip_signature "$bundle" "$pass/flipped.json"
  refuse signet "$name with a flipped bit" 'refused' signet_verify "$email" "$pass/flipped.json" "$file"
  refuse signet "$name for another identity" 'identity' signet_verify mallory@example.com "$bundle" "$file"
  refuse signet "$name for another artifact" 'refused' signet_verify "$email" "$bundle" "$other"
}

refuse_signet() { each_bundle signet_refuses; }

again_signet() {
  check signet "signs after a restart" signet_sign "$pass/signet2.json" "$other"
  check signet "verifies what it signed after a restart" signet_verify "$email" "$pass/signet2.json" "$other"
}
