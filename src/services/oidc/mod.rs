//! Identity: which issuers are trusted, their keys, and tokens that become a [`VerifiedIdentity`].

use crate::protocol::identity::{IssuerUrl, SubjectName};

/// A token as a client sent it.
pub struct RawToken {}

/// Who holds a token.
pub struct VerifiedIdentity {}

/// Verifies tokens.
pub struct IdentityVerifier {}

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The keys are not at hand and could not be fetched; worth another try
    #[error("the issuer's keys cannot be fetched at the moment")]
    IssuerUnavailable,
    /// Not a compact JWS
    #[error("the token is not a signed JWT: three base64url parts separated by dots")]
    NotCompact,
}

impl RawToken {
    /// Takes a compact JWS.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn new(_text: impl Into<String>) -> Result<Self, TokenError> {
        todo!("idp")
    }
}

impl VerifiedIdentity {
    /// Who vouches for it.
    pub fn issuer(&self) -> &IssuerUrl {
        todo!("idp")
    }

    /// The name that goes into the certificate.
    pub fn subject(&self) -> &SubjectName {
        todo!("idp")
    }

    /// The token's `sub`.
    pub fn token_subject(&self) -> &str {
        todo!("idp")
    }

    /// The strings over which a proof of possession is accepted.
    pub fn challenges(&self) -> impl Iterator<Item = &str> {
        [self.token_subject()].into_iter()
    }
}

impl IdentityVerifier {
    /// Verifies a token.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn verify(&self, _token: &RawToken) -> Result<VerifiedIdentity, TokenError> {
        todo!("idp")
    }
}
