//! Signatures of certificate logs (RFC 6962 §2.1.4).

use super::super::tls::{VectorTooLong, push_vector16};
use super::LeafIndexError;
use crate::protocol::cursor::Cursor;
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::keys::{
    KeyAlgorithm, PublicKey, SignatureInvalid, SignatureValid, SigningFailed, SigningKey,
};

/// A TLS 1.2 `digitally-signed` struct (RFC 5246 §4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitallySigned {
    hash: u8,
    algorithm: u8,
    signature: Vec<u8>,
}

/// Error signing as a certificate log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogSigningError {
    /// RFC 6962 §2.1.4: P-256 or RSA, with SHA-256
    #[error("a certificate log signs with an ECDSA P-256 or RSA key, not with {}", .0.name())]
    Key(KeyAlgorithm),
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    #[error(transparent)]
    TooLong(#[from] VectorTooLong),
    #[error(transparent)]
    Index(#[from] LeafIndexError),
}

impl DigitallySigned {
    const SHA256: u8 = 4;
    const RSA: u8 = 1;
    const ECDSA: u8 = 3;

    /// Signs with SHA-256 and the algorithm of the key.
    ///
    /// # Errors
    /// See [`LogSigningError`].
    pub fn sign(key: &SigningKey, message: &[u8]) -> Result<Self, LogSigningError> {
        let kind = key.public_key().algorithm();
        let algorithm = Self::algorithm_of(kind)
            .filter(|_| kind.hash() == HashAlgorithm::Sha256)
            .ok_or(LogSigningError::Key(kind))?;
        Ok(Self {
            hash: Self::SHA256,
            algorithm,
            signature: key.sign(message)?,
        })
    }

    /// Verifies a log's signature: SHA-256 with the algorithm of the key's family.
    ///
    /// # Errors
    /// The algorithms differ, or the signature is invalid.
    pub fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        // RFC 6962 §2.1.4: only SHA-256 is allowed.
        if self.hash != Self::SHA256 || Self::algorithm_of(key.algorithm()) != Some(self.algorithm)
        {
            return Err(SignatureInvalid);
        }
        key.verify_prehashed(&HashAlgorithm::Sha256.digest(message), &self.signature)
    }

    /// Encodes hash, algorithm, and the signature with a two-byte length prefix.
    ///
    /// # Errors
    /// A signature of more than 65,535 bytes.
    pub fn encode(&self) -> Result<Vec<u8>, VectorTooLong> {
        let mut out = vec![self.hash, self.algorithm];
        push_vector16(&mut out, &self.signature)?;
        Ok(out)
    }

    pub(super) fn read(reader: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            hash: reader.u8()?,
            algorithm: reader.u8()?,
            signature: reader.field::<2>()?.to_vec(),
        })
    }

    const fn algorithm_of(kind: KeyAlgorithm) -> Option<u8> {
        match kind {
            KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => Some(Self::ECDSA),
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                Some(Self::RSA)
            }
            KeyAlgorithm::Ed25519 => None,
        }
    }
}
