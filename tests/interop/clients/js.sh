# sigstore, the JavaScript library: both dialects, with the TUF repository.
# shellcheck shell=bash disable=SC2154
# shellcheck source=tests/interop/js/flows.sh
. "$here/js/flows.sh"

install_js() { js_install current; }

sign_js() {
  local dialect
  check js "signs a file, services by URL" \
    js_library js current sign "$url" "$(token)" "$pass/js-url.json" "$artifact"
  offer "js's file, services by URL" blob-v1 "$pass/js-url.json" "$artifact"
  check js "attests, services by URL" \
    js_library js current attest "$url" "$(token)" "$pass/js-url-attestation.json" "$(statement)"
  offer "js's attestation, services by URL" attestation-v1 "$pass/js-url-attestation.json" "$artifact"
  for dialect in v1 v2; do
    check js "signs a file, Rekor $dialect by signing configuration" js_library js current config sign \
      "$trust/signing_config.$dialect.json" "$(token)" "$pass/js-$dialect.json" "$artifact"
    offer "js's file, Rekor $dialect" "blob-$dialect" "$pass/js-$dialect.json" "$artifact"
    check js "attests, Rekor $dialect by signing configuration" js_library js current config attest \
      "$trust/signing_config.$dialect.json" "$(token)" "$pass/js-attestation-$dialect.json" "$(statement)"
  done
  offer "js's attestation, Rekor v1" attestation-v1 "$pass/js-attestation-v1.json" "$artifact"
  # This library logs an envelope as dsse 0.0.2; other clients log its digest.
  offer "js's attestation, Rekor v2" attestation-v2-dsse "$pass/js-attestation-v2.json" "$artifact"
  # The instance's own signing configuration.
  check js "attests, by the instance's signing configuration" js_library js current config attest \
    "$trust/signing_config.v0.2.json" "$(token)" "$pass/js-attestation.json" "$(statement)"
  offer "js's attestation, by the instance's signing configuration" attestation-v1 \
    "$pass/js-attestation.json" "$artifact"
}

js_verifies() { check js "verifies $1" js_library_verify js current "$email" "$2" "$3" "$4"; }

verify_js() { each_bundle js_verifies; }

js_refuses_its_own() {
  case $1 in js\'s*) js_refuses js current js_library_verify "$@" ;; esac
}

refuse_js() { each_bundle js_refuses_its_own; }

again_js() {
  check js "signs after a restart" \
    js_library js current sign "$url" "$(token)" "$pass/js2.json" "$other"
  check js "verifies what it signed after a restart" \
    js_library_verify js current "$email" blob-v1 "$pass/js2.json" "$other"
}
