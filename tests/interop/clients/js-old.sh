# The previous major versions of the JavaScript clients: sigstore 4.1, and @sigstore/cli 0.8, which contains
# library 3.1.
# shellcheck shell=bash disable=SC2154
# shellcheck source=tests/interop/js/flows.sh
. "$here/js/flows.sh"

install_js-old() { js_install earlier; }

sign_js-old() {
  check js-old "the library signs a file" \
    js_library js-old earlier sign "$url" "$(token)" "$pass/js-old.json" "$artifact"
  offer "js-old's file" blob-v1 "$pass/js-old.json" "$artifact"
  check js-old "the library attests" \
    js_library js-old earlier attest "$url" "$(token)" "$pass/js-old-attestation.json" "$(statement)"
  offer "js-old's attestation" attestation-v1 "$pass/js-old-attestation.json" "$artifact"
  check js-old "the library signs a file, Rekor v2" js_library js-old earlier config sign \
    "$trust/signing_config.v2.json" "$(token)" "$pass/js-old-v2.json" "$artifact"
  offer "js-old's file, Rekor v2" blob-v2 "$pass/js-old-v2.json" "$artifact"
  check js-old "the command line attests" js_attest js-old earlier "$pass/js-old-cli.json"
  offer "js-old's attestation by the command line" attestation-v1-intoto "$pass/js-old-cli.json" "$artifact"
}

js-old_verifies() {
  # This library does not support envelopes that are logged by digest.
  [ "$2" != attestation-v2 ] || return 0
  check js-old "the library verifies $1" js_library_verify js-old earlier "$email" "$2" "$3" "$4"
  # This command line does not support the Rekor v2 dialect.
  case $2 in
    *-v1 | *-v1-*) check js-old "the command line verifies $1" js_verify js-old earlier "$email" "$2" "$3" "$4" ;;
  esac
}

verify_js-old() { each_bundle js-old_verifies; }

js-old_refuses_its_own() {
  case $1 in
    js-old\'s*command*) js_refuses js-old earlier js_verify "$@" ;;
    js-old*) js_refuses js-old earlier js_library_verify "$@" ;;
  esac
}

refuse_js-old() { each_bundle js-old_refuses_its_own; }

again_js-old() {
  check js-old "the library signs after a restart" \
    js_library js-old earlier sign "$url" "$(token)" "$pass/js-old2.json" "$other"
  check js-old "the library verifies what it signed after a restart" \
    js_library_verify js-old earlier "$email" blob-v1 "$pass/js-old2.json" "$other"
}
