//! Public keys and signatures assembled from their numbers, for formats that do not use
//! SubjectPublicKeyInfo: PKCS#8 key pairs, PKCS#1, OpenSSH, minisign, OpenPGP.

use const_oid::db::{rfc5912, rfc8410};
use der::asn1::{Any, BitString, UintRef};
use der::{Encode, Sequence};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::{KeyAlgorithm, KeyError, PublicKey};

/// RSAPublicKey (RFC 8017 §A.1.1) and ECDSA-Sig-Value (RFC 3279 §2.2.3), which have the same fields.
#[derive(Sequence)]
struct TwoNumbers<'a> {
    first: UintRef<'a>,
    second: UintRef<'a>,
}

impl PublicKey {
    /// The Ed25519 key with these 32 bytes (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// Another length, or a point of small order.
    pub fn from_ed25519(key: &[u8]) -> Result<Self, KeyError> {
        assemble(rfc8410::ID_ED_25519, None, key)
    }

    /// The ECDSA key with this uncompressed point (SEC 1 §2.3.3).
    ///
    /// # Errors
    /// Another form, a point off the curve, or a kind of key without points.
    pub fn from_point(algorithm: KeyAlgorithm, point: &[u8]) -> Result<Self, KeyError> {
        let curve = match algorithm {
            KeyAlgorithm::P256 => rfc5912::SECP_256_R_1,
            KeyAlgorithm::P384 => rfc5912::SECP_384_R_1,
            KeyAlgorithm::P521 => rfc5912::SECP_521_R_1,
            _ => return Err(KeyError::Unsupported),
        };
        let curve = Any::encode_from(&curve).map_err(|_| KeyError::Malformed)?;
        assemble(rfc5912::ID_EC_PUBLIC_KEY, Some(curve), point)
    }

    /// The RSA key with this modulus and exponent, both big-endian.
    ///
    /// # Errors
    /// A size or exponent that is not accepted.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        Self::from_pkcs1(&two_numbers(modulus, exponent).ok_or(KeyError::Malformed)?)
    }

    /// The RSA key in a DER RSAPublicKey (RFC 8017 §A.1.1).
    ///
    /// # Errors
    /// Malformed DER, or a size or exponent that is not accepted.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        assemble(rfc5912::RSA_ENCRYPTION, Some(Any::null()), der)
    }
}

/// The DER ECDSA-Sig-Value of two big-endian numbers (RFC 3279 §2.2.3); none if they are too long.
pub(crate) fn ecdsa_signature(r: &[u8], s: &[u8]) -> Option<Vec<u8>> {
    two_numbers(r, s)
}

fn two_numbers(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    let numbers = TwoNumbers {
        first: UintRef::new(first).ok()?,
        second: UintRef::new(second).ok()?,
    };
    numbers.to_der().ok()
}

fn assemble(
    oid: const_oid::ObjectIdentifier,
    parameters: Option<Any>,
    key: &[u8],
) -> Result<PublicKey, KeyError> {
    let info = SubjectPublicKeyInfo {
        algorithm: AlgorithmIdentifier { oid, parameters },
        subject_public_key: BitString::from_bytes(key).map_err(|_| KeyError::Malformed)?,
    };
    PublicKey::from_spki_der(&info.to_der().map_err(|_| KeyError::Malformed)?)
}

#[cfg(test)]
mod tests {
    use super::super::SigningKey;
    use super::*;

    #[test]
    fn a_key_is_assembled_from_its_parts() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384] {
            let (key, _) = SigningKey::generate(algorithm).unwrap();
            let key = key.public_key();
            assert_eq!(
                PublicKey::from_point(algorithm, key.raw()).as_ref(),
                Ok(key)
            );
        }
        let (key, _) = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let key = key.public_key();
        assert_eq!(PublicKey::from_ed25519(key.raw()).as_ref(), Ok(key));
    }

    #[test]
    fn weak_and_malformed_parts_are_refused() {
        // The point of order one, and lengths that no key has.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(PublicKey::from_ed25519(&neutral), Err(KeyError::Weak));
        PublicKey::from_ed25519(&[7; 31]).unwrap_err();
        PublicKey::from_point(KeyAlgorithm::P256, &[4; 65]).unwrap_err();
        PublicKey::from_point(KeyAlgorithm::Ed25519, &[4; 65]).unwrap_err();
        for (modulus, exponent) in [
            (vec![0xff; 128], vec![1, 0, 1]),
            (vec![0xff; 256], vec![3]),
            (vec![], vec![]),
        ] {
            PublicKey::from_rsa(&modulus, &exponent).unwrap_err();
        }
    }
}
