//! What the specs of several kinds have in common: hashes, and writing the canonical body.

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
    /// The body of an intoto 0.0.2 keeps a value that its client chose: it may be any text.
    value: String,
}

/// A hash in a proposed spec. Its hexadecimal may be upper-case; the log writes lower-case.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "LoggedHash")]
pub(super) struct ProposedHash(pub(super) Digest);

/// A SHA-256 in a proposed spec, where the log accepts no other function.
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

    /// The digest, if the value is a digest as a log writes it.
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

/// Writes a body in canonical form (RFC 8785).
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
        .expect("bodies have text keys and no number that JSON lacks");
    check_length(bytes)
}

/// A body that fits into an entry bundle.
pub(super) fn check_length(body: Vec<u8>) -> Result<Vec<u8>, V1EntryError> {
    if body.len() > MAX_BODY {
        return Err(V1EntryError::TooLarge(body.len()));
    }
    Ok(body)
}
