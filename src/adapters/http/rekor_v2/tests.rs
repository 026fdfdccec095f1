use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::{StatusCode, header};
use actix_web::test::{TestRequest, call_service};
use serde_json::{Value, json};

use super::*;
use crate::adapters::http::route::Mount;
use crate::adapters::http::route::testing::serve;
use crate::doubles::keys;
use crate::protocol::attestation::dsse::pre_authentication_encoding;
use crate::protocol::bytes::{from_base64, to_base64};
use crate::protocol::entry::v2::HashedRekordError;
use crate::protocol::entry::{RawVerifier, UnverifiedHashedRekord};
use crate::protocol::merkle::{LeafIndex, leaf_hash};
use crate::services::rekor::tests::{memory_log, signed_entry};

fn answer(error: RekorError) -> HttpResponse {
    refuse(error).render(ErrorFormat::Gateway)
}

async fn call(log: &SignatureLog, request: TestRequest) -> ServiceResponse {
    let app = serve(vec![Mount::new(&API)], |cfg| {
        cfg.app_data(web::Data::new(log.clone()));
    });
    call_service(&app.await, request.to_request()).await
}

fn body(response: ServiceResponse) -> web::Bytes {
    let body = response.into_body().try_into_bytes();
    body.expect("replies here are whole")
}

fn submission(entry: &UnverifiedHashedRekord) -> Value {
    let RawVerifier::PublicKey(key) = &entry.verifier else {
        panic!("entries in these tests bear keys");
    };
    json!({"hashedRekordRequestV002": {
        "digest": to_base64(entry.digest.as_bytes()),
        "signature": {
            "content": to_base64(&entry.signature),
            "verifier": {
                "publicKey": {"rawBytes": to_base64(key)},
                "keyDetails": entry.key_details,
            },
        },
    }})
}

fn post(value: &Value) -> TestRequest {
    TestRequest::post()
        .uri("/api/v2/log/entries")
        .set_payload(value.to_string())
}

#[actix_web::test]
async fn an_entry_gets_201_and_is_in_the_tiles() {
    let (log, _) = memory_log();
    let entry = signed_entry(b"artifact");

    let response = call(&log, post(&submission(&entry))).await;

    assert_eq!(response.status(), StatusCode::CREATED);
    let reply: Value = serde_json::from_slice(&body(response)).unwrap();
    assert_eq!(reply["logIndex"], "0");
    let canonical = from_base64(reply["canonicalizedBody"].as_str().unwrap()).unwrap();
    assert_eq!(canonical, entry.canonical_body());

    for base in ["", "/api/v2"] {
        let get = |path: &str| TestRequest::get().uri(&format!("{base}{path}"));
        let checkpoint = body(call(&log, get("/checkpoint")).await);
        assert_eq!(
            reply["inclusionProof"]["checkpoint"]["envelope"].as_str(),
            std::str::from_utf8(&checkpoint).ok()
        );
        let tile = body(call(&log, get("/tile/0/000.p/1")).await);
        assert_eq!(tile[..], leaf_hash(&canonical).as_bytes()[..]);
        let bundle = body(call(&log, get("/tile/entries/000.p/1")).await);
        let length = u16::try_from(canonical.len()).unwrap().to_be_bytes();
        assert_eq!(bundle[..], [&length[..], &canonical].concat());
        for missing in [
            "/tile/0/000",
            "/tile/0/000.p/2",
            "/tile/0/001.p/1",
            "/tile/1/000.p/1",
            "/tile/entries/000.p/2",
            "/tile/0/%2e%2e",
            "/tile/0/x001%2f000",
        ] {
            let response = call(&log, get(missing)).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{missing}");
        }
    }
}

#[actix_web::test]
async fn a_duplicate_gets_409_and_the_index_of_the_first() {
    let (log, _) = memory_log();
    let request = submission(&signed_entry(b"artifact"));
    call(&log, post(&request)).await;

    let response = call(&log, post(&request)).await;

    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(response.headers().get("x-log-index").unwrap(), "0");
    let problem: Value = serde_json::from_slice(&body(response)).unwrap();
    assert_eq!(problem["code"], 6);
    let message = problem["message"].as_str().unwrap();
    assert!(message.contains("already exists in the transparency log with index 0"));
}

/// An envelope as sigstore-js submits it, signed by a new key.
fn envelope() -> Value {
    let key = keys::p256();
    let (payload_type, payload) = ("application/vnd.in-toto+json", b"{}");
    let message = pre_authentication_encoding(payload_type, payload);
    json!({"dsseRequestV002": {
        "envelope": {
            "payload": to_base64(payload),
            "payloadType": payload_type,
            "signatures": [{"keyid": "", "sig": to_base64(&key.sign(&message).unwrap())}],
        },
        "verifiers": [{
            "publicKey": {"rawBytes": to_base64(key.public_key().spki_der())},
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        }],
    }})
}

#[actix_web::test]
async fn an_envelope_is_logged_as_dsse_and_its_duplicate_gets_409() {
    let (log, _) = memory_log();
    let request = envelope();

    let response = call(&log, post(&request)).await;
    let again = call(&log, post(&request)).await;

    assert_eq!(response.status(), StatusCode::CREATED);
    let reply: Value = serde_json::from_slice(&body(response)).unwrap();
    assert_eq!(
        reply["kindVersion"],
        json!({"kind": "dsse", "version": "0.0.2"})
    );
    let canonical = from_base64(reply["canonicalizedBody"].as_str().unwrap()).unwrap();
    let canonical: Value = serde_json::from_slice(&canonical).unwrap();
    assert_eq!(canonical["kind"], "dsse");
    assert_eq!(again.status(), StatusCode::CONFLICT);
    assert_eq!(again.headers().get("x-log-index").unwrap(), "0");
}

#[actix_web::test]
async fn an_envelope_with_a_wrong_signature_is_not_logged() {
    let (log, _) = memory_log();
    let mut request = envelope();
    request["dsseRequestV002"]["envelope"]["payload"] = json!("W10=");

    let response = call(&log, post(&request)).await;

    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let problem: Value = serde_json::from_slice(&body(response)).unwrap();
    let message = problem["message"].as_str().unwrap();
    assert!(message.contains("envelope.signatures[0].sig"), "{message}");
    assert_eq!(log.log().head().size.get(), 0);
}

#[actix_web::test]
async fn malformed_entries_get_400_and_code_3() {
    let (log, _) = memory_log();
    let mut wrong_signature = submission(&signed_entry(b"artifact"));
    wrong_signature["hashedRekordRequestV002"]["signature"]["content"] = json!("c2ln");
    for request in [
        json!(null),
        json!([]),
        json!({}),
        json!({"dsseRequestV002": {}}),
        json!({"hashedRekordRequestV002": null}),
        json!({"spec": {}}),
        wrong_signature,
    ] {
        let response = call(&log, post(&request)).await;

        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{request}");
        let problem: Value = serde_json::from_slice(&body(response)).unwrap();
        assert_eq!(problem["code"], 3);
    }
    let deep = TestRequest::post()
        .uri("/api/v2/log/entries")
        .set_payload("{\"dsseRequestV002\":".to_owned() + &"[".repeat(100_000));
    assert_eq!(call(&log, deep).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(log.log().head().size.get(), 0);
}

#[actix_web::test]
async fn full_tiles_are_immutable_and_checkpoints_are_not_cached() {
    let (log, _) = memory_log();
    for number in 0..256_u32 {
        let entry = signed_entry(&number.to_be_bytes());
        log.append(entry.verify().unwrap()).await.unwrap();
    }

    for (path, caching) in [
        ("/tile/0/000", "public, max-age=31536000, immutable"),
        ("/tile/1/000.p/1", "public, max-age=60"),
        ("/tile/entries/000", "public, max-age=31536000, immutable"),
        ("/checkpoint", "no-cache"),
    ] {
        let response = call(&log, TestRequest::get().uri(path)).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let kept = response.headers().get(header::CACHE_CONTROL).unwrap();
        assert_eq!(kept, caching, "{path}");
    }
}

#[test]
fn errors_have_the_status_and_headers_that_clients_read() {
    assert_eq!(
        answer(RekorError::Entry(HashedRekordError::NoSignature.into())).status(),
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        answer(AppendError::TooLarge(70_000).into()).status(),
        StatusCode::BAD_REQUEST
    );
    let response = answer(AppendError::Duplicate(LeafIndex::new(42)).into());
    assert_eq!(response.headers().get("x-log-index").unwrap(), "42");
    for error in [AppendError::Overloaded, AppendError::Stopped] {
        let response = answer(error.into());
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().get("retry-after").unwrap(), "1");
    }
    let response = answer(AppendError::ReadOnly { missing: 3 }.into());
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!response.headers().contains_key("retry-after"));
}
