//! What the log engine needs from a disk. Both ports are synchronous; callers choose the thread.
//!
//! The journal is the truth and the state is built from it: whatever the state has lost or got
//! wrong can be made again, so only the journal promises to survive a power cut.

use std::ops::{ControlFlow, Range};

use super::{Leaf, LogId, SignedHead};
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::{LeafIndex, TreeSize};

/// Where a leaf's record lies in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment's number, from one.
    pub segment: u32,
    /// Where in the segment the record begins, in bytes.
    pub offset: u32,
    /// How many bytes the record has.
    pub length: u32,
}

/// The position in the journal right behind a commit record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalEnd {
    /// The segment's number, from one.
    pub segment: u32,
    /// How many bytes of the segment lie before it.
    pub offset: u32,
}

/// Leaves that become part of a log together, and the head that says so.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The leaves, the first at index `head.size - leaves.len()`.
    pub leaves: Vec<Leaf>,
    /// The signed head of the tree with them.
    pub head: SignedHead,
}

/// Where a committed batch lies.
#[derive(Clone, Debug)]
pub struct Committed {
    /// A place for each leaf, in order.
    pub places: Vec<Place>,
    /// The end of the batch.
    pub end: JournalEnd,
}

/// The last commit of a log, and whether there may be another.
#[derive(Clone, Debug)]
pub struct JournalTail {
    /// The last head and the end of its batch; none where the log was never written.
    pub last: Option<(SignedHead, JournalEnd)>,
    /// Set where the journal is known to lack what was once acknowledged: how many of this log's
    /// entries. Such a journal refuses every commit.
    pub read_only: Option<u64>,
}

/// Why the journal did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Nothing was written and nothing is in doubt: the disk is full, for example
    #[error("the journal has no room")]
    NoRoom,
    /// The journal is behind what was once signed
    #[error("the journal is read-only")]
    ReadOnly,
    /// It is not known whether the batch would survive; only a restart can tell
    #[error("the journal cannot tell whether the last write will survive")]
    InDoubt,
    /// A record does not match its checksum or is not the one that was asked for
    #[error("segment {segment} of the journal is damaged at byte {offset}")]
    Damaged {
        /// The segment's number.
        segment: u32,
        /// Where the damaged record begins.
        offset: u32,
    },
    /// The file could not be read
    #[error("segment {segment} of the journal could not be read")]
    Unreadable {
        /// The segment's number.
        segment: u32,
    },
}

/// What survives. One journal serves every log.
pub trait Journal: Send + Sync {
    /// The last commit of a log, as it was found at start or committed since.
    fn tail(&self, log: LogId) -> JournalTail;

    /// Adds a batch: all of it or nothing, and on return it would survive a power cut.
    ///
    /// # Errors
    /// `InDoubt` leaves it open whether the batch is there, and from then on nothing more is
    /// accepted; after any other error it is not there and another try is welcome.
    fn commit(&self, log: LogId, batch: &Batch) -> Result<Committed, JournalError>;

    /// Shows every batch of a log behind `from`, or all of them, in the order of their commits,
    /// until `visit` breaks off.
    ///
    /// # Errors
    /// `Damaged` names the first record that cannot be read; the batches before it were shown.
    fn replay(
        &self,
        log: LogId,
        from: Option<JournalEnd>,
        visit: &mut dyn FnMut(Batch, Committed) -> ControlFlow<()>,
    ) -> Result<(), JournalError>;

    /// Reads a leaf. Nothing is returned whose checksum, log or index is not the expected one.
    ///
    /// # Errors
    /// `Damaged` or `Unreadable`.
    fn load(&self, log: LogId, index: LeafIndex, place: Place) -> Result<Leaf, JournalError>;
}

/// New hashes at the end of one row of tiles; row `r` holds the tree's nodes of level `8·r`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowExtension {
    /// Which row.
    pub row: u8,
    /// The index in the row of the first new hash.
    pub start: u64,
    /// The new hashes.
    pub hashes: Vec<Sha256>,
}

/// What a batch, or several in a row, change in the state.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// The size of the tree before. Zero means that all the state has of this log is replaced.
    pub start: TreeSize,
    /// The rows that grow; row 0, where there is one, holds the new leaves' hashes.
    pub rows: Vec<RowExtension>,
    /// A place for each new leaf.
    pub places: Vec<Place>,
    /// Each search key of a new leaf, with the leaf's index.
    pub keys: Vec<(Sha256, LeafIndex)>,
    /// The head afterwards.
    pub head: SignedHead,
    /// The journal's position that the state has then caught up with.
    pub end: JournalEnd,
}

/// The state could not be read or written; its own words are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log's state could not be read or written")]
pub struct StateError;

/// What is queried. It may lose its latest changes in a crash, but only whole changes, the latest
/// first; it is then brought up to the journal again.
pub trait State: Send + Sync {
    /// The last head that was applied, and how far into the journal it reaches.
    ///
    /// # Errors
    /// See [`StateError`].
    fn head(&self, log: LogId) -> Result<Option<(SignedHead, JournalEnd)>, StateError>;

    /// Makes a change visible, all at once. A change from the empty tree replaces everything that
    /// was there of the log.
    ///
    /// # Errors
    /// See [`StateError`].
    fn apply(&self, log: LogId, change: &StateChange) -> Result<(), StateError>;

    /// Hashes of a row of tiles. Fails where any of them is missing.
    ///
    /// # Errors
    /// See [`StateError`].
    fn hashes(&self, log: LogId, row: u8, range: Range<u64>) -> Result<Vec<Sha256>, StateError>;

    /// Where leaves lie in the journal. Fails where any of them is missing.
    ///
    /// # Errors
    /// See [`StateError`].
    fn places(&self, log: LogId, range: Range<u64>) -> Result<Vec<Place>, StateError>;

    /// The index of the leaf with this hash.
    ///
    /// # Errors
    /// See [`StateError`].
    fn index_of(&self, log: LogId, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, StateError>;

    /// The leaves before `before` that have a search key, the last first, at most `limit`.
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
