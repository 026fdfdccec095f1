# sigstore-python, pinned with all that it needs in requirements.txt.
# shellcheck shell=bash disable=SC2154

install_python() { "$("$here/install")/bin/sigstore" --version; }

python_sigstore() {
  clean python "$("$here/install")/bin/sigstore" --trust-config "$trust/client_trust_config.json" "$@"
}

python_sign() { python_sigstore sign --identity-token "$(token)" --bundle "$1" "$2"; }

python_attest() {
  python_sigstore attest --identity-token "$(token)" --predicate "$here/predicate.json" \
    --predicate-type https://slsa.dev/provenance/v1 --bundle "$1" "$2"
}

python_verify() {
  python_sigstore verify identity --cert-identity "$1" --cert-oidc-issuer "$url" --bundle "$2" "$3"
}

sign_python() {
  check python "signs a file" python_sign "$pass/python.json" "$artifact"
  offer "python's file" blob-v2 "$pass/python.json" "$artifact"
  check python "attests a file" python_attest "$pass/python-attestation.json" "$artifact"
  offer "python's attestation" attestation-v2 "$pass/python-attestation.json" "$artifact"
}

python_takes() { check python "verifies $1" python_verify "$email" "$3" "$4"; }

verify_python() { each_bundle python_takes; }

python_refuses() {
  local name=$1 bundle=$3 file=$4
  flip_signature "$bundle" "$pass/flipped.json"
  refuse python "$name with a flipped bit" 'verif|signature|invalid' \
    python_verify "$email" "$pass/flipped.json" "$file"
  refuse python "$name for another identity" 'SAN|identity' python_verify mallory@example.com "$bundle" "$file"
  refuse python "$name for another artifact" 'verif|signature|subject|digest|invalid' \
    python_verify "$email" "$bundle" "$other"
}

refuse_python() { each_bundle python_refuses; }

again_python() {
  check python "signs after a restart" python_sign "$pass/python2.json" "$other"
  check python "verifies what it signed after a restart" python_verify "$email" "$pass/python2.json" "$other"
}
