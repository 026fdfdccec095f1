//! `{"algorithm":"sha256","value":"<hex>"}`: a digest as these entries write it.

use serde::{Deserialize, Serialize};

use crate::protocol::bytes::{Digest, HashAlgorithm, Sha256, WrongDigestLength};

/// A digest of any of the three functions; upper-case hexadecimal is read, and not written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub(super) struct Hash(pub(super) Digest);

/// A SHA-256 digest, where no other function is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Hash", into = "Hash")]
pub(super) struct Sha256Hash(pub(super) Sha256);

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    algorithm: Name,
    value: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Sha256,
    Sha384,
    Sha512,
}

/// Why a form is no digest.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum HashError {
    #[error("value: not hexadecimal")]
    Hex(#[from] hex::FromHexError),
    #[error("value: {0}")]
    Length(#[from] WrongDigestLength),
    #[error("algorithm must be sha256")]
    Algorithm,
}

impl TryFrom<Form> for Hash {
    type Error = HashError;

    fn try_from(form: Form) -> Result<Self, HashError> {
        let algorithm = match form.algorithm {
            Name::Sha256 => HashAlgorithm::Sha256,
            Name::Sha384 => HashAlgorithm::Sha384,
            Name::Sha512 => HashAlgorithm::Sha512,
        };
        Ok(Self(Digest::new(algorithm, hex::decode(form.value)?)?))
    }
}

impl Hash {
    /// The function as these entries write it.
    pub(super) const fn algorithm_name(&self) -> &'static str {
        match self.0.algorithm() {
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Sha384 => "sha384",
            HashAlgorithm::Sha512 => "sha512",
        }
    }
}

impl From<Hash> for Form {
    fn from(hash: Hash) -> Self {
        let algorithm = match hash.0.algorithm() {
            HashAlgorithm::Sha256 => Name::Sha256,
            HashAlgorithm::Sha384 => Name::Sha384,
            HashAlgorithm::Sha512 => Name::Sha512,
        };
        Self {
            algorithm,
            value: hex::encode(hash.0.as_bytes()),
        }
    }
}

impl TryFrom<Hash> for Sha256Hash {
    type Error = HashError;

    fn try_from(hash: Hash) -> Result<Self, HashError> {
        Sha256::try_from(hash.0.as_bytes())
            .map(Self)
            .map_err(|_| HashError::Algorithm)
    }
}

impl From<Sha256Hash> for Hash {
    fn from(hash: Sha256Hash) -> Self {
        Self(hash.0.into())
    }
}
