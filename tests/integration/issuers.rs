//! Issuers besides the embedded one, from their tokens to certificates, through a whole instance.

use serde_json::{Value, json};
use signet::testing::{Clock as _, EphemeralKey, SystemClock};

use crate::support::fake_issuer::FakeIssuer;
use crate::support::server::{Plan, TestServer};
use crate::support::signing::{key_request, request_chain, sign};
use crate::support::test_key::TestKey;

/// An issuer behind a CA of its own, and an instance that trusts it.
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
            "exp": now + 300, "email": "alice@example.com", "email_verified": true,
        })
    }

    /// The refusal of a certificate for a token with these claims.
    fn refusal(&self, claims: &Value) -> (u16, Value) {
        let key = EphemeralKey::generate().unwrap();
        let request = key_request(&self.key.token(claims), &key, "alice@example.com");
        let reply = self.server.post_json("/api/v2/signingCert", &request);
        (reply.status, reply.json())
    }
}

#[test]
fn people_of_an_issuer_behind_a_private_ca_sign() {
    let world = World::new("");
    let token = world.key.token(&world.claims());
    let key = EphemeralKey::generate().unwrap();

    let chain = request_chain(
        &world.server,
        &key_request(&token, &key, "alice@example.com"),
    );

    assert_eq!(
        chain[0].subject_name().unwrap().as_str(),
        "alice@example.com"
    );
    assert_eq!(chain[0].oidc_issuer(), Some(world.issuer.url()));
    sign(&world.server, &token, "42", b"proved over the subject");
    assert_eq!(world.issuer.key_requests(), 1);
    let known = world.server.get("/api/v2/configuration").json();
    let issuer = &known["issuers"][1];
    assert_eq!(issuer["issuerUrl"], world.issuer.url());
    assert_eq!(issuer["challengeClaim"], "email");
    assert_eq!(issuer["issuerType"], "email");
}

/// For each claim the values that a token of this issuer must not have.
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
fn t33_t34_t35_t39_tokens_that_do_not_fit_are_refused_in_the_apis_own_form() {
    let world = World::new("");
    for (claim, values) in wrong_claims(world.issuer.url()) {
        for value in values {
            let mut claims = world.claims();
            claims[claim] = value.clone();

            let (status, said) = world.refusal(&claims);

            assert_eq!(status, 400, "{claim} = {value}: {said}");
            assert_eq!(said["code"], 3);
            assert_eq!(said["details"], json!([]));
            let message = said["message"].as_str().unwrap();
            assert!(
                message.starts_with("There was an error processing the identity token: "),
                "{message}"
            );
            assert!(!message.contains("alice"), "{message}");
        }
    }
    assert_eq!(
        world.refusal(&world.claims()).0,
        200,
        "but for these it is accepted"
    );
}

#[test]
fn a_forged_token_and_one_of_the_wrong_issuer_are_refused() {
    let world = World::new("");
    let stranger = TestKey::other_rsa("k");
    let own = world
        .server
        .token(&world.server.account("build@example.com"));
    for token in [
        stranger.token(&world.claims()),
        world
            .key
            .token_with_header(&json!({"alg": "none", "kid": "k"}), &world.claims()),
        format!("{own}x"),
        own.replace('.', ".."),
    ] {
        let request = key_request(
            &token,
            &EphemeralKey::generate().unwrap(),
            "alice@example.com",
        );
        let reply = world.server.post_json("/api/v2/signingCert", &request);
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert_eq!(reply.json()["code"], 3);
    }
}

#[test]
fn machines_whose_names_are_uris_sign_and_only_under_their_own_domain() {
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
        let (status, said) = world.refusal(&claims);
        assert_eq!(status, 400, "{subject}: {said}");
    }
}

#[test]
fn an_issuer_that_cannot_be_reached_is_503_and_the_others_go_on() {
    let key = TestKey::rsa("k");
    let (issuer, _) = FakeIssuer::start_tls(&[&key.jwk], "localhost");
    // Its certificate leads to no root that is known here.
    let table = format!("[[issuers]]\nurl = {:?}\n", issuer.url());
    let world = World {
        server: Plan::new().toml(&table).start(),
        issuer,
        key,
    };

    let (status, said) = world.refusal(&world.claims());

    assert_eq!(status, 503, "{said}");
    assert_eq!(said["code"], 14);
    assert!(world.issuer.requests().is_empty());
    let own = world
        .server
        .token(&world.server.account("build@example.com"));
    sign(
        &world.server,
        &own,
        "build@example.com",
        b"by the embedded issuer",
    );
}
