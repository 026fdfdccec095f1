//! The outside of a proposed entry, read before its kind is known, and the inside once it is.

use serde::de::{self, DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::error::ProposalError;
use crate::protocol::json;

/// Kind and version; the spec is passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Head {
    pub(super) api_version: String,
    pub(super) kind: String,
    #[serde(rename = "spec")]
    _spec: IgnoredAny,
}

impl Head {
    pub(super) fn read(json: &[u8]) -> Result<Self, ProposalError> {
        read(json)
    }

    /// Why this kind in this version is refused.
    pub(super) fn refusal(self) -> ProposalError {
        const KINDS: [&str; 5] = ["hashedrekord", "dsse", "intoto", "rekord", "rfc3161"];
        if KINDS.contains(&self.kind.as_str()) {
            ProposalError::Version {
                kind: self.kind,
                version: shortened(&self.api_version),
            }
        } else {
            ProposalError::Kind {
                kind: shortened(&self.kind),
            }
        }
    }
}

/// Reads the spec of an entry whose head was read.
pub(super) fn read_spec<T: DeserializeOwned>(json: &[u8]) -> Result<T, ProposalError> {
    #[derive(Deserialize)]
    struct Whole<T> {
        spec: T,
    }
    Ok(read::<Whole<T>>(json)?.spec)
}

/// To know where an error is costs as much as to read, so it is asked only where there is one.
fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, ProposalError> {
    match json::from_slice(json) {
        Ok(value) => Ok(value),
        Err(_) => Ok(json::from_slice::<Located<T>>(json)?.0),
    }
}

/// A value whose errors name the member that they are about.
struct Located<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_path_to_error::deserialize(deserializer)
            .map(Self)
            .map_err(|error| {
                let text = format!("{}: {}", error.path(), error.inner());
                de::Error::custom(shortened(&text))
            })
    }
}

/// What a message repeats of what was sent.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 256;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}
