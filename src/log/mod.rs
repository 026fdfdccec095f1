//! The log engine: a sequencer and an index follower for each log. It knows no disk and no framework.
//!
//! The life of a leaf: [`Log::append`] puts it into a bounded pool. The sequencer, a thread of its
//! own, takes the whole pool as one batch as soon as the previous batch is done: it drops duplicates,
//! assigns indices, extends the tree, signs one head, commits the batch to the journal, applies it to
//! the state, publishes the head and only then answers. The follower, a second thread, adds the search
//! keys of published leaves to the index. Recovery repeats the same steps for whatever the state lacks.

mod index;
#[cfg(test)]
pub(crate) mod memory;
mod pool;
pub(crate) mod port;
mod publish;
mod read;
mod recover;
mod sequencer;
mod start;
mod tree;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use self::index::IndexProgress;
pub(crate) use self::index::{SearchKeys, distinct_keys, stored_keys};
use self::pool::Pool;
pub(crate) use self::port::LogStorage;
pub(crate) use self::publish::PublishedHead;
use self::publish::Publisher;
use self::read::StoredLog;
pub(crate) use self::read::{IndexView, ReadError};
pub(crate) use self::recover::RecoverError;
pub(crate) use self::start::{StartError, missing_entries, rebuild_state};
pub(crate) use self::tree::extend;
use crate::classify::{Classify, ErrorClass};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{PublicKey, SigningFailed};
use crate::protocol::merkle::{LeafIndex, NodeId, TreeSize, inclusion_proof};
use crate::protocol::time::{Clock, UnixTime};

/// Number of a log. Stored records contain it, so a number never changes its meaning and is never
/// assigned twice. A number without a name belongs to a log that this release does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(u8);

impl LogId {
    /// The certificate-transparency log.
    pub const CT: Self = Self(1);
    /// The signature log in the Rekor v2 dialect.
    pub const REKOR_V2: Self = Self(2);
    /// The signature log in the Rekor v1 dialect.
    pub const REKOR_V1: Self = Self(3);

    const NAMES: [(Self, &str); 3] = [
        (Self::CT, "ct"),
        (Self::REKOR_V2, "rekor-v2"),
        (Self::REKOR_V1, "rekor-v1"),
    ];

    pub(crate) const fn from_number(number: u8) -> Self {
        Self(number)
    }

    pub(crate) const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(log, _)| log == self) {
            Some((_, name)) => f.pad(name),
            None => f.pad(&format!("log-{}", self.0)),
        }
    }
}

/// An entry of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// Canonical bytes, which are hashed and served.
    pub data: Vec<u8>,
    /// Bytes that are stored with the leaf and not hashed, such as a certificate log's `extra_data`.
    pub extra: Vec<u8>,
    /// Search keys that are stored with the leaf and not hashed, at most [`MAX_KEYS_PER_LEAF`]. A
    /// stored leaf has them in ascending order without duplicates.
    pub keys: Vec<Sha256>,
}

impl Leaf {
    /// Bytes of memory that the leaf's content takes.
    const fn weight(&self) -> usize {
        self.data.len() + self.extra.len() + size_of_val(self.keys.as_slice())
    }
}

/// A signed tree head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedHead {
    pub size: TreeSize,
    pub root: Sha256,
    /// When it was signed.
    pub time: UnixTime,
    /// The signed checkpoint, a C2SP note.
    pub note: String,
}

/// Receipt for a leaf that is durable and part of the published tree.
#[derive(Clone, Debug)]
pub(crate) struct Appended {
    pub index: LeafIndex,
    /// A head that contains the leaf.
    pub head: PublishedHead,
    /// The nodes on the right edge before the batch, and those that the batch completed.
    nodes: Arc<HashMap<NodeId, Sha256>>,
}

impl Appended {
    /// The inclusion proof from the leaf to `head`. It is computed here, by the caller's task, since
    /// the sequencer is one thread and the certificate log needs no proofs.
    pub(crate) fn inclusion_proof(&self) -> Vec<Sha256> {
        let leaf = self.head.size.locate(self.index);
        let leaf = leaf.expect("the head is that of the leaf's own batch");
        let node = |node| {
            let hash = self.nodes.get(&node).copied();
            Ok::<_, Infallible>(
                hash.expect("the siblings of a new leaf are new or on the old edge"),
            )
        };
        let Ok(proof) = inclusion_proof(leaf, node);
        proof
    }
}

/// Error appending a leaf. After every error but `Stopped` the leaf is not in the tree; after
/// `Stopped` it may be, and appending it again after a restart shows whether it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AppendError {
    /// The log contains the same leaf already.
    #[error("an equivalent entry already exists in the transparency log with index {}", .0.get())]
    Duplicate(LeafIndex),
    /// Entry bundles have a 16-bit length field (C2SP tlog-tiles).
    #[error("the entry has {0} bytes; the limit is 65535")]
    TooLarge(usize),
    /// A leaf's record in the journal is bounded, and so is the number of its keys.
    #[error("the entry has {0} search keys; the limit is {MAX_KEYS_PER_LEAF}")]
    TooManyKeys(usize),
    /// The pool is full, or the disk.
    #[error("the log cannot take more entries at the moment; try again in a second")]
    Overloaded,
    /// The journal ends before the last checkpoint that was signed.
    #[error("the log is read-only: the journal lacks signed entries, {missing} of this log")]
    ReadOnly { missing: u64 },
    /// The leaf's format has no room for another index.
    #[error("the log has as many entries as its format can number")]
    Full,
    /// The sequencer has ended or is ending.
    #[error("the log is shutting down")]
    Stopped,
}

impl Classify for AppendError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::TooLarge(_) | Self::TooManyKeys(_) => ErrorClass::Invalid,
            Self::Duplicate(_) => ErrorClass::Conflict,
            // After `Stopped` the entry may be in the log: appending it again finds out.
            Self::Overloaded | Self::Stopped => ErrorClass::Busy,
            Self::ReadOnly { .. } | Self::Full => ErrorClass::OperatorNeeded,
        }
    }
}

/// Writes a leaf's index, and the time of the first head that will contain it, into the leaf's data.
/// The length of the data must not change.
///
/// # Errors
/// The leaf's format cannot express the index.
pub(crate) type EmbedIndex = fn(&mut Leaf, LeafIndex, UnixTime) -> Result<(), IndexTooLarge>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leaf's format cannot express its index")]
pub(crate) struct IndexTooLarge;

/// Signs the heads of one log, and provides the public data that verifiers need.
pub(crate) trait HeadSigner: Send + Sync {
    /// First line of the log's checkpoints.
    fn origin(&self) -> &str;

    fn key(&self) -> &PublicKey;

    /// The log's ID in a trust root: SHA-256 of the key's SubjectPublicKeyInfo for a certificate log
    /// (RFC 6962 §3.2), the hash of the note key for a log of checkpoints (C2SP signed-note).
    fn log_id(&self) -> Sha256;

    /// Signs a head and returns the note.
    ///
    /// # Errors
    /// The operating system has no randomness.
    fn sign(&self, size: TreeSize, root: &Sha256, time: UnixTime) -> Result<String, SigningFailed>;

    /// Whether this log signed `note` for this size and root.
    fn recognises(&self, note: &str, size: TreeSize, root: &Sha256) -> bool;
}

/// Limits on leaves that wait for the sequencer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub pool_entries: usize,
    pub pool_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pool_entries: 4096,
            pool_bytes: 32 << 20,
        }
    }
}

/// Whether a log accepts leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Ok,
    /// The journal lacks entries that were once signed; reads are answered.
    ReadOnly {
        missing: u64,
    },
    /// The log was drained; reads are answered.
    Drained,
    /// Memory and disk may differ. The process has to end; the next start recovers.
    Failed,
}

/// Maximum number of leaves that one read returns.
pub(crate) const MAX_LEAVES_PER_READ: u64 = 1024;

/// Maximum number of search keys that are stored with a leaf.
pub(crate) const MAX_KEYS_PER_LEAF: usize = 8192;

/// A log that can be appended to and read. A clone is another handle to the same log.
#[derive(Clone)]
pub(crate) struct Log {
    handle: Arc<Handle>,
}

/// Stops the log's threads when the last handle is dropped.
struct Handle {
    stored: StoredLog,
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// What handles, sequencer and follower share. It contains nothing of the storage, so that the storage
/// is closed once threads and handles are gone.
struct Shared {
    pool: Pool,
    publisher: Publisher,
    index: IndexProgress,
    health: watch::Sender<Health>,
    /// Number of running threads, each of which uses the storage.
    threads: watch::Sender<usize>,
}

impl Shared {
    /// Runs one of the log's threads. `work` owns what it uses of the storage; the health that it
    /// returns, or `Failed` if it panics, becomes the log's.
    fn spawn(
        self: &Arc<Self>,
        name: String,
        work: impl FnOnce(&Self) -> Option<Health> + Send + 'static,
    ) -> std::io::Result<()> {
        struct ThreadEnd {
            shared: Arc<Shared>,
            health: Option<Health>,
        }
        impl Drop for ThreadEnd {
            fn drop(&mut self) {
                if let Some(health) = self.health {
                    self.shared.end(health);
                }
                self.shared.threads.send_modify(|threads| *threads -= 1);
            }
        }
        self.threads.send_modify(|threads| *threads += 1);
        let end = ThreadEnd {
            shared: Arc::clone(self),
            health: Some(Health::Failed),
        };
        std::thread::Builder::new()
            .name(name)
            .spawn(move || {
                let mut end = end;
                end.health = work(&end.shared);
            })
            .map(drop)
    }

    /// Accepts no more leaves. Those in the pool are still appended.
    fn close(&self) {
        self.pool.close();
        // A sequencer closes the index when it ends, after its last batch.
        if *self.health.borrow() != Health::Ok {
            self.index.close();
        }
    }

    /// Ends the log: callers that wait for it get an error, and its threads stop. `Failed` is never
    /// replaced by another health.
    fn end(&self, health: Health) {
        self.pool.abandon();
        self.index.close();
        self.health.send_if_modified(|now| {
            let changes = *now != Health::Failed;
            if changes {
                *now = health;
            }
            changes
        });
    }
}

impl Log {
    /// Starts a log: recovers it from storage, signs the head of the empty tree if there is none yet,
    /// and starts its threads. `search_keys` gives the keys by which its leaves are found. Blocks on
    /// storage.
    ///
    /// # Errors
    /// See [`StartError`].
    pub(crate) fn start(
        id: LogId,
        signer: Arc<dyn HeadSigner>,
        clock: Arc<dyn Clock>,
        storage: LogStorage,
        limits: Limits,
        search_keys: SearchKeys,
    ) -> Result<Self, StartError> {
        start::start(id, signer, clock, storage, limits, search_keys)
    }

    /// Appends a leaf and waits until it is durable and published. Dropping the future does not
    /// remove the leaf.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub(crate) async fn append(&self, leaf: Leaf) -> Result<Appended, AppendError> {
        self.enqueue(leaf, None).await
    }

    /// As [`Log::append`], for a leaf whose data contains its index, which `embed` writes. Such a leaf
    /// never equals another: if it is appended again after [`AppendError::Stopped`], the tree may
    /// contain it twice.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub(crate) async fn append_with_index(
        &self,
        leaf: Leaf,
        embed: EmbedIndex,
    ) -> Result<Appended, AppendError> {
        self.enqueue(leaf, Some(embed)).await
    }

    async fn enqueue(
        &self,
        mut leaf: Leaf,
        embed: Option<EmbedIndex>,
    ) -> Result<Appended, AppendError> {
        const LIMIT: usize = u16::MAX as usize;
        let largest = leaf.data.len().max(leaf.extra.len());
        if largest > LIMIT {
            return Err(AppendError::TooLarge(largest));
        }
        if leaf.keys.len() > MAX_KEYS_PER_LEAF {
            return Err(AppendError::TooManyKeys(leaf.keys.len()));
        }
        leaf.keys.sort_unstable();
        leaf.keys.dedup();
        if let Health::ReadOnly { missing } = self.health() {
            return Err(AppendError::ReadOnly { missing });
        }
        let answer = self.handle.shared.pool.push(leaf, embed)?;
        answer.await.unwrap_or(Err(AppendError::Stopped))
    }

    /// The newest published head.
    pub(crate) fn head(&self) -> PublishedHead {
        self.handle.shared.publisher.head()
    }

    pub(crate) fn health(&self) -> Health {
        *self.handle.shared.health.borrow()
    }

    /// Waits until the log has failed; pending while it has not.
    pub(crate) async fn failed(&self) {
        let mut health = self.handle.shared.health.subscribe();
        if health.wait_for(|now| *now == Health::Failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Accepts no more leaves, and waits until those in the pool are durable and answered and the
    /// log's threads have ended. Afterwards only handles use the storage.
    pub(crate) async fn drain(&self) {
        self.handle.shared.close();
        let mut threads = self.handle.shared.threads.subscribe();
        let _ = threads.wait_for(|threads| *threads == 0).await;
    }
}

#[cfg(test)]
pub(crate) mod tests;
