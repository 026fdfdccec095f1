//! `GET /trust/…`: the trust documents at stable addresses.

use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::services::trust::{Document, TrustDocuments};

const JSON: &str = "application/json";
const PEM_KEY: &str = "application/x-pem-file";
const PEM_CHAIN: &str = "application/pem-certificate-chain";

/// Mounts the documents.
pub fn configure(cfg: &mut ServiceConfig) {
    mount(cfg, "/trust/trusted_root.json", JSON, |d| &d.trusted_root);
    mount(cfg, "/trust/signing_config.v0.2.json", JSON, |d| {
        &d.signing_config
    });
    mount(cfg, "/trust/client_trust_config.json", JSON, |d| {
        &d.client_trust_config
    });
    mount(cfg, "/trust/fulcio-chain.pem", PEM_CHAIN, |d| &d.ca_chain);
    mount(cfg, "/trust/ctlog.pem", PEM_KEY, |d| &d.ct_key);
    mount(cfg, "/trust/rekor-v2.pem", PEM_KEY, |d| &d.log_key);
    mount(cfg, "/trust/rekor-v1.pem", PEM_KEY, |d| &d.log_v1_key);
    mount(cfg, "/trust/tsa-chain.pem", PEM_CHAIN, |d| &d.tsa_chain);
}

fn mount(
    cfg: &mut ServiceConfig,
    path: &str,
    content_type: &'static str,
    choose: fn(&TrustDocuments) -> &Document,
) {
    let handler = move |request: HttpRequest, documents: Data<TrustDocuments>| {
        let response = serve(choose(&documents), content_type, request.headers());
        std::future::ready(response)
    };
    cfg.service(
        web::resource(path)
            .route(web::get().to(handler))
            .route(web::head().to(handler)),
    );
}

/// Clients keep the document and ask whether it is still the same (RFC 9110 §13.1.2).
fn serve(document: &Document, content_type: &'static str, headers: &HeaderMap) -> HttpResponse {
    let tag = format!("\"{}\"", document.tag);
    let known = is_known(headers, &tag);
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response.insert_header((header::ETAG, tag));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    if known {
        return response.finish();
    }
    response
        .content_type(content_type)
        .body(web::Bytes::copy_from_slice(&document.bytes))
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().trim_start_matches("W/"))
        .any(|value| value == tag || value == "*")
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, http::StatusCode};

    use super::*;
    use crate::protocol::keys::{KeyAlgorithm, SigningKey};
    use crate::protocol::note::NoteKey;
    use crate::protocol::time::UnixTime;
    use crate::protocol::x509::testing::TestAuthority;
    use crate::services::trust::Anchors;

    fn documents() -> TrustDocuments {
        let ca = TestAuthority::new("CA");
        let (ct_key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let (log_key, _) = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let (log_v1_key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let chain = vec![ca.intermediate, ca.root];
        TrustDocuments::new(&Anchors {
            public_url: "http://localhost:8477".to_owned(),
            operator: "example".to_owned(),
            issuers: vec!["http://localhost:8477".to_owned()],
            ca_chain: chain.clone(),
            ct_key: ct_key.public_key().clone(),
            log_key: NoteKey::new("localhost", log_key.public_key().clone()).unwrap(),
            log_v1_key: NoteKey::new("localhost", log_v1_key.public_key().clone()).unwrap(),
            tsa_chain: chain,
            start: UnixTime::from_seconds(0),
        })
        .unwrap()
    }

    #[actix_web::test]
    async fn each_document_has_its_address_and_type() {
        let app = App::new()
            .app_data(Data::new(documents()))
            .configure(configure);
        let app = init_service(app).await;

        for (path, content_type) in [
            ("/trust/trusted_root.json", JSON),
            ("/trust/signing_config.v0.2.json", JSON),
            ("/trust/client_trust_config.json", JSON),
            ("/trust/fulcio-chain.pem", PEM_CHAIN),
            ("/trust/ctlog.pem", PEM_KEY),
            ("/trust/rekor-v2.pem", PEM_KEY),
            ("/trust/rekor-v1.pem", PEM_KEY),
            ("/trust/tsa-chain.pem", PEM_CHAIN),
        ] {
            let request = TestRequest::get().uri(path).to_request();
            let response = call_service(&app, request).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(
                response.headers().get(header::CONTENT_TYPE).unwrap(),
                content_type
            );
            assert!(!read_body(response).await.is_empty());
        }
    }

    #[actix_web::test]
    async fn a_client_that_has_the_document_is_told_so() {
        let app = App::new()
            .app_data(Data::new(documents()))
            .configure(configure);
        let app = init_service(app).await;
        let get = |tag: Option<&str>| {
            let mut request = TestRequest::get().uri("/trust/trusted_root.json");
            if let Some(tag) = tag {
                request = request.insert_header((header::IF_NONE_MATCH, tag));
            }
            request.to_request()
        };
        let first = call_service(&app, get(None)).await;
        let tag = first
            .headers()
            .get(header::ETAG)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();

        let same = call_service(&app, get(Some(&tag))).await;
        let listed = call_service(&app, get(Some(&format!("\"x\", W/{tag}")))).await;
        let other = call_service(&app, get(Some("\"x\""))).await;

        assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(listed.status(), StatusCode::NOT_MODIFIED);
        assert!(read_body(same).await.is_empty());
        assert_eq!(other.status(), StatusCode::OK);
    }
}
