use std::sync::Arc;

use actix_web::dev::ServiceResponse;
use actix_web::test;
use serde_json::Value;

use super::*;
use crate::adapters::http::route::Mount;
use crate::adapters::http::route::testing::serve;
use crate::adapters::system::SystemClock;
use crate::doubles::{MemoryLedger, SYSTEM_RNG};
use crate::protocol::bytes::to_base64;
use crate::protocol::identity::{EmailAddress, IssuerUrl};
use crate::protocol::keys::SigningKey;
use crate::services::account::{Accounts, NewSecret};
use crate::services::issuer::generate_key;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn issuer() -> (web::Data<EmbeddedIssuer>, NewSecret) {
    let clock = Arc::new(SystemClock);
    let ledger = Arc::new(MemoryLedger::default());
    let accounts = Arc::new(Accounts::load(ledger, clock.clone(), SYSTEM_RNG).unwrap());
    let made = accounts
        .add_service(EmailAddress::new("ci@example.com").unwrap())
        .unwrap();
    let key = SigningKey::from_pkcs8(&generate_key().unwrap()).unwrap();
    let url = IssuerUrl::new("http://localhost:8477").unwrap();
    let issuer = EmbeddedIssuer::new(url, key, accounts, clock, SYSTEM_RNG).unwrap();
    (web::Data::new(issuer), made)
}

async fn call(issuer: &web::Data<EmbeddedIssuer>, request: test::TestRequest) -> ServiceResponse {
    let app = serve(vec![Mount::new(&API)], |cfg| {
        cfg.app_data(issuer.clone());
    });
    test::call_service(&app.await, request.to_request()).await
}

async fn post(
    issuer: &web::Data<EmbeddedIssuer>,
    authorization: Option<&str>,
    body: String,
) -> ServiceResponse {
    let mut request = test::TestRequest::post()
        .uri(TOKEN_PATH)
        .insert_header(FORM)
        .set_payload(body);
    if let Some(value) = authorization {
        request = request.insert_header((header::AUTHORIZATION, value));
    }
    call(issuer, request).await
}

async fn refusal(
    issuer: &web::Data<EmbeddedIssuer>,
    authorization: Option<&str>,
    body: &str,
) -> (u16, String) {
    let response = post(issuer, authorization, body.to_owned()).await;
    let status = response.status().as_u16();
    assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
    assert_eq!(
        response.headers().contains_key("www-authenticate"),
        status == 401
    );
    let body: Value = test::read_body_json(response).await;
    (status, body["error"].as_str().unwrap().to_owned())
}

#[actix_web::test]
async fn client_credentials_are_accepted_in_the_header_and_in_the_body() {
    let (issuer, made) = issuer();
    let (id, secret) = (&made.client_id, made.client_secret.reveal());
    let basic = format!("Basic {}", to_base64(format!("{id}:{secret}").as_bytes()));
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");

    for (authorization, body) in [
        (None, form),
        (
            Some(basic.as_str()),
            "grant_type=client_credentials&scope=openid+email&audience=sigstore".to_owned(),
        ),
    ] {
        let response = post(&issuer, authorization, body).await;

        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
        let body: Value = test::read_body_json(response).await;
        assert_eq!(body["token_type"], "Bearer");
        assert_eq!(body["expires_in"], 300);
        assert_eq!(body["access_token"], body["id_token"]);
        assert_eq!(body["id_token"].as_str().unwrap().split('.').count(), 3);
    }
}

#[actix_web::test]
async fn refusals_are_oauth_errors() {
    let (issuer, made) = issuer();
    let (id, secret) = (&made.client_id, made.client_secret.reveal());
    let basic = format!("Basic {}", to_base64(format!("{id}:{secret}").as_bytes()));
    let invalid_client = (401, "invalid_client".to_owned());
    let invalid_request = (400, "invalid_request".to_owned());

    for (authorization, body, expected) in [
        (None, "", (400, "invalid_request".to_owned())),
        (
            None,
            "grant_type=password",
            (400, "unsupported_grant_type".to_owned()),
        ),
        (
            None,
            "grant_type=client_credentials",
            invalid_client.clone(),
        ),
        (
            None,
            "grant_type=client_credentials&client_id=x&client_secret=y",
            invalid_client.clone(),
        ),
        (
            Some("Bearer x"),
            "grant_type=client_credentials",
            invalid_client.clone(),
        ),
        (
            Some("Basic !"),
            "grant_type=client_credentials",
            invalid_client.clone(),
        ),
        (
            Some(&basic),
            "grant_type=client_credentials&client_secret=y",
            invalid_request.clone(),
        ),
        (
            Some(&basic),
            "grant_type=client_credentials&grant_type=client_credentials",
            invalid_request,
        ),
        (
            Some(&basic),
            "grant_type=client_credentials&audience=other",
            (400, "invalid_target".to_owned()),
        ),
    ] {
        assert_eq!(
            refusal(&issuer, authorization, body).await,
            expected,
            "{body}"
        );
    }
    let long = format!("grant_type={}", "x".repeat(MAX_REQUEST));
    assert_eq!(refusal(&issuer, None, &long).await.0, 413);
    let long = format!(
        "grant_type=client_credentials&client_id={id}&client_secret={}",
        "x".repeat(1000)
    );
    assert_eq!(refusal(&issuer, None, &long).await, invalid_client);
}

#[actix_web::test]
async fn the_discovery_document_links_to_the_key_set() {
    let (issuer, _) = issuer();
    let get = async |path: &str| -> Value {
        let request = test::TestRequest::get().uri(path);
        test::read_body_json(call(&issuer, request).await).await
    };

    let document = get(DISCOVERY_PATH).await;
    let address = document["jwks_uri"].as_str().unwrap();
    let path = address.strip_prefix("http://localhost:8477").unwrap();
    let keys = get(path).await;

    assert_eq!(document["issuer"], "http://localhost:8477");
    assert_eq!(keys["keys"][0]["alg"], "RS256");
    assert!(keys["keys"][0].get("d").is_none());
}

#[::core::prelude::v1::test]
fn credentials_in_the_header_are_form_encoded() {
    let value = format!("basic {}", to_base64(b"a%20b:c%3A%2Bd"));

    let (id, secret) = parse_basic(&value).unwrap();

    assert_eq!((id.as_str(), secret.as_str()), ("a b", "c:+d"));
    for text in [
        "",
        "Basic",
        "Basic ",
        "Basic YWJj",
        "Digest YTpi",
        "Basic YT1iOmM=",
    ] {
        assert!(parse_basic(text).is_none(), "{text}");
    }
}
