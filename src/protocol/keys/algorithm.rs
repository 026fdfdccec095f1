//! Which keys exist here, and what the Sigstore registry calls a key with its hash and padding.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::protocol::bytes::HashAlgorithm;

/// The kinds of public key that are accepted anywhere in Signet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// ECDSA on NIST P-256
    P256,
    /// ECDSA on NIST P-384
    P384,
    /// ECDSA on NIST P-521
    P521,
    /// Ed25519 (RFC 8032)
    Ed25519,
    /// RSA with a modulus of 2048 bits
    Rsa2048,
    /// RSA with a modulus of 3072 bits
    Rsa3072,
    /// RSA with a modulus of 4096 bits
    Rsa4096,
}

impl KeyAlgorithm {
    /// The hash that goes with the key by default; Ed25519 has its own inside and names SHA-512.
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::P256 | Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => HashAlgorithm::Sha256,
            Self::P384 => HashAlgorithm::Sha384,
            Self::P521 | Self::Ed25519 => HashAlgorithm::Sha512,
        }
    }

    /// The registry's default details for a key of this kind.
    pub const fn default_details(self) -> KeyDetails {
        match self {
            Self::P256 => KeyDetails::EcdsaP256Sha256,
            Self::P384 => KeyDetails::EcdsaP384Sha384,
            Self::P521 => KeyDetails::EcdsaP521Sha512,
            Self::Ed25519 => KeyDetails::Ed25519,
            Self::Rsa2048 => KeyDetails::RsaPkcs1v15_2048Sha256,
            Self::Rsa3072 => KeyDetails::RsaPkcs1v15_3072Sha256,
            Self::Rsa4096 => KeyDetails::RsaPkcs1v15_4096Sha256,
        }
    }

    /// Every way in which the registry lets a key of this kind sign, the default one first.
    pub const fn schemes(self) -> &'static [KeyDetails] {
        match self {
            Self::P256 => &[KeyDetails::EcdsaP256Sha256],
            Self::P384 => &[KeyDetails::EcdsaP384Sha384],
            Self::P521 => &[KeyDetails::EcdsaP521Sha512],
            Self::Ed25519 => &[KeyDetails::Ed25519, KeyDetails::Ed25519Ph],
            Self::Rsa2048 => &[
                KeyDetails::RsaPkcs1v15_2048Sha256,
                KeyDetails::RsaPss2048Sha256,
            ],
            Self::Rsa3072 => &[
                KeyDetails::RsaPkcs1v15_3072Sha256,
                KeyDetails::RsaPss3072Sha256,
            ],
            Self::Rsa4096 => &[
                KeyDetails::RsaPkcs1v15_4096Sha256,
                KeyDetails::RsaPss4096Sha256,
            ],
        }
    }

    /// A short name for people, `ECDSA P-256` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "ECDSA P-256",
            Self::P384 => "ECDSA P-384",
            Self::P521 => "ECDSA P-521",
            Self::Ed25519 => "Ed25519",
            Self::Rsa2048 => "RSA 2048",
            Self::Rsa3072 => "RSA 3072",
            Self::Rsa4096 => "RSA 4096",
        }
    }
}

/// A key's kind, hash and padding: `dev.sigstore.common.v1.PublicKeyDetails`, the accepted part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyDetails {
    /// ECDSA P-256 over SHA-256
    #[serde(rename = "PKIX_ECDSA_P256_SHA_256")]
    EcdsaP256Sha256,
    /// ECDSA P-384 over SHA-384
    #[serde(rename = "PKIX_ECDSA_P384_SHA_384")]
    EcdsaP384Sha384,
    /// ECDSA P-521 over SHA-512
    #[serde(rename = "PKIX_ECDSA_P521_SHA_512")]
    EcdsaP521Sha512,
    /// Ed25519 over the message itself
    #[serde(rename = "PKIX_ED25519")]
    Ed25519,
    /// Ed25519ph: over the SHA-512 digest, under the `ph` domain (RFC 8032 §5.1)
    #[serde(rename = "PKIX_ED25519_PH")]
    Ed25519Ph,
    /// RSA PKCS#1 v1.5, 2048 bits, SHA-256
    #[serde(rename = "PKIX_RSA_PKCS1V15_2048_SHA256")]
    RsaPkcs1v15_2048Sha256,
    /// RSA PKCS#1 v1.5, 3072 bits, SHA-256
    #[serde(rename = "PKIX_RSA_PKCS1V15_3072_SHA256")]
    RsaPkcs1v15_3072Sha256,
    /// RSA PKCS#1 v1.5, 4096 bits, SHA-256
    #[serde(rename = "PKIX_RSA_PKCS1V15_4096_SHA256")]
    RsaPkcs1v15_4096Sha256,
    /// RSA PSS, 2048 bits, SHA-256
    #[serde(rename = "PKIX_RSA_PSS_2048_SHA256")]
    RsaPss2048Sha256,
    /// RSA PSS, 3072 bits, SHA-256
    #[serde(rename = "PKIX_RSA_PSS_3072_SHA256")]
    RsaPss3072Sha256,
    /// RSA PSS, 4096 bits, SHA-256
    #[serde(rename = "PKIX_RSA_PSS_4096_SHA256")]
    RsaPss4096Sha256,
}

impl KeyDetails {
    /// The kind of key these details describe.
    pub const fn algorithm(self) -> KeyAlgorithm {
        match self {
            Self::EcdsaP256Sha256 => KeyAlgorithm::P256,
            Self::EcdsaP384Sha384 => KeyAlgorithm::P384,
            Self::EcdsaP521Sha512 => KeyAlgorithm::P521,
            Self::Ed25519 | Self::Ed25519Ph => KeyAlgorithm::Ed25519,
            Self::RsaPkcs1v15_2048Sha256 | Self::RsaPss2048Sha256 => KeyAlgorithm::Rsa2048,
            Self::RsaPkcs1v15_3072Sha256 | Self::RsaPss3072Sha256 => KeyAlgorithm::Rsa3072,
            Self::RsaPkcs1v15_4096Sha256 | Self::RsaPss4096Sha256 => KeyAlgorithm::Rsa4096,
        }
    }

    /// The hash whose digest is signed; for pure Ed25519 there is none.
    pub const fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::Ed25519 => None,
            other => Some(other.algorithm().hash()),
        }
    }

    /// Whether the signature is RSA PSS (RFC 8017 §8.1).
    pub const fn is_pss(self) -> bool {
        matches!(
            self,
            Self::RsaPss2048Sha256 | Self::RsaPss3072Sha256 | Self::RsaPss4096Sha256
        )
    }

    /// The registry's name, `PKIX_ECDSA_P256_SHA_256` and so on.
    pub const fn registry_name(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "PKIX_ECDSA_P256_SHA_256",
            Self::EcdsaP384Sha384 => "PKIX_ECDSA_P384_SHA_384",
            Self::EcdsaP521Sha512 => "PKIX_ECDSA_P521_SHA_512",
            Self::Ed25519 => "PKIX_ED25519",
            Self::Ed25519Ph => "PKIX_ED25519_PH",
            Self::RsaPkcs1v15_2048Sha256 => "PKIX_RSA_PKCS1V15_2048_SHA256",
            Self::RsaPkcs1v15_3072Sha256 => "PKIX_RSA_PKCS1V15_3072_SHA256",
            Self::RsaPkcs1v15_4096Sha256 => "PKIX_RSA_PKCS1V15_4096_SHA256",
            Self::RsaPss2048Sha256 => "PKIX_RSA_PSS_2048_SHA256",
            Self::RsaPss3072Sha256 => "PKIX_RSA_PSS_3072_SHA256",
            Self::RsaPss4096Sha256 => "PKIX_RSA_PSS_4096_SHA256",
        }
    }
}

impl fmt::Display for KeyDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.registry_name())
    }
}
