//! The errors of reading, signing and replacing documents.

use super::Role;
use super::canonical::JsonError;
use crate::protocol::keys::SigningFailed;

/// Error reading a document.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Larger than clients fetch
    #[error("{role} metadata is larger than {limit} bytes")]
    TooLarge {
        /// The document's role.
        role: Role,
        /// In bytes.
        limit: usize,
    },
    /// Not JSON, or not JSON that has a canonical form
    #[error("{0} metadata: {1}")]
    Json(Role, #[source] JsonError),
    /// JSON without the document's members
    #[error("{0} metadata: {1}")]
    Form(Role, #[source] serde_json::Error),
    /// Another role's document
    #[error("this is {found} metadata, and {wanted} metadata is expected")]
    OtherRole {
        /// `_type` of the document.
        found: Role,
        /// The expected role.
        wanted: Role,
    },
    /// The specification has another major version
    #[error("metadata of specification {0:?} is not supported; only version 1 is")]
    SpecVersion(String),
    /// The root's keys or thresholds are invalid
    #[error("root metadata: {0}")]
    Rules(#[from] RuleError),
}

/// Error signing a document.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// No randomness
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// The key is of another kind
    #[error("metadata is only signed with ECDSA P-256 keys")]
    Kind,
}

/// Error in the keys and thresholds of a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Some clients refuse other kinds
    #[error("the keys of a root must be ECDSA P-256 keys, which all clients accept")]
    Kind,
    /// More than Signet makes
    #[error("a root has at most {0} keys")]
    TooMany(usize),
    /// One key could reach a threshold of two
    #[error("a key is repeated")]
    Twice,
    /// The server could sign roots without the holders of the root keys
    #[error("the online key cannot be a root key")]
    Online,
    /// The threshold is zero or cannot be reached
    #[error("the threshold of the {role} role is {threshold}, and must be 1 to {keys}")]
    Threshold {
        /// The role.
        role: Role,
        /// How many keys must sign.
        threshold: u32,
        /// How many keys the role has.
        keys: usize,
    },
    /// A role names a key that is absent from `keys`
    #[error("the {0} role names a key that the root does not have")]
    Missing(Role),
}

/// A document has too few valid signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{document} has {valid} of the {threshold} required signatures")]
pub struct VerifyError {
    /// The document's role.
    pub document: Role,
    /// How many keys of the role signed it.
    pub valid: usize,
    /// How many must sign.
    pub threshold: u32,
}

/// Error replacing a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// Not the next version
    #[error("root version {found} does not follow version {after}")]
    Version {
        /// The new root's version.
        found: u32,
        /// The current root's version.
        after: u32,
    },
    /// Too few keys of the current root signed
    #[error("signed by the current root's keys: {0}")]
    Old(#[source] VerifyError),
    /// Too few of its own keys signed
    #[error("signed by its own keys: {0}")]
    New(#[source] VerifyError),
}
