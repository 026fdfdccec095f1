//! Errors of the TUF repository.

use super::record::RecordError;
use super::terms::MAX_ROOT_DAYS;
use crate::protocol::time::UnixTime;
use crate::protocol::tuf::{MetadataError, Role, RuleError, SignError, SuccessionError};
use crate::services::ledger::LedgerError;

/// Maximum size of a document, in bytes: a ledger record holds 64 KiB with its key.
pub(super) const MAX_DOCUMENT: usize = 63 << 10;

/// Error opening the repository.
#[derive(Debug, thiserror::Error)]
pub enum OpenRepositoryError {
    #[error("the stored repository cannot be read: {0}")]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(
        "keys/tuf-online.key.pem is not the key that the TUF root names: restore it from a backup"
    )]
    OnlineKey,
}

/// Error signing or publishing metadata.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    #[error("the metadata cannot be stored: {0}")]
    Ledger(#[from] LedgerError),
    #[error("the metadata cannot be signed: {0}")]
    Sign(#[from] SignError),
    /// Keys and threshold that no root can have
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// A root that cannot be read
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error("the root does not follow the current one: {0}")]
    Succession(#[from] SuccessionError),
    #[error("there is no TUF root yet: start the server once to create it")]
    NotCreated,
    #[error("keys/tuf-root.key.pem is missing: the first TUF root cannot be signed without it")]
    NoRootKey,
    #[error(
        "{threshold} of {keys} keys sign the TUF root, and they are not all in this data directory: \
         run `signet trust root-ceremony propose`, have the key holders sign, then run `finish`"
    )]
    KeysElsewhere { threshold: u32, keys: usize },
    #[error(
        "the root must give the targets, snapshot and timestamp roles to this server's online key \
         alone and have consistent snapshots"
    )]
    OnlineRoles,
    #[error("the root expired at {0}")]
    Expired(UnixTime),
    #[error("a root can be valid for 1 to {MAX_ROOT_DAYS} days, not {0}")]
    Days(u32),
    #[error("{name} has {size} bytes; the maximum is {MAX_DOCUMENT}")]
    TooLarge { name: String, size: usize },
    #[error("the {0} role has no version number left")]
    LastVersion(Role),
    /// A panic while the repository was being changed
    #[error("an earlier failure left the repository in an unknown state; restart the server")]
    Poisoned,
}
