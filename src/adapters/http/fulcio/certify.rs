//! The one path to a certificate, whatever dialect the request came in, and what its refusals look
//! like.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use tracing::{error, info};

use super::super::problem::{GatewayError, GrpcCode};
use crate::log::AppendError;
use crate::services::ca::{CertificateAuthority, IssueError, KeyRequest, RequestError};
use crate::services::ctlog::CtError;
use crate::services::oidc::{IdentityVerifier, RawToken, TokenError};

/// A certificate that was issued, and those above it.
pub(super) struct IssuedChain<'a> {
    leaf: String,
    above: &'a [String],
}

impl IssuedChain<'_> {
    /// The leaf first, the root last; one PEM block each.
    pub(super) fn blocks(&self) -> Vec<&str> {
        let above = self.above.iter().map(String::as_str);
        [self.leaf.as_str()].into_iter().chain(above).collect()
    }
}

/// Verifies the token, then reads the key and its proof, and issues.
///
/// # Errors
/// The token or the key is refused, or nothing can be issued.
pub(super) async fn certify<'a>(
    identities: &IdentityVerifier,
    authority: &'a CertificateAuthority,
    token: String,
    key: impl FnOnce() -> Result<KeyRequest, GatewayError>,
) -> Result<IssuedChain<'a>, GatewayError> {
    let identity = identities.verify(&RawToken::new(token)?).await?;
    let issued = authority.issue(&identity, &key()?).await?;
    Ok(IssuedChain {
        leaf: issued.certificate.to_pem(),
        above: authority.chain_pem(),
    })
}

/// A public key and the signature that proves it, as they were sent.
pub(super) struct OfferedKey {
    /// PEM, or the base64 of DER.
    pub(super) content: String,
    /// The signature over a challenge.
    pub(super) proof: Vec<u8>,
}

/// What a client proves its key with: a signing request in PEM or a key, and not both.
///
/// # Errors
/// Neither, both, or a signing request that is no text.
pub(super) fn key_request(
    signing_request: Option<Vec<u8>>,
    key: Option<OfferedKey>,
) -> Result<KeyRequest, GatewayError> {
    match (signing_request, key) {
        (Some(pem), None) => Ok(KeyRequest::SigningRequest {
            pem: String::from_utf8(pem)
                .map_err(|_| IssueError::from(RequestError::SigningRequest))?,
        }),
        (None, Some(OfferedKey { content, proof })) => Ok(KeyRequest::PublicKey {
            key: content,
            proof,
        }),
        (None, None) => Err(IssueError::from(RequestError::PublicKey).into()),
        (Some(_), Some(_)) => Err(GatewayError::new(
            StatusCode::BAD_REQUEST,
            GrpcCode::InvalidArgument,
            "give either a public key with its proof or certificateSigningRequest, not both",
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
