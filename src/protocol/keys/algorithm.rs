//! The accepted kinds of key, and the Sigstore registry's names for a key with its hash and padding.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::protocol::hash::HashAlgorithm;

/// A kind of public key that Signet accepts.
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
    /// The hash that the key implies. For Ed25519 it is SHA-512, which Ed25519ph uses.
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::P256 | Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => HashAlgorithm::Sha256,
            Self::P384 => HashAlgorithm::Sha384,
            Self::P521 | Self::Ed25519 => HashAlgorithm::Sha512,
        }
    }

    /// The registry's default scheme for a key of this kind.
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

    /// Every scheme that the registry allows for a key of this kind, the default one first.
    pub fn schemes(self) -> impl Iterator<Item = KeyDetails> {
        let all = KeyDetails::ALL.into_iter();
        all.filter(move |details| details.algorithm() == self)
    }

    /// A short name for people, such as `ECDSA P-256`.
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

/// A key's kind, hash and padding: the accepted values of `dev.sigstore.common.v1.PublicKeyDetails`.
/// In JSON it is its [`registry_name`](Self::registry_name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyDetails {
    /// ECDSA P-256 over SHA-256
    EcdsaP256Sha256,
    /// ECDSA P-384 over SHA-384
    EcdsaP384Sha384,
    /// ECDSA P-521 over SHA-512
    EcdsaP521Sha512,
    /// Ed25519 over the message itself
    Ed25519,
    /// Ed25519ph: over the SHA-512 digest, under the `ph` domain (RFC 8032 §5.1)
    Ed25519Ph,
    /// RSA PKCS#1 v1.5, 2048 bits, SHA-256
    RsaPkcs1v15_2048Sha256,
    /// RSA PKCS#1 v1.5, 3072 bits, SHA-256
    RsaPkcs1v15_3072Sha256,
    /// RSA PKCS#1 v1.5, 4096 bits, SHA-256
    RsaPkcs1v15_4096Sha256,
    /// RSA PSS, 2048 bits, SHA-256
    RsaPss2048Sha256,
    /// RSA PSS, 3072 bits, SHA-256
    RsaPss3072Sha256,
    /// RSA PSS, 4096 bits, SHA-256
    RsaPss4096Sha256,
}

impl KeyDetails {
    /// Every accepted value. Of one kind of key, the default scheme is first.
    pub const ALL: [Self; 11] = [
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::EcdsaP521Sha512,
        Self::Ed25519,
        Self::Ed25519Ph,
        Self::RsaPkcs1v15_2048Sha256,
        Self::RsaPkcs1v15_3072Sha256,
        Self::RsaPkcs1v15_4096Sha256,
        Self::RsaPss2048Sha256,
        Self::RsaPss3072Sha256,
        Self::RsaPss4096Sha256,
    ];

    /// The kind of key.
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

    /// The hash whose digest is signed; none for pure Ed25519.
    pub const fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::Ed25519 => None,
            other => Some(other.algorithm().hash()),
        }
    }

    /// Whether the padding is PSS (RFC 8017 §8.1).
    pub const fn is_pss(self) -> bool {
        matches!(
            self,
            Self::RsaPss2048Sha256 | Self::RsaPss3072Sha256 | Self::RsaPss4096Sha256
        )
    }

    /// The registry's name, such as `PKIX_ECDSA_P256_SHA_256`.
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

/// A name that is not one of [`KeyDetails`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key details `{0}`, expected one of {names}", names = details_names())]
pub(crate) struct UnknownKeyDetails(String);

fn details_names() -> String {
    let quoted = KeyDetails::ALL.map(|details| format!("`{details}`"));
    quoted.join(", ")
}

impl KeyDetails {
    pub(crate) fn from_registry_name(name: &str) -> Result<Self, UnknownKeyDetails> {
        Self::ALL
            .into_iter()
            .find(|details| details.registry_name() == name)
            .ok_or_else(|| UnknownKeyDetails(name.to_owned()))
    }
}

impl fmt::Display for KeyDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.registry_name())
    }
}

impl Serialize for KeyDetails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.registry_name())
    }
}

impl<'de> Deserialize<'de> for KeyDetails {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_registry_name(&name).map_err(de::Error::custom)
    }
}
