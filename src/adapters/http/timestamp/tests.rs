use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderValue;
use actix_web::test::{TestRequest, call_service};

use super::*;
use crate::adapters::http::route::Mount;
use crate::adapters::http::route::testing::serve;
use crate::doubles::{FixedClock, MemoryLedger, SYSTEM_RNG};
use crate::protocol::bytes::to_base64;
use crate::protocol::hash::Sha256;
use crate::protocol::tsp::testing::{NOON, TestTsa};
use crate::protocol::tsp::verify_response;
use crate::services::authority::Authority;
use crate::services::roster::AuthorityRole;

async fn send(tsa: &TestTsa, request: TestRequest) -> ServiceResponse {
    let authority = TimestampAuthority::open(
        Authority::new(AuthorityRole::Timestamps, tsa.chain(), tsa.key()).unwrap(),
        Arc::new(MemoryLedger::default()),
        Arc::new(FixedClock(NOON)),
        SYSTEM_RNG,
    )
    .unwrap();
    let app = serve(vec![Mount::new(&API)], |cfg| {
        cfg.app_data(web::Data::new(authority));
    });
    call_service(&app.await, request.to_request()).await
}

fn post(content_type: &str, body: impl Into<web::Bytes>) -> TestRequest {
    TestRequest::post()
        .uri("/api/v1/timestamp")
        .insert_header((header::CONTENT_TYPE, content_type))
        .set_payload(body)
}

fn body(response: ServiceResponse) -> Vec<u8> {
    let body = response.into_body().try_into_bytes();
    body.expect("replies here are whole").to_vec()
}

fn der_request() -> Vec<u8> {
    TimestampRequest::new(Sha256::of(b"signature").into(), Some(3), true).to_der()
}

fn json_request(algorithm: &str) -> String {
    let hash = to_base64(Sha256::of(b"signature").as_bytes());
    format!("{{\"artifactHash\":\"{hash}\",\"hashAlgorithm\":\"{algorithm}\"}}")
}

#[actix_web::test]
async fn der_and_json_requests_are_answered_at_both_paths() {
    let tsa = TestTsa::new();
    let requests = [
        post("application/timestamp-query", der_request()),
        post("application/json; charset=utf-8", json_request("sha256")),
        post("application/timestamp-query", der_request())
            .uri("/api/v1/timestamp/api/v1/timestamp"),
    ];
    for request in requests {
        let response = send(&tsa, request).await;

        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers().get(header::CONTENT_TYPE),
            Some(&HeaderValue::from_static("application/timestamp-reply"))
        );
        verify_response(&body(response), b"signature", &[tsa.trusted()]).unwrap();
    }
}

#[actix_web::test]
async fn a_refusal_is_400_in_json_and_in_der_if_the_client_accepts_der() {
    let tsa = TestTsa::new();
    let response = send(&tsa, post("application/json", json_request("sha1"))).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let problem: serde_json::Value = serde_json::from_slice(&body(response)).unwrap();
    assert_eq!(problem["code"], 400);
    assert!(problem["message"].as_str().unwrap().contains("SHA-256"));

    let response = send(&tsa, post("application/timestamp-query", "junk")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    serde_json::from_slice::<serde_json::Value>(&body(response)).unwrap();

    let request = post("application/timestamp-query", "junk").insert_header((
        header::ACCEPT,
        "application/timestamp-reply,application/timestamp-response",
    ));
    let response = send(&tsa, request).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let bytes = body(response);
    // badDataFormat, the last member.
    assert_eq!(bytes[bytes.len() - 4..], [0x03, 0x02, 0x02, 0x04]);
}

#[actix_web::test]
async fn other_content_types_are_415() {
    let tsa = TestTsa::new();
    let long = "application/".repeat(2_000);
    for content_type in ["text/plain", "application/octet-stream", "", &long] {
        let response = send(&tsa, post(content_type, der_request())).await;
        assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}

#[actix_web::test]
async fn the_chain_is_pem_with_the_leaf_first() {
    let tsa = TestTsa::new();
    let request = TestRequest::get().uri("/api/v1/timestamp/certchain");

    let response = send(&tsa, request).await;

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.headers().get(header::CONTENT_TYPE).unwrap(),
        "application/pem-certificate-chain"
    );
    let expected = tsa.leaf.to_pem() + &tsa.root.to_pem();
    assert_eq!(body(response), expected.into_bytes());
}
