//! The signature logs, Rekor v2 here and Rekor v1 in `v1`. They admit entries with a valid signature
//! and return a proof that the entry is in the tree.

mod first_entry;
mod signer;
mod tree_id;
pub(crate) mod v1;

pub(crate) use first_entry::{FirstEntry, FirstEntryError};
pub(crate) use signer::CheckpointSigner;
pub(crate) use tree_id::TreeId;

use crate::classify::{Classify, ErrorClass};
use crate::log::{AppendError, Leaf, Log, PublishedHead};
use crate::protocol::entry::v2::{V2EntryError, VerifiedEntry};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::LeafIndex;

/// The Rekor v2 signature log.
#[derive(Clone)]
pub(crate) struct SignatureLog {
    log: Log,
    key_id: Sha256,
}

/// An entry that is durable and published.
#[derive(Clone, Debug)]
pub(crate) struct LoggedEntry {
    pub index: LeafIndex,
    /// `logId.keyId`: the untruncated hash of the note key.
    pub log_key_id: Sha256,
    /// Kind of the entry; the version is always 0.0.2.
    pub kind: &'static str,
    /// The canonical body, which is the leaf data.
    pub body: Vec<u8>,
    /// Inclusion proof for `head`.
    pub proof: Vec<Sha256>,
    pub head: PublishedHead,
}

/// Error appending an entry to the v2 log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RekorError {
    #[error(transparent)]
    Entry(#[from] V2EntryError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl Classify for RekorError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Entry(_) => ErrorClass::Invalid,
            Self::Append(error) => error.class(),
        }
    }
}

impl SignatureLog {
    /// `key_id` is the hash of the note key that signs the heads of `log`.
    pub(crate) const fn new(log: Log, key_id: Sha256) -> Self {
        Self { log, key_id }
    }

    pub(crate) const fn log(&self) -> &Log {
        &self.log
    }

    /// Appends a verified entry and waits until it is durable and published.
    ///
    /// # Errors
    /// The entry is a duplicate or the log rejects it: see [`AppendError`].
    pub(crate) async fn append(&self, entry: VerifiedEntry) -> Result<LoggedEntry, RekorError> {
        let kind = entry.kind();
        let body = entry.into_body();
        let leaf = Leaf {
            data: body.clone(),
            ..Leaf::default()
        };
        let appended = self.log.append(leaf).await?;
        Ok(LoggedEntry {
            index: appended.index,
            log_key_id: self.key_id,
            kind,
            body,
            proof: appended.inclusion_proof(),
            head: appended.head,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
