//! How documents refer to each other and to files: by version, length and digest.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Version;
use crate::protocol::hash::Sha256;

/// A document to which another document refers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// The document's version.
    pub version: Version,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// The document's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashes: Option<Hashes>,
}

/// Only SHA-256: some clients build a file's name from the first hash, others from any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    #[serde(with = "hexadecimal")]
    sha256: Sha256,
}

/// A file that clients can fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFile {
    length: u64,
    hashes: Hashes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    custom: Option<Custom>,
}

/// What an application adds about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custom {
    /// Read by Sigstore's older clients.
    pub sigstore: SigstoreCustom,
}

/// A file's purpose, by which Sigstore's older clients choose files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigstoreCustom {
    /// `Active` or `Expired`.
    pub status: String,
    /// `Fulcio`, `Rekor`, `CTFE`, `TSA` or `Unknown`.
    pub usage: String,
    /// The service's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

impl FileRef {
    /// Refers to a document by version, length and digest.
    pub fn new(version: Version, bytes: &[u8]) -> Self {
        Self {
            version,
            length: Some(length(bytes)),
            hashes: Some(Hashes {
                sha256: Sha256::of(bytes),
            }),
        }
    }

    /// Whether these bytes have the length and the digest, if they are given.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.length.is_none_or(|expected| expected == length(bytes))
            && self
                .hashes
                .is_none_or(|expected| expected.sha256 == Sha256::of(bytes))
    }
}

impl TargetFile {
    /// A file with this content.
    pub fn new(content: &[u8], custom: Option<Custom>) -> Self {
        Self {
            length: length(content),
            hashes: Hashes {
                sha256: Sha256::of(content),
            },
            custom,
        }
    }

    /// The digest of its content.
    pub const fn sha256(&self) -> &Sha256 {
        &self.hashes.sha256
    }

    /// Whether this is its content.
    #[cfg(any(test, feature = "testing"))]
    pub fn matches(&self, content: &[u8]) -> bool {
        self.length == length(content) && self.hashes.sha256 == Sha256::of(content)
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a usize has at most 64 bits")
}

mod hexadecimal {
    use super::{Deserialize, Deserializer, Serializer, Sha256, de};

    pub(super) fn serialize<S: Serializer>(
        digest: &Sha256,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digest.to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Sha256, D::Error> {
        let text = String::deserialize(deserializer)?;
        Sha256::from_hex(&text).ok_or_else(|| de::Error::custom("sha256 is not 64 hex digits"))
    }
}
