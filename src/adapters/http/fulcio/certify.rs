//! Issues certificates for every version of the API, with the reference server's error messages.

use tracing::{error, info};

use crate::adapters::http::refusal::Refusal;
use crate::classify::{Classify as _, ErrorClass};
use crate::services::ca::{CertificateAuthority, IssueError, KeyRequest, KeyRequestError};
use crate::services::oidc::{IdentityVerifier, RawToken, TokenError};

/// Verifies the token, then parses the key and its proof, and issues a certificate. Returns the chain in
/// PEM, the leaf first, the root last.
///
/// # Errors
/// The token or the key is refused, or the authority cannot issue.
pub(super) async fn certify(
    identities: &IdentityVerifier,
    authority: &CertificateAuthority,
    token: String,
    key: impl FnOnce() -> Result<KeyRequest, Refusal>,
) -> Result<Vec<String>, Refusal> {
    let token = RawToken::new(token).map_err(refuse_token)?;
    let identity = identities.verify(&token).await.map_err(refuse_token)?;
    let issued = authority
        .issue(&identity, &key()?)
        .await
        .map_err(refuse_certificate)?;
    let mut chain = vec![issued.certificate.to_pem()];
    chain.extend_from_slice(authority.chain_pem());
    Ok(chain)
}

/// A public key with its proof of possession, as sent.
pub(super) struct OfferedKey {
    /// PEM, or DER in base64
    pub(super) content: String,
    /// Signature over a challenge
    pub(super) proof: Vec<u8>,
}

/// Accepts either a signing request in PEM or a key with its proof.
///
/// # Errors
/// Neither or both are given, or the signing request is not UTF-8.
pub(super) fn key_request(
    signing_request: Option<Vec<u8>>,
    key: Option<OfferedKey>,
) -> Result<KeyRequest, Refusal> {
    match (signing_request, key) {
        (Some(pem), None) => Ok(KeyRequest::SigningRequest {
            pem: String::from_utf8(pem)
                .map_err(|_| refuse_certificate(KeyRequestError::SigningRequest.into()))?,
        }),
        (None, Some(OfferedKey { content, proof })) => Ok(KeyRequest::PublicKey {
            key: content,
            proof,
        }),
        (None, None) => Err(refuse_certificate(KeyRequestError::PublicKey.into())),
        (Some(_), Some(_)) => Err(Refusal::invalid(
            "invalid",
            "give either a public key with its proof or certificateSigningRequest, not both",
        )),
    }
}

/// Prefixes the reason with the reference server's message, which users know from their clients.
pub(super) fn refuse_token(error: TokenError) -> Refusal {
    // Only the kind of error is logged, because the sender chooses everything in an unverified token.
    info!(reason = error.reason(), "token.refused");
    let detail = format!("There was an error processing the identity token: {error}");
    Refusal::of_class(error.class(), error.code(), detail)
}

/// Answers with the reference server's messages, which users know from their clients.
pub(super) fn refuse_certificate(error: IssueError) -> Refusal {
    let detail = match &error {
        IssueError::Identity(cause) => {
            format!("There was an error processing the identity token: {cause}")
        }
        IssueError::Request(KeyRequestError::SigningRequest) => {
            "The certificate signing request could not be parsed".to_owned()
        }
        IssueError::Request(KeyRequestError::PublicKey) => {
            "The public key supplied in the request could not be parsed".to_owned()
        }
        IssueError::Request(KeyRequestError::Proof) => {
            "The signature supplied in the request could not be verified".to_owned()
        }
        IssueError::Request(KeyRequestError::Insecure(cause)) => {
            format!("The public key supplied in the request is insecure: {cause}")
        }
        IssueError::Log(cause) if error.class() != ErrorClass::Internal => {
            format!("Error entering certificate in CTL: {cause}")
        }
        IssueError::Log(_) => "Error entering certificate in CTL".to_owned(),
        IssueError::OutsideAuthority { .. } | IssueError::Random(_) | IssueError::Profile(_) => {
            "error communicating with CA backend".to_owned()
        }
    };
    let class = error.class();
    if class == ErrorClass::Internal {
        error!(cause = ?error, "certificate.failed");
    } else {
        info!(reason = %error, "certificate.refused");
    }
    Refusal::of_class(class, error.code(), detail)
}
