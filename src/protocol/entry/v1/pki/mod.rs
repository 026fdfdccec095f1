//! Formats of detached signatures and their keys. A key parses signatures of its format. Keys and
//! signatures have a canonical form.

mod minisign;
mod pgp;
mod ssh;

use serde::{Deserialize, Serialize};

use super::super::search::{SearchTerm, SearchTerms, TooManyTerms};
use super::verifier::{HashedMessage, PemVerifier, PemVerifierError};
use crate::protocol::bytes::MAX_PEM_LENGTH;
use crate::protocol::keys::{SignatureInvalid, SignatureValid};
use minisign::{MinisignError, MinisignKey};
use pgp::{PgpError, PgpKey};
use ssh::{SshError, SshKey};

/// Maximum size of a key or signature, in bytes.
const MAX_LENGTH: usize = MAX_PEM_LENGTH;

/// A signature format of Rekor's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PkiFormat {
    /// Keys and certificates in PEM; raw signatures, or ECDSA signatures in DER.
    X509,
    /// A line of OpenSSH's `authorized_keys`; armored SSHSIG.
    Ssh,
    /// Files of minisign and signify.
    Minisign,
    /// OpenPGP, armored or binary.
    Pgp,
}

/// Error parsing a key or signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PkiError {
    #[error("is empty")]
    Empty,
    #[error("has {0} bytes; the limit is {MAX_LENGTH}")]
    TooLong(usize),
    #[error(transparent)]
    X509(#[from] PemVerifierError),
    #[error(transparent)]
    Ssh(#[from] SshError),
    #[error(transparent)]
    Minisign(#[from] MinisignError),
    #[error(transparent)]
    Pgp(#[from] PgpError),
}

/// A key of any format.
pub(super) trait PkiKey {
    /// The form in which the key is logged and indexed.
    fn canonical(&self) -> Vec<u8>;

    /// Parses a signature that claims to be by this key.
    fn parse_signature<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> Result<Box<dyn PkiSignature + 'a>, PkiError>;

    /// Adds the names of the key's owner.
    fn add_names(&self, _: &mut SearchTerms) -> Result<(), TooManyTerms> {
        Ok(())
    }
}

/// An unverified signature and its key.
pub(super) trait PkiSignature {
    /// The form in which the signature is logged.
    fn canonical(&self) -> Vec<u8>;

    fn verify(&self, artifact: &[u8]) -> Result<SignatureValid, SignatureInvalid>;
}

pub(super) fn parse_key(format: PkiFormat, bytes: &[u8]) -> Result<Box<dyn PkiKey>, PkiError> {
    check_length(bytes)?;
    Ok(match format {
        PkiFormat::X509 => Box::new(PemVerifier::parse(bytes)?),
        PkiFormat::Ssh => Box::new(SshKey::parse(bytes)?),
        PkiFormat::Minisign => Box::new(MinisignKey::parse(bytes)?),
        PkiFormat::Pgp => Box::new(PgpKey::parse(bytes)?),
    })
}

pub(super) fn parse_signature<'a>(
    key: &'a dyn PkiKey,
    bytes: &'a [u8],
) -> Result<Box<dyn PkiSignature + 'a>, PkiError> {
    check_length(bytes)?;
    key.parse_signature(bytes)
}

fn check_length(bytes: &[u8]) -> Result<(), PkiError> {
    match bytes.len() {
        0 => Err(PkiError::Empty),
        1..=MAX_LENGTH => Ok(()),
        length => Err(PkiError::TooLong(length)),
    }
}

impl SearchTerm {
    /// Builds the term for a key query.
    ///
    /// # Errors
    /// See [`PkiError`].
    pub(crate) fn from_key_query(format: PkiFormat, content: &[u8]) -> Result<Self, PkiError> {
        Ok(Self::public_key(&parse_key(format, content)?.canonical()))
    }
}

impl PkiKey for PemVerifier {
    fn canonical(&self) -> Vec<u8> {
        self.canonical_pem().as_bytes().to_vec()
    }

    fn parse_signature<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> Result<Box<dyn PkiSignature + 'a>, PkiError> {
        Ok(Box::new(X509Signature { key: self, bytes }))
    }

    fn add_names(&self, terms: &mut SearchTerms) -> Result<(), TooManyTerms> {
        self.add_terms(terms)
    }
}

struct X509Signature<'a> {
    key: &'a PemVerifier,
    bytes: &'a [u8],
}

impl PkiSignature for X509Signature<'_> {
    fn canonical(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    fn verify(&self, artifact: &[u8]) -> Result<SignatureValid, SignatureInvalid> {
        let message = HashedMessage::new(artifact);
        self.key.verify_message(&message, self.bytes)
    }
}
