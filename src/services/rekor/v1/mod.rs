//! The signature log in the Rekor v1 dialect: entries with a promise of the log and a time, found
//! again by what is in them.

mod entry_id;
mod kept;
mod read;
mod search;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use entry_id::{EntryId, EntryName, NotAnEntryName};
pub(crate) use read::{Consistency, MAX_WANTED, Wanted};
pub(crate) use search::Operator;
pub(crate) use search::Query;

use self::kept::Kept;
use super::{CheckpointSigner, TreeId};
use crate::log::{AppendError, Leaf, Log, PublishedHead, ReadError};
use crate::protocol::entry::SearchTerm;
use crate::protocol::entry::v1::{AdmittedEntry, V1EntryError};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::SigningFailed;
use crate::protocol::merkle::{LeafIndex, leaf_hash};
use crate::protocol::note::EntryPromise;
use crate::protocol::time::Clock;

/// The signature log in the Rekor v1 dialect.
pub(crate) struct SignatureLogV1 {
    log: Log,
    signer: Arc<CheckpointSigner>,
    tree_id: TreeId,
    clock: Arc<dyn Clock>,
    /// The last second in which an entry was taken: the log's time does not go back.
    last_second: AtomicU64,
}

/// An entry that is durable, with the log's promise and the proof that it is in a published tree.
#[derive(Clone, Debug)]
pub(crate) struct LoggedEntry {
    /// Its name.
    pub id: EntryId,
    /// The log's ID: SHA-256 of its key's SubjectPublicKeyInfo.
    pub log_id: Sha256,
    /// Where it stands.
    pub index: LeafIndex,
    /// When the log took it, in seconds since 1970.
    pub integrated_time: u64,
    /// The canonical body: what the leaf hash is of.
    pub body: Vec<u8>,
    /// The signed entry timestamp: the log's signature over body, time, log and index.
    pub promise: Vec<u8>,
    /// The inclusion proof from the leaf to `head`.
    pub proof: Vec<Sha256>,
    /// A published head that contains the entry.
    pub head: PublishedHead,
}

/// Why the log did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum V1Error {
    /// The entry is not one that is admitted
    #[error("error processing entry: {0}")]
    Entry(#[from] V1EntryError),
    /// The same entry is in the log already
    #[error("an equivalent entry already exists in the transparency log with UUID {0}")]
    Duplicate(EntryId),
    /// The log did not take the entry
    #[error(transparent)]
    Append(AppendError),
    /// The promise could not be signed
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// The log could not be read
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The older tree is larger than the newer one
    #[error("firstSize ({first}) must not be greater than lastSize ({last})")]
    SizeOrder {
        /// The older tree's size.
        first: u64,
        /// The newer tree's size.
        last: u64,
    },
    /// No tree of this size was ever published
    #[error("{name} must be 1 to {size}, the published size")]
    Size {
        /// Which size it is.
        name: &'static str,
        /// The published size.
        size: u64,
    },
    /// Another log's tree ID
    #[error("there is no log with tree ID {0}")]
    TreeId(u64),
    /// More entries were asked for than one answer holds
    #[error("{0} entries were asked for; the limit is {MAX_WANTED}")]
    TooManyWanted(usize),
}

impl SignatureLogV1 {
    /// The service over a log whose heads this signer signs.
    pub(crate) fn new(log: Log, signer: Arc<CheckpointSigner>, clock: Arc<dyn Clock>) -> Self {
        let last_second = AtomicU64::new(log.head().time.seconds());
        Self {
            tree_id: TreeId::of(signer.note_key().key()),
            last_second,
            log,
            signer,
            clock,
        }
    }

    /// The log's number.
    pub(crate) const fn tree_id(&self) -> TreeId {
        self.tree_id
    }

    /// The key that the log's checkpoints and promises are verified with, in PEM.
    pub(crate) fn public_key_pem(&self) -> String {
        self.signer.note_key().key().to_pem()
    }

    /// The log itself, for its head and its health.
    pub(crate) const fn log(&self) -> &Log {
        &self.log
    }

    /// The log's key, with the name under which it signs.
    pub(crate) fn signer(&self) -> &CheckpointSigner {
        &self.signer
    }

    /// The newest published head.
    pub(crate) fn head(&self) -> PublishedHead {
        self.log.head()
    }

    /// Logs a verified entry, waits until it is durable and published, and only then signs the
    /// promise that it is.
    ///
    /// # Errors
    /// The log has the entry already, did not take it, or had no randomness to sign with.
    pub(crate) async fn append(&self, entry: AdmittedEntry) -> Result<LoggedEntry, V1Error> {
        let (body, terms) = entry.into_parts();
        let id = EntryId::new(self.tree_id, leaf_hash(&body));
        let kept = Kept {
            integrated_time: self.second(),
        };
        let leaf = Leaf {
            data: body.clone(),
            extra: kept.encode(),
            keys: terms.iter().map(SearchTerm::key).collect(),
        };
        let appended = self.log.append(leaf).await.map_err(|error| match error {
            AppendError::Duplicate(_) => V1Error::Duplicate(id),
            error => V1Error::Append(error),
        })?;
        Ok(LoggedEntry {
            promise: self.promise(&body, kept, appended.index)?,
            id,
            log_id: *self.log_id(),
            index: appended.index,
            integrated_time: kept.integrated_time,
            body,
            proof: appended.inclusion_proof(),
            head: appended.head,
        })
    }

    fn log_id(&self) -> &Sha256 {
        self.signer.note_key().hash()
    }

    /// Now, or the last second in which an entry was taken if the clock stands before it.
    fn second(&self) -> u64 {
        let now = self.clock.now().seconds();
        self.last_second.fetch_max(now, Ordering::Relaxed).max(now)
    }

    fn promise(&self, body: &[u8], kept: Kept, index: LeafIndex) -> Result<Vec<u8>, SigningFailed> {
        let promise = EntryPromise {
            body,
            integrated_time: kept.integrated_time,
            log_id: self.log_id(),
            log_index: index.get(),
        };
        promise.sign(self.signer.key())
    }
}

#[cfg(test)]
pub(crate) mod tests;
