# sigstore-java: the published library, called by java/. Its signer supports gRPC over TLS only, so it signs
# over https and verifies over both transports.
# shellcheck shell=bash disable=SC2154

java_folder() {
  printf '%s/java-%s' "$cache" \
    "$(cat "$here/java/pom.xml" "$here/java/src/main/java/interop/Client.java" | sha256sum | cut -c1-16)"
}

install_java() {
  local folder
  need java keytool mvn || return 1
  folder=$(java_folder)
  if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    cp -r "$here/java/pom.xml" "$here/java/src" "$folder"
    # Maven's local repository is needed for the build only.
    mvn --batch-mode --quiet --no-transfer-progress -f "$folder/pom.xml" \
      -Dmaven.repo.local="$cache/maven" compile dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$folder/lib" && touch "$folder/complete"
  fi
  [ -e "$folder/complete" ] && basename "$folder"/lib/sigstore-java-*.jar .jar
}

# java_client COMMAND OPTION…: runs the client with a trust store that contains the private CA only.
java_client() {
  local folder store=$work/pki/java.p12
  folder=$(java_folder)
  [ -e "$store" ] || keytool -importcert -noprompt -alias private -file "$ca" -storetype PKCS12 \
    -keystore "$store" -storepass interop >"$pass/keytool" 2>&1 || { cat "$pass/keytool"; return 1; }
  clean java java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.home="$pass/home/java" \
    -Djavax.net.ssl.trustStore="$store" -Djavax.net.ssl.trustStorePassword=interop \
    -cp "$folder/target/classes:$folder/lib/*" interop.Client "$@"
}

# java_new DIALECT COMMAND BUNDLE FILE: signs with that dialect and trust files.
java_new() {
  java_client "$2" --bundle "$3" --token "$(token)" --rekor "${1#v}" \
    --trusted-root "$trust/trusted_root.json" --signing-config "$trust/signing_config.$1.json" "$4"
}

# java_mirror COMMAND OPTION…: runs the client with the TUF repository.
java_mirror() {
  local command=$1
  shift
  java_client "$command" --mirror "$url/tuf" --root "$trust/root.json" --cache "$pass/home/java/tuf" "$@"
}

java_verify() {
  java_client verify --identity "$1" --issuer "$url" --trusted-root "$trust/trusted_root.json" \
    --bundle "$2" "$3"
}

sign_java() {
  local dialect
  [ "$transport" = https ] || return 0
  for dialect in v1 v2; do
    check java "signs a file, Rekor $dialect" java_new "$dialect" sign "$pass/java-$dialect.json" "$artifact"
    offer "java's file, Rekor $dialect" "blob-$dialect" "$pass/java-$dialect.json" "$artifact"
  done
  # It attests in the v2 dialect only, and logs the envelope as dsse 0.0.2.
  check java "attests" java_new v2 attest "$pass/java-attestation.json" "$(statement)"
  offer "java's attestation" attestation-v2-dsse "$pass/java-attestation.json" "$artifact"
  check java "signs a file, by TUF" java_mirror sign --token "$(token)" --rekor 2 \
    --bundle "$pass/java-tuf.json" "$artifact"
  offer "java's file, by TUF" blob-v2 "$pass/java-tuf.json" "$artifact"
}

java_verifies() {
  # sigstore-java 2.0 supports envelopes that are logged as dsse, but not as intoto or by digest.
  case $2 in attestation-v1-intoto | attestation-v2) return 0 ;; esac
  check java "verifies $1" java_verify "$email" "$3" "$4"
}

verify_java() {
  each_bundle java_verifies
  check java "verifies signet's file, by TUF" java_mirror verify --identity "$email" --issuer "$url" \
    --bundle "$pass/signet.json" "$artifact"
}

java_refuses() {
  local name=$1 bundle=$3 file=$4
  case $name in java* | signet*) ;; *) return 0 ;; esac
  flip_signature "$bundle" "$pass/flipped.json"
  refuse java "$name with a flipped bit" 'KeylessVerificationException.*(signature|timestamp|entry)' \
    java_verify "$email" "$pass/flipped.json" "$file"
  refuse java "$name for another identity" 'No provided certificate identities' \
    java_verify mallory@example.com "$bundle" "$file"
  refuse java "$name for another artifact" 'KeylessVerificationException.*(digest|signature)' \
    java_verify "$email" "$bundle" "$other"
}

refuse_java() { each_bundle java_refuses; }

again_java() {
  [ "$transport" = https ] || return 0
  check java "signs after a restart" java_new v2 sign "$pass/java2.json" "$other"
  check java "verifies what it signed after a restart" java_verify "$email" "$pass/java2.json" "$other"
}
