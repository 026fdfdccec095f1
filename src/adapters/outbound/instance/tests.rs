use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::Value;

use serde_json::json;

use super::*;
use crate::adapters::http::body::Body;
use crate::adapters::http::metrics::Metrics;
use crate::adapters::http::refusal::{ErrorFormat, Refusal};
use crate::adapters::http::route::{Api, Mount, Route};
use crate::adapters::http::server::{Bound, HttpServerConfig, Running, load_tls, start};
use crate::classify::ErrorClass;
use crate::config::{Sources, TlsSettings, load};
use crate::doubles::keys;
use crate::protocol::entry::RawVerifier;
use crate::protocol::keys::KeyDetails;

const TOKEN: &str = "header.very-secret-claims.signature";

async fn serve(tls: Option<rustls::ServerConfig>, api: &'static Api) -> Running {
    let mut settings = load(&Sources::default()).unwrap();
    settings.server.workers = Some(1);
    let bound = Bound::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = HttpServerConfig {
        server: settings.server,
        limits: settings.limits,
        tls,
        metrics: Arc::new(Metrics::new().unwrap()),
        mounts: vec![Mount::new(api)],
        data: Arc::new(|_| {}),
        grpc: Vec::new(),
    };
    start(bound, config).await.unwrap()
}

fn client_of(server: &Running) -> InstanceClient {
    InstanceClient::new(&format!("http://{}", server.address()), None).unwrap()
}

async fn certify(body: Body) -> Result<HttpResponse, Refusal> {
    let request: Value = body.json()?;
    if request["credentials"]["oidcIdentityToken"] != TOKEN {
        return Err(Refusal::invalid(
            "invalid-token",
            "There was an error processing the identity token",
        ));
    }
    let key = &request["publicKeyRequest"]["publicKey"]["content"];
    let chain = json!({ "certificates": [key, "intermediate", "root"] });
    Ok(HttpResponse::Ok().json(json!({ "signedCertificateEmbeddedSct": { "chain": chain } })))
}

async fn stamp(body: Body) -> HttpResponse {
    HttpResponse::Ok().body(body.bytes().clone())
}

async fn busy() -> Result<HttpResponse, Refusal> {
    let detail = "the log has too many entries waiting";
    Err(Refusal::of_class(ErrorClass::Busy, "overloaded", detail))
}

async fn redirected() -> HttpResponse {
    HttpResponse::TemporaryRedirect()
        .insert_header(("location", "/api/v1/timestamp"))
        .finish()
}

async fn endless() -> HttpResponse {
    let pieces = futures_util::stream::repeat_with(|| {
        Ok::<_, actix_web::Error>(web::Bytes::from_static(&[b'a'; 65_536]))
    });
    HttpResponse::Ok().streaming(pieces)
}

const ALL_APIS: Api = Api {
    name: "all APIs",
    errors: ErrorFormat::Gateway,
    owns: &[],
    cors: false,
    routes: &[
        Route::post("/api/v2/signingCert", || web::to(certify)),
        Route::post("/api/v1/timestamp", || web::to(stamp)),
        Route::post("/api/v2/log/entries", || web::to(busy)),
        Route::get("/trust/trusted_root.json", || web::to(redirected)),
    ],
};

const ENDLESS_REPLY: Api = Api {
    name: "endless reply",
    errors: ErrorFormat::Problem,
    owns: &[],
    cors: false,
    routes: &[Route::get("/trust/trusted_root.json", || web::to(endless))],
};

#[tokio::test]
async fn a_certificate_is_returned_with_its_chain() {
    let server = serve(None, &ALL_APIS).await;
    let (token, key) = (RawToken::new(TOKEN).unwrap(), keys::p256());

    let chain = client_of(&server)
        .request_certificate(&token, key.public_key(), b"proof")
        .await;

    let pem = key.public_key().to_pem();
    assert_eq!(chain.unwrap(), [pem.as_str(), "intermediate", "root"]);
}

#[tokio::test]
async fn a_refusal_shows_the_servers_message_and_never_the_token() {
    let server = serve(None, &ALL_APIS).await;
    let client = client_of(&server);
    let (token, key) = (RawToken::new("a.other-secret.c").unwrap(), keys::p256());

    let error = client
        .request_certificate(&token, key.public_key(), b"proof")
        .await
        .unwrap_err();

    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("error processing the identity token"),
        "{shown}"
    );
    assert!(shown.contains("400"), "{shown}");
    assert!(!shown.contains("other-secret"), "{shown}");

    let verifier = RawVerifier::PublicKey(key.public_key().spki_der().to_vec());
    let details = KeyDetails::EcdsaP256Sha256;
    let entry = UnverifiedHashedRekord::new(vec![0; 32], vec![0], verifier, details).unwrap();
    let error = client.append_entry(&entry).await.unwrap_err();
    assert!(
        error.to_string().contains("too many entries waiting"),
        "{error}"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = serve(None, &ALL_APIS).await;

    let error = client_of(&server).fetch_trusted_root().await.unwrap_err();

    assert!(
        matches!(error, InstanceError::Refused { status: 307, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_oversized_reply_is_an_error() {
    let server = serve(None, &ENDLESS_REPLY).await;

    let error = client_of(&server).fetch_trusted_root().await.unwrap_err();

    assert!(matches!(error, InstanceError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_timestamp_request_is_sent_byte_for_byte() {
    let server = serve(None, &ALL_APIS).await;

    let answer = client_of(&server).request_timestamp(vec![0x30, 0]).await;

    assert_eq!(answer.unwrap(), [0x30, 0]);
}

#[tokio::test]
async fn the_error_for_an_unreachable_server_contains_its_address() {
    let bound = Bound::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = bound.address();
    drop(bound);
    let client = InstanceClient::new(&format!("http://{address}"), None).unwrap();

    let error = client.fetch_trusted_root().await.unwrap_err();

    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn only_base_urls_are_accepted() {
    for url in [
        "https://a.example",
        "http://localhost:1",
        "http://localhost:1/",
    ] {
        assert!(InstanceClient::new(url, None).is_ok(), "{url}");
    }
    for url in [
        "a.example",
        "ftp://a.example",
        "https://a.example/path",
        "https://user:password@a.example",
        "https://a.example/?q",
    ] {
        assert!(InstanceClient::new(url, None).is_err(), "{url}");
    }
    assert!(matches!(
        InstanceClient::new("https://a.example", Some(b"no certificate")),
        Err(InstanceError::CaFile)
    ));
}

/// A self-signed certificate for localhost and its key, in a folder, and the certificate as PEM.
fn certificate() -> (tempfile::TempDir, TlsSettings, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let folder = tempfile::tempdir().unwrap();
    let settings = TlsSettings {
        certificate_file: folder.path().join("tls.crt"),
        key_file: folder.path().join("tls.key"),
    };
    fs::write(&settings.certificate_file, &certificate).unwrap();
    fs::write(&settings.key_file, key.serialize_pem()).unwrap();
    set_mode(&settings, 0o600);
    (folder, settings, certificate)
}

fn set_mode(settings: &TlsSettings, mode: u32) {
    fs::set_permissions(&settings.key_file, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_server_with_a_private_ca_needs_its_ca_file() {
    let (_folder, settings, ca) = certificate();
    let server = serve(Some(load_tls(&settings).unwrap()), &ALL_APIS).await;
    let url = format!("https://localhost:{}", server.address().port());

    let trusting = InstanceClient::new(&url, Some(ca.as_bytes())).unwrap();
    assert_eq!(trusting.request_timestamp(vec![1]).await.unwrap(), [1]);

    let without_ca = InstanceClient::new(&url, None).unwrap();
    let error = without_ca.request_timestamp(vec![1]).await.unwrap_err();
    assert!(
        matches!(error, InstanceError::Unreachable { .. }),
        "{error}"
    );
}

#[test]
fn unusable_tls_files_are_refused() {
    let (_folder, settings, _) = certificate();
    set_mode(&settings, 0o644);
    let error = load_tls(&settings).unwrap_err().to_string();
    assert!(error.contains("tls.key_file"), "{error}");
    set_mode(&settings, 0o600);

    let (_other, others, _) = certificate();
    let mixed = TlsSettings {
        certificate_file: others.certificate_file.clone(),
        ..settings.clone()
    };
    assert!(load_tls(&mixed).is_err());

    fs::write(&settings.certificate_file, "no certificate").unwrap();
    assert!(load_tls(&settings).is_err());
}
