//! Public keys as SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), and the verification of signatures.

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::{Decode, Sequence};
use ring::signature as ring_signature;
use spki::SubjectPublicKeyInfo;

use super::digest_signature::{self, CheckedKey};
use super::{KeyAlgorithm, KeyDetails};
use crate::protocol::bytes::from_pem;
use crate::protocol::hash::{Digest, Sha256};

/// A public key of an accepted kind that passed every check.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    spki: Vec<u8>,
    /// The content of the subjectPublicKey BIT STRING.
    raw: Vec<u8>,
    checked: CheckedKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the public key is not a valid SubjectPublicKeyInfo")]
    Malformed,
    #[error(
        "the public key is of a kind that is not accepted: \
         use ECDSA P-256, P-384 or P-521, Ed25519, or RSA with 2048, 3072 or 4096 bits"
    )]
    Unsupported,
    /// Also a point of small order
    #[error(
        "the public key is insecure: RSA needs 2048, 3072 or 4096 bits and exponent 65537, \
         and a curve point must lie on its curve"
    )]
    Weak,
}

/// Evidence that a signature was verified.
#[derive(Clone, Copy, Debug)]
#[must_use = "a verification proves nothing unless its result is used"]
pub struct SignatureValid(());

/// The signature does not verify over this content with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not match the content and the key")]
pub struct SignatureInvalid;

impl PublicKey {
    /// Parses a DER SubjectPublicKeyInfo to the last byte.
    ///
    /// # Errors
    /// Malformed DER, a kind of key that is not accepted, or a weak key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let spki = SubjectPublicKeyInfo::<AnyRef<'_>, BitStringRef<'_>>::from_der(der)
            .map_err(|_| KeyError::Malformed)?;
        let raw = spki
            .subject_public_key
            .as_bytes()
            .ok_or(KeyError::Malformed)?;
        let algorithm = algorithm_of(spki.algorithm.oid, spki.algorithm.parameters, raw)?;
        let checked = digest_signature::check_key(algorithm, raw).ok_or(KeyError::Weak)?;
        Ok(Self {
            algorithm,
            spki: der.to_vec(),
            raw: raw.to_vec(),
            checked,
        })
    }

    /// Parses one PEM block labelled `PUBLIC KEY`, with lines of any length.
    ///
    /// # Errors
    /// As [`Self::from_spki_der`]; also unless there is exactly one such block.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_spki_der(&from_pem(text, &["PUBLIC KEY"]).ok_or(KeyError::Malformed)?)
    }

    /// The DER SubjectPublicKeyInfo that was parsed.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The content of the subjectPublicKey BIT STRING: a point, 32 bytes, or an RSAPublicKey.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// PEM with lines of 64 characters and a final newline.
    pub fn to_pem(&self) -> String {
        let block = pem::Pem::new("PUBLIC KEY", self.spki.clone());
        pem::encode_config(
            &block,
            pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
        )
    }

    /// The kind of key.
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The registry's default scheme for this key.
    pub const fn details(&self) -> KeyDetails {
        self.algorithm.default_details()
    }

    /// SHA-256 of the SubjectPublicKeyInfo: the ID of a log with an ECDSA key (RFC 6962 §3.2).
    pub fn fingerprint(&self) -> Sha256 {
        Sha256::of(&self.spki)
    }

    /// Verifies a signature over a message under the hash that the key implies.
    ///
    /// # Errors
    /// The signature does not verify.
    pub fn verify_message(
        &self,
        message: &[u8],
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        let algorithm: &dyn ring_signature::VerificationAlgorithm = match self.algorithm {
            KeyAlgorithm::P256 => &ring_signature::ECDSA_P256_SHA256_ASN1,
            KeyAlgorithm::P384 => &ring_signature::ECDSA_P384_SHA384_ASN1,
            KeyAlgorithm::Ed25519 => &ring_signature::ED25519,
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                &ring_signature::RSA_PKCS1_2048_8192_SHA256
            }
            KeyAlgorithm::P521 => {
                let holds =
                    digest_signature::p521_signature_holds(&self.checked, message, signature);
                return evidence(holds);
            }
        };
        let key = ring_signature::UnparsedPublicKey::new(algorithm, &self.raw);
        evidence(key.verify(message, signature).is_ok())
    }

    /// Verifies a signature over the message with this digest. For Ed25519 keys the signature must be
    /// Ed25519ph, which signs a SHA-512 digest.
    ///
    /// # Errors
    /// The signature does not verify.
    pub fn verify_digest(
        &self,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        if digest.algorithm() != self.algorithm.hash() {
            return Err(SignatureInvalid);
        }
        evidence(digest_signature::digest_signature_holds(
            &self.checked,
            digest,
            signature,
        ))
    }

    /// Verifies a signature over a digest under one of the registry's schemes.
    ///
    /// # Errors
    /// The signature does not verify, or the scheme is for another kind of key or does not sign digests.
    pub fn verify_digest_as(
        &self,
        details: KeyDetails,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        if details.algorithm() != self.algorithm || details.hash() != Some(digest.algorithm()) {
            return Err(SignatureInvalid);
        }
        if details.is_pss() {
            return evidence(digest_signature::pss_signature_holds(
                &self.checked,
                digest,
                signature,
            ));
        }
        self.verify_digest(digest, signature)
    }

    /// Verifies a signature over a message under one of the registry's schemes.
    ///
    /// # Errors
    /// The signature does not verify, or the scheme is for another kind of key.
    pub fn verify_message_as(
        &self,
        details: KeyDetails,
        message: &[u8],
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        if details == self.details() {
            return self.verify_message(message, signature);
        }
        let hash = details.hash().ok_or(SignatureInvalid)?;
        self.verify_digest_as(details, &hash.digest(message), signature)
    }

    /// Verifies an ECDSA or PKCS#1 v1.5 signature over a digest under any of the three hashes, for
    /// formats that name the hash next to the signature (X.509, CMS, RFC 6962).
    ///
    /// # Errors
    /// The signature does not verify, or the key is an Ed25519 key.
    pub fn verify_prehashed(
        &self,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        evidence(digest_signature::prehashed_signature_holds(
            self.algorithm,
            &self.checked,
            digest,
            signature,
        ))
    }
}

const fn evidence(holds: bool) -> Result<SignatureValid, SignatureInvalid> {
    if holds {
        Ok(SignatureValid(()))
    } else {
        Err(SignatureInvalid)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key {}", self.algorithm.name(), self.fingerprint())
    }
}

/// RSAPublicKey (RFC 8017 §A.1.1)
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

fn algorithm_of(
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'_>>,
    raw: &[u8],
) -> Result<KeyAlgorithm, KeyError> {
    match oid {
        rfc5912::ID_EC_PUBLIC_KEY => {
            let curve = parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
            let (algorithm, size) = match curve {
                Some(rfc5912::SECP_256_R_1) => (KeyAlgorithm::P256, 65),
                Some(rfc5912::SECP_384_R_1) => (KeyAlgorithm::P384, 97),
                Some(rfc5912::SECP_521_R_1) => (KeyAlgorithm::P521, 133),
                _ => return Err(KeyError::Unsupported),
            };
            // RFC 5480 §2.2: the uncompressed form. aws-lc would also accept a compressed point and
            // a whole SubjectPublicKeyInfo, which ring and other verifiers refuse.
            if raw.first() == Some(&4) && raw.len() == size {
                Ok(algorithm)
            } else {
                Err(KeyError::Malformed)
            }
        }
        rfc8410::ID_ED_25519 if parameters.is_none() => Ok(KeyAlgorithm::Ed25519),
        rfc5912::RSA_ENCRYPTION if parameters.is_some_and(|p| p.is_null()) => rsa_algorithm(raw),
        _ => Err(KeyError::Unsupported),
    }
}

fn rsa_algorithm(raw: &[u8]) -> Result<KeyAlgorithm, KeyError> {
    const F4: &[u8] = &[1, 0, 1];
    let key = RsaPublicKey::from_der(raw).map_err(|_| KeyError::Malformed)?;
    let modulus = key.modulus.as_bytes();
    let top_bit_set = modulus.first().is_some_and(|byte| *byte >= 0x80);
    if key.public_exponent.as_bytes() != F4 || !top_bit_set {
        return Err(KeyError::Weak);
    }
    match modulus.len() {
        256 => Ok(KeyAlgorithm::Rsa2048),
        384 => Ok(KeyAlgorithm::Rsa3072),
        512 => Ok(KeyAlgorithm::Rsa4096),
        _ => Err(KeyError::Weak),
    }
}

#[cfg(test)]
mod tests {
    use super::super::SigningKey;
    use super::*;

    #[test]
    fn only_uncompressed_points_are_accepted() {
        let from_point = |point: &[u8]| PublicKey::from_point(KeyAlgorithm::P256, point);
        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let key = key.public_key();
        let point = key.raw();
        let parity = point[64] & 1;
        let compressed = [&[2 | parity], &point[1..33]].concat();
        let hybrid = [&[6 | parity], &point[1..]].concat();
        let mut elsewhere = point.to_vec();
        elsewhere[64] ^= 1;

        assert_eq!(from_point(point).as_ref(), Ok(key));
        for other in [&compressed, &hybrid, key.spki_der(), &point[..64], &[]] {
            assert_eq!(from_point(other), Err(KeyError::Malformed));
        }
        assert_eq!(from_point(&elsewhere), Err(KeyError::Weak));
    }

    #[test]
    fn text_with_two_keys_is_refused() {
        let (key, _) = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let pem = key.public_key().to_pem();

        assert_eq!(PublicKey::from_pem(&pem).as_ref(), Ok(key.public_key()));
        assert_eq!(
            PublicKey::from_pem(&pem.repeat(2)),
            Err(KeyError::Malformed)
        );
    }
}
