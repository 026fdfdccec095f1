//! The log engine: the only sequencer, run once for each log.

use std::ops::Range;
use std::sync::Arc;

use crate::protocol::bytes::Sha256;
use crate::protocol::keys::SigningFailed;
use crate::protocol::merkle::{LeafInTree, LeafIndex, TreeSize};
use crate::protocol::time::UnixTime;

/// Which log; its number stands in stored records and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogId {
    /// The certificate-transparency log
    Ct,
    /// The signature log in the Rekor v2 dialect
    RekorV2,
}

/// What is appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The canonical bytes that are hashed and served.
    pub data: Vec<u8>,
    /// Bytes kept beside the leaf and not hashed: a certificate log's `extra_data`.
    pub extra: Vec<u8>,
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
pub struct Appended {
    /// Where the leaf stands.
    pub index: LeafIndex,
    /// A published head that contains it.
    pub head: Arc<SignedHead>,
    /// The inclusion proof from leaf to that head.
    pub proof: Vec<Sha256>,
}

/// Why a leaf was not appended. Only `InDoubt` leaves open whether it will be in the tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The same leaf is in the log already
    #[error("an equivalent entry already exists in the transparency log with index {}", .0.get())]
    Duplicate(LeafIndex),
    /// Entry bundles carry a 16-bit length (C2SP tlog-tiles)
    #[error("the entry has {0} bytes; the limit is 65535")]
    TooLarge(usize),
    /// More leaves wait than the pool holds
    #[error("the log has too many entries waiting; try again in a second")]
    Overloaded,
    /// The journal ends before the last checkpoint that was signed
    #[error(
        "the log is read-only: {missing} entries that were once signed are missing from its journal"
    )]
    ReadOnly {
        /// How many entries are missing.
        missing: u64,
    },
    /// The sequencer has ended, or is ending
    #[error("the log is shutting down")]
    Stopped,
}

/// Signs heads in a log's own way, and reads back what it signed.
pub trait HeadSigner: Send + Sync {
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

/// A log that can be appended to and read. Cloning gives another handle to the same log.
#[derive(Clone)]
pub struct Log {}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
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
    /// Appends a leaf and waits until it is durable and published.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn append(&self, _leaf: Leaf) -> Result<Appended, AppendError> {
        todo!("log engine")
    }

    /// The newest published head.
    pub fn head(&self) -> Arc<SignedHead> {
        todo!("log engine")
    }

    /// The inclusion proof of a leaf in any tree up to the published one. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn inclusion_proof(&self, _leaf: LeafInTree) -> Result<Vec<Sha256>, ReadError> {
        todo!("log engine")
    }

    /// The consistency proof between two published sizes. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn consistency_proof(
        &self,
        _old: TreeSize,
        _new: TreeSize,
    ) -> Result<Vec<Sha256>, ReadError> {
        todo!("log engine")
    }

    /// The root of any tree up to the published one. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn root_at(&self, _size: TreeSize) -> Result<Sha256, ReadError> {
        todo!("log engine")
    }

    /// Leaves in order; the range must lie in the published tree. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn leaves(&self, _range: Range<u64>) -> Result<Vec<Leaf>, ReadError> {
        todo!("log engine")
    }

    /// Where the leaf with this hash stands. Blocks on storage.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn index_of(&self, _leaf_hash: &Sha256) -> Result<Option<LeafIndex>, ReadError> {
        todo!("log engine")
    }
}
