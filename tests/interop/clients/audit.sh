# Audits with independent code (audit.py, certificate.py): every hash, proof and signature of the logs, and
# every field of a certificate.
# shellcheck shell=bash disable=SC2154

install_audit() { "$("$here/install")/bin/python" -c 'import cryptography; print("cryptography", cryptography.__version__)'; }

audit_logs() { "$("$here/install")/bin/python" "$here/audit.py" "$url" "$trust/trusted_root.json" "$pass/audit.json"; }

read_audit() {
  "$signet" sign --url "$url" --ca-file "$ca" --identity-token "$(token)" --bundle "$pass/audited.json" \
    "$artifact" >"$pass/out" 2>&1 || show_output
  jq -r .verificationMaterial.certificate.rawBytes "$pass/audited.json" | base64 -d >"$pass/leaf.der"
  check audit "certificate: profile, SCT and precertificate" \
    "$("$here/install")/bin/python" "$here/certificate.py" "$url" "$pass/leaf.der" "$trust/trusted_root.json" "$email"
  check audit "logs: every hash and signature" audit_logs
}

close_audit() {
  check audit "trust root: the same after a restart" \
    cmp "$trust/trusted_root.json" <(curl -fs "$url/trust/trusted_root.json")
  "$signet" sign --url "$url" --ca-file "$ca" --identity-token "$(token)" --bundle "$pass/audited.json" \
    "$other" >"$pass/out" 2>&1 || show_output
  check audit "logs: the new trees extend the old ones" audit_logs
}
