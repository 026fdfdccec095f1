//! The log engine: the only sequencer, run once for each log. It knows no disk and no framework.
//!
//! The life of a leaf: [`Log::append`] puts it into a bounded pool; the sequencer, a thread of its
//! own, takes the whole pool as one batch as soon as the batch before is done, drops duplicates,
//! gives out indices, extends the tree, signs one head, commits the batch to the journal, applies
//! it to the state, publishes the head, and only then answers. Recovery takes the same steps for
//! whatever the state lacks.

mod classify;
mod pool;
pub(crate) mod port;
mod read;
mod recover;
mod sequencer;
mod start;
mod tree;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use self::pool::Pool;
pub(crate) use self::port::{Journal, State};
use self::read::Reader;
pub(crate) use self::recover::RecoverError;
pub(crate) use self::start::StartError;
pub(crate) use self::start::missing_entries;
pub(crate) use self::start::rebuild_state;
pub(crate) use self::tree::extend;
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::SigningFailed;
use crate::protocol::merkle::{LeafInTree, LeafIndex, TileId, TileSpan, TreeSize};
use crate::protocol::time::{Clock, UnixTime};

/// Which log; its number stands in stored records and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogId {
    /// The certificate-transparency log
    Ct,
    /// The signature log in the Rekor v2 dialect
    RekorV2,
    /// The signature log in the Rekor v1 dialect
    RekorV1,
}

impl LogId {
    /// Every log there is.
    pub const ALL: [Self; 3] = [Self::Ct, Self::RekorV2, Self::RekorV1];

    /// The number that stands in stored records.
    pub const fn number(self) -> u8 {
        match self {
            Self::Ct => 1,
            Self::RekorV2 => 2,
            Self::RekorV1 => 3,
        }
    }

    /// The log with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|log| log.number() == number)
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ct => "certificate log",
            Self::RekorV2 => "signature log v2",
            Self::RekorV1 => "signature log v1",
        })
    }
}

/// What is appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaf {
    /// The canonical bytes that are hashed and served.
    pub data: Vec<u8>,
    /// Bytes kept beside the leaf and not hashed: a certificate log's `extra_data`.
    pub extra: Vec<u8>,
    /// What the leaf is found by besides its hash, at most [`MAX_KEYS_PER_LEAF`]. They are not
    /// hashed. A stored leaf has them in order, each once.
    pub keys: Vec<Sha256>,
}

impl Leaf {
    /// How many bytes it takes while it waits.
    const fn weight(&self) -> usize {
        let keys = size_of_val(self.keys.as_slice());
        self.data
            .len()
            .saturating_add(self.extra.len())
            .saturating_add(keys)
    }
}

/// A signed tree head that is durable and published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// How many leaves the tree has.
    pub size: TreeSize,
    /// Its root hash.
    pub root: Sha256,
    /// When it was signed.
    pub time: UnixTime,
    /// The signed checkpoint, a C2SP note.
    pub note: String,
}

/// The receipt for a leaf: it is durable and part of the published tree.
#[derive(Clone, Debug)]
pub(crate) struct Appended {
    /// Where the leaf stands.
    pub index: LeafIndex,
    /// A published head that contains it.
    pub head: Arc<SignedHead>,
    /// The inclusion proof from leaf to that head.
    pub proof: Vec<Sha256>,
}

/// Why a leaf was not appended. Only `Stopped` leaves open whether it will be in the tree:
/// appending it again after a restart tells.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AppendError {
    /// The same leaf is in the log already
    #[error("an equivalent entry already exists in the transparency log with index {}", .0.get())]
    Duplicate(LeafIndex),
    /// Entry bundles carry a 16-bit length (C2SP tlog-tiles)
    #[error("the entry has {0} bytes; the limit is 65535")]
    TooLarge(usize),
    /// A leaf's record in the journal is bounded, and so are its keys
    #[error("the entry has {0} search keys; the limit is {MAX_KEYS_PER_LEAF}")]
    TooManyKeys(usize),
    /// More leaves wait than the pool holds, or the disk has no room for them
    #[error("the log cannot take more entries at the moment; try again in a second")]
    Overloaded,
    /// The journal ends before the last checkpoint that was signed
    #[error(
        "the log is read-only: {missing} entries that were once signed are missing from its journal"
    )]
    ReadOnly {
        /// How many entries are missing.
        missing: u64,
    },
    /// The leaf's format has no number for another one
    #[error("the log has as many entries as its format can number")]
    Full,
    /// The sequencer has ended, or is ending
    #[error("the log is shutting down")]
    Stopped,
}

/// Completes a leaf whose bytes tell where it stands and when it came: it is given its index and
/// the time of the head that will be the first to contain it. The leaf keeps its length.
///
/// # Errors
/// The leaf's format cannot express the index.
pub(crate) type Finish = fn(&mut Leaf, LeafIndex, UnixTime) -> Result<(), Unnumbered>;

/// The format of a log's leaves has no number for any more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leaf's format cannot express its index")]
pub(crate) struct Unnumbered;

/// Signs heads in a log's own way, and reads back what it signed.
pub(crate) trait HeadSigner: Send + Sync {
    /// The log's origin, the first line of its checkpoints.
    fn origin(&self) -> &str;

    /// Signs a head and returns the note.
    ///
    /// # Errors
    /// There was no randomness.
    fn sign(&self, size: TreeSize, root: &Sha256, time: UnixTime) -> Result<String, SigningFailed>;

    /// Whether `note` is one that this log signed for this size and root.
    fn recognises(&self, note: &str, size: TreeSize, root: &Sha256) -> bool;
}

/// How much may wait for the sequencer at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many leaves.
    pub pool_entries: usize,
    /// How many bytes they may have together.
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

/// What a log is started with: the disk, from the log's point of view.
#[derive(Clone)]
pub struct Parts {
    /// What survives.
    pub journal: Arc<dyn Journal>,
    /// What is queried.
    pub state: Arc<dyn State>,
}

/// How a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Appends are accepted.
    Ok,
    /// The journal is behind what was once signed; reads are answered, appends refused.
    ReadOnly {
        /// How many entries are missing.
        missing: u64,
    },
    /// The log was drained; reads are answered.
    Drained,
    /// Memory and disk may differ. The process has to end; the next start recovers.
    Failed,
}

/// The most leaves that one read returns.
pub(crate) const MAX_LEAVES_PER_READ: u64 = 1024;

/// The most search keys that a leaf may have.
pub(crate) const MAX_KEYS_PER_LEAF: usize = 8192;

/// A log that can be appended to and read. Cloning gives another handle to the same log.
#[derive(Clone)]
pub(crate) struct Log {
    handle: Arc<Handle>,
}

/// Lets the sequencer go when the last handle is gone.
struct Handle {
    reader: Reader,
    shared: Arc<Shared>,
}

/// What handles and sequencer have in common.
struct Shared {
    pool: Pool,
    head: RwLock<Arc<SignedHead>>,
    health: watch::Sender<Health>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.pool.close();
    }
}

impl Shared {
    fn head(&self) -> Arc<SignedHead> {
        Arc::clone(&self.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, head: Arc<SignedHead>) {
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = head;
    }
}

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// Outside the published tree
    #[error("the tree has {size} leaves")]
    OutOfRange {
        /// The published size.
        size: u64,
    },
    /// Storage failed, or what it returned does not match its checksum
    #[error("the log's storage could not be read")]
    Storage,
}

impl Log {
    /// Starts a log: recovers it from its parts, signs the head of the empty tree if there is none
    /// yet, and starts the sequencer on a thread of its own. Blocks on storage.
    ///
    /// # Errors
    /// See [`StartError`].
    pub(crate) fn start(
        id: LogId,
        signer: Arc<dyn HeadSigner>,
        clock: Arc<dyn Clock>,
        parts: Parts,
        limits: Limits,
    ) -> Result<Self, StartError> {
        start::start(id, signer, clock, parts, limits)
    }

    /// Appends a leaf and waits until it is durable and published. Dropping the future does not
    /// take the leaf back.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub(crate) async fn append(&self, leaf: Leaf) -> Result<Appended, AppendError> {
        self.enter(leaf, None).await
    }

    /// Appends a leaf that `finish` completes once it has its index; all else is as with
    /// [`Log::append`]. Such a leaf equals no other: one that [`AppendError::Stopped`] left open,
    /// and that is appended again, may be in the tree twice.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub(crate) async fn append_with(
        &self,
        leaf: Leaf,
        finish: Finish,
    ) -> Result<Appended, AppendError> {
        self.enter(leaf, Some(finish)).await
    }

    async fn enter(&self, mut leaf: Leaf, finish: Option<Finish>) -> Result<Appended, AppendError> {
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
        let answer = self.handle.shared.pool.join(leaf, finish)?;
        answer.await.unwrap_or(Err(AppendError::Stopped))
    }

    /// The newest published head.
    pub(crate) fn head(&self) -> Arc<SignedHead> {
        self.handle.shared.head()
    }

    /// How the log is.
    pub(crate) fn health(&self) -> Health {
        *self.handle.shared.health.borrow()
    }

    /// Waits until the log has failed, for ever if it does not.
    pub(crate) async fn failed(&self) {
        let mut health = self.handle.shared.health.subscribe();
        if health.wait_for(|now| *now == Health::Failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Lets no more leaves in and waits until those that wait are durable and answered. From then
    /// on the sequencer holds nothing of the storage.
    pub(crate) async fn drain(&self) {
        self.handle.shared.pool.close();
        let mut health = self.handle.shared.health.subscribe();
        let _ = health.wait_for(|now| *now != Health::Ok).await;
    }

    /// The inclusion proof of a leaf in any tree up to the published one. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn inclusion_proof(&self, leaf: LeafInTree) -> Result<Vec<Sha256>, ReadError> {
        self.published(leaf.size().get())?;
        self.handle.reader.inclusion_proof(leaf)
    }

    /// The consistency proof between two published sizes. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn consistency_proof(
        &self,
        old: TreeSize,
        new: TreeSize,
    ) -> Result<Vec<Sha256>, ReadError> {
        self.published(new.get().max(old.get()))?;
        self.handle.reader.consistency_proof(old, new)
    }

    /// The root of any tree up to the published one. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn root_at(&self, size: TreeSize) -> Result<Sha256, ReadError> {
        self.published(size.get())?;
        self.handle.reader.root(size)
    }

    /// Leaves in order; the range must lie in the published tree. Of a longer range the first
    /// [`MAX_LEAVES_PER_READ`] are returned. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn leaves(&self, range: Range<u64>) -> Result<Vec<Leaf>, ReadError> {
        self.published(range.end)?;
        let end = range
            .end
            .min(range.start.saturating_add(MAX_LEAVES_PER_READ));
        self.handle.reader.leaves(range.start..end)
    }

    /// Where the leaf with this hash stands. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn index_of(&self, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, ReadError> {
        let size = self.head().size;
        let index = self.handle.reader.index_of(leaf_hash)?;
        Ok(index.filter(|index| index.get() < size.get()))
    }

    /// The leaves that have this search key, the newest first, at most `limit` of them. With
    /// `before`, only those that stand before it: the last index found leads to the next ones.
    /// Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn search(
        &self,
        key: &Sha256,
        before: Option<LeafIndex>,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, ReadError> {
        let published = LeafIndex::new(self.head().size.get());
        let before = before.map_or(published, |before| before.min(published));
        self.handle.reader.search(key, before, limit)
    }

    /// The hash of a published leaf. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn leaf_hash(&self, index: LeafIndex) -> Result<Sha256, ReadError> {
        self.published(index.get().saturating_add(1))?;
        self.handle.reader.leaf_hash(index)
    }

    /// The hashes of a tile of which the published tree has every hash. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn tile(&self, tile: TileId) -> Result<Vec<Sha256>, ReadError> {
        let size = self.head().size;
        if !tile.is_within(size) {
            return Err(ReadError::OutOfRange { size: size.get() });
        }
        self.handle.reader.tile(tile)
    }

    /// An entry bundle: each leaf's data behind its length in 16 bits (C2SP tlog-tiles). Blocks on
    /// storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn entry_bundle(&self, span: TileSpan) -> Result<Vec<u8>, ReadError> {
        self.published(span.range().end)?;
        self.handle.reader.entry_bundle(span)
    }

    fn published(&self, end: u64) -> Result<(), ReadError> {
        let size = self.head().size.get();
        if end > size {
            return Err(ReadError::OutOfRange { size });
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
