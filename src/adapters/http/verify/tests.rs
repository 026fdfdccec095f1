use std::sync::Arc;

use actix_web::test::{TestRequest, call_service, read_body};
use serde_json::{Value, json};

use super::*;
use crate::adapters::http::route::Mount;
use crate::adapters::http::route::testing::serve;
use crate::adapters::system::SystemClock;
use crate::protocol::bundle::verify::testing::{ARTIFACT, ISSUER, SUBJECT, World};
use crate::protocol::bytes::to_base64;
use crate::protocol::hash::Sha256;
use crate::protocol::policy::{IdentityMatcher, Policy};

const LIMITS: VerifyLimits = VerifyLimits {
    body_bytes: 100_000,
    artifact_bytes: 1_000,
};

fn endpoint() -> Data<VerifyEndpoint> {
    Data::new(VerifyEndpoint::new(LIMITS, 1, Outcomes::default()))
}

async fn send(world: &World, request: TestRequest) -> (StatusCode, String) {
    let verifier = VerificationService::new(Arc::new(world.trust.clone()), Arc::new(SystemClock));
    let app = serve(vec![Mount::new(&API)], |cfg| {
        cfg.app_data(Data::new(verifier)).app_data(endpoint());
    })
    .await;
    let request = request.uri("/signet/v1/verify").to_request();
    let response = call_service(&app, request).await;
    let status = response.status();
    let body = read_body(response).await;
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn ask(world: World, question: String) -> (StatusCode, Value) {
    let (status, body) = send(&world, TestRequest::post().set_payload(question)).await;
    (status, serde_json::from_str(&body).unwrap())
}

const BOUNDARY: &str = "------------------------d74496d66958873e";

fn part(name: &str, content: &str) -> String {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{content}\r\n"
    )
}

/// A request in the format of curl's `-F`.
fn form(parts: &[(&str, &str)]) -> TestRequest {
    let parts: String = parts
        .iter()
        .map(|(name, content)| part(name, content))
        .collect();
    TestRequest::post()
        .insert_header((
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        ))
        .set_payload(format!("{parts}--{BOUNDARY}--\r\n"))
}

async fn submit(world: &World, parts: &[(&str, &str)]) -> (StatusCode, Value) {
    let (status, body) = send(world, form(parts)).await;
    (status, serde_json::from_str(&body).unwrap())
}

fn artifact() -> &'static str {
    std::str::from_utf8(ARTIFACT).unwrap()
}

fn question(bundle: &str, artifact: Value, who: Value) -> String {
    let mut question = json!({"artifact": artifact});
    question
        .as_object_mut()
        .unwrap()
        .extend(who.as_object().unwrap().clone());
    // The bundle is inserted as text: parsing it here would normalise it.
    question
        .to_string()
        .replacen('{', &format!(r#"{{"bundle":{bundle},"#), 1)
}

fn alice() -> Value {
    json!({"identities": [
        {"issuer": ISSUER, "subject": "bob@example.com"},
        {"issuer": ISSUER, "subject": SUBJECT}
    ]})
}

fn sha256(content: &[u8]) -> Value {
    json!({"sha256": Sha256::of(content).to_hex()})
}

#[actix_web::test]
async fn a_valid_bundle_is_verified_by_digest_and_by_content() {
    for artifact in [sha256(ARTIFACT), json!({"base64": to_base64(ARTIFACT)})] {
        let world = World::new();
        let question = question(&world.message().to_json(), artifact, alice());

        let (status, verdict) = ask(world, question).await;

        assert_eq!(status, StatusCode::OK, "{verdict}");
        assert_eq!(verdict["verified"], true);
        assert_eq!(verdict["identity"]["subject"], SUBJECT);
    }
}

#[actix_web::test]
async fn a_bare_key_bundle_is_verified_with_the_callers_key() {
    let world = World::new();
    let key = json!({"key": world.signer.public_key().to_pem()});
    let question = question(&world.managed().to_json(), sha256(ARTIFACT), key);

    let (status, verdict) = ask(world, question).await;

    assert_eq!(status, StatusCode::OK, "{verdict}");
}

#[actix_web::test]
async fn a_bundle_for_another_artifact_is_refused_with_a_reason() {
    let world = World::new();
    let question = question(&world.message().to_json(), sha256(b"other"), alice());

    let (status, verdict) = ask(world, question).await;

    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(verdict["verified"], false);
    assert_eq!(verdict["code"], "artifact-mismatch");
    assert_eq!(verdict["checks"].as_array().unwrap().len(), 8);
}

#[actix_web::test]
async fn malformed_json_requests_get_a_problem_document() {
    let good = World::new().message().to_json();
    let twice = good.replacen('{', r#"{"mediaType":"x","#, 1);
    let digest = sha256(ARTIFACT);
    let two = json!({
        "bundles": [serde_json::from_str::<Value>(&good).unwrap(), {}],
        "artifact": digest,
        "identities": alice()["identities"],
    });
    let two = two.to_string();
    let both = json!({"identities": alice()["identities"], "key": "x"});
    let cases = [
        ("{".to_owned(), "malformed-json"),
        ("{}".to_owned(), "malformed-json"),
        (question("{}", digest.clone(), alice()), "not-a-bundle"),
        (question("null", digest.clone(), alice()), "no-bundle"),
        (question(&twice, digest.clone(), alice()), "not-a-bundle"),
        (
            question(&good, json!({"sha256": "00"}), alice()),
            "malformed-digest",
        ),
        (
            question(&good, json!({"md5": "00"}), alice()),
            "malformed-json",
        ),
        (
            question(&good, digest.clone(), json!({"extra": 1})),
            "malformed-json",
        ),
        (question(&good, digest.clone(), json!({})), "no-identity"),
        (
            question(&good, digest.clone(), json!({"identities": []})),
            "no-identity",
        ),
        (
            question(&good, digest.clone(), json!({"key": "x"})),
            "malformed-key",
        ),
        (question(&good, digest.clone(), both), "identities-and-key"),
        (
            question(&good, digest.clone(), json!({"policy_name": "x"})),
            "unknown-policy",
        ),
        (
            question(&good, digest.clone(), json!({"policy": {}})),
            "malformed-policy",
        ),
        (
            question(
                &good,
                digest.clone(),
                json!({"policy": "", "policy_name": "x"}),
            ),
            "identities-and-policy",
        ),
        (two, "several-bundles"),
    ];

    for (question, slug) in cases {
        let (status, problem) = ask(World::new(), question).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert_eq!(problem["type"], format!("urn:signet:problem:{slug}"));
        assert!(problem.get("verified").is_none());
    }
}

#[actix_web::test]
async fn form_parts_may_come_in_any_order() {
    let bundle = World::new();
    let digest = format!("sha256:{}", Sha256::of(ARTIFACT).to_hex());
    let json = bundle.message().to_json();
    let who = [("identity", SUBJECT), ("issuer", ISSUER)];
    for what in [("artifact", artifact()), ("digest", &*digest)] {
        let mut parts = vec![what, ("bundle", &*json), who[0], who[1]];
        for _ in 0..parts.len() {
            parts.rotate_left(1);
            let (status, verdict) = submit(&bundle, &parts).await;
            assert_eq!(status, StatusCode::OK, "{verdict}");
            assert_eq!(verdict["identity"]["subject"], SUBJECT);
        }
    }
}

#[actix_web::test]
async fn a_form_with_another_artifact_is_refused() {
    let world = World::new();
    let json = world.message().to_json();
    let parts = [
        ("bundle", &*json),
        ("artifact", "other"),
        ("identity", SUBJECT),
        ("issuer", ISSUER),
    ];

    let (status, verdict) = submit(&world, &parts).await;

    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(verdict["code"], "artifact-mismatch");
}

#[actix_web::test]
async fn malformed_forms_get_a_problem_document() {
    let good = World::new().message().to_json();
    let bundle = ("bundle", &*good);
    let what = ("artifact", artifact());
    let (identity, issuer) = (("identity", SUBJECT), ("issuer", ISSUER));
    let cases: [(&[(&str, &str)], &str); 12] = [
        (&[], "no-identity"),
        (&[what, identity, issuer], "no-bundle"),
        (&[bundle, identity, issuer], "no-artifact"),
        (&[bundle, what], "no-identity"),
        (&[bundle, what, identity], "malformed-form"),
        (&[bundle, what, what, identity, issuer], "malformed-form"),
        (&[bundle, what, ("digest", "sha256:00")], "malformed-form"),
        (&[bundle, what, ("surprise", "")], "malformed-form"),
        (&[bundle, bundle, what, identity, issuer], "several-bundles"),
        (&[("bundle", "{}"), what, identity, issuer], "not-a-bundle"),
        (&[bundle, what, ("key", "x")], "malformed-key"),
        (&[bundle, what, ("policy-name", "x")], "unknown-policy"),
    ];
    for (parts, slug) in cases {
        let (status, problem) = submit(&World::new(), parts).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert_eq!(problem["type"], format!("urn:signet:problem:{slug}"));
        assert!(problem.get("verified").is_none());
    }
}

#[actix_web::test]
async fn oversized_parts_are_refused_with_the_exceeded_limit() {
    let (long, artifact) = ("x".repeat(LIMITS.body_bytes + 1), "x".repeat(1_001));
    for (name, content, slug) in [
        ("bundle", &long, "body-too-large"),
        ("key", &long, "body-too-large"),
        ("artifact", &artifact, "artifact-too-large"),
    ] {
        let (status, problem) = submit(&World::new(), &[(name, content)]).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{problem}");
        assert_eq!(problem["type"], format!("urn:signet:problem:{slug}"));
    }

    let (status, problem) = ask(World::new(), long).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{problem}");
}

#[actix_web::test]
async fn an_artifact_of_exactly_the_maximum_size_is_accepted() {
    let (world, whole) = (World::new(), "x".repeat(1_000));
    let json = world.message().to_json();
    let parts = [
        ("artifact", &*whole),
        ("bundle", &*json),
        ("identity", SUBJECT),
        ("issuer", ISSUER),
    ];

    let (status, verdict) = submit(&world, &parts).await;

    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{verdict}");
}

#[actix_web::test]
async fn clients_that_accept_plain_text_get_one_line() {
    let world = World::new();
    let json = world.message().to_json();
    for (what, begins) in [
        (
            artifact(),
            format!("verified: signed by {SUBJECT} (issuer {ISSUER}) at 2026-"),
        ),
        (
            "other",
            "refused: the artifact is not the one that was signed".to_owned(),
        ),
    ] {
        let parts = [
            ("bundle", &*json),
            ("artifact", what),
            ("identity", SUBJECT),
            ("issuer", ISSUER),
        ];
        let request = form(&parts).insert_header(("accept", "text/plain"));

        let (_, line) = send(&world, request).await;

        assert!(line.starts_with(&begins), "{line}");
        assert!(line.ends_with('\n') && line.lines().count() == 1, "{line}");
    }
}

#[actix_web::test]
async fn several_bundles_are_verified_against_a_named_policy() {
    let world = World::new();
    let policy = Policy::any_of([IdentityMatcher::exact(ISSUER, SUBJECT).unwrap()]).unwrap();
    let policies = [("release".to_owned(), Arc::new(policy))].into();
    let (one, other) = (world.message().to_json(), world.native().to_json());
    let verifier = VerificationService::new(Arc::new(world.trust), Arc::new(SystemClock));
    let app = serve(vec![Mount::new(&API)], |cfg| {
        cfg.app_data(Data::new(verifier.with_policies(policies)))
            .app_data(endpoint());
    })
    .await;
    let parts = [
        ("bundle", &*one),
        ("bundle", &*other),
        ("policy-name", "release"),
        ("artifact", artifact()),
    ];

    let request = form(&parts).uri("/signet/v1/verify").to_request();
    let verdict: Value = read_json(call_service(&app, request).await).await;
    let request = TestRequest::get().uri("/signet/v1/policies").to_request();
    let names: Value = read_json(call_service(&app, request).await).await;

    assert_eq!(verdict["verified"], true, "{verdict}");
    assert_eq!(verdict["policy"]["name"], "release");
    assert_eq!(verdict["bundles"].as_array().unwrap().len(), 2);
    assert_eq!(names, json!({"policies": ["release"]}));
}

async fn read_json(response: actix_web::dev::ServiceResponse) -> Value {
    serde_json::from_slice(&read_body(response).await).unwrap()
}
