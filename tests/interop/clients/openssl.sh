# openssl: the chain of a certificate and a timestamp.
# shellcheck shell=bash disable=SC2154

install_openssl() { need openssl && openssl version; }

openssl_chain() {
  local begin
  begin=$(date -d "$(openssl x509 -in "$pass/leaf.pem" -noout -startdate | cut -d= -f2)" +%s) &&
    openssl verify -x509_strict -ignore_critical -attime "$begin" -purpose any \
      -CAfile "$trust/fulcio-chain.pem" "$pass/leaf.pem"
}

openssl_shows() {
  openssl x509 -in "$pass/leaf.pem" -noout -text >"$pass/leaf.txt" &&
    grep -Eq 'Subject: *$' "$pass/leaf.txt" &&
    grep -q 'Code Signing' "$pass/leaf.txt" &&
    grep -q "email:$email" "$pass/leaf.txt"
}

sign_openssl() {
  openssl ts -query -data "$artifact" -sha256 -cert -out "$pass/query.tsq" 2>/dev/null
  check openssl "requests a timestamp with curl" curl -fsS "$url/api/v1/timestamp" -o "$pass/reply.tsr" \
    -H 'Content-Type: application/timestamp-query' --data-binary "@$pass/query.tsq"
  "$signet" sign --url "$url" --ca-file "$ca" --identity-token "$(token)" --bundle "$pass/openssl.json" \
    "$artifact" >"$pass/out" 2>&1 || show_output
  jq -r .verificationMaterial.certificate.rawBytes "$pass/openssl.json" | base64 -d |
    openssl x509 -inform DER -out "$pass/leaf.pem"
}

verify_openssl() {
  check openssl "verifies the chain strictly" openssl_chain
  check openssl "shows an empty subject and code signing" openssl_shows
  check openssl "verifies a timestamp" openssl ts -verify -in "$pass/reply.tsr" \
    -queryfile "$pass/query.tsq" -CAfile "$trust/tsa-chain.pem"
}

refuse_openssl() {
  refuse openssl "the timestamp for other data" 'mismatch' openssl ts -verify -in "$pass/reply.tsr" \
    -data "$other" -CAfile "$trust/tsa-chain.pem"
}
