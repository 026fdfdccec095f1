//! Private keys that sign, from PKCS#8 (RFC 5958).

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::{KeyAlgorithm, PublicKey};

/// A private key. Its debug form shows only the public half.
///
/// ring takes randomness only from the operating system, so this type, unlike the rest of the
/// pure layer, does not get it as an argument. Nothing but the bytes of signatures depends on it.
pub struct SigningKey {
    pair: KeyPair,
    public: PublicKey,
    random: SystemRandom,
}

enum KeyPair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    #[error(
        "not an unencrypted PKCS#8 private key with its public half: \
         ECDSA P-256, ECDSA P-384, Ed25519 or RSA of 2048 to 4096 bits"
    )]
    Malformed,
    #[error("keys of this kind cannot be generated here")]
    NotGenerated,
    #[error("the operating system's random number generator failed")]
    NoRandomness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not sign: the operating system's random number generator failed")]
pub struct SigningFailed;

impl SigningKey {
    /// Generates a P-256, P-384 or Ed25519 key. Returns it with its PKCS#8 document.
    ///
    /// # Errors
    /// Another kind of key, or a failure of the random number generator.
    pub fn generate(
        algorithm: KeyAlgorithm,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), SigningKeyError> {
        let random = SystemRandom::new();
        let ecdsa = |curve| EcdsaKeyPair::generate_pkcs8(curve, &random);
        let document = match algorithm {
            KeyAlgorithm::P256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyAlgorithm::P384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
            _ => return Err(SigningKeyError::NotGenerated),
        };
        let document = document.map_err(|_| SigningKeyError::NoRandomness)?;
        let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
        Ok((Self::from_pkcs8(&pkcs8)?, pkcs8))
    }

    /// Parses a PKCS#8 document.
    ///
    /// # Errors
    /// Anything but one unencrypted key of an accepted kind whose halves agree.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SigningKeyError> {
        let random = SystemRandom::new();
        let (pair, public) = Self::key_pair(der, &random).ok_or(SigningKeyError::Malformed)?;
        Ok(Self {
            pair,
            public,
            random,
        })
    }

    fn key_pair(der: &[u8], random: &SystemRandom) -> Option<(KeyPair, PublicKey)> {
        for (kind, algorithm) in [
            (KeyAlgorithm::P256, &ECDSA_P256_SHA256_ASN1_SIGNING),
            (KeyAlgorithm::P384, &ECDSA_P384_SHA384_ASN1_SIGNING),
        ] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der, random) {
                let public = PublicKey::from_point(kind, pair.public_key().as_ref());
                return Some((KeyPair::Ecdsa(pair), public.ok()?));
            }
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let public = PublicKey::from_ed25519(pair.public_key().as_ref());
            return Some((KeyPair::Ed25519(pair), public.ok()?));
        }
        let pair = RsaKeyPair::from_pkcs8(der).ok()?;
        let public = PublicKey::from_pkcs1(pair.public_key().as_ref());
        Some((KeyPair::Rsa(Box::new(pair)), public.ok()?))
    }

    /// The public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message under the hash that the key implies. ECDSA signatures are DER, RSA signatures
    /// PKCS#1 v1.5 with SHA-256.
    ///
    /// # Errors
    /// The random number generator failed.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        match &self.pair {
            KeyPair::Ecdsa(pair) => {
                let signature = pair
                    .sign(&self.random, message)
                    .map_err(|_| SigningFailed)?;
                Ok(signature.as_ref().to_vec())
            }
            KeyPair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            KeyPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature)
                    .map_err(|_| SigningFailed)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "private half of {:?}", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_half_verifies_what_a_key_signs() {
        for algorithm in [
            KeyAlgorithm::P256,
            KeyAlgorithm::P384,
            KeyAlgorithm::Ed25519,
        ] {
            let (key, pkcs8) = SigningKey::generate(algorithm).unwrap();

            let signature = SigningKey::from_pkcs8(&pkcs8)
                .unwrap()
                .sign(b"message")
                .unwrap();

            assert_eq!(key.public_key().algorithm(), algorithm);
            let _ = key
                .public_key()
                .verify_message(b"message", &signature)
                .unwrap();
            assert!(
                key.public_key()
                    .verify_message(b"massage", &signature)
                    .is_err()
            );
        }
    }

    #[test]
    fn an_ecdsa_signature_verifies_over_the_digest_alone() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384] {
            let (key, _) = SigningKey::generate(algorithm).unwrap();
            let signature = key.sign(b"message").unwrap();
            let digest = algorithm.hash().digest(b"message");

            let _ = key.public_key().verify_digest(&digest, &signature).unwrap();

            let other = algorithm.hash().digest(b"massage");
            assert!(key.public_key().verify_digest(&other, &signature).is_err());
        }
    }

    #[test]
    fn a_pure_ed25519_signature_is_not_one_over_the_digest() {
        let (key, _) = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let signature = key.sign(b"message").unwrap();
        let digest = KeyAlgorithm::Ed25519.hash().digest(b"message");

        assert!(key.public_key().verify_digest(&digest, &signature).is_err());
    }

    #[test]
    fn the_debug_form_of_a_private_key_shows_the_public_half_only() {
        let (key, pkcs8) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let shown = format!("{key:?}");

        assert!(shown.contains(&key.public_key().fingerprint().to_hex()));
        assert!(
            !pkcs8
                .windows(16)
                .any(|part| shown.contains(&hex::encode(part)))
        );
    }
}
