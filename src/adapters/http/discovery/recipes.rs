//! The commands of every client that is known to work, as one would type them.
//!
//! `{url}`, `{issuer}` and `{root}` stand outside of quotes, for each becomes a word with its own.

use super::Feature::{self, DefaultPort, EmbeddedIssuer, RekorV1, RekorV2, Tls, TufRepository};
use super::clients::{Recipe, StepRecipe};

const fn step(
    purpose: &'static str,
    needs: &'static [Feature],
    commands: &'static str,
) -> StepRecipe {
    StepRecipe {
        purpose,
        needs,
        commands,
    }
}

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        client: "Before anything else",
        steps: &[
            step(
                "If a private CA stands behind the server's TLS, tell every client of it",
                &[Tls],
                r#"
export CURL_CA_BUNDLE=$PWD/ca.pem SIGNET_CA_FILE=$PWD/ca.pem SSL_CERT_FILE=$PWD/ca.pem \
    REQUESTS_CA_BUNDLE=$PWD/ca.pem NODE_EXTRA_CA_CERTS=$PWD/ca.pem
"#,
            ),
            step(
                "Fetch the trust documents",
                &[],
                r#"
curl -fsSO {url}/trust/trusted_root.json
curl -fsSO {url}/trust/signing_config.v0.2.json
curl -fsSO {url}/trust/client_trust_config.json
"#,
            ),
            step(
                "Fetch the first TUF root, and compare it with what the operator said",
                &[TufRepository],
                r#"
curl -fsS {url}/tuf/1.root.json -o root.json
echo '{root}  root.json' | sha256sum -c
"#,
            ),
            step(
                "Get a token for a machine, whose account the operator makes on the server",
                &[EmbeddedIssuer],
                r#"
signet account add EMAIL --service --json > account.json
curl -fsS {url}/oauth2/token -d grant_type=client_credentials \
    -u "$(jq -r '.client_id + ":" + .client_secret' account.json)" \
    | jq -r .id_token > token.txt
"#,
            ),
        ],
    },
    Recipe {
        client: "signet",
        steps: &[
            step(
                "Sign",
                &[RekorV2],
                "signet sign --url {url} --identity-token-file token.txt FILE",
            ),
            step(
                "Verify, without any network",
                &[],
                r#"
signet verify --trusted-root trusted_root.json \
    --certificate-identity WHO --certificate-oidc-issuer {issuer} FILE
"#,
            ),
        ],
    },
    Recipe {
        client: "cosign 3",
        steps: &[
            step(
                "Sign a file",
                &[],
                r#"
cosign sign-blob --yes --identity-token "$(cat token.txt)" \
    --signing-config signing_config.v0.2.json --trusted-root trusted_root.json \
    --bundle FILE.sigstore.json FILE
"#,
            ),
            step(
                "Verify it",
                &[],
                r#"
cosign verify-blob --trusted-root trusted_root.json --bundle FILE.sigstore.json \
    --certificate-identity WHO --certificate-oidc-issuer {issuer} FILE
"#,
            ),
            step(
                "Sign and verify an image",
                &[],
                r#"
cosign sign --yes --identity-token "$(cat token.txt)" \
    --signing-config signing_config.v0.2.json --trusted-root trusted_root.json IMAGE
cosign verify --trusted-root trusted_root.json \
    --certificate-identity WHO --certificate-oidc-issuer {issuer} IMAGE
"#,
            ),
            step(
                "Attest something about a file, and verify that",
                &[],
                r#"
cosign attest-blob --yes --identity-token "$(cat token.txt)" \
    --signing-config signing_config.v0.2.json --trusted-root trusted_root.json \
    --predicate PREDICATE.json --type slsaprovenance1 --bundle FILE.att.sigstore.json FILE
cosign verify-blob-attestation --trusted-root trusted_root.json \
    --bundle FILE.att.sigstore.json --type slsaprovenance1 \
    --certificate-identity WHO --certificate-oidc-issuer {issuer} FILE
"#,
            ),
            step(
                "Or once by TUF; then leave out --signing-config and --trusted-root",
                &[TufRepository],
                r#"
cosign initialize --mirror {url}/tuf --root {url}/tuf/1.root.json \
    --root-checksum {root}
"#,
            ),
        ],
    },
    Recipe {
        client: "sigstore-python 4",
        steps: &[
            step(
                "Sign",
                &[],
                r#"
sigstore --trust-config client_trust_config.json sign \
    --identity-token "$(cat token.txt)" --bundle FILE.sigstore.json FILE
"#,
            ),
            step(
                "Verify",
                &[],
                r#"
sigstore --trust-config client_trust_config.json verify identity \
    --bundle FILE.sigstore.json --cert-identity WHO --cert-oidc-issuer {issuer} FILE
"#,
            ),
            step(
                "Attest",
                &[],
                r#"
sigstore --trust-config client_trust_config.json attest \
    --identity-token "$(cat token.txt)" --predicate PREDICATE.json \
    --predicate-type https://slsa.dev/provenance/v1 --bundle FILE.att.sigstore.json FILE
"#,
            ),
            step(
                "Or once by TUF; then --instance takes the place of --trust-config",
                &[TufRepository],
                r#"
sigstore --instance {url}/tuf trust-instance root.json
sigstore --instance {url}/tuf verify identity \
    --bundle FILE.sigstore.json --cert-identity WHO --cert-oidc-issuer {issuer} FILE
"#,
            ),
        ],
    },
    Recipe {
        client: "sigstore-js",
        steps: &[
            step(
                "Sign, as the signing configuration says",
                &[],
                r#"
npm install @sigstore/bundle @sigstore/protobuf-specs @sigstore/sign @sigstore/verify
cat > sign.cjs <<'END'
const { readFileSync, writeFileSync } = require('fs');
const { bundleToJSON } = require('@sigstore/bundle');
const { SigningConfig } = require('@sigstore/protobuf-specs');
const { bundleBuilderFromSigningConfig } = require('@sigstore/sign');
const file = process.argv[2];
const config = JSON.parse(readFileSync('signing_config.v0.2.json'));
const token = readFileSync('token.txt', 'utf8').trim();
bundleBuilderFromSigningConfig({
  signingConfig: SigningConfig.fromJSON(config),
  identityProvider: { getToken: async () => token },
  bundleType: 'messageSignature',
}).create({ data: readFileSync(file) }).then((bundle) =>
  writeFileSync(`${file}.sigstore.json`, JSON.stringify(bundleToJSON(bundle))));
END
node sign.cjs FILE
"#,
            ),
            step(
                "Verify, without any network",
                &[],
                r#"
cat > verify.cjs <<'END'
const { readFileSync } = require('fs');
const { bundleFromJSON } = require('@sigstore/bundle');
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');
const [file, subjectAlternativeName, issuer] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(name));
const trust = toTrustMaterial(TrustedRoot.fromJSON(read('trusted_root.json')));
const entity = toSignedEntity(bundleFromJSON(read(`${file}.sigstore.json`)), readFileSync(file));
new Verifier(trust).verify(entity, { subjectAlternativeName, extensions: { issuer } });
END
node verify.cjs FILE WHO {issuer}
"#,
            ),
        ],
    },
    Recipe {
        client: "@sigstore/cli",
        steps: &[
            step(
                "Attest with a statement",
                &[RekorV1],
                r#"
CI=1 SIGSTORE_ID_TOKEN="$(cat token.txt)" npx @sigstore/cli attest STATEMENT.json \
    --fulcio-url {url} --rekor-url {url} --tsa-server-url {url} \
    -o STATEMENT.sigstore.json --timeout 30
"#,
            ),
            step(
                "Verify it",
                &[TufRepository],
                r#"
npx @sigstore/cli verify --tuf-mirror-url {url}/tuf --tuf-root-path root.json \
    --certificate-issuer {issuer} --certificate-identity-email WHO STATEMENT.sigstore.json
"#,
            ),
        ],
    },
    Recipe {
        client: "gitsign",
        steps: &[
            step(
                "Sign commits",
                &[RekorV1, TufRepository],
                r#"
curl -fsSO {url}/trust/fulcio-chain.pem
curl -fsSO {url}/trust/ctlog.pem
curl -fsSO {url}/trust/rekor-v1.pem
curl -fsSO {url}/trust/tsa-chain.pem
git config gpg.format x509
git config gpg.x509.program gitsign
export GITSIGN_FULCIO_URL={url} GITSIGN_REKOR_URL={url} \
    GITSIGN_TIMESTAMP_SERVER_URL={url}/api/v1/timestamp \
    GITSIGN_FULCIO_ROOT=$PWD/fulcio-chain.pem \
    GITSIGN_TIMESTAMP_CERT_CHAIN=$PWD/tsa-chain.pem \
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=$PWD/ctlog.pem \
    SIGSTORE_REKOR_PUBLIC_KEY=$PWD/rekor-v1.pem \
    TUF_MIRROR={url}/tuf TUF_ROOT_JSON=$PWD/root.json
SIGSTORE_ID_TOKEN="$(cat token.txt)" git commit -S
"#,
            ),
            step(
                "Verify them, in the same environment",
                &[RekorV1, TufRepository],
                "gitsign verify --certificate-identity WHO --certificate-oidc-issuer {issuer} HEAD",
            ),
        ],
    },
    Recipe {
        client: "rekor-cli",
        steps: &[
            step(
                "Log a signature that another key made",
                &[RekorV1],
                r#"
rekor-cli --rekor_server {url} upload --type hashedrekord --pki-format x509 \
    --artifact-hash "$(sha256sum FILE | cut -d' ' -f1)" \
    --signature FILE.sig --public-key KEY.pem
"#,
            ),
            step(
                "Look into the log",
                &[],
                r#"
rekor-cli --rekor_server {url} loginfo
rekor-cli --rekor_server {url} search --email WHO
rekor-cli --rekor_server {url} get --log-index INDEX
"#,
            ),
        ],
    },
    Recipe {
        client: "timestamp-cli",
        steps: &[step(
            "Get a timestamp, and verify it",
            &[],
            r#"
timestamp-cli --timestamp_server {url} timestamp --artifact FILE --out FILE.tsr
curl -fsSO {url}/trust/tsa-chain.pem
timestamp-cli verify --artifact FILE --timestamp FILE.tsr --certificate-chain tsa-chain.pem
"#,
        )],
    },
    Recipe {
        client: "sigstore-go",
        steps: &[
            step(
                "Sign",
                &[],
                r#"
go run github.com/sigstore/sigstore-go/examples/sigstore-go-signing@latest \
    -signing-config signing_config.v0.2.json -trusted-root trusted_root.json \
    -rekor -tsa -id-token "$(cat token.txt)" FILE
"#,
            ),
            step(
                "Verify",
                &[],
                r#"
go run github.com/sigstore/sigstore-go/examples/sigstore-go-verification@latest \
    -trustedrootJSONpath trusted_root.json -artifact FILE \
    -expectedSAN WHO -expectedIssuer {issuer} FILE.sigstore.json
"#,
            ),
        ],
    },
    Recipe {
        client: "sigstore-java",
        steps: &[
            step(
                "Sign; the JVM must trust the server's certificate",
                &[Tls],
                r#"
sigstore-cli sign --signing-config signing_config.v0.2.json \
    --trusted-root trusted_root.json --identity-token token.txt \
    --bundle FILE.sigstore.json FILE
"#,
            ),
            step(
                "Verify",
                &[],
                r#"
sigstore-cli verify --trusted-root trusted_root.json --bundle FILE.sigstore.json \
    --certificate-identity WHO --certificate-oidc-issuer {issuer} FILE
"#,
            ),
        ],
    },
    Recipe {
        client: "rekor-monitor",
        steps: &[
            step(
                "Watch the signature log in the v1 dialect; the slash at the end asks for it",
                &[TufRepository],
                r#"
rekor_monitor -url {url}/ -tuf-repository {url}/tuf -tuf-root-path root.json \
    -config-file monitor.yaml -file rekor-v1.txt -once=true
"#,
            ),
            step(
                "Watch the signature log in the v2 dialect",
                &[TufRepository, RekorV2, DefaultPort],
                r#"
rekor_monitor -url {url} -tuf-repository {url}/tuf -tuf-root-path root.json \
    -config-file monitor.yaml -file rekor-v2.txt -once=true
"#,
            ),
            step(
                "Watch the certificate log",
                &[TufRepository],
                r#"
ct_monitor -url {url}/ct -tuf-repository {url}/tuf -tuf-root-path root.json \
    -config-file monitor.yaml -file ct.txt -once=true
"#,
            ),
        ],
    },
    Recipe {
        client: "curl and openssl",
        steps: &[
            step(
                "Let the server verify; curl's exit status is the verdict",
                &[],
                r#"
curl -f -F bundle=@FILE.sigstore.json -F artifact=@FILE \
    -F identity=WHO -F issuer={issuer} {url}/signet/v1/verify
"#,
            ),
            step(
                "Get a timestamp, and verify it",
                &[],
                r#"
openssl ts -query -data FILE -sha256 -cert \
    | curl -fsS -H 'content-type: application/timestamp-query' --data-binary @- \
    {url}/api/v1/timestamp -o FILE.tsr
curl -fsSO {url}/trust/tsa-chain.pem
openssl ts -verify -data FILE -in FILE.tsr -CAfile tsa-chain.pem
"#,
            ),
        ],
    },
];
