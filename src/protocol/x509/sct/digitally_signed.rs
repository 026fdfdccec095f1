//! Signatures as certificate logs make them (RFC 6962 §2.1.4).

use super::super::tls::{VectorTooLong, push_vector16};
use super::NoPlace;
use crate::protocol::cursor::Cursor;
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::keys::{
    KeyAlgorithm, PublicKey, SignatureInvalid, SignatureValid, SigningFailed, SigningKey,
};

/// A signature with its algorithms named as TLS 1.2 names them (RFC 5246 §4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitallySigned {
    hash: u8,
    algorithm: u8,
    signature: Vec<u8>,
}

/// Why a log cannot sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogSigningError {
    /// SPEC RFC 6962 §2.1.4: P-256 or RSA, and SHA-256
    #[error("a certificate log signs with an ECDSA P-256 or RSA key, not with {}", .0.name())]
    Key(KeyAlgorithm),
    /// There was no randomness
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// What is signed does not fit the format
    #[error(transparent)]
    TooLong(#[from] VectorTooLong),
    /// The entry stands where the format has no number for it
    #[error(transparent)]
    Index(#[from] NoPlace),
}

impl DigitallySigned {
    const SHA256: u8 = 4;
    const RSA: u8 = 1;
    const ECDSA: u8 = 3;

    /// Signs as a certificate log does.
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
    /// Other algorithms, or a signature that does not hold.
    pub fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        // SPEC RFC 6962 §2.1.4: SHA-256 and nothing else.
        if self.hash != Self::SHA256 || Self::algorithm_of(key.algorithm()) != Some(self.algorithm)
        {
            return Err(SignatureInvalid);
        }
        key.verify_prehashed(&HashAlgorithm::Sha256.digest(message), &self.signature)
    }

    /// The encoded form: hash, algorithm, and the signature behind its two-byte length.
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
