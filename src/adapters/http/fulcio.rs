//! Fulcio's API (`dev.sigstore.fulcio.v2`), as its clients speak it over HTTP.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use tracing::{error, info};

use super::body::{Body, Gateway, with_limit};
use super::problem::{GatewayError, GrpcCode};
use crate::protocol::bytes::ProtoBytes;
use crate::services::ca::{CertificateAuthority, IssueError, KeyRequest, RequestError};
use crate::services::ctlog::CtError;
use crate::services::log::AppendError;
use crate::services::oidc::{IdentityVerifier, RawToken, TokenError};

/// The longest request for a certificate, in bytes: room for the longest token and the longest key.
const MAX_REQUEST_LENGTH: usize = 64 * 1024;

/// Mounts the API at the server's root, where clients look for it whatever path they are given.
/// Browsers of every origin may call it.
pub fn configure(cfg: &mut web::ServiceConfig) {
    let any_origin = || DefaultHeaders::new().add((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    let signing = with_limit(web::resource("/api/v2/signingCert"), MAX_REQUEST_LENGTH);
    cfg.service(
        signing
            .wrap(any_origin())
            .route(web::post().to(create_signing_certificate))
            .route(web::method(actix_web::http::Method::OPTIONS).to(preflight)),
    )
    .service(
        web::resource("/api/v2/trustBundle")
            .wrap(any_origin())
            .route(web::get().to(trust_bundle))
            .route(web::method(actix_web::http::Method::OPTIONS).to(preflight)),
    )
    .service(
        web::resource("/api/v2/configuration")
            .wrap(any_origin())
            .route(web::get().to(configuration))
            .route(web::method(actix_web::http::Method::OPTIONS).to(preflight)),
    );
}

/// `GET /api/v2/configuration`: the issuers whose tokens are accepted.
#[derive(Clone, Debug, Serialize)]
pub struct FulcioConfiguration {
    /// One for each trusted issuer.
    pub issuers: Vec<ConfiguredIssuer>,
}

/// One trusted issuer, as `dev.sigstore.fulcio.v2.OIDCIssuer`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfiguredIssuer {
    /// `iss`, byte by byte.
    pub issuer_url: String,
    /// `aud`, conventionally `sigstore`.
    pub audience: String,
    /// The claim that clients should sign as proof of possession: `email` or `sub`.
    pub challenge_claim: &'static str,
    /// Empty: SPIFFE issuers are not offered.
    pub spiffe_trust_domain: String,
    /// `email` or `uri`.
    pub issuer_type: &'static str,
    /// For `uri` issuers, the scheme and host of every subject.
    pub subject_domain: String,
    /// Always false: an unverified address is never certified.
    pub skip_email_verification: bool,
}

#[derive(Deserialize)]
struct CreateSigningCertificateRequest {
    credentials: Option<Credentials>,
    #[serde(rename = "publicKeyRequest", alias = "public_key_request")]
    public_key_request: Option<PublicKeyRequest>,
    #[serde(
        rename = "certificateSigningRequest",
        alias = "certificate_signing_request"
    )]
    certificate_signing_request: Option<ProtoBytes>,
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(rename = "oidcIdentityToken", alias = "oidc_identity_token")]
    oidc_identity_token: Option<String>,
}

#[derive(Deserialize)]
struct PublicKeyRequest {
    #[serde(rename = "publicKey", alias = "public_key")]
    public_key: Option<PublicKey>,
    #[serde(rename = "proofOfPossession", alias = "proof_of_possession")]
    proof_of_possession: Option<ProtoBytes>,
}

#[derive(Deserialize)]
struct PublicKey {
    /// The key says itself what it is; clients disagree about what to write here.
    #[serde(rename = "algorithm")]
    _algorithm: Option<IgnoredAny>,
    content: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SigningCertificate<'a> {
    signed_certificate_embedded_sct: EmbeddedSct<'a>,
}

#[derive(Serialize)]
struct EmbeddedSct<'a> {
    chain: CertificateChain<'a>,
}

#[derive(Serialize)]
struct CertificateChain<'a> {
    certificates: Vec<&'a str>,
}

#[derive(Serialize)]
struct TrustBundle<'a> {
    chains: [CertificateChain<'a>; 1],
}

/// `POST /api/v2/signingCert`
async fn create_signing_certificate(
    request: HttpRequest,
    body: Body<Gateway>,
    identities: web::Data<IdentityVerifier>,
    authority: web::Data<CertificateAuthority>,
) -> Result<HttpResponse, GatewayError> {
    let mut wire: CreateSigningCertificateRequest = body.json()?;
    let token = token_of(&mut wire, &request)?;
    let identity = identities.verify(&token).await?;
    let issued = authority.issue(&identity, &key_of(wire)?).await?;
    let leaf = issued.certificate.to_pem();
    let above = authority.chain_pem().iter().map(String::as_str);
    let certificates = [leaf.as_str()].into_iter().chain(above).collect();
    Ok(HttpResponse::Ok().json(SigningCertificate {
        signed_certificate_embedded_sct: EmbeddedSct {
            chain: CertificateChain { certificates },
        },
    }))
}

/// `GET /api/v2/trustBundle`
async fn trust_bundle(authority: web::Data<CertificateAuthority>) -> HttpResponse {
    let certificates = authority.chain_pem().iter().map(String::as_str).collect();
    HttpResponse::Ok().json(TrustBundle {
        chains: [CertificateChain { certificates }],
    })
}

/// `GET /api/v2/configuration`
async fn configuration(configuration: web::Data<FulcioConfiguration>) -> HttpResponse {
    HttpResponse::Ok().json(configuration.get_ref())
}

/// The question that browsers ask first.
async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"))
        .insert_header((
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type",
        ))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(86_400)))
        .finish()
}

/// The token from the body, else from the header: clients use either, and the body wins.
fn token_of(
    wire: &mut CreateSigningCertificateRequest,
    request: &HttpRequest,
) -> Result<RawToken, GatewayError> {
    let in_body = wire
        .credentials
        .take()
        .and_then(|credentials| credentials.oidc_identity_token)
        .filter(|token| !token.is_empty());
    let token = in_body.or_else(|| bearer(request)).unwrap_or_default();
    Ok(RawToken::new(token)?)
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

fn key_of(wire: CreateSigningCertificateRequest) -> Result<KeyRequest, GatewayError> {
    match (wire.certificate_signing_request, wire.public_key_request) {
        (Some(ProtoBytes(pem)), None) => Ok(KeyRequest::SigningRequest {
            pem: String::from_utf8(pem)
                .map_err(|_| IssueError::from(RequestError::SigningRequest))?,
        }),
        (None, Some(request)) => Ok(KeyRequest::PublicKey {
            key: request
                .public_key
                .and_then(|key| key.content)
                .unwrap_or_default(),
            proof: request.proof_of_possession.unwrap_or_default().0,
        }),
        (None, None) => Err(IssueError::from(RequestError::PublicKey).into()),
        (Some(_), Some(_)) => Err(GatewayError::new(
            StatusCode::BAD_REQUEST,
            GrpcCode::InvalidArgument,
            "give either publicKeyRequest or certificateSigningRequest, not both",
        )),
    }
}

impl From<TokenError> for GatewayError {
    fn from(error: TokenError) -> Self {
        // The reason alone: what an unverified token says is a stranger's word.
        info!(reason = error.reason(), "identity token refused");
        let (status, code) = match error {
            TokenError::IssuerUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, GrpcCode::Unavailable)
            }
            // Clients expect 400 here and not 401 (contract §1.1).
            TokenError::TooLong
            | TokenError::NotCompact
            | TokenError::BadHeader
            | TokenError::CriticalHeader
            | TokenError::AlgorithmNotAccepted
            | TokenError::BadPayload
            | TokenError::UnknownIssuer
            | TokenError::UnknownKey
            | TokenError::AmbiguousKey
            | TokenError::Signature
            | TokenError::MissingClaim(_)
            | TokenError::WrongClaim(_)
            | TokenError::Audience
            | TokenError::Expired
            | TokenError::NotYetValid
            | TokenError::IssuedInTheFuture
            | TokenError::LivesTooLong { .. }
            | TokenError::EmailNotVerified
            | TokenError::Name { .. }
            | TokenError::OutsideSubjectDomain => {
                (StatusCode::BAD_REQUEST, GrpcCode::InvalidArgument)
            }
        };
        let message = format!("There was an error processing the identity token: {error}");
        Self::new(status, code, message)
    }
}

/// The reference server's own words, which people know from its clients.
fn refusal(error: RequestError) -> String {
    let text = match error {
        RequestError::SigningRequest => "The certificate signing request could not be parsed",
        RequestError::PublicKey => "The public key supplied in the request could not be parsed",
        RequestError::Proof => "The signature supplied in the request could not be verified",
        RequestError::Insecure(cause) => {
            return format!("The public key supplied in the request is insecure: {cause}");
        }
    };
    text.to_owned()
}

impl From<IssueError> for GatewayError {
    fn from(error: IssueError) -> Self {
        let refused = |message| {
            info!(reason = %error, "certificate refused");
            Self::new(StatusCode::BAD_REQUEST, GrpcCode::InvalidArgument, message)
        };
        let failed = |message: &str| {
            error!(cause = ?error, "certificate not issued");
            Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                GrpcCode::Internal,
                message,
            )
        };
        match &error {
            IssueError::Identity(cause) => refused(format!(
                "There was an error processing the identity token: {cause}"
            )),
            IssueError::Request(cause) => refused(refusal(*cause)),
            IssueError::Log(CtError::Append(AppendError::Overloaded)) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                GrpcCode::Unavailable,
                "Error entering certificate in CTL: too many entries are waiting",
            )
            .header(header::RETRY_AFTER, HeaderValue::from(1)),
            // Nothing is wrong with the request, and an operator must act first.
            IssueError::Log(CtError::Append(
                cause @ (AppendError::ReadOnly { .. } | AppendError::Full | AppendError::Stopped),
            )) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                GrpcCode::Unavailable,
                format!("Error entering certificate in CTL: {cause}"),
            ),
            IssueError::Log(_) => failed("Error entering certificate in CTL"),
            IssueError::OutsideAuthority(_) | IssueError::NoRandomness | IssueError::Profile(_) => {
                failed("error communicating with CA backend")
            }
        }
    }
}

#[cfg(test)]
mod tests;
