# Functions that the interop run and the clients' files share. `run` sources this file.
#
# A client's file in clients/ defines these functions. All except the first are optional:
#
#   install_X   installs a pinned version below $cache and prints it; runs with network access
#   sign_X      signs, and calls `offer` for bundles that all clients verify
#   read_X      reads from the server before the restart
#   verify_X    verifies after the restart its own bundles and, with `each_bundle`, those of all clients
#   refuse_X    checks that the client rejects invalid input
#   again_X     signs again after the restart
#   close_X     runs last
#
# Errors do not end these functions, because `set -e` is off in them. Chain dependent commands with &&.
#
# Variables: $signet, $cache, $here (tests/interop), $transport (https or http), $url (without port or
# path), $ca (the private CA's PEM), $pass (a folder of this pass), $trust (the trust documents as
# files), $artifact and $other (two different files), $email (the subject of the tokens).

# shellcheck shell=bash disable=SC2154

email=builder@example.com
server=

say() { printf '\n%s\n' "$*"; }

# record CLIENT FLOW OUTCOME: writes a row of the results and prints it.
record() {
  printf '%s\t%s\t%s\t%s\n' "$transport" "$1" "$2" "$3" >>"$results"
  printf '  %-5s %s: %s\n' "$3" "$1" "$2"
}

# show_output: prints the end of the last command's output.
show_output() { sed 's/^/        /' "$pass/out" | tail -n 25; }

# check CLIENT FLOW COMMAND…: the command must succeed.
check() {
  local client=$1 flow=$2 status=0
  shift 2
  "$@" >"$pass/out" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then
    record "$client" "$flow" ok
  else
    record "$client" "$flow" FAIL
    printf '        exit status %s\n' "$status"
    show_output
  fi
}

# refuse CLIENT FLOW PATTERN COMMAND…: the command must fail, and its output must match.
refuse() {
  local client=$1 flow="refuses $2" pattern=$3 status=0
  shift 3
  "$@" >"$pass/out" 2>&1 || status=$?
  if [ "$status" -ne 0 ] && grep -Eqi -e "$pattern" "$pass/out"; then
    record "$client" "$flow" ok
  else
    record "$client" "$flow" FAIL
    printf '        exit status %s, expected an error that matches /%s/\n' "$status" "$pattern"
    show_output
  fi
}

# clean CLIENT COMMAND…: runs the command as on a new machine: with the client's own home directory and
# only the variables that name the private CA. `env NAME=VALUE` adds variables.
clean() {
  local home=$pass/home/$1
  shift
  mkdir -p "$home"
  (
    cd "$home"
    env -i HOME="$home" PATH="$PATH" LANG=C.UTF-8 TMPDIR="$home" NO_COLOR=1 \
      SSL_CERT_FILE="$ca" REQUESTS_CA_BUNDLE="$ca" NODE_EXTRA_CA_CERTS="$ca" CURL_CA_BUNDLE="$ca" \
      "$@"
  )
}

# offer NAME KIND BUNDLE ARTIFACT: adds a bundle that every client verifies after the restart. KIND is
# blob or attestation and the dialect of the log entry (blob-v1, attestation-v2), followed by the entry's kind
# if not every client supports it: attestation-v1-intoto (0.0.2), attestation-v2-dsse. A bundle without an entry
# of that dialect is a failure.
offer() {
  local dialect
  [ -s "$3" ] || return 0
  dialect=$(jq -r '.verificationMaterial.tlogEntries | if length != 1 then "none"
    elif .[0].inclusionPromise.signedEntryTimestamp then "v1" else "v2" end' "$3")
  case $2 in
    *-"$dialect" | *-"$dialect"-*) printf '%s\t%s\t%s\t%s\n' "$@" >>"$pass/bundles.tsv" ;;
    *) record run "$1 has an entry of the dialect that it names" FAIL ;;
  esac
}

# each_bundle FUNCTION: calls FUNCTION NAME KIND BUNDLE ARTIFACT for every offered bundle.
each_bundle() {
  local name kind bundle file
  while IFS=$'\t' read -r name kind bundle file <&3; do
    "$1" "$name" "$kind" "$bundle" "$file"
  done 3<"$pass/bundles.tsv"
}

# token: prints a new identity token for $email, from the server's own issuer.
token() {
  local endpoint
  endpoint=$(curl -fs "$url/.well-known/openid-configuration" | jq -r .token_endpoint)
  curl -fs "$endpoint" -u "$client_id:$client_secret" -d grant_type=client_credentials |
    jq -r .id_token
}

# statement: writes an in-toto statement about $artifact with predicate.json, and prints the file's path.
statement() {
  jq -c --arg digest "$(sha256sum "$artifact" | cut -d' ' -f1)" \
    '{_type: "https://in-toto.io/Statement/v1", subject: [{name: "artifact", digest: {sha256: $digest}}],
      predicateType: "https://slsa.dev/provenance/v1", predicate: .}' \
    "$here/predicate.json" >"$pass/statement.json"
  printf '%s\n' "$pass/statement.json"
}

# flip_signature BUNDLE OUT: copies the bundle with one bit of its signature flipped.
flip_signature() {
  python3 - "$1" "$2" <<'PY'
import base64, json, sys
bundle = json.load(open(sys.argv[1]))
place, key = (
    (bundle["messageSignature"], "signature")
    if "messageSignature" in bundle
    else (bundle["dsseEnvelope"]["signatures"][0], "sig")
)
raw = bytearray(base64.b64decode(place[key]))
raw[-1] ^= 1
place[key] = base64.b64encode(raw).decode()
json.dump(bundle, open(sys.argv[2], "w"))
PY
}

# flip_bit FILE OUT: copies the file with the lowest bit of its last byte flipped.
flip_bit() {
  python3 -c 'import sys; d = bytearray(open(sys.argv[1], "rb").read()); d[-1] ^= 1; open(sys.argv[2], "wb").write(d)' \
    "$1" "$2"
}

# --- installing -----------------------------------------------------------------------------------

# install_all: runs every client's install function in parallel and prints their output at the end.
install_all() {
  local client began failed=0
  local -A jobs=()
  began=$(date +%s)
  mkdir -p "$cache/logs"
  say "Clients"
  for client in "${clients[@]}"; do
    declare -F "install_$client" >/dev/null || continue
    "install_$client" >"$cache/logs/$client" 2>&1 &
    jobs[$client]=$!
  done
  for client in "${!jobs[@]}"; do
    if wait "${jobs[$client]}"; then
      printf '  ok    %s: %s\n' "$client" "$(tail -n 1 "$cache/logs/$client")"
    else
      failed=1
      printf '  FAIL  %s cannot be installed:\n' "$client"
      tail -n 25 "$cache/logs/$client" | sed 's/^/        /'
    fi
  done
  printf '  installed in %s s\n' "$(($(date +%s) - began))"
  [ "$failed" -eq 0 ] || { echo "a client could not be installed"; exit 1; }
}

# need TOOL…: fails if a tool, such as git, is missing.
need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed"; return 1; }
  done
}

# go_install PACKAGE@VERSION: builds a Go program into $cache/go/bin, unless that version exists.
# The builds share one cache and run one after the other.
go_install() {
  local wanted=$1 name stamp
  name=${wanted%@*}
  name=${name##*/}
  stamp=$cache/go/bin/$name.version
  need go || return
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    mkdir -p "$cache/go/bin"
    go_cached flock "$cache/go/lock" go install -ldflags='-s -w' "$wanted" || return
    printf '%s' "$wanted" >"$stamp"
  fi
  printf '%s\n' "$wanted"
}

# go_build FOLDER PACKAGE NAME: builds a program from the module in FOLDER, whose go.sum pins it, into
# $cache/go/bin/NAME, unless it was built from the same sources.
go_build() {
  local wanted stamp=$cache/go/bin/$3.version
  need go || return
  wanted=$(find "$1" -name '*.go' -o -name 'go.*' -type f | sort | xargs sha256sum | sha256sum | cut -c1-16)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    mkdir -p "$cache/go/bin"
    (cd "$1" && go_cached flock "$cache/go/lock" go build -mod=readonly -ldflags='-s -w' \
      -o "$cache/go/bin/$3" "$2") || return
    printf '%s' "$wanted" >"$stamp"
  fi
}

# go_cached COMMAND…: runs the command with Go's caches below $cache.
go_cached() {
  env CGO_ENABLED=0 GOFLAGS='-trimpath -modcacherw' GOTOOLCHAIN=local GOBIN="$cache/go/bin" \
    GOCACHE="$cache/go/build" GOMODCACHE="$cache/go/mod" "$@"
}

# --- the server -----------------------------------------------------------------------------------

# may_listen PORT…: ends the run with a hint if this user cannot listen on the port.
may_listen() {
  local port
  for port in "$@"; do
    python3 -c 'import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1])))' \
      "$port" 2>/dev/null && continue
    echo "port $port cannot be used: run this as root, or where unshare can create a network namespace," >&2
    echo "or allow it (sysctl net.ipv4.ip_unprivileged_port_start=80) and stop the process that uses it" >&2
    exit 1
  done
}

# make_certificate FOLDER: generates a private CA and its certificate for localhost.
make_certificate() {
  mkdir -p "$1"
  (
    cd "$1"
    openssl ecparam -name prime256v1 -genkey -noout -out ca.key
    openssl req -x509 -new -key ca.key -sha256 -days 2 -subj "/O=Interop/CN=Private CA" \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -out ca.pem
    openssl ecparam -name prime256v1 -genkey -noout -out sec1.key
    openssl pkcs8 -topk8 -nocrypt -in sec1.key -out server.key
    openssl req -new -key server.key -subj "/CN=localhost" -out server.csr
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 2 \
      -extfile <(printf '%s\n' subjectAltName=DNS:localhost,IP:127.0.0.1 basicConstraints=critical,CA:FALSE \
        keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth) -out server.pem
  ) 2>"$1/log" || { cat "$1/log"; exit 1; }
}

start_server() {
  local tls=() port=80 tries=0
  if [ "$transport" = https ]; then
    port=443
    tls=(SIGNET_TLS__CERTIFICATE_FILE="$work/pki/server.pem" SIGNET_TLS__KEY_FILE="$work/pki/server.key")
  fi
  env "${tls[@]}" "$signet" serve --data-dir "$pass/data" --listen "127.0.0.1:$port" --public-url "$url" \
    >>"$pass/server.log" 2>&1 &
  server=$!
  until curl -fs -o "$pass/ready" "$url/readyz"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ] || ! kill -0 "$server" 2>/dev/null; then
      echo "the server did not become ready:"
      cat "$pass/server.log"
      exit 1
    fi
    read -rt 0.1 <> <(:) || true
  done
}

stop_server() {
  local status=0
  kill -TERM "$server"
  wait "$server" || status=$?
  server=
  if [ "$status" -ne 0 ]; then
    record signet "ends in good order" FAIL
    tail -n 5 "$pass/server.log"
  fi
}

finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  # This shell also started the clients' helpers, such as a registry.
  # shellcheck disable=SC2046
  kill $(jobs -p) 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}

# fetch_trust: downloads the trust documents into $trust, with a signing configuration for each dialect.
fetch_trust() {
  local name dialect
  mkdir -p "$trust"
  for name in trusted_root.json signing_config.v0.2.json client_trust_config.json \
    fulcio-chain.pem ctlog.pem rekor-v1.pem rekor-v2.pem tsa-chain.pem; do
    curl -fs "$url/trust/$name" -o "$trust/$name" || rm -f "$trust/$name"
  done
  curl -fs "$url/tuf/root.json" -o "$trust/root.json" || rm -f "$trust/root.json"
  for dialect in 1 2; do
    jq -e --argjson v "$dialect" '.rekorTlogUrls |= map(select(.majorApiVersion == $v))
      | if .rekorTlogUrls == [] then false else . end' "$trust/signing_config.v0.2.json" \
      >"$trust/signing_config.v$dialect.json" || rm "$trust/signing_config.v$dialect.json"
  done
}

# --- a pass ---------------------------------------------------------------------------------------

begin_pass() {
  transport=$1
  url=$transport://localhost
  pass=$work/$transport
  trust=$pass/trust
  ca=$work/pki/ca.pem
  began=$(date +%s)
  mkdir -p "$pass"
  : >"$pass/bundles.tsv"
  unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY
  export SSL_CERT_FILE=$ca CURL_CA_BUNDLE=$ca REQUESTS_CA_BUNDLE=$ca NODE_EXTRA_CA_CERTS=$ca
  say "A new instance at $url"
  start_server
  "$signet" account add "$email" --service --json --data-dir "$pass/data" >"$pass/account.json"
  client_id=$(jq -r .client_id "$pass/account.json")
  client_secret=$(jq -r .client_secret "$pass/account.json")
  # A copy from before the first signature, from which the monitor test creates a fork.
  cp -a "$pass/data" "$pass/born"
  fetch_trust
  artifact=$pass/artifact
  other=$pass/other
  printf 'the quick brown fox\n' >"$artifact"
  printf 'the slow brown fox\n' >"$other"
}

# phase NAME: runs that phase of every client that has it.
phase() {
  local client began
  for client in "${clients[@]}"; do
    declare -F "$1_$client" >/dev/null || continue
    began=$(date +%s)
    say "$client, $transport: $1"
    # A failed step between two checks is a failure too. The next client still runs.
    "$1_$client" || record "$client" "$1" FAIL
    printf '  %s s\n' "$(($(date +%s) - began))"
  done
}

end_pass() {
  stop_server
  check signet "the store is sound" "$signet" fsck --data-dir "$pass/data"
  printf '  %s took %s s\n' "$transport" "$(($(date +%s) - began))"
}

# print_table RESULTS: prints client and flow by transport; fails if a flow failed or if a client recorded
# nothing in a pass.
print_table() {
  python3 - "$1" "${clients[@]}" <<'PY'
import sys

rows, flows = {}, []
for line in open(sys.argv[1]):
    transport, client, flow, outcome = line.rstrip("\n").split("\t")
    if (client, flow) not in flows:
        flows.append((client, flow))
    # One failure is enough for a flow to fail.
    if rows.get((transport, client, flow)) != "FAIL":
        rows[transport, client, flow] = outcome
transports = ["https", "http"]
width = max(len(client) for client, _ in flows)
long = max(len(flow) for _, flow in flows)
print(f"\n{'client':{width}}  {'flow':{long}}  {'  '.join(f'{t:5}' for t in transports)}")
for client, flow in sorted(flows, key=lambda row: row[0]):
    cells = "  ".join(f"{rows.get((t, client, flow), '–'):5}" for t in transports)
    print(f"{client:{width}}  {flow:{long}}  {cells}".rstrip())
idle = [
    f"{client} did nothing over {t}"
    for client in sys.argv[2:]
    for t in transports
    if not any(key[:2] == (t, client) for key in rows)
]
failed = sum(outcome != "ok" for outcome in rows.values())
for line in idle:
    print(line)
print(f"\n{len(rows) - failed} ok, {failed} failed")
sys.exit(1 if failed or idle or not rows else 0)
PY
}
