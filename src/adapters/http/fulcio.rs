//! Fulcio's API (`dev.sigstore.fulcio.v2`) over HTTP. `v1` has the previous version, `grpc` the gRPC
//! service. All three call `certify`.

mod certify;
pub(crate) mod grpc;
mod v1;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::body::Body;
use super::refusal::{ErrorFormat, Refusal};
use super::route::{Api, Route};
use crate::adapters::wire::fulcio::{
    CertificateChain, CreateSigningCertificateRequest, SIGNING_CERT_PATH, SigningCertificateReply,
};
use crate::services::ca::{CertificateAuthority, KeyRequest};
use crate::services::oidc::IdentityVerifier;
use certify::{OfferedKey, certify, key_request};

/// Maximum size of a signing request, in bytes: the longest token and the longest key fit.
const MAX_REQUEST: usize = 64 * 1024;

/// Needs `web::Data` of [`IdentityVerifier`], [`CertificateAuthority`] and [`FulcioConfiguration`].
pub(crate) const API: Api = Api {
    name: "Fulcio",
    errors: ErrorFormat::Gateway,
    owns: &["/api/"],
    cors: true,
    routes: &[
        Route::post(SIGNING_CERT_PATH, || web::to(create_signing_certificate))
            .max_body(MAX_REQUEST),
        Route::get("/api/v2/trustBundle", || web::to(trust_bundle)),
        Route::get("/api/v2/configuration", || web::to(configuration)),
        Route::post("/api/v1/signingCert", || web::to(v1::signing_certificate))
            .max_body(MAX_REQUEST),
        Route::get("/api/v1/rootCert", || web::to(v1::root_certificate)),
    ],
};

/// `GET /api/v2/configuration`: the issuers whose tokens are accepted.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FulcioConfiguration {
    pub issuers: Vec<ConfiguredIssuer>,
}

/// One trusted issuer, as `dev.sigstore.fulcio.v2.OIDCIssuer`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfiguredIssuer {
    /// `iss` of its tokens
    pub issuer_url: String,
    /// `aud` of its tokens, conventionally `sigstore`
    pub audience: String,
    /// The claim to sign as proof of possession: `email` or `sub`
    pub challenge_claim: &'static str,
    /// Empty: SPIFFE issuers are not supported
    pub spiffe_trust_domain: String,
    /// `email` or `uri`
    pub issuer_type: &'static str,
    /// Scheme and host of every subject, for `uri` issuers
    pub subject_domain: String,
    /// Always false: an unverified address is never certified
    pub skip_email_verification: bool,
}

#[derive(Serialize)]
struct TrustBundle {
    chains: [CertificateChain; 1],
}

/// `POST /api/v2/signingCert`
async fn create_signing_certificate(
    request: HttpRequest,
    body: Body,
    identities: web::Data<IdentityVerifier>,
    authority: web::Data<CertificateAuthority>,
) -> Result<HttpResponse, Refusal> {
    let mut wire: CreateSigningCertificateRequest = body.json()?;
    let token = token_of(&mut wire, &request);
    let chain = certify(&identities, &authority, token, || key_of(wire)).await?;
    Ok(HttpResponse::Ok().json(SigningCertificateReply::new(chain)))
}

/// `GET /api/v2/trustBundle`
async fn trust_bundle(authority: web::Data<CertificateAuthority>) -> HttpResponse {
    let certificates = authority.chain_pem().to_vec();
    HttpResponse::Ok().json(TrustBundle {
        chains: [CertificateChain { certificates }],
    })
}

/// `GET /api/v2/configuration`
async fn configuration(configuration: web::Data<FulcioConfiguration>) -> HttpResponse {
    HttpResponse::Ok().json(configuration.get_ref())
}

/// The token from the body, else from the header. The body takes precedence.
fn token_of(wire: &mut CreateSigningCertificateRequest, request: &HttpRequest) -> String {
    let in_body = wire
        .credentials
        .take()
        .and_then(|credentials| credentials.oidc_identity_token)
        .filter(|token| !token.is_empty());
    in_body.or_else(|| bearer(request)).unwrap_or_default()
}

/// The bearer token (RFC 6750 §2.1); the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim().to_owned())
}

fn key_of(wire: CreateSigningCertificateRequest) -> Result<KeyRequest, Refusal> {
    let key = wire.public_key_request.map(|request| OfferedKey {
        content: request
            .public_key
            .and_then(|key| key.content)
            .unwrap_or_default(),
        proof: request.proof_of_possession.unwrap_or_default().0,
    });
    key_request(wire.certificate_signing_request.map(|pem| pem.0), key)
}

#[cfg(test)]
mod tests;
