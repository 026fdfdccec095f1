# openssl, curl and jq: runs the blocks of docs/curl.md in order.
# shellcheck shell=bash disable=SC2154

install_curl() { need openssl curl jq && curl --version | head -n 1; }

# curl_script PART: prints the blocks below the heading PART as one script. For each block, the script writes
# "begin" and the heading to descriptor 3, and "ok" if the block succeeded, or failed where it should.
curl_script() {
  awk -v part="$1" '
    /^```/ && block != "" {
      if (block ~ /refused/)
        print ")\nstatus=$?\nset -e\n[ \"$status\" -eq 1 ]"
      printf "printf \"ok\\t%%s\\n\" \"%s\" >&3\n", heading
      block = ""
      next
    }
    block != "" { print; next }
    /^## / { inside = $0 == "## " part; heading = part ", first" }
    /^### / { heading = part ", " tolower(substr($0, 5, 1)) substr($0, 6) }
    /^```sh/ && inside {
      block = $0
      printf "printf \"begin\\t%%s\\n\" \"%s\" >&3\n", heading
      if (block ~ /refused/)
        print "set +e\n(\nset -e"
    }
  ' "$here/../../docs/curl.md" |
    sed "s|https://signet\.example\.com|$url|g; s|build@example\.com|$email|g"
}

# curl_page PART: runs that part in the client's folder and records the result of each heading.
curl_page() {
  local folder=$pass/home/curl heading begun ended
  mkdir -p "$folder"
  curl_script "$1" >"$folder/page.sh"
  clean curl bash page.sh 3>"$folder/rows" >"$pass/out" 2>&1
  while IFS= read -r heading; do
    begun=$(grep -cxF "begin"$'\t'"$heading" "$folder/rows")
    ended=$(grep -cxF "ok"$'\t'"$heading" "$folder/rows")
    if [ "$begun" -gt 0 ] && [ "$begun" -eq "$ended" ]; then
      record curl "$heading" ok
    else
      record curl "$heading" FAIL
      show_output
    fi
  done < <(sed -n 's/^printf "begin\\t%s\\n" "\(.*\)" >&3$/\1/p' "$folder/page.sh" | uniq)
}

sign_curl() {
  local folder=$pass/home/curl
  mkdir -p "$folder"
  cp "$pass/account.json" "$folder/account.json"
  cp "$artifact" "$folder/release.tar.gz"
  curl_page Sign
  offer "curl's file" blob-v2 "$folder/release.tar.gz.sigstore.json" "$artifact"
  offer "curl's file in the v1 dialect" blob-v1 "$folder/release.tar.gz.v1.sigstore.json" "$artifact"
}

verify_curl() { curl_page Verify; }
