# timestamp-cli: the timestamp authority.
# shellcheck shell=bash disable=SC2154

install_timestamp-cli() { go_install github.com/sigstore/timestamp-authority/v2/cmd/timestamp-cli@v2.1.3; }

timestamp_cli() { clean timestamp-cli "$cache/go/bin/timestamp-cli" "$@"; }

# timestamp_new HASH OUT
timestamp_new() {
  timestamp_cli --timestamp_server "$url" timestamp --hash "$1" --artifact "$artifact" --out "$2"
}

# timestamp_verify TIMESTAMP FILE [OPTION…]
timestamp_verify() {
  local reply=$1 file=$2
  shift 2
  timestamp_cli verify --timestamp "$reply" --artifact "$file" --certificate-chain "$trust/tsa-chain.pem" "$@"
}

sign_timestamp-cli() {
  local hash
  for hash in sha256 sha384 sha512; do
    check timestamp-cli "timestamp, $hash" timestamp_new "$hash" "$pass/$hash.tsr"
  done
  check timestamp-cli "inspect" timestamp_cli inspect --timestamp "$pass/sha256.tsr"
}

verify_timestamp-cli() {
  local hash
  for hash in sha256 sha384 sha512; do
    check timestamp-cli "verify, $hash" timestamp_verify "$pass/$hash.tsr" "$artifact"
  done
  # The timestamp that the openssl client requested, if it is part of this run.
  [ ! -s "$pass/reply.tsr" ] || check timestamp-cli "verify openssl's timestamp" timestamp_verify "$pass/reply.tsr" "$artifact"
}

refuse_timestamp-cli() {
  flip_bit "$pass/sha256.tsr" "$pass/flipped.tsr"
  refuse timestamp-cli "a timestamp for another artifact" 'hash|mismatch|match' \
    timestamp_verify "$pass/sha256.tsr" "$other"
  refuse timestamp-cli "a timestamp with a flipped bit" 'verif|signature|invalid' \
    timestamp_verify "$pass/flipped.tsr" "$artifact"
  refuse timestamp-cli "a timestamp of another authority" 'verif|authority|chain|certificate' \
    timestamp_cli verify --timestamp "$pass/sha256.tsr" --artifact "$artifact" --certificate-chain "$ca"
  refuse timestamp-cli "SHA-1" 'sha-?1|hash|algorithm|invalid' timestamp_new sha1 "$pass/sha1.tsr"
}
