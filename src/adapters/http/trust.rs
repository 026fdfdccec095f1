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
    let mut response = if is_known(headers, &tag) {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response.insert_header((header::ETAG, tag));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    if is_known(headers, &format!("\"{}\"", document.tag)) {
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
