//! A signer's ephemeral key: generated in memory for one signing session. It signs digests, so that
//! files of any size can be streamed. ring signs whole messages only; aws-lc-rs signs digests too, and
//! overwrites the key's memory when the key is dropped.

use std::fmt;

use aws_lc_rs::digest as lc_digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::{KeyAlgorithm, PublicKey, SigningFailed};
use crate::protocol::hash::Sha256;

/// A P-256 private key that is never written anywhere.
pub struct EphemeralKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl EphemeralKey {
    /// Generates a key.
    ///
    /// # Errors
    /// The random number generator failed.
    pub fn generate() -> Result<Self, SigningFailed> {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| SigningFailed)?;
        let public = PublicKey::from_point(KeyAlgorithm::P256, pair.public_key().as_ref())
            .map_err(|_| SigningFailed)?;
        Ok(Self { pair, public })
    }

    /// The public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message: ECDSA over its SHA-256 digest, in DER.
    ///
    /// # Errors
    /// The random number generator failed.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = self
            .pair
            .sign(&SystemRandom::new(), message)
            .map_err(|_| SigningFailed)?;
        Ok(signature.as_ref().to_vec())
    }

    /// Signs the message with this digest.
    ///
    /// # Errors
    /// The random number generator failed.
    pub fn sign_digest(&self, digest: &Sha256) -> Result<Vec<u8>, SigningFailed> {
        let digest = lc_digest::Digest::import_less_safe(digest.as_bytes(), &lc_digest::SHA256)
            .map_err(|_| SigningFailed)?;
        let signature = self.pair.sign_digest(&digest).map_err(|_| SigningFailed)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "private half of {:?}", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_over_the_digest_verifies_over_the_message() {
        let key = EphemeralKey::generate().unwrap();

        let signature = key.sign_digest(&Sha256::of(b"message")).unwrap();

        let _ = key
            .public_key()
            .verify_message(b"message", &signature)
            .unwrap();
        let _ = key
            .public_key()
            .verify_message(b"more", &key.sign(b"more").unwrap())
            .unwrap();
    }
}
