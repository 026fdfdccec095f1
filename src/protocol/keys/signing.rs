//! Private keys that sign, from PKCS#8 (RFC 5958).

use std::fmt;

use const_oid::db::{rfc5912, rfc8410};
use der::asn1::{BitString, Null};
use der::{Any, Encode};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo};
use zeroize::Zeroizing;

use super::{KeyAlgorithm, PublicKey};

/// A private key. Its debug form shows the public half alone.
///
/// ring takes its randomness from the operating system only, so this is the one place in the pure
/// layer that does not get it as an argument; the signature's bytes are the only thing it touches.
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

/// Why a private key could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// Not an unencrypted PKCS#8 document with both halves of a known kind of key
    #[error(
        "not an unencrypted PKCS#8 private key with its public half: \
         ECDSA P-256, ECDSA P-384, Ed25519 or RSA of 2048 to 4096 bits"
    )]
    Malformed,
    /// This kind of key can be used but not generated here
    #[error("keys of this kind cannot be generated here")]
    NotGenerated,
    /// The operating system gave no randomness
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

/// The operating system gave no randomness to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness to sign with")]
pub struct SigningFailed;

impl SigningKey {
    /// Makes a new key and returns it with its PKCS#8 document, for P-256, P-384 and Ed25519.
    ///
    /// # Errors
    /// Another kind was asked for, or there was no randomness.
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

    /// Reads a PKCS#8 document.
    ///
    /// # Errors
    /// Anything but one unencrypted key of an accepted kind, both halves in agreement.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SigningKeyError> {
        let random = SystemRandom::new();
        let (pair, spki) = Self::pair_of(der, &random).ok_or(SigningKeyError::Malformed)?;
        let public = PublicKey::from_spki_der(&spki).map_err(|_| SigningKeyError::Malformed)?;
        Ok(Self {
            pair,
            public,
            random,
        })
    }

    fn pair_of(der: &[u8], random: &SystemRandom) -> Option<(KeyPair, Vec<u8>)> {
        let curves: [(&'static EcdsaSigningAlgorithm, _); 2] = [
            (&ECDSA_P256_SHA256_ASN1_SIGNING, rfc5912::SECP_256_R_1),
            (&ECDSA_P384_SHA384_ASN1_SIGNING, rfc5912::SECP_384_R_1),
        ];
        for (algorithm, curve) in curves {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der, random) {
                let curve = Any::encode_from(&curve).ok()?;
                let spki = spki(
                    rfc5912::ID_EC_PUBLIC_KEY,
                    Some(curve),
                    pair.public_key().as_ref(),
                )?;
                return Some((KeyPair::Ecdsa(pair), spki));
            }
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let spki = spki(rfc8410::ID_ED_25519, None, pair.public_key().as_ref())?;
            return Some((KeyPair::Ed25519(pair), spki));
        }
        let pair = RsaKeyPair::from_pkcs8(der).ok()?;
        let null = Any::encode_from(&Null).ok()?;
        let spki = spki(
            rfc5912::RSA_ENCRYPTION,
            Some(null),
            pair.public_key().as_ref(),
        )?;
        Some((KeyPair::Rsa(Box::new(pair)), spki))
    }

    /// The public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message with the hash that the key's kind implies; ECDSA signatures are DER, and
    /// RSA signatures are PKCS#1 v1.5 with SHA-256.
    ///
    /// # Errors
    /// There was no randomness.
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

/// The SubjectPublicKeyInfo of a P-256 point (RFC 5480 §2.1.1).
pub(super) fn p256_spki(point: &[u8]) -> Option<Vec<u8>> {
    let curve = Any::encode_from(&rfc5912::SECP_256_R_1).ok()?;
    spki(rfc5912::ID_EC_PUBLIC_KEY, Some(curve), point)
}

fn spki(oid: const_oid::ObjectIdentifier, parameters: Option<Any>, key: &[u8]) -> Option<Vec<u8>> {
    let algorithm = AlgorithmIdentifier { oid, parameters };
    let subject_public_key = BitString::from_bytes(key).ok()?;
    SubjectPublicKeyInfo {
        algorithm,
        subject_public_key,
    }
    .to_der()
    .ok()
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
    fn what_a_key_signs_its_public_half_verifies() {
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
