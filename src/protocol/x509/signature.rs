//! The signature algorithms of certificates, requests and timestamps (RFC 5758, RFC 4055, RFC 8410).

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::asn1::AnyRef;
use der::{Decode, Encode};
use spki::AlgorithmIdentifierRef;

use crate::protocol::hash::HashAlgorithm;
use crate::protocol::keys::{KeyAlgorithm, PublicKey, SignatureInvalid, SignatureValid};

/// A signature algorithm with its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// ecdsa-with-SHA256, -SHA384 or -SHA512 (RFC 5758 §3.2)
    Ecdsa(HashAlgorithm),
    /// sha256WithRSAEncryption and its siblings: PKCS#1 v1.5 (RFC 4055 §5)
    RsaPkcs1(HashAlgorithm),
    /// Ed25519 over the bytes themselves (RFC 8410 §3)
    Ed25519,
}

impl SignatureAlgorithm {
    /// Parses a DER AlgorithmIdentifier; none if the algorithm is not accepted.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        Self::of(&AlgorithmIdentifierRef::from_der(der).ok()?)
    }

    pub(super) fn of(identifier: &AlgorithmIdentifierRef<'_>) -> Option<Self> {
        let parameters = identifier.parameters;
        let (algorithm, _) = ALGORITHMS
            .iter()
            .find(|(_, oid)| *oid == identifier.oid)
            .copied()?;
        let parameters_fit = match algorithm {
            // RFC 5758 §3.2, RFC 8410 §3: the parameters must be absent.
            Self::Ecdsa(_) | Self::Ed25519 => parameters.is_none(),
            // RFC 4055 §5: writers set NULL, and readers must accept absence too.
            Self::RsaPkcs1(_) => parameters.is_none_or(|parameters| parameters.is_null()),
        };
        parameters_fit.then_some(algorithm)
    }

    /// The algorithm with which Signet signs with a key of this kind.
    pub const fn of_key(algorithm: KeyAlgorithm) -> Self {
        match algorithm {
            KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => {
                Self::Ecdsa(algorithm.hash())
            }
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                Self::RsaPkcs1(algorithm.hash())
            }
            KeyAlgorithm::Ed25519 => Self::Ed25519,
        }
    }

    /// The DER AlgorithmIdentifier.
    ///
    /// # Errors
    /// Lengths beyond DER's limits, which no algorithm here reaches.
    pub fn to_der(self) -> der::Result<Vec<u8>> {
        let parameters = match self {
            Self::RsaPkcs1(_) => Some(AnyRef::NULL),
            Self::Ecdsa(_) | Self::Ed25519 => None,
        };
        let oid = ALGORITHMS
            .iter()
            .find(|(algorithm, _)| *algorithm == self)
            .map(|(_, oid)| *oid)
            .expect("every signature algorithm is in the table");
        AlgorithmIdentifierRef { oid, parameters }.to_der()
    }

    /// Verifies a signature under this algorithm.
    ///
    /// # Errors
    /// The key is of another family, or the signature is invalid.
    pub fn verify(
        self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        if !self.fits(key.algorithm()) {
            return Err(SignatureInvalid);
        }
        match self {
            Self::Ed25519 => key.verify_message(message, signature),
            Self::Ecdsa(hash) | Self::RsaPkcs1(hash) => {
                key.verify_prehashed(&hash.digest(message), signature)
            }
        }
    }

    const fn fits(self, key: KeyAlgorithm) -> bool {
        matches!(
            (self, Self::of_key(key)),
            (Self::Ecdsa(_), Self::Ecdsa(_))
                | (Self::RsaPkcs1(_), Self::RsaPkcs1(_))
                | (Self::Ed25519, Self::Ed25519)
        )
    }
}

const ALGORITHMS: [(SignatureAlgorithm, ObjectIdentifier); 7] = [
    (
        SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256),
        rfc5912::ECDSA_WITH_SHA_256,
    ),
    (
        SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha384),
        rfc5912::ECDSA_WITH_SHA_384,
    ),
    (
        SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha512),
        rfc5912::ECDSA_WITH_SHA_512,
    ),
    (
        SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256),
        rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
    ),
    (
        SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha384),
        rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
    ),
    (
        SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha512),
        rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
    ),
    (SignatureAlgorithm::Ed25519, rfc8410::ID_ED_25519),
];
