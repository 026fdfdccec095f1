# @sigstore/cli, the JavaScript command line: it signs attestations and verifies everything.
# shellcheck shell=bash disable=SC2154
# shellcheck source=tests/interop/js/flows.sh
. "$here/js/flows.sh"

install_sigstore-cli() { js_install current; }

sign_sigstore-cli() {
  check sigstore-cli "initialises from the TUF repository" js_command sigstore-cli current '' initialize \
    --mirror "$url/tuf" --root "$trust/root.json" --cache-path "$pass/home/sigstore-cli/tuf"
  check sigstore-cli "attests" js_attest sigstore-cli current "$pass/sigstore-cli.json"
  offer "sigstore-cli's attestation" attestation-v1-intoto "$pass/sigstore-cli.json" "$artifact"
}

sigstore-cli_verifies() {
  check sigstore-cli "verifies $1" js_verify sigstore-cli current "$email" "$2" "$3" "$4"
}

verify_sigstore-cli() { each_bundle sigstore-cli_verifies; }

sigstore-cli_refuses_its_own() {
  case $1 in
    sigstore-cli*) js_refuses sigstore-cli current js_verify "$@" ;;
    signet*) js_refuses sigstore-cli current js_verify "$@" ;;
  esac
}

refuse_sigstore-cli() { each_bundle sigstore-cli_refuses_its_own; }

again_sigstore-cli() {
  check sigstore-cli "attests after a restart" js_attest sigstore-cli current "$pass/sigstore-cli2.json"
  check sigstore-cli "verifies what it attested after a restart" js_verify sigstore-cli current \
    "$email" attestation-v1-intoto "$pass/sigstore-cli2.json" "$artifact"
}
