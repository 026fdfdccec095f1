//! Why a repository is not opened, and why something is not signed.

use super::super::ceremony::MAX_ROOT_DAYS;
use super::super::published::RecordError;
use crate::protocol::time::UnixTime;
use crate::protocol::tuf::{MetadataError, Role, RuleError, SignError, SuccessionError};
use crate::services::ledger::LedgerError;

/// The largest document that fits into a record with its key, in bytes.
pub(super) const MAX_DOCUMENT: usize = 63 << 10;

/// Why the repository cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenRepositoryError {
    /// The store could not be read
    #[error("the record could not be read: {0}")]
    Ledger(#[from] LedgerError),
    /// The record is damaged
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The key is another
    #[error(
        "keys/tuf-online.key.pem is not the key that the root of trust names: restore it from a \
         backup"
    )]
    OnlineKey,
}

/// Why something was not signed or not published.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// It could not be kept
    #[error("it could not be kept: {0}")]
    Ledger(#[from] LedgerError),
    /// It could not be signed
    #[error("it could not be signed: {0}")]
    Sign(#[from] SignError),
    /// Keys and thresholds that make no root
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// A root that cannot be read
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A root that does not follow
    #[error("the root does not follow the present one: {0}")]
    Succession(#[from] SuccessionError),
    /// Nothing was published yet
    #[error("there is no root of trust yet: the first start of a server makes it")]
    NotBegun,
    /// The first root cannot be made
    #[error("there is no key to sign the first root with: keys/tuf-root.key.pem is missing")]
    NoRootKey,
    /// The root is signed by keys that are not here
    #[error(
        "the root of trust is signed by {threshold} of {keys} keys that are not all in this data \
         directory: run `signet trust root-ceremony propose`, let their owners sign, then `finish`"
    )]
    KeysElsewhere {
        /// How many must sign
        threshold: u32,
        /// How many may
        keys: usize,
    },
    /// A root under which the server could not go on
    #[error(
        "the root must leave the targets, snapshot and timestamp roles with this server's online \
         key alone, and files named by version and hash"
    )]
    OnlineRoles,
    /// A root that is over already
    #[error("the root expired at {0}")]
    Expired(UnixTime),
    /// A root for longer than is good
    #[error("a root lasts 1 to {MAX_ROOT_DAYS} days, and not {0}")]
    Days(u32),
    /// More than a client reads or a store keeps
    #[error("{what} has {size} bytes, and at most {MAX_DOCUMENT} can be kept")]
    TooLarge {
        /// Which document
        what: String,
        /// Its size
        size: usize,
    },
    /// All numbers are used
    #[error("the {0} role has no version left")]
    LastVersion(Role),
    /// A panic came between record and memory
    #[error("an earlier failure left the repository in doubt; restart the server")]
    Broken,
}
