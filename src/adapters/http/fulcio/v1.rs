//! Fulcio's v1 API, which gitsign uses. Responses are PEM instead of JSON.

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::bearer;
use super::certify::{OfferedKey, certify, key_request};
use crate::adapters::http::body::Body;
use crate::adapters::http::refusal::Refusal;
use crate::protocol::bytes::{ProtoBytes, to_base64};
use crate::services::ca::{CertificateAuthority, KeyRequest};
use crate::services::oidc::IdentityVerifier;

/// The Go client sends every member; those that it does not use are null or empty.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateRequest {
    public_key: Option<PublicKey>,
    /// Over the challenge, whatever the name says
    signed_email_address: Option<ProtoBytes>,
    certificate_signing_request: Option<ProtoBytes>,
}

#[derive(Deserialize)]
struct PublicKey {
    /// Ignored: the key itself contains the algorithm
    #[serde(rename = "algorithm")]
    _algorithm: Option<IgnoredAny>,
    /// DER or PEM
    content: Option<ProtoBytes>,
}

/// `POST /api/v1/signingCert`
pub(super) async fn signing_certificate(
    request: HttpRequest,
    body: Body,
    identities: web::Data<IdentityVerifier>,
    authority: web::Data<CertificateAuthority>,
) -> Result<HttpResponse, Refusal> {
    let wire: CertificateRequest = body.json()?;
    let token = bearer(&request).unwrap_or_default();
    let chain = certify(&identities, &authority, token, || key_of(wire)).await?;
    Ok(pem_chain(HttpResponse::Created(), chain.concat()))
}

/// `GET /api/v1/rootCert`
pub(super) async fn root_certificate(authority: web::Data<CertificateAuthority>) -> HttpResponse {
    pem_chain(HttpResponse::Ok(), authority.chain_pem().concat())
}

fn pem_chain(mut response: HttpResponseBuilder, pem: String) -> HttpResponse {
    response
        .content_type("application/pem-certificate-chain")
        .body(pem)
}

fn key_of(wire: CertificateRequest) -> Result<KeyRequest, Refusal> {
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

/// PEM unchanged, DER as base64, because the services read keys as text.
fn text_of(key: Vec<u8>) -> String {
    match String::from_utf8(key) {
        Ok(pem) if pem.contains("-----BEGIN") => pem,
        Ok(other) => to_base64(other.as_bytes()),
        Err(der) => to_base64(der.as_bytes()),
    }
}
