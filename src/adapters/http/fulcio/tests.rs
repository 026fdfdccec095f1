use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, read_body, read_body_json};
use serde_json::{Value, json};

use super::certify::{refuse_certificate, refuse_token};
use super::*;
use crate::adapters::http::route::Mount;
use crate::adapters::http::route::testing::serve;
use crate::doubles::{CapturedEvents, FixedClock, MemoryLedger, NoKeySource, SYSTEM_RNG, keys};
use crate::log::{AppendError, Limits};
use crate::protocol::bytes::to_base64;
use crate::protocol::identity::{EmailAddress, IssuerUrl};
use crate::protocol::keys::SigningKey;
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::profile::SerialNumber;
use crate::protocol::x509::{
    Certificate, TrustedAuthority, TrustedCtLog, verify_path, verify_scts,
};
use crate::services::account::Accounts;
use crate::services::authority::Authority;
use crate::services::ca::{IssueError, KeyRequestError};
use crate::services::ctlog::CtSubmitError;
use crate::services::ctlog::tests::log_of;
use crate::services::issuer::{EmbeddedIssuer, generate_key};
use crate::services::ledger::Ledger;
use crate::services::oidc::{KeyPolicy, KeySource, TokenError};
use crate::services::random::NoRandomness;
use crate::services::roster::AuthorityRole;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

const CLOCK: FixedClock = FixedClock(NOW);

/// The origin of a page on another server.
const ORIGIN: (&str, &str) = ("origin", "https://page.example");

/// The services of the API in memory, and an account with its token.
struct World {
    identities: web::Data<IdentityVerifier>,
    authority: web::Data<CertificateAuthority>,
    ct_key: crate::protocol::keys::PublicKey,
    token: String,
    client_id: String,
}

impl World {
    fn new() -> Self {
        let (issuer, accounts) = issuer();
        let made = accounts
            .add_service(EmailAddress::new("ci@example.com").unwrap())
            .unwrap();
        let token = issuer.issue(&accounts.list()[0]).unwrap();
        let source: Arc<dyn KeySource> = Arc::new(NoKeySource);
        let identities = IdentityVerifier::new(
            [issuer.as_trusted().unwrap()],
            KeyPolicy::default(),
            &source,
            Arc::new(CLOCK),
        );
        let serials = [1, 2].map(|byte| SerialNumber::from_random([byte; 20]));
        let role = AuthorityRole::Certificates;
        let ca = Authority::generate(role, "Example", "Root", NOW, serials).unwrap();
        let log = log_of(
            Arc::new(CLOCK),
            vec![ca.chain[1].clone()],
            Limits::default(),
        );
        let ct_key = log.key().clone();
        let key = SigningKey::from_pkcs8(&ca.key).unwrap();
        let authority = CertificateAuthority::new(
            Authority::new(role, ca.chain, key).unwrap(),
            Arc::new(log),
            Arc::new(CLOCK),
            SYSTEM_RNG,
            Duration::from_secs(600),
        )
        .unwrap();
        Self {
            identities: web::Data::new(identities),
            authority: web::Data::new(authority),
            ct_key,
            token: token.jwt.to_string(),
            client_id: made.client_id,
        }
    }

    async fn call(&self, request: TestRequest) -> ServiceResponse {
        let app = serve(vec![Mount::new(&API)], |cfg| {
            cfg.app_data(self.identities.clone())
                .app_data(self.authority.clone());
        });
        call_service(&app.await, request.to_request()).await
    }

    /// Posts a request from a page of another origin; returns status and JSON.
    async fn post(&self, body: &Value, bearer: Option<&str>) -> (u16, Value) {
        let mut request = TestRequest::post()
            .uri("/api/v2/signingCert")
            .insert_header(ORIGIN)
            .set_payload(body.to_string());
        if let Some(token) = bearer {
            request = request.insert_header(("Authorization", format!("Bearer {token}")));
        }
        let response = self.call(request).await;
        let origin = response.headers().get("access-control-allow-origin");
        assert_eq!(origin.unwrap(), "*");
        (response.status().as_u16(), read_body_json(response).await)
    }

    /// Verifies chain, path and SCT of a reply and returns the leaf.
    fn verified_leaf(&self, answer: &(u16, Value)) -> Certificate {
        assert_eq!(answer.0, 200, "{}", answer.1);
        let chain = &answer.1["signedCertificateEmbeddedSct"]["chain"]["certificates"];
        let [leaf, above @ ..] = chain.as_array().unwrap().as_slice() else {
            panic!("no certificate");
        };
        assert_eq!(above, self.authority.chain_pem());
        let leaf = Certificate::from_pem(leaf.as_str().unwrap()).unwrap();
        let validity = Validity {
            start: NOW,
            end: None,
        };
        let authority = TrustedAuthority {
            uri: "https://ca.example".to_owned(),
            chain: self.authority.chain().to_vec(),
            validity,
        };
        let log = TrustedCtLog {
            base_url: "https://ct.example".to_owned(),
            key: self.ct_key.clone(),
            validity,
        };
        let path = verify_path(&leaf, &authority, NOW).unwrap();
        assert_eq!(verify_scts(&leaf, &path, &[log]).unwrap().len(), 1);
        leaf
    }
}

fn issuer() -> (EmbeddedIssuer, Arc<Accounts>) {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let accounts = Arc::new(Accounts::load(ledger, Arc::new(CLOCK), SYSTEM_RNG).unwrap());
    let key = SigningKey::from_pkcs8(&generate_key().unwrap()).unwrap();
    let url = IssuerUrl::new("https://idp.example").unwrap();
    let clock = Arc::new(CLOCK);
    let issuer = EmbeddedIssuer::new(url, key, Arc::clone(&accounts), clock, SYSTEM_RNG).unwrap();
    (issuer, accounts)
}

fn proven(key: &SigningKey, challenge: &str) -> Value {
    json!({
        "publicKey": { "algorithm": "ECDSA", "content": key.public_key().to_pem() },
        "proofOfPossession": to_base64(&key.sign(challenge.as_bytes()).unwrap()),
    })
}

#[actix_web::test]
async fn a_proof_over_the_email_address_or_the_subject_is_accepted() {
    let world = World::new();
    let key = keys::p256();
    for challenge in ["ci@example.com", &world.client_id] {
        let request = json!({ "publicKeyRequest": proven(&key, challenge) });

        let leaf = world.verified_leaf(&world.post(&request, Some(&world.token)).await);

        assert_eq!(leaf.public_key(), key.public_key());
        assert_eq!(leaf.subject_name().unwrap().as_str(), "ci@example.com");
        assert_eq!(leaf.oidc_issuer(), Some("https://idp.example"));
        let subject = leaf.extensions().fulcio(24);
        assert_eq!(subject, Some(world.client_id.as_str()));
        assert_eq!(leaf.validity().start, NOW);
    }
}

#[actix_web::test]
async fn only_the_key_of_a_signing_request_is_used() {
    let world = World::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut wishes = rcgen::CertificateParams::new(["evil.example".to_owned()]).unwrap();
    wishes.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    wishes.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::TimeStamping];
    let pem = wishes.serialize_request(&key).unwrap().pem().unwrap();
    let request = json!({
        "credentials": { "oidcIdentityToken": world.token },
        "certificateSigningRequest": to_base64(pem.as_bytes()),
    });

    // The token in the body takes precedence over the header.
    let leaf = world.verified_leaf(&world.post(&request, Some("x.y.z")).await);

    assert_eq!(leaf.public_key().raw(), key.public_key_raw());
    assert_eq!(leaf.subject_name().unwrap().as_str(), "ci@example.com");
    assert!(leaf.subject_is_empty());
}

/// Sends a request to the v1 API; returns status, content type and text.
async fn ask_v1(world: &World, request: TestRequest) -> (u16, String, String) {
    let response = world.call(request).await;
    let status = response.status().as_u16();
    let kind = response.headers().get(header::CONTENT_TYPE).unwrap();
    let kind = kind.to_str().unwrap().to_owned();
    let text = read_body(response).await.to_vec();
    (status, kind, String::from_utf8(text).unwrap())
}

fn post_v1(world: &World, body: &Value) -> TestRequest {
    TestRequest::post()
        .uri("/api/v1/signingCert")
        .insert_header(("Authorization", format!("Bearer {}", world.token)))
        .set_payload(body.to_string())
}

#[actix_web::test]
async fn v1_accepts_every_encoding_of_a_key_and_returns_a_pem_chain() {
    let world = World::new();
    let key = keys::p256();
    let proof = to_base64(&key.sign(b"ci@example.com").unwrap());
    let by = |content: &[u8]| {
        json!({
            "publicKey": { "content": to_base64(content), "algorithm": "ecdsa" },
            "signedEmailAddress": proof,
            // The Go client sends members that it does not use as null.
            "certificateSigningRequest": null,
        })
    };
    let other = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&other);
    let by_csr = json!({
        "publicKey": { "content": null },
        "signedEmailAddress": null,
        "certificateSigningRequest": to_base64(csr.unwrap().pem().unwrap().as_bytes()),
    });
    let own = key.public_key();

    for (body, raw) in [
        (by(own.spki_der()), own.raw()),
        (by(own.to_pem().as_bytes()), own.raw()),
        (by_csr, other.public_key_raw()),
    ] {
        let (status, kind, text) = ask_v1(&world, post_v1(&world, &body)).await;

        assert_eq!(status, 201, "{text}");
        assert_eq!(kind, "application/pem-certificate-chain");
        let leaf = text.strip_suffix(&world.authority.chain_pem().concat());
        let leaf = Certificate::from_pem(leaf.unwrap()).unwrap();
        assert_eq!(leaf.public_key().raw(), raw);
        assert_eq!(leaf.subject_name().unwrap().as_str(), "ci@example.com");
    }
}

#[actix_web::test]
async fn v1_refuses_with_the_same_messages() {
    let world = World::new();
    let key = keys::p256();
    let content = to_base64(key.public_key().spki_der());
    let mallory = to_base64(&key.sign(b"mallory@example.com").unwrap());
    let identity = "There was an error processing the identity token";
    let wrong = json!({ "publicKey": { "content": content }, "signedEmailAddress": mallory });
    let without_token = TestRequest::post()
        .uri("/api/v1/signingCert")
        .set_payload(wrong.to_string());
    for (request, message) in [
        (without_token, identity),
        (
            post_v1(&world, &wrong),
            "The signature supplied in the request could not be verified",
        ),
        (
            post_v1(&world, &json!({})),
            "The public key supplied in the request could not be parsed",
        ),
        (
            post_v1(&world, &json!({ "certificateSigningRequest": "cGVt" })),
            "The certificate signing request could not be parsed",
        ),
        (
            post_v1(&world, &json!({ "publicKey": "pem" })),
            "the body is not the expected JSON",
        ),
    ] {
        let (status, kind, text) = ask_v1(&world, request).await;

        assert_eq!((status, kind.as_str()), (400, "application/json"), "{text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["code"], 3);
        let said = body["message"].as_str().unwrap();
        assert!(said.starts_with(message), "{said}");
    }
}

#[actix_web::test]
async fn v1_serves_the_chain_of_the_authority() {
    let world = World::new();

    let request = TestRequest::get().uri("/api/v1/rootCert");
    let (status, kind, text) = ask_v1(&world, request).await;

    assert_eq!(status, 200);
    assert_eq!(kind, "application/pem-certificate-chain");
    assert_eq!(text, world.authority.chain_pem().concat());
}

#[actix_web::test]
async fn refusals_have_the_format_of_grpc_gateway() {
    let world = World::new();
    let key = keys::p256();
    let good = json!({ "publicKeyRequest": proven(&key, "ci@example.com") });
    let wrong = json!({ "publicKeyRequest": proven(&key, "mallory@example.com") });
    let weak = json!({ "publicKeyRequest": { "publicKey": { "content": "AAAA" } } });
    let token = Some(world.token.as_str());
    let identity = "There was an error processing the identity token";
    for (request, bearer, message) in [
        (&good, None, identity),
        (&good, Some("a.b.c"), identity),
        (
            &wrong,
            token,
            "The signature supplied in the request could not be verified",
        ),
        (
            &weak,
            token,
            "The public key supplied in the request could not be parsed",
        ),
        (
            &json!({ "credentials": 1 }),
            token,
            "the body is not the expected JSON",
        ),
    ] {
        let (status, body) = world.post(request, bearer).await;

        assert_eq!(status, 400);
        assert_eq!(body["code"], 3);
        let text = body["message"].as_str().unwrap();
        assert!(text.starts_with(message), "{text}");
    }
}

fn wire(request: Value) -> CreateSigningCertificateRequest {
    serde_json::from_value(request).unwrap()
}

#[test]
fn camel_case_and_snake_case_are_read() {
    for (outer, inner, proof) in [
        ("publicKeyRequest", "publicKey", "proofOfPossession"),
        ("public_key_request", "public_key", "proof_of_possession"),
    ] {
        let request = json!({ outer: {
            inner: { "algorithm": "ECDSA", "content": "pem" },
            proof: "-_8",
        }});
        let Ok(KeyRequest::PublicKey { key, proof }) = key_of(wire(request)) else {
            panic!("not read as a public key");
        };
        assert_eq!((key.as_str(), proof.as_slice()), ("pem", &[0xfb, 0xff][..]));
    }
    let request = json!({ "certificateSigningRequest": "cGVt" });
    let Ok(KeyRequest::SigningRequest { pem }) = key_of(wire(request)) else {
        panic!("not read as a signing request");
    };
    assert_eq!(pem, "pem");
}

#[test]
fn a_request_needs_exactly_one_key() {
    let both = json!({ "certificateSigningRequest": "cGVt", "publicKeyRequest": {} });
    let not_text = json!({ "certificateSigningRequest": "//8=" });
    for request in [json!({}), both, not_text] {
        let error = key_of(wire(request)).unwrap_err();
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn the_case_of_the_bearer_scheme_does_not_matter() {
    let bearer_of = |value: &'static str| {
        let request = TestRequest::default().insert_header(("Authorization", value));
        bearer(&request.to_http_request())
    };

    assert_eq!(bearer_of("bearer a.b.c").as_deref(), Some("a.b.c"));
    assert_eq!(bearer_of("Bearer  a.b.c ").as_deref(), Some("a.b.c"));
    assert_eq!(bearer_of("Basic a.b.c"), None);
    assert_eq!(bearer_of("a.b.c"), None);
}

#[test]
fn every_refusal_has_the_status_of_the_reference_server() {
    let status = |error: IssueError| refuse_certificate(error).status().as_u16();

    for error in [
        KeyRequestError::Proof,
        KeyRequestError::PublicKey,
        KeyRequestError::SigningRequest,
    ] {
        assert_eq!(status(error.into()), 400);
    }
    let overloaded = CtSubmitError::Append(AppendError::Overloaded);
    assert_eq!(status(IssueError::Log(overloaded)), 503);
    let read_only = CtSubmitError::Append(AppendError::ReadOnly { missing: 1 });
    assert_eq!(status(IssueError::Log(read_only)), 503);
    assert_eq!(status(IssueError::Random(NoRandomness)), 500);
    let token = |error: TokenError| refuse_token(error).status().as_u16();
    assert_eq!(token(TokenError::NotCompact), 400);
    assert_eq!(token(TokenError::IssuerUnavailable), 503);
}

#[actix_web::test]
async fn pages_of_every_origin_may_read_the_issuers() {
    let listed = FulcioConfiguration {
        issuers: vec![ConfiguredIssuer {
            issuer_url: "https://idp.example".to_owned(),
            audience: "sigstore".to_owned(),
            challenge_claim: "email",
            spiffe_trust_domain: String::new(),
            issuer_type: "email",
            subject_domain: String::new(),
            skip_email_verification: false,
        }],
    };
    let app = serve(vec![Mount::new(&API)], |cfg| {
        cfg.app_data(web::Data::new(listed));
    })
    .await;
    let request = TestRequest::get()
        .uri("/api/v2/configuration")
        .insert_header(ORIGIN);

    let response = call_service(&app, request.to_request()).await;

    assert_eq!(
        response
            .headers()
            .get("access-control-allow-origin")
            .unwrap(),
        "*"
    );
    let body: Value = read_body_json(response).await;
    let expected = json!({ "issuers": [{
        "issuerUrl": "https://idp.example",
        "audience": "sigstore",
        "challengeClaim": "email",
        "spiffeTrustDomain": "",
        "issuerType": "email",
        "subjectDomain": "",
        "skipEmailVerification": false,
    }]});
    assert_eq!(body, expected);
}

#[actix_web::test]
async fn pages_of_every_origin_may_request_certificates() {
    let world = World::new();
    let request = TestRequest::default()
        .method(actix_web::http::Method::OPTIONS)
        .uri("/api/v2/signingCert")
        .insert_header(ORIGIN)
        .insert_header(("access-control-request-method", "POST"))
        .insert_header((
            "access-control-request-headers",
            "authorization, content-type",
        ));

    let response = world.call(request).await;

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response
            .headers()
            .get("access-control-allow-origin")
            .unwrap(),
        "*"
    );
    let methods = response
        .headers()
        .get("access-control-allow-methods")
        .unwrap();
    assert!(methods.to_str().unwrap().contains("POST"));
}

#[actix_web::test]
async fn the_trust_bundle_is_the_chain_of_the_authority() {
    let world = World::new();
    let request = TestRequest::get().uri("/api/v2/trustBundle");

    let body: Value = read_body_json(world.call(request).await).await;

    let chain = world.authority.chain_pem();
    assert_eq!(body, json!({ "chains": [{ "certificates": chain }] }));
}

/// An unauthenticated request must not use much memory.
#[actix_web::test]
async fn an_oversized_request_is_refused_before_it_is_read() {
    let world = World::new();
    let request = json!({ "credentials": { "oidcIdentityToken": ".".repeat(MAX_REQUEST) } });

    let (status, body) = world.post(&request, None).await;

    assert_eq!(status, 413);
    assert_eq!(body["code"], 8);
    assert_eq!(body["message"], "the body is larger than 65536 bytes");
}

/// A refusal logs one line with a reason and no part of the token.
#[actix_web::test]
async fn a_refusal_is_logged_with_its_reason_and_without_the_token() {
    let world = World::new();
    let key = keys::p256();
    let events = CapturedEvents::start();

    let request = json!({ "publicKeyRequest": proven(&key, "ci@example.com") });
    let forged = format!("{}A", world.token);
    assert_eq!(world.post(&request, Some(&forged)).await.0, 400);
    assert_eq!(world.post(&request, Some("no token")).await.0, 400);
    let request = json!({ "publicKeyRequest": proven(&key, "someone else") });
    assert_eq!(world.post(&request, Some(&world.token)).await.0, 400);

    let logged = events.finish();
    let lines: Vec<_> = logged
        .lines()
        .filter(|line| line.contains("refused"))
        .collect();
    assert_eq!(lines.len(), 3, "{logged}");
    assert!(lines[1].contains("not-a-jwt"), "{logged}");
    assert!(lines[2].contains("proof of possession"), "{logged}");
    assert!(!logged.contains("ci@example.com") && !logged.contains("no token"));
}
