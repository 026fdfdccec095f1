//! Errors of parsing, signing, verifying and replacing documents.

use super::Role;
use super::canonical::JsonError;
use crate::protocol::keys::SigningFailed;

/// Error parsing a document.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Larger than the limit of common clients.
    #[error("{role} metadata is larger than {limit} bytes")]
    TooLarge {
        role: Role,
        /// In bytes.
        limit: usize,
    },
    /// Not JSON, or without a canonical form.
    #[error("{0} metadata: {1}")]
    Json(Role, #[source] JsonError),
    /// Valid JSON, but not a document of this role.
    #[error("{0} metadata: {1}")]
    Form(Role, #[source] serde_json::Error),
    #[error("expected {expected} metadata, found {found} metadata")]
    OtherRole {
        /// `_type` of the document.
        found: Role,
        expected: Role,
    },
    #[error("unsupported TUF specification version {0:?}; only version 1 is supported")]
    SpecVersion(String),
    #[error("root metadata: {0}")]
    Rules(#[from] RuleError),
}

/// Error signing a document.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    #[error("metadata can be signed only with ECDSA P-256 keys")]
    KeyKind,
}

/// Error in the keys and thresholds of a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("the keys of a root must be ECDSA P-256, the only kind that all clients accept")]
    KeyKind,
    #[error("a root must have at most {0} root keys")]
    TooManyKeys(usize),
    /// Rejected because one key could meet a threshold of two.
    #[error("the root lists a key twice")]
    DuplicateKey,
    /// Rejected because the server could sign roots without the holders of the root keys.
    #[error("the online key must not be a root key")]
    OnlineKey,
    /// The threshold is zero or unreachable.
    #[error("the threshold of the {role} role is {threshold}, but must be 1 to {keys}")]
    Threshold {
        role: Role,
        threshold: u32,
        /// Number of keys of the role.
        keys: usize,
    },
    #[error("the {0} role refers to a key that the root does not contain")]
    UnknownKey(Role),
}

/// A document has too few valid signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{document} has {valid} of the {threshold} required signatures")]
pub struct VerifyError {
    /// Role of the document.
    pub document: Role,
    /// Number of the role's keys with a valid signature.
    pub valid: usize,
    /// Number of keys that must sign.
    pub threshold: u32,
}

/// Error replacing a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    #[error("root version {found} does not follow version {after}")]
    Version {
        /// Version of the new root.
        found: u32,
        /// Version of the current root.
        after: u32,
    },
    #[error("too few signatures by the current root's keys: {0}")]
    Old(#[source] VerifyError),
    #[error("too few signatures by the new root's keys: {0}")]
    New(#[source] VerifyError),
}
