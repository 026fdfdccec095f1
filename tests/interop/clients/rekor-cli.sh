# rekor-cli: every kind of entry of the v1 dialect, search, proofs, and the client's own record of the log
# across a restart.
# shellcheck shell=bash disable=SC2154

rekor_kinds=(hashedrekord rekord-x509 rekord-pgp rekord-ssh rekord-minisign rfc3161 intoto:0.0.1
  intoto:0.0.2 dsse)

install_rekor-cli() {
  need openssl gpg ssh-keygen minisign && go_install github.com/sigstore/rekor/cmd/rekor-cli@v1.5.4
}

rekor_cli() { clean rekor-cli "$cache/go/bin/rekor-cli" --rekor_server "$url" --format json "$@"; }

# rekor_upload NAME OPTION…: uploads an entry, which must be new, and stores the answer.
rekor_upload() {
  local name=$1
  shift
  rekor_cli upload "$@" >"$rekor/$name.json" && jq -e '.AlreadyExists == false' "$rekor/$name.json"
}

# rekor_uuid KIND: prints the entry ID in the answer to the upload.
rekor_uuid() { jq -er '.Location | split("/") | last' "$rekor/$1.json" | grep -Ex '[0-9a-f]{80}'; }

# rekor_envelope NAME: writes a DSSE envelope over a statement, signed by openssl.
rekor_envelope() {
  local type=application/vnd.in-toto+json payload=$rekor/$1.statement
  jq -cn --arg name "$1" --arg digest "$(sha256sum "$rekor/file" | cut -d' ' -f1)" --slurpfile p "$here/predicate.json" \
    '{_type: "https://in-toto.io/Statement/v1", subject: [{name: $name, digest: {sha256: $digest}}],
      predicateType: "https://slsa.dev/provenance/v1", predicate: $p[0]}' >"$payload"
  {
    printf 'DSSEv1 %s %s %s ' "${#type}" "$type" "$(wc -c <"$payload")"
    cat "$payload"
  } | openssl dgst -sha256 -sign "$rekor/key.pem" -out "$payload.sig"
  jq -cn --arg type "$type" --arg payload "$(base64 -w0 "$payload")" --arg sig "$(base64 -w0 "$payload.sig")" \
    '{payloadType: $type, payload: $payload, signatures: [{sig: $sig}]}' >"$rekor/$1.envelope"
}

# rekor_prepare: generates keys and signatures of every kind with their original tools.
rekor_prepare() {
  rekor=$pass/rekor
  mkdir -p "$rekor/gnupg" && chmod 700 "$rekor/gnupg" && cd "$rekor" || return
  printf 'what rekor-cli logs, %s\n' "$transport" >file
  openssl ecparam -name prime256v1 -genkey -noout -out key.pem &&
    openssl ec -in key.pem -pubout -out key.pub &&
    openssl req -x509 -new -key key.pem -sha256 -days 1 -subj "/O=Interop" -out cert.pem \
      -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature \
      -addext extendedKeyUsage=codeSigning \
      -addext subjectAltName=email:carol@example.com,URI:https://example.com/carol/build &&
    openssl dgst -sha256 -sign key.pem -out file.sig file &&
    rekor_envelope intoto:0.0.1 && rekor_envelope intoto:0.0.2 && rekor_envelope dsse &&
    GNUPGHOME=$rekor/gnupg gpg --batch --passphrase '' --quick-gen-key 'Dave <dave@example.com>' ed25519 sign never &&
    GNUPGHOME=$rekor/gnupg gpg --batch --armor --detach-sign --output file.asc file &&
    GNUPGHOME=$rekor/gnupg gpg --batch --armor --export --output pgp.pub dave@example.com &&
    ssh-keygen -q -t ed25519 -N '' -C erin@example.com -f ssh &&
    ssh-keygen -Y sign -n file -f ssh <file >file.sig.ssh &&
    minisign -G -W -p minisign.pub -s minisign.key &&
    minisign -S -s minisign.key -m file -x file.minisig &&
    openssl ts -query -data file -sha256 -cert -out query.tsq &&
    curl -fsS -H 'Content-Type: application/timestamp-query' --data-binary @query.tsq \
      "$url/api/v1/timestamp" -o reply.tsr
}

# rekor_options KIND: sets the options that upload and verify the entry of that kind.
rekor_options() {
  case $1 in
    hashedrekord) printf '%s\n' --type hashedrekord --pki-format x509 --signature "$rekor/file.sig" \
      --public-key "$rekor/cert.pem" --artifact-hash "$(sha256sum "$rekor/file" | cut -d' ' -f1)" ;;
    rekord-x509) printf '%s\n' --type rekord --pki-format x509 --artifact "$rekor/file" \
      --signature "$rekor/file.sig" --public-key "$rekor/key.pub" ;;
    rekord-pgp) printf '%s\n' --type rekord --pki-format pgp --artifact "$rekor/file" \
      --signature "$rekor/file.asc" --public-key "$rekor/pgp.pub" ;;
    rekord-ssh) printf '%s\n' --type rekord --pki-format ssh --artifact "$rekor/file" \
      --signature "$rekor/file.sig.ssh" --public-key "$rekor/ssh.pub" ;;
    rekord-minisign) printf '%s\n' --type rekord --pki-format minisign --artifact "$rekor/file" \
      --signature "$rekor/file.minisig" --public-key "$rekor/minisign.pub" ;;
    rfc3161) printf '%s\n' --type rfc3161 --artifact "$rekor/reply.tsr" ;;
    intoto:* | dsse) printf '%s\n' --type "$1" --artifact "$rekor/$1.envelope" --public-key "$rekor/key.pub" ;;
  esac
}

sign_rekor-cli() {
  local kind options
  (rekor_prepare) >"$pass/out" 2>&1 || { show_output; return 1; }
  rekor=$pass/rekor
  for kind in "${rekor_kinds[@]}"; do
    mapfile -t options < <(rekor_options "$kind")
    check rekor-cli "upload, $kind" rekor_upload "$kind" "${options[@]}"
  done
  check rekor-cli "loginfo" rekor_cli loginfo
}

# rekor_finds KIND OPTION…: searches; the result must contain the entry of that kind.
rekor_finds() {
  local uuid
  uuid=$(rekor_uuid "$1") || return
  shift
  rekor_cli search "$@" | jq -e --arg uuid "$uuid" '.UUIDs | index($uuid)'
}

rekor_proof() {
  local size
  size=$(rekor_cli loginfo | jq .ActiveTreeSize) && [ "$size" -ge "${#rekor_kinds[@]}" ] &&
    rekor_cli logproof --first-size 3 --last-size "$size" | jq -e '.Hashes | length > 0'
}

rekor_same_index() {
  local uuid
  uuid=$(rekor_uuid "$1") && rekor_cli get --uuid "$uuid" |
    jq -e --argjson index "$(jq .Index "$rekor/$1.json")" '.LogIndex == $index'
}

verify_rekor-cli() {
  local kind options
  check rekor-cli "loginfo continues from the state before the restart" rekor_cli loginfo
  check rekor-cli "logproof" rekor_proof
  for kind in "${rekor_kinds[@]}"; do
    mapfile -t options < <(rekor_options "$kind")
    check rekor-cli "get by UUID, $kind" rekor_same_index "$kind"
    check rekor-cli "verify by UUID, $kind" rekor_cli verify --uuid "$(rekor_uuid "$kind")"
    check rekor-cli "verify by entry, $kind" rekor_cli verify "${options[@]}"
    check rekor-cli "upload again finds the same entry, $kind" rekor_again "$kind" "${options[@]}"
  done
  check rekor-cli "get by index" rekor_cli get --log-index "$(jq .Index "$rekor/dsse.json")"
  check rekor-cli "verify by index" rekor_cli verify --log-index "$(jq .Index "$rekor/dsse.json")"
  check rekor-cli "search by artifact" rekor_finds hashedrekord --artifact "$rekor/file"
  check rekor-cli "search by SHA-256" rekor_finds rekord-x509 --sha "$(sha256sum "$rekor/file" | cut -d' ' -f1)"
  check rekor-cli "search by SHA-256 finds a statement's subject" \
    rekor_finds intoto:0.0.2 --sha "$(sha256sum "$rekor/file" | cut -d' ' -f1)"
  check rekor-cli "search by e-mail" rekor_finds hashedrekord --email carol@example.com
  check rekor-cli "search by e-mail in a PGP key" rekor_finds rekord-pgp --email dave@example.com
  check rekor-cli "search by subject" rekor_finds hashedrekord --subject https://example.com/carol/build
  check rekor-cli "search by certificate" rekor_finds hashedrekord --pki-format x509 --public-key "$rekor/cert.pem"
  check rekor-cli "search by public key" rekor_finds rekord-x509 --pki-format x509 --public-key "$rekor/key.pub"
  check rekor-cli "search by PGP key" rekor_finds rekord-pgp --pki-format pgp --public-key "$rekor/pgp.pub"
  check rekor-cli "search by SSH key" rekor_finds rekord-ssh --pki-format ssh --public-key "$rekor/ssh.pub"
  check rekor-cli "search by minisign key" \
    rekor_finds rekord-minisign --pki-format minisign --public-key "$rekor/minisign.pub"
  check rekor-cli "search by two terms, and" rekor_finds hashedrekord --operator and \
    --email carol@example.com --artifact "$rekor/file"
}

# rekor_again KIND OPTION…
rekor_again() {
  local uuid
  uuid=$(rekor_uuid "$1") || return
  shift
  rekor_cli upload "$@" | jq -e --arg uuid "$uuid" \
    '.AlreadyExists and (.Location | endswith($uuid))'
}

# rekor_wrong KIND: sets the options with another artifact and the same signature.
rekor_wrong() {
  case $1 in
    intoto:* | dsse)
      jq -c '.payload |= (@base64d | sub("provenance"; "Provenance") | @base64)' "$rekor/$1.envelope" >"$rekor/wrong"
      ;;
    rfc3161) flip_bit "$rekor/reply.tsr" "$rekor/wrong" ;;
    *) printf 'something else\n' >"$rekor/wrong" ;;
  esac
  rekor_options "$1" | sed -E "s#^$rekor/(file|$1.envelope|reply.tsr)\$#$rekor/wrong#
    s#^$(sha256sum "$rekor/file" | cut -d' ' -f1)\$#$(sha256sum "$rekor/wrong" | cut -d' ' -f1)#"
}

refuse_rekor-cli() {
  local kind options
  for kind in "${rekor_kinds[@]}"; do
    mapfile -t options < <(rekor_wrong "$kind")
    refuse rekor-cli "an unsigned artifact, $kind" 'verif|invalid|signature|mismatch|error|400' \
      rekor_cli upload "${options[@]}"
    refuse rekor-cli "to find an entry that was not logged, $kind" 'cannot be located|verif|invalid|error' \
      rekor_cli verify "${options[@]}"
  done
  refuse rekor-cli "an index that the log does not have" '404|not ?found' rekor_cli get --log-index 999999
  refuse rekor-cli "to find two terms that no entry has together" 'no matching entries' rekor_cli search \
    --operator and --email dave@example.com --subject https://example.com/carol/build
  refuse rekor-cli "to find an unknown e-mail address" 'no matching entries' rekor_cli search --email mallory@example.com
  # With another root in the client's record, the log is not consistent with it.
  clean rekor-cli python3 - <<'PY' || return
import base64, json, pathlib
path = pathlib.Path.home() / ".rekor/state.json"
state = json.loads(path.read_text())
def other(value):
    if isinstance(value, dict):
        return {k: base64.b64encode(bytes(32)).decode() if k == "Hash" else other(v) for k, v in value.items()}
    if isinstance(value, str) and value.count("\n") > 3:
        lines = value.split("\n")
        lines[2] = base64.b64encode(bytes(32)).decode()
        return "\n".join(lines)
    return value
changed = other(state)
assert changed != state
path.write_text(json.dumps(changed))
PY
  refuse rekor-cli "a log that does not continue what it saw" 'consisten|root' rekor_cli loginfo
}
