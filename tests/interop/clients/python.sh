# sigstore-python, pinned with its dependencies in requirements.txt.
# shellcheck shell=bash disable=SC2154

install_python() { "$("$here/install")/bin/sigstore" --version; }

python_sigstore() { clean python "$("$here/install")/bin/sigstore" "$@"; }

# python_config COMMAND…: runs the client with client_trust_config.json.
python_config() { python_sigstore --trust-config "$trust/client_trust_config.json" "$@"; }

# python_instance COMMAND…: runs the client with the TUF repository.
python_instance() { python_sigstore --instance "$url/tuf" "$@"; }

# python_sign TRUST DIALECT BUNDLE FILE: signs. TRUST is one of the two functions above. Without
# a dialect, the client chooses.
python_sign() {
  "$1" sign --identity-token "$(token)" ${2:+--rekor-version "${2#v}"} --bundle "$3" "$4"
}

python_attest() {
  "$1" attest --identity-token "$(token)" ${2:+--rekor-version "${2#v}"} --predicate "$here/predicate.json" \
    --predicate-type https://slsa.dev/provenance/v1 --bundle "$3" "$4"
}

# python_verify TRUST IDENTITY BUNDLE FILE
python_verify() {
  "$1" verify identity --cert-identity "$2" --cert-oidc-issuer "$url" --bundle "$3" "$4"
}

sign_python() {
  local dialect
  check python "trusts the instance" python_instance trust-instance "$trust/root.json"
  for dialect in v1 v2; do
    check python "signs a file, Rekor $dialect" \
      python_sign python_config "$dialect" "$pass/python-$dialect.json" "$artifact"
    offer "python's file, Rekor $dialect" "blob-$dialect" "$pass/python-$dialect.json" "$artifact"
    check python "attests a file, Rekor $dialect" \
      python_attest python_config "$dialect" "$pass/python-attestation-$dialect.json" "$artifact"
    offer "python's attestation, Rekor $dialect" "attestation-$dialect" \
      "$pass/python-attestation-$dialect.json" "$artifact"
  done
  check python "signs a file, by TUF" python_sign python_instance '' "$pass/python-tuf.json" "$artifact"
  offer "python's file, by TUF" blob-v2 "$pass/python-tuf.json" "$artifact"
  check python "attests a file, by TUF" \
    python_attest python_instance '' "$pass/python-attestation-tuf.json" "$artifact"
  offer "python's attestation, by TUF" attestation-v2 "$pass/python-attestation-tuf.json" "$artifact"
}

# statement_type BUNDLE: prints the type of an attestation's statement, or nothing for a file's signature.
statement_type() { jq -r '.dsseEnvelope.payload // empty | @base64d | fromjson | ._type' "$1"; }

python_verifies() {
  # sigstore-python does not support dsse 0.0.2, intoto, or statements of version 0.1, which cosign writes.
  case $2 in attestation-v1-intoto | attestation-v2-dsse) return 0 ;; esac
  [ "$(statement_type "$3")" != https://in-toto.io/Statement/v0.1 ] || return 0
  check python "verifies $1" python_verify python_config "$email" "$3" "$4"
}

verify_python() {
  each_bundle python_verifies
  check python "verifies a file, by TUF" \
    python_verify python_instance "$email" "$pass/python-tuf.json" "$artifact"
  check python "verifies an attestation, by TUF" \
    python_verify python_instance "$email" "$pass/python-attestation-tuf.json" "$artifact"
}

python_refuses() {
  local name=$1 bundle=$3 file=$4
  case $name in python*) ;; *) return 0 ;; esac
  flip_signature "$bundle" "$pass/flipped.json"
  refuse python "$name with a flipped bit" 'verif|signature|invalid' \
    python_verify python_config "$email" "$pass/flipped.json" "$file"
  refuse python "$name for another identity" 'SAN|identity' \
    python_verify python_config mallory@example.com "$bundle" "$file"
  refuse python "$name for another artifact" 'verif|signature|subject|digest|invalid' \
    python_verify python_config "$email" "$bundle" "$other"
}

refuse_python() {
  each_bundle python_refuses
  refuse python "a file for another identity, by TUF" 'SAN|identity' \
    python_verify python_instance mallory@example.com "$pass/python-tuf.json" "$artifact"
}

again_python() {
  local dialect
  for dialect in v1 v2; do
    check python "signs after a restart, Rekor $dialect" \
      python_sign python_config "$dialect" "$pass/python2-$dialect.json" "$other"
    check python "verifies what it signed after a restart, Rekor $dialect" \
      python_verify python_config "$email" "$pass/python2-$dialect.json" "$other"
  done
}
