//! Fulcio's older API, which gitsign still signs through: PEM instead of JSON comes back.

use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::body::{Body, Gateway, with_limit};
use super::super::problem::GatewayError;
use super::certify::{OfferedKey, certify, key_request};
use super::{MAX_REQUEST_LENGTH, bearer, preflight};
use crate::protocol::bytes::{ProtoBytes, to_base64};
use crate::services::ca::{CertificateAuthority, KeyRequest};
use crate::services::oidc::IdentityVerifier;

/// Mounts the two paths at the server's root.
pub(super) fn configure(cfg: &mut web::ServiceConfig) {
    let any_origin = || DefaultHeaders::new().add((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    let options = || web::method(actix_web::http::Method::OPTIONS).to(preflight);
    let signing = with_limit(web::resource("/api/v1/signingCert"), MAX_REQUEST_LENGTH);
    cfg.service(
        signing
            .wrap(any_origin())
            .post(signing_certificate)
            .route(options()),
    )
    .service(
        web::resource("/api/v1/rootCert")
            .wrap(any_origin())
            .get(root_certificate)
            .route(options()),
    );
}

/// Go's client writes every member, and null or nothing into those that it does not use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateRequest {
    public_key: Option<PublicKey>,
    /// Over the challenge, which was once always the e-mail address
    signed_email_address: Option<ProtoBytes>,
    certificate_signing_request: Option<ProtoBytes>,
}

#[derive(Deserialize)]
struct PublicKey {
    /// The key says itself what it is.
    #[serde(rename = "algorithm")]
    _algorithm: Option<IgnoredAny>,
    /// DER or PEM
    content: Option<ProtoBytes>,
}

/// `POST /api/v1/signingCert`
async fn signing_certificate(
    request: HttpRequest,
    body: Body<Gateway>,
    identities: web::Data<IdentityVerifier>,
    authority: web::Data<CertificateAuthority>,
) -> Result<HttpResponse, GatewayError> {
    let wire: CertificateRequest = body.json()?;
    let token = bearer(&request).unwrap_or_default();
    let chain = certify(&identities, &authority, token, || key_of(wire)).await?;
    Ok(pem_chain(HttpResponse::Created(), chain.blocks().concat()))
}

/// `GET /api/v1/rootCert`
async fn root_certificate(authority: web::Data<CertificateAuthority>) -> HttpResponse {
    pem_chain(HttpResponse::Ok(), authority.chain_pem().concat())
}

fn pem_chain(mut response: HttpResponseBuilder, pem: String) -> HttpResponse {
    response
        .content_type("application/pem-certificate-chain")
        .body(pem)
}

fn key_of(wire: CertificateRequest) -> Result<KeyRequest, GatewayError> {
    let bytes = |member: Option<ProtoBytes>| {
        member
            .map(|bytes| bytes.0)
            .filter(|bytes| !bytes.is_empty())
    };
    let proof = bytes(wire.signed_email_address).unwrap_or_default();
    let key = bytes(wire.public_key.and_then(|key| key.content)).map(|content| OfferedKey {
        content: text_of(content),
        proof,
    });
    key_request(bytes(wire.certificate_signing_request), key)
}

/// PEM as it is, DER in base64: a key comes as text everywhere else.
fn text_of(key: Vec<u8>) -> String {
    match String::from_utf8(key) {
        Ok(pem) if pem.contains("-----BEGIN") => pem,
        Ok(other) => to_base64(other.as_bytes()),
        Err(der) => to_base64(der.as_bytes()),
    }
}
