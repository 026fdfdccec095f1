# gitsign: commits and tags, online (the log is searched) and offline (the entry is in the signature).
# go/gitsign pins its module: `go install` needs the list of versions, which some module proxies lack.
# shellcheck shell=bash disable=SC2154

install_gitsign() {
  need git && go_build "$here/go/gitsign" github.com/sigstore/gitsign gitsign &&
    sed -n 's|^require github.com/sigstore/||p' "$here/go/gitsign/go.mod"
}

# gitsign_env COMMAND…: runs the command in the repository with the settings for a private instance. gitsign
# reads the trusted root by TUF and the other anchors from files.
gitsign_env() {
  clean gitsign env -C "$pass/repository" PATH="$cache/go/bin:$PATH" GIT_CONFIG_NOSYSTEM=1 \
    GITSIGN_FULCIO_URL="$url" GITSIGN_REKOR_URL="$url" GITSIGN_OIDC_ISSUER="$url" \
    GITSIGN_TIMESTAMP_SERVER_URL="$url/api/v1/timestamp" GITSIGN_LOG="$pass/gitsign.log" \
    GITSIGN_FULCIO_ROOT="$trust/fulcio-chain.pem" GITSIGN_TIMESTAMP_CERT_CHAIN="$trust/tsa-chain.pem" \
    SIGSTORE_REKOR_PUBLIC_KEY="$trust/rekor-v1.pem" SIGSTORE_CT_LOG_PUBLIC_KEY_FILE="$trust/ctlog.pem" \
    TUF_MIRROR="$url/tuf" TUF_ROOT_JSON="$trust/root.json" "$@"
}

# gitsign_new MODE COMMAND…: runs git, which signs in that mode with a new token.
gitsign_new() {
  local mode=$1
  shift
  : >"$pass/gitsign.log"
  gitsign_env GITSIGN_REKOR_MODE="$mode" SIGSTORE_ID_TOKEN="$(token)" git "$@" || {
    cat "$pass/gitsign.log"
    return 1
  }
}

# gitsign_who MODE COMMAND IDENTITY REVISION
gitsign_who() {
  gitsign_env GITSIGN_REKOR_MODE="$1" gitsign "$2" --certificate-identity "$3" \
    --certificate-oidc-issuer "$url" "$4"
}

gitsign_repository() {
  mkdir -p "$pass/repository"
  gitsign_env git init -q -b main &&
    gitsign_env git config user.name Builder && gitsign_env git config user.email "$email" &&
    gitsign_env git config gpg.format x509 && gitsign_env git config gpg.x509.program gitsign
}

sign_gitsign() {
  local mode
  gitsign_repository || return
  for mode in online offline; do
    check gitsign "signs a commit, $mode" \
      gitsign_new "$mode" commit -q -S --allow-empty -m "What was done, $mode"
    gitsign_env git branch "$mode"
  done
  # Online, gitsign 0.16 logs a tag under the hash of a commit with the same content, but searches for the
  # tag's own hash, so it finds its entry in no log.
  check gitsign "signs a tag, offline" gitsign_new offline tag -s -m "A release" release
}

verify_gitsign() {
  local mode
  for mode in online offline; do
    check gitsign "verify a commit, $mode" gitsign_who "$mode" verify "$email" "$mode"
    check gitsign "git verify-commit, $mode" gitsign_env GITSIGN_REKOR_MODE="$mode" git verify-commit "$mode"
  done
  check gitsign "verify-tag, offline" gitsign_who offline verify-tag "$email" release
  check gitsign "git verify-tag, offline" gitsign_env GITSIGN_REKOR_MODE=offline git verify-tag release
}

# gitsign_forge MODE NAME: creates a branch with a commit that has the signature of another commit.
gitsign_forge() {
  local forged
  forged=$(gitsign_env git cat-file commit "$1" | sed 's/^What was done/What was not done/' |
    gitsign_env git hash-object -t commit -w --stdin) && gitsign_env git branch "$2" "$forged"
}

refuse_gitsign() {
  local mode
  for mode in online offline; do
    gitsign_forge "$mode" "forged-$mode" || return
    refuse gitsign "a commit for another identity, $mode" 'identit' \
      gitsign_who "$mode" verify mallory@example.com "$mode"
    refuse gitsign "another commit under the signature, $mode" 'verif|digest|signature|match' \
      gitsign_who "$mode" verify "$email" "forged-$mode"
  done
  refuse gitsign "a tag for another identity, offline" 'identit' \
    gitsign_who offline verify-tag mallory@example.com release
}

again_gitsign() {
  check gitsign "signs a commit after a restart" \
    gitsign_new offline commit -q -S --allow-empty -m "What was done later"
  check gitsign "verify of it" gitsign_who offline verify "$email" HEAD
}
