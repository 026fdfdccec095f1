//! Shared by the specs of several kinds: hashes, and serialization of the canonical body.

use serde::{Deserialize, Serialize};

use super::super::{EntryKind, MAX_BODY};
use super::V1EntryError;
use crate::protocol::hash::{self, Digest, HashAlgorithm, Sha256, WrongDigestLength};

/// `{"algorithm":"sha256","value":"<hex>"}` in a logged body.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoggedHash {
    #[serde(with = "hash::by_name")]
    algorithm: HashAlgorithm,
    /// Any text: an intoto 0.0.2 body contains a value that the client chose.
    value: String,
}

/// A hash in a proposed spec. Accepts upper-case hexadecimal; the log writes lower case.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "LoggedHash")]
pub(super) struct ProposedHash(pub(super) Digest);

/// A hash in a proposed spec that must be SHA-256.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "ProposedHash")]
pub(super) struct ProposedSha256(pub(super) Sha256);

#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum HashError {
    #[error("value: not hexadecimal")]
    Hex(#[from] hex::FromHexError),
    #[error("value: {0}")]
    Length(#[from] WrongDigestLength),
    #[error("algorithm must be sha256")]
    Algorithm,
}

impl LoggedHash {
    pub(super) fn new(digest: &Digest) -> Self {
        Self {
            algorithm: digest.algorithm(),
            value: digest.to_hex(),
        }
    }

    pub(super) fn sha256(digest: Sha256) -> Self {
        Self::new(&digest.into())
    }

    /// The digest, if the value is a digest in lower-case hexadecimal.
    pub(super) fn digest(&self) -> Option<Digest> {
        let digest = Digest::new(self.algorithm, hex::decode(&self.value).ok()?).ok()?;
        (digest.to_hex() == self.value).then_some(digest)
    }
}

impl TryFrom<LoggedHash> for ProposedHash {
    type Error = HashError;

    fn try_from(hash: LoggedHash) -> Result<Self, HashError> {
        let bytes = hex::decode(hash.value)?;
        Ok(Self(Digest::new(hash.algorithm, bytes)?))
    }
}

impl TryFrom<ProposedHash> for ProposedSha256 {
    type Error = HashError;

    fn try_from(hash: ProposedHash) -> Result<Self, HashError> {
        let digest = Sha256::try_from(hash.0.as_bytes());
        digest.map(Self).map_err(|_| HashError::Algorithm)
    }
}

/// Serializes a body in canonical form (RFC 8785).
pub(super) fn write_body<T: Serialize>(
    kind: &EntryKind,
    spec: &T,
) -> Result<Vec<u8>, V1EntryError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a, T> {
        api_version: &'a str,
        kind: &'a str,
        spec: &'a T,
    }
    let body = Body {
        api_version: kind.version,
        kind: kind.name,
        spec,
    };
    let bytes = serde_json_canonicalizer::to_vec(&body)
        .expect("bodies have string keys and no NaN or infinity");
    check_length(bytes)
}

/// Checks that a body fits in an entry bundle.
pub(super) fn check_length(body: Vec<u8>) -> Result<Vec<u8>, V1EntryError> {
    if body.len() > MAX_BODY {
        return Err(V1EntryError::TooLarge(body.len()));
    }
    Ok(body)
}
