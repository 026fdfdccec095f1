//! References from documents to other documents and to files.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Version;
use crate::protocol::hash::Sha256;

/// A reference to a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// The document's version.
    pub version: Version,
    /// Length of the document, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// The document's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashes: Option<Hashes>,
}

/// Contains only SHA-256: some clients derive file names from the first hash, others from any hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    #[serde(with = "hexadecimal")]
    sha256: Sha256,
}

/// A target file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFile {
    length: u64,
    hashes: Hashes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    custom: Option<Custom>,
}

/// Application-specific metadata of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custom {
    /// Read by older Sigstore clients.
    pub sigstore: SigstoreCustom,
}

/// Purpose of a file. Older Sigstore clients select files by it.
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
    /// Builds a reference with version, length and digest.
    pub fn new(version: Version, bytes: &[u8]) -> Self {
        Self {
            version,
            length: Some(length(bytes)),
            hashes: Some(Hashes {
                sha256: Sha256::of(bytes),
            }),
        }
    }

    /// Whether `bytes` have the referenced length and digest, as far as these are present.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.length.is_none_or(|expected| expected == length(bytes))
            && self
                .hashes
                .is_none_or(|expected| expected.sha256 == Sha256::of(bytes))
    }
}

impl TargetFile {
    /// Describes a file with this content.
    pub fn new(content: &[u8], custom: Option<Custom>) -> Self {
        Self {
            length: length(content),
            hashes: Hashes {
                sha256: Sha256::of(content),
            },
            custom,
        }
    }

    /// SHA-256 of the content.
    pub const fn sha256(&self) -> &Sha256 {
        &self.hashes.sha256
    }

    /// Whether `content` has the listed length and digest.
    #[cfg(any(test, feature = "testing"))]
    pub fn matches(&self, content: &[u8]) -> bool {
        self.length == length(content) && self.hashes.sha256 == Sha256::of(content)
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("usize has at most 64 bits")
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
        Sha256::from_hex(&text)
            .ok_or_else(|| de::Error::custom("sha256 must be 64 hexadecimal digits"))
    }
}
