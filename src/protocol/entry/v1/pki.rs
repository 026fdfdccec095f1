//! The formats in which detached signatures and their keys come: one key is read, reads signatures
//! of its own format, and both have one canonical form.

use serde::{Deserialize, Serialize};

use super::super::search::{SearchTerm, SearchTerms, TooManyTerms};
use super::minisign::{MinisignError, MinisignKey};
use super::pgp::{PgpError, PgpKey};
use super::ssh::{SshError, SshKey};
use super::verifier::{Message, Verifier, VerifierError};
use crate::protocol::bytes::MAX_PEM_LENGTH;
use crate::protocol::keys::{SignatureInvalid, SignatureValid};

/// The longest key or signature that is read, in bytes.
pub(super) const MAX_PKI_LENGTH: usize = MAX_PEM_LENGTH;

/// A format by its name in Rekor's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PkiFormat {
    /// A key or certificate in PEM, and a signature in the key's own form
    X509,
    /// OpenSSH's authorized_keys line, and SSHSIG
    Ssh,
    /// minisign's and signify's files
    Minisign,
    /// OpenPGP, armored or binary
    Pgp,
}

/// Why bytes are no key or signature of a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PkiError {
    /// Nothing there
    #[error("is empty")]
    Empty,
    /// More than any key or signature needs
    #[error("has {0} bytes; the limit is {MAX_PKI_LENGTH}")]
    TooLong(usize),
    /// Of the x509 format
    #[error(transparent)]
    X509(#[from] VerifierError),
    /// Of the ssh format
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// Of the minisign format
    #[error(transparent)]
    Minisign(#[from] MinisignError),
    /// Of the pgp format
    #[error(transparent)]
    Pgp(#[from] PgpError),
}

/// A key of some format.
pub(super) trait Key {
    /// The one form in which it is logged and searched.
    fn canonical(&self) -> Vec<u8>;

    /// Reads a signature that this key may have made.
    ///
    /// # Errors
    /// Another format, or another key's.
    fn signature<'a>(&'a self, bytes: &'a [u8]) -> Result<Box<dyn Signature + 'a>, PkiError>;

    /// Adds the names that the key bears.
    ///
    /// # Errors
    /// They are too many.
    fn add_names(&self, _: &mut SearchTerms) -> Result<(), TooManyTerms> {
        Ok(())
    }
}

/// A signature with the key that is to verify it.
pub(super) trait Signature {
    /// The one form in which it is logged.
    fn canonical(&self) -> Vec<u8>;

    /// Verifies it over the artifact.
    ///
    /// # Errors
    /// It does not hold.
    fn verify(&self, artifact: &[u8]) -> Result<SignatureValid, SignatureInvalid>;
}

/// Reads a key.
pub(super) fn read_key(format: PkiFormat, bytes: &[u8]) -> Result<Box<dyn Key>, PkiError> {
    check_length(bytes)?;
    Ok(match format {
        PkiFormat::X509 => Box::new(Verifier::from_pem(bytes)?),
        PkiFormat::Ssh => Box::new(SshKey::read(bytes)?),
        PkiFormat::Minisign => Box::new(MinisignKey::read(bytes)?),
        PkiFormat::Pgp => Box::new(PgpKey::read(bytes)?),
    })
}

/// Insists on something to read, within the limit.
pub(super) fn check_length(bytes: &[u8]) -> Result<(), PkiError> {
    match bytes.len() {
        0 => Err(PkiError::Empty),
        1..=MAX_PKI_LENGTH => Ok(()),
        length => Err(PkiError::TooLong(length)),
    }
}

impl SearchTerm {
    /// Reads the key of a query.
    ///
    /// # Errors
    /// No key of the format.
    pub fn from_key_query(format: PkiFormat, content: &[u8]) -> Result<Self, PkiError> {
        Ok(Self::public_key(&read_key(format, content)?.canonical()))
    }
}

impl Key for Verifier {
    fn canonical(&self) -> Vec<u8> {
        self.canonical_pem().as_bytes().to_vec()
    }

    fn signature<'a>(&'a self, bytes: &'a [u8]) -> Result<Box<dyn Signature + 'a>, PkiError> {
        Ok(Box::new(X509Signature { key: self, bytes }))
    }

    fn add_names(&self, terms: &mut SearchTerms) -> Result<(), TooManyTerms> {
        self.add_terms(terms)
    }
}

struct X509Signature<'a> {
    key: &'a Verifier,
    bytes: &'a [u8],
}

impl Signature for X509Signature<'_> {
    fn canonical(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    fn verify(&self, artifact: &[u8]) -> Result<SignatureValid, SignatureInvalid> {
        self.key.verify_message(&Message::new(artifact), self.bytes)
    }
}
