# Monitors of the three logs. Two are programs of certificate-transparency-go. The third is go/monitor, which
# uses the libraries of Sigstore's rekor-monitor and makes the same requests, because some module proxies lack
# rekor-monitor itself.
# shellcheck shell=bash disable=SC2154

install_monitor() {
  go_build "$here/go" ./monitor monitor &&
    go_install github.com/google/certificate-transparency-go/client/ctclient@v1.4.0 &&
    go_install github.com/google/certificate-transparency-go/scanner/scanlog@v1.4.0
}

# monitor_run LOG: runs one pass over that log and prints what it found.
monitor_run() {
  local at=$url
  [ "$1" != ct ] || at=$url/ct
  clean monitor "$cache/go/bin/monitor" "$1" -url "$at" -trusted-root "$trust/trusted_root.json" \
    -identity "^builder@example\.com$" -state "$pass/monitor-$1"
}

# monitor_finds LOG: runs a pass, which must find the identity.
monitor_finds() { monitor_run "$1" | tee "$pass/found" && grep -q "^found $email at " "$pass/found"; }

# monitor_silent LOG: runs a pass without new entries, which must find nothing.
monitor_silent() { monitor_run "$1" | grep -qx '0 found'; }

# ctclient COMMAND OPTION…: runs ctclient with the log's key, so that it verifies the heads.
ctclient() {
  local command=$1
  shift
  clean monitor "$cache/go/bin/ctclient" "$command" --log_uri "$url/ct" --pub_key "$trust/ctlog.pem" "$@"
}

# monitor_scan ISSUER: counts the precertificates of that issuer with scanlog.
monitor_scan() {
  clean monitor "$cache/go/bin/scanlog" -log_uri "$url/ct" -match_issuer_regex "$1" -precerts_only \
    >"$pass/found" 2>&1 || return
  echo "$(grep -c 'Process precert at index' "$pass/found") matches"
  grep -q "Process precert at index 0: CN: '' Issuer: " "$pass/found"
}

# monitor_new FILE: signs it, which appends to the CT log and to rekor-v2, and appends the same signature and
# certificate to rekor-v1.
monitor_new() {
  local bundle=$pass/monitored.json
  "$signet" sign --url "$url" --ca-file "$ca" --identity-token "$(token)" --bundle "$bundle" "$1" &&
    jq --arg hash "$(sha256sum "$1" | cut -d' ' -f1)" --arg pem "$(
      jq -r .verificationMaterial.certificate.rawBytes "$bundle" | base64 -d | openssl x509 -inform DER | base64 -w0
    )" '{apiVersion: "0.0.1", kind: "hashedrekord", spec: {data: {hash: {algorithm: "sha256", value: $hash}},
        signature: {content: .messageSignature.signature, publicKey: {content: $pem}}}}' "$bundle" |
    curl -fsS -H 'Content-Type: application/json' --data-binary @- "$url/api/v1/log/entries"
}

sign_monitor() {
  check monitor "logs an entry in both dialects" monitor_new "$artifact"
}

read_monitor() {
  check monitor "finds the identity, CT log" monitor_finds ct
  check monitor "finds the identity, Rekor v2" monitor_finds v2
  check monitor "finds the identity, Rekor v1" monitor_finds v1
  check monitor "finds nothing new, CT log" monitor_silent ct
  check monitor "finds nothing new, Rekor v2" monitor_silent v2
  check monitor "finds nothing new, Rekor v1" monitor_silent v1
  check monitor "ctclient: a signed tree head" ctclient get-sth
  check monitor "ctclient: the roots" ctclient get-roots
  check monitor "ctclient: an entry" ctclient get-entries --first 0 --last 0
  check monitor "scanlog finds what this authority issued" monitor_scan '^signet'
  refuse monitor "to find certificates of another authority (scanlog)" '^0 matches' monitor_scan '^someone else'
}

verify_monitor() {
  check monitor "logs another entry in both dialects" monitor_new "$other"
  check monitor "continues after the restart, CT log" monitor_finds ct
  check monitor "continues after the restart, Rekor v2" monitor_finds v2
  check monitor "continues after the restart, Rekor v1" monitor_finds v1
}

# monitor_size LOG: prints the size of the log at the last pass.
monitor_size() {
  case $1 in
    ct) jq .tree_size "$pass/monitor-ct" ;;
    *) sed -n 2p "$pass/monitor-$1" ;;
  esac
}

# monitor_fork: starts a server with the same keys and another history, at least as long as the one that the
# monitors saw. It starts from a copy of the data directory from before the first signature.
monitor_fork() {
  local most=0 size log n
  for log in ct v1 v2; do
    size=$(monitor_size "$log") || return
    [ "$size" -le "$most" ] || most=$size
  done
  for ((n = 0; n <= most; n++)); do
    printf 'another history, %s\n' "$n" >"$pass/fork.txt"
    monitor_new "$pass/fork.txt" >/dev/null || return
  done
}

# Runs last, because the other clients of this pass need the original logs.
close_monitor() {
  local log
  stop_server
  mv "$pass/data" "$pass/true" && mv "$pass/born" "$pass/data" && start_server || return
  for log in ct v2 v1; do
    refuse monitor "a log that shrank, $log" 'shrank|larger' monitor_run "$log"
  done
  check monitor "a server with the same keys writes another history" monitor_fork
  for log in ct v2 v1; do
    refuse monitor "a log with another history, $log" 'not consistent' monitor_run "$log"
  done
  stop_server
  mv "$pass/data" "$pass/fork" && mv "$pass/true" "$pass/data" && start_server || return
  for log in ct v2 v1; do
    check monitor "accepts the original log again, $log" monitor_run "$log"
  done
}
