//! The signature log: admits entries whose signature holds, and answers with the proof that they
//! are in the tree.

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

/// The signature log in the Rekor v2 dialect.
#[derive(Clone)]
pub(crate) struct SignatureLog {
    log: Log,
    key_id: Sha256,
}

/// An entry that is durable and part of the published tree.
#[derive(Clone, Debug)]
pub(crate) struct LoggedEntry {
    /// Where it stands.
    pub index: LeafIndex,
    /// The log's identity: the whole hash of its note key.
    pub log_key_id: Sha256,
    /// The kind of entry; its version is 0.0.2.
    pub kind: &'static str,
    /// The canonical body: what the leaf hash is of.
    pub body: Vec<u8>,
    /// The inclusion proof from the leaf to `head`.
    pub proof: Vec<Sha256>,
    /// A published head that contains the entry.
    pub head: PublishedHead,
}

/// Why an entry was not logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RekorError {
    /// It is not one that is admitted
    #[error(transparent)]
    Entry(#[from] V2EntryError),
    /// The log did not take it
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
    /// The service over a log whose note key has this hash (`logId.keyId`).
    pub(crate) const fn new(log: Log, key_id: Sha256) -> Self {
        Self { log, key_id }
    }

    /// The log itself, for reading.
    pub(crate) const fn log(&self) -> &Log {
        &self.log
    }

    /// Logs a verified entry and waits until it is durable and published.
    ///
    /// # Errors
    /// The log did not take it: see [`AppendError`].
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
