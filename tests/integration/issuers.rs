//! External issuers, from their tokens to certificates, through an instance.

use serde_json::{Value, json};
use signet::testing::{Clock as _, EphemeralKey, SystemClock};

use crate::support::account::EMAIL;
use crate::support::fake_issuer::FakeIssuer;
use crate::support::server::{Plan, TestServer};
use crate::support::signing::{key_request, request_chain, sign};
use crate::support::test_key::TestKey;

const ALICE: &str = "alice@example.com";

/// An issuer with a private CA, and an instance that trusts it.
struct World {
    issuer: FakeIssuer,
    key: TestKey,
    server: TestServer,
}

impl World {
    fn new(more: &str) -> Self {
        let key = TestKey::rsa("k");
        let (issuer, ca) = FakeIssuer::start_tls(&[&key.jwk], "localhost");
        let plan = Plan::new();
        let ca_file = plan.folder().join("ca.pem");
        std::fs::write(&ca_file, ca).unwrap();
        let (url, ca_file) = (issuer.url(), ca_file.display());
        let table = format!("[[issuers]]\nurl = {url:?}\nca_file = \"{ca_file}\"\n{more}");
        let server = plan.toml(&table).start();
        Self {
            issuer,
            key,
            server,
        }
    }

    fn claims(&self) -> Value {
        let now = SystemClock.now().seconds();
        json!({
            "iss": self.issuer.url(), "aud": "sigstore", "sub": "42", "iat": now,
            "exp": now + 300, "email": ALICE, "email_verified": true,
        })
    }

    /// Requests a certificate for a token with these claims; returns the status and the body.
    fn certify(&self, claims: &Value) -> (u16, Value) {
        self.certify_token(&self.key.token(claims))
    }

    fn certify_token(&self, token: &str) -> (u16, Value) {
        let key = EphemeralKey::generate().unwrap();
        let request = key_request(token, &key, ALICE);
        let reply = self.server.post_json("/api/v2/signingCert", &request);
        (reply.status, reply.json())
    }
}

#[test]
fn users_of_an_issuer_with_a_private_ca_sign() {
    let world = World::new("");
    let token = world.key.token(&world.claims());
    let key = EphemeralKey::generate().unwrap();

    let chain = request_chain(&world.server, &key_request(&token, &key, ALICE));

    assert_eq!(chain[0].subject_name().unwrap().as_str(), ALICE);
    assert_eq!(chain[0].oidc_issuer(), Some(world.issuer.url()));
    sign(&world.server, &token, "42", b"proved over the subject");
    assert_eq!(world.issuer.key_requests(), 1);
    let known = world.server.get("/api/v2/configuration").json();
    let issuer = &known["issuers"][1];
    assert_eq!(issuer["issuerUrl"], world.issuer.url());
    assert_eq!(issuer["challengeClaim"], "email");
    assert_eq!(issuer["issuerType"], "email");
}

/// For each claim, values that are refused.
fn wrong_claims(url: &str) -> Vec<(&'static str, Vec<Value>)> {
    let now = SystemClock.now().seconds();
    vec![
        (
            "aud",
            vec![
                json!("sigstore "),
                json!("Sigstore"),
                json!(null),
                json!([]),
                json!(7),
            ],
        ),
        (
            "iss",
            vec![
                json!(format!("{url}/")),
                json!("https://idp.example"),
                json!(""),
            ],
        ),
        (
            "exp",
            vec![
                json!(now - 120),
                json!("9999999999"),
                json!(null),
                json!(1e300),
                json!(-1),
            ],
        ),
        ("iat", vec![json!(now + 600), json!("0"), json!([])]),
        ("nbf", vec![json!(now + 600), json!("1")]),
        ("email_verified", vec![json!(false), json!(1), json!(null)]),
        (
            "email",
            vec![
                json!("a@x\0@y"),
                json!("a@x\r\nb"),
                json!(" a@example.com"),
                json!("a@x,b@y"),
                json!("<a@example.com>"),
                json!("a".repeat(300) + "@example.com"),
                json!(""),
                json!(null),
            ],
        ),
    ]
}

#[test]
fn tokens_with_wrong_claims_are_refused_in_the_error_format_of_the_api() {
    let world = World::new("");
    for (claim, values) in wrong_claims(world.issuer.url()) {
        for value in values {
            let mut claims = world.claims();
            claims[claim] = value.clone();

            let (status, error) = world.certify(&claims);

            assert_eq!(status, 400, "{claim} = {value}: {error}");
            assert_eq!(error["code"], 3);
            assert_eq!(error["details"], json!([]));
            let message = error["message"].as_str().unwrap();
            assert!(
                message.starts_with("There was an error processing the identity token: "),
                "{message}"
            );
            assert!(!message.contains("alice"), "{message}");
        }
    }
    assert_eq!(
        world.certify(&world.claims()).0,
        200,
        "the unchanged claims are accepted"
    );
}

#[test]
fn forged_and_malformed_tokens_are_refused() {
    let world = World::new("");
    let other = TestKey::other_rsa("k");
    let own = world.server.new_token(EMAIL);
    for token in [
        other.token(&world.claims()),
        world
            .key
            .token_with_header(&json!({"alg": "none", "kid": "k"}), &world.claims()),
        format!("{own}x"),
        own.replace('.', ".."),
    ] {
        let (status, error) = world.certify_token(&token);
        assert_eq!(status, 400, "{error}");
        assert_eq!(error["code"], 3);
    }
}

#[test]
fn machines_with_uri_subjects_sign_within_their_subject_domain_only() {
    let world = World::new("type = \"uri\"\nsubject_domain = \"https://localhost\"\n");
    let mut claims = world.claims();
    let job = "https://localhost/repo/.github/workflows/release.yml@refs/heads/main";
    claims["sub"] = json!(job);
    let token = world.key.token(&claims);
    let key = EphemeralKey::generate().unwrap();

    let chain = request_chain(&world.server, &key_request(&token, &key, job));

    assert_eq!(chain[0].subject_name().unwrap().as_str(), job);
    for subject in [
        "https://localhost.evil.example/job",
        "https://localhost@evil.example/job",
        "https://other.example/job",
        "http://localhost/job",
        "alice@example.com",
        "",
    ] {
        claims["sub"] = json!(subject);
        let (status, error) = world.certify(&claims);
        assert_eq!(status, 400, "{subject}: {error}");
    }
}

#[test]
fn an_unreachable_issuer_is_503_and_the_others_still_work() {
    let key = TestKey::rsa("k");
    let (issuer, _) = FakeIssuer::start_tls(&[&key.jwk], "localhost");
    // The certificate chains to no root that the server trusts.
    let table = format!("[[issuers]]\nurl = {:?}\n", issuer.url());
    let world = World {
        server: Plan::new().toml(&table).start(),
        issuer,
        key,
    };

    let (status, error) = world.certify(&world.claims());

    assert_eq!(status, 503, "{error}");
    assert_eq!(error["code"], 14);
    assert!(world.issuer.requests().is_empty());
    let own = world.server.new_token(EMAIL);
    sign(&world.server, &own, EMAIL, b"by the embedded issuer");
}
