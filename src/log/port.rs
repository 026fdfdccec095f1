//! The ports through which the engine uses storage. All of them are synchronous; callers choose the
//! thread.
//!
//! The journal is the truth. State and index are built from it: whatever they lose or have wrong can be
//! rebuilt, so only the journal promises to survive a power cut.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::{Leaf, LogId, SignedHead};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{LeafIndex, TreeSize};

/// The storage of a log, which several logs can share.
#[derive(Clone)]
pub(crate) struct LogStorage {
    pub journal: Arc<dyn Journal>,
    pub state: Arc<dyn State>,
    pub index: Arc<dyn SearchIndex>,
}

/// Where the journal has a leaf's record. Only the journal that returned it can interpret it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position(pub(crate) [u8; 12]);

/// A point of the journal between two batches. Cursors, and their bytes, are ordered as the batches
/// were committed; only the journal that returned one can interpret it further.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JournalCursor(pub(crate) [u8; 8]);

/// Leaves that are appended together, with the head that contains them.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// The first one has index `head.size - leaves.len()`.
    pub leaves: Vec<Leaf>,
    /// The signed head of the tree that includes them.
    pub head: SignedHead,
}

/// Where a committed batch is.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    /// One for each leaf, in order.
    pub positions: Vec<Position>,
    /// The point immediately after the batch.
    pub end: JournalCursor,
}

/// The last commit of a log.
#[derive(Clone, Debug)]
pub(crate) struct JournalTail {
    /// The last head, and the point after its batch. None if the log was never written.
    pub last: Option<(SignedHead, JournalCursor)>,
    /// Set if the journal is known to lack what was once acknowledged: the number of this log's
    /// entries that are missing. Such a journal refuses every commit.
    pub read_only: Option<u64>,
}

/// Error committing a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The disk is full, for example. Nothing was written, and another attempt may succeed.
    #[error("the journal has no room")]
    NoRoom,
    /// The journal lacks what was once signed.
    #[error("the journal is read-only")]
    ReadOnly,
    /// It is unknown whether the batch would survive. Only a restart can resolve that, and nothing
    /// more is accepted until then.
    #[error("the journal cannot guarantee that the last write survives; restart to recover")]
    InDoubt,
    /// The log's last head is not the expected one. Nothing was written.
    #[error(
        "another writer has extended the log: this process extends size {expected}, the journal \
         ends with size {found}; restart to recover"
    )]
    Conflict {
        /// The size that the caller wanted to extend; zero also for a new log.
        expected: u64,
        /// The size in the log's last head; zero also if it has none.
        found: u64,
    },
}

/// Error reading the journal. The journal describes the position in its own terms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A record does not match its checksum or is not the one that was requested.
    #[error("the journal is damaged at {place}")]
    Damaged { place: String },
    #[error("the journal could not be read at {place}")]
    Unreadable { place: String },
}

/// The durable storage of logs. Several logs share a journal.
pub(crate) trait Journal: Send + Sync {
    /// The last commit of a log, found at start or made since.
    fn tail(&self, log: LogId) -> JournalTail;

    /// Appends a batch, all of it or nothing. On return the batch would survive a power cut.
    ///
    /// `expected` is the head that the batch extends, compared by size and root; none for a log that
    /// was never written. A journal with several writers compares and appends in one step, so that of
    /// two writers who extend the same head one gets `Conflict`.
    ///
    /// # Errors
    /// `InDoubt` leaves open whether the batch is in the journal; after any other error it is not.
    fn commit(
        &self,
        log: LogId,
        expected: Option<&SignedHead>,
        batch: &Batch,
    ) -> Result<Committed, CommitError>;

    /// Visits the batches of a log after `from`, or all of them, in the order of their commits, until
    /// `visit` breaks off.
    ///
    /// # Errors
    /// `Damaged` names the first record that cannot be read; the batches before it were visited.
    fn replay(
        &self,
        log: LogId,
        from: Option<JournalCursor>,
        visit: &mut dyn FnMut(Batch, Committed) -> ControlFlow<()>,
    ) -> Result<(), JournalError>;

    /// Reads a leaf. Checksum, log and index of what it returns are right.
    ///
    /// # Errors
    /// See [`JournalError`].
    fn load(&self, log: LogId, index: LeafIndex, at: Position) -> Result<Leaf, JournalError>;
}

/// Compares the head that a commit expects with the log's last one.
///
/// # Errors
/// `Conflict` if they differ.
pub(crate) fn check_expected(
    expected: Option<&SignedHead>,
    found: Option<&SignedHead>,
) -> Result<(), CommitError> {
    let identity = |head: &SignedHead| (head.size, head.root);
    if expected.map(identity) == found.map(identity) {
        return Ok(());
    }
    let size = |head: Option<&SignedHead>| head.map_or(0, |head| head.size.get());
    Err(CommitError::Conflict {
        expected: size(expected),
        found: size(found),
    })
}

/// New hashes at the end of one row of tiles. Row `r` contains the tree's nodes of level `8·r`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowExtension {
    pub row: u8,
    /// Index, within the row, of the first new hash.
    pub start: u64,
    pub hashes: Vec<Sha256>,
}

/// What one batch, or several successive ones, change in the state.
#[derive(Clone, Debug)]
pub(crate) struct StateChange {
    /// Size of the tree before the change. Zero replaces all that the state has of this log.
    pub start: TreeSize,
    /// The rows that grow. Row 0 contains the new leaves' hashes.
    pub rows: Vec<RowExtension>,
    /// One for each new leaf.
    pub positions: Vec<Position>,
    /// The head after the change.
    pub head: SignedHead,
    /// The point of the journal that the state reaches with the change.
    pub end: JournalCursor,
}

/// State or index failed; the storage has logged the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log's state could not be read or written")]
pub struct StateError;

/// The queryable tree. A crash may undo its latest changes, but only whole changes and the
/// latest first; recovery then repeats them from the journal.
pub(crate) trait State: Send + Sync {
    /// The head after the last change, and the point of the journal that it reaches.
    ///
    /// # Errors
    /// See [`StateError`].
    fn head(&self, log: LogId) -> Result<Option<(SignedHead, JournalCursor)>, StateError>;

    /// Applies a change, all of it at once.
    ///
    /// # Errors
    /// See [`StateError`].
    fn apply(&self, log: LogId, change: &StateChange) -> Result<(), StateError>;

    /// Hashes of a row of tiles.
    ///
    /// # Errors
    /// A hash is missing, or the state failed.
    fn hashes(&self, log: LogId, row: u8, range: Range<u64>) -> Result<Vec<Sha256>, StateError>;

    /// Where the journal has these leaves.
    ///
    /// # Errors
    /// A position is missing, or the state failed.
    fn positions(&self, log: LogId, range: Range<u64>) -> Result<Vec<Position>, StateError>;

    /// The index of the leaf with this hash.
    ///
    /// # Errors
    /// See [`StateError`].
    fn index_of(&self, log: LogId, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, StateError>;
}

/// Finds leaves by search keys. A follower derives it from the leaves, so it may lag behind the state,
/// can be dropped, and can be built for a log that had none. A crash may undo its latest changes, but
/// only whole changes and the latest first.
pub(crate) trait SearchIndex: Send + Sync {
    /// The index cursor: the keys of this many leaves, from the first one on, are all in the index.
    /// Zero for a log that was never indexed.
    ///
    /// # Errors
    /// See [`StateError`].
    fn indexed(&self, log: LogId) -> Result<TreeSize, StateError>;

    /// Adds keys, each with a leaf that has it, and sets the cursor, all at once. A key that the index
    /// already has for the leaf stays as it is. Keys of a leaf at the cursor or after it may be added
    /// in several steps, before the cursor passes the leaf.
    ///
    /// # Errors
    /// See [`StateError`].
    fn add(
        &self,
        log: LogId,
        keys: &[(Sha256, LeafIndex)],
        indexed: TreeSize,
    ) -> Result<(), StateError>;

    /// Drops a log's index. A crash on the way leaves a cursor of zero.
    ///
    /// # Errors
    /// See [`StateError`].
    fn clear(&self, log: LogId) -> Result<(), StateError>;

    /// The leaves before `before` that have a key, the last one first, at most `limit`.
    ///
    /// # Errors
    /// See [`StateError`].
    fn search(
        &self,
        log: LogId,
        key: &Sha256,
        before: LeafIndex,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, StateError>;
}
