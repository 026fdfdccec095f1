//! Reading a log: proofs, tiles, leaves and searches. Everything here blocks on storage.

use std::ops::Range;
use std::sync::Arc;

use super::port::{Journal, LogStorage, SearchIndex, State, StateError};
use super::{Leaf, Log, LogId, MAX_LEAVES_PER_READ};
use crate::classify::{Classify, ErrorClass};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{
    Frontier, LeafInTree, LeafIndex, NodeId, TILE_HEIGHT, TileId, TileSpan, TreeSize,
    consistency_proof, inclusion_proof, root, tile_root,
};

/// Error reading a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// It is outside the published tree, which has `size` leaves.
    #[error("the tree has {size} leaves")]
    OutOfRange { size: u64 },
    /// The search index has not reached the published tree. It will, so the search may be repeated.
    #[error("the search index has {indexed} of {size} entries; try again in a second")]
    IndexBehind { indexed: u64, size: u64 },
    /// Storage failed, or what it returned does not match its checksum.
    #[error("the log's storage could not be read")]
    Storage,
}

impl Classify for ReadError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::OutOfRange { .. } => ErrorClass::NotFound,
            Self::IndexBehind { .. } => ErrorClass::Busy,
            Self::Storage => ErrorClass::Internal,
        }
    }
}

impl From<StateError> for ReadError {
    fn from(_: StateError) -> Self {
        Self::Storage
    }
}

/// A log in storage, and the tree in it.
#[derive(Clone)]
pub(super) struct StoredLog {
    pub(super) id: LogId,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) state: Arc<dyn State>,
    pub(super) index: Arc<dyn SearchIndex>,
}

impl StoredLog {
    pub(super) fn new(id: LogId, storage: LogStorage) -> Self {
        Self {
            id,
            journal: storage.journal,
            state: storage.state,
            index: storage.index,
        }
    }

    /// A node of the tree, folded from the row of tiles below it.
    pub(super) fn node(&self, node: NodeId) -> Result<Sha256, StateError> {
        let height = node.level % TILE_HEIGHT;
        let start = node.index << height;
        let range = start..start + (1 << height);
        let row = self
            .state
            .hashes(self.id, node.level / TILE_HEIGHT, range)?;
        tile_root(&row).ok_or(StateError)
    }

    /// The frontier of the tree at a size that the state has reached.
    pub(super) fn frontier(&self, size: TreeSize) -> Result<Frontier, StateError> {
        let nodes = Frontier::node_ids(size)
            .into_iter()
            .map(|node| self.node(node))
            .collect::<Result<_, _>>()?;
        Frontier::from_nodes(size, nodes).map_err(|_| StateError)
    }
}

/// The search index of a log, complete up to the size that was published when the view was taken.
pub(crate) struct IndexView<'a> {
    stored: &'a StoredLog,
    size: TreeSize,
}

impl IndexView<'_> {
    /// The leaves that have a search key, the newest first, at most `limit`. With `before`, only those
    /// before that index, so that the last one found leads to the next page.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn search(
        &self,
        key: &Sha256,
        before: Option<LeafIndex>,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, ReadError> {
        let size = LeafIndex::new(self.size.get());
        let before = before.map_or(size, |before| before.min(size));
        let stored = self.stored;
        Ok(stored.index.search(stored.id, key, before, limit)?)
    }
}

impl Log {
    /// The inclusion proof of a leaf in any tree up to the published one.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn inclusion_proof(&self, leaf: LeafInTree) -> Result<Vec<Sha256>, ReadError> {
        let stored = self.published(leaf.size().get())?;
        Ok(inclusion_proof(leaf, |node| stored.node(node))?)
    }

    /// The consistency proof between two sizes up to the published one.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn consistency_proof(
        &self,
        old: TreeSize,
        new: TreeSize,
    ) -> Result<Vec<Sha256>, ReadError> {
        let stored = self.published(new.get().max(old.get()))?;
        Ok(consistency_proof(old, new, |node| stored.node(node))?)
    }

    /// The root of any tree up to the published one.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn root_at(&self, size: TreeSize) -> Result<Sha256, ReadError> {
        let stored = self.published(size.get())?;
        Ok(root(size, |node| stored.node(node))?)
    }

    /// Leaves in order, at most the first [`MAX_LEAVES_PER_READ`] of a range in the published tree.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn leaves(&self, range: Range<u64>) -> Result<Vec<Leaf>, ReadError> {
        let stored = self.published(range.end)?;
        let count = range.end.saturating_sub(range.start); // A backwards range is an empty one.
        let range = range.start..range.start + count.min(MAX_LEAVES_PER_READ);
        let positions = stored.state.positions(stored.id, range.clone())?;
        let load = |(index, position)| {
            let index = LeafIndex::new(index);
            let leaf = stored.journal.load(stored.id, index, position);
            leaf.map_err(|error| {
                tracing::error!(log = %stored.id, leaf.index = index.get(), %error, "leaf.unreadable");
                ReadError::Storage
            })
        };
        range.zip(positions).map(load).collect()
    }

    /// The index of the leaf with this hash.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn index_of(&self, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, ReadError> {
        let size = self.head().size;
        let stored = &self.handle.stored;
        let index = stored.state.index_of(stored.id, leaf_hash)?;
        Ok(index.filter(|index| index.get() < size.get()))
    }

    /// The search index, for several searches of one tree. Waits until the index has reached the size
    /// that is published now, so that it finds every leaf that was acknowledged before the call.
    ///
    /// # Errors
    /// The index did not get there in time, or has failed.
    pub(crate) fn index_view(&self) -> Result<IndexView<'_>, ReadError> {
        let size = self.head().size;
        self.handle.shared.index.wait_for(size)?;
        Ok(IndexView {
            stored: &self.handle.stored,
            size,
        })
    }

    /// One search of the [`Log::index_view`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn search(
        &self,
        key: &Sha256,
        before: Option<LeafIndex>,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, ReadError> {
        self.index_view()?.search(key, before, limit)
    }

    /// The hash of a published leaf.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn leaf_hash(&self, index: LeafIndex) -> Result<Sha256, ReadError> {
        let size = self.head().size;
        if size.locate(index).is_err() {
            return Err(ReadError::OutOfRange { size: size.get() });
        }
        Ok(self.handle.stored.node(NodeId::leaf(index.get()))?)
    }

    /// The hashes of a tile that the published tree fills.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn tile(&self, tile: TileId) -> Result<Vec<Sha256>, ReadError> {
        let size = self.head().size;
        if !tile.is_within(size) {
            return Err(ReadError::OutOfRange { size: size.get() });
        }
        let stored = &self.handle.stored;
        let range = tile.span().range();
        Ok(stored.state.hashes(stored.id, tile.level(), range)?)
    }

    /// An entry bundle: `u16 length || data` for each leaf (C2SP tlog-tiles).
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn entry_bundle(&self, span: TileSpan) -> Result<Vec<u8>, ReadError> {
        let mut bundle = Vec::new();
        for leaf in self.leaves(span.range())? {
            let length = u16::try_from(leaf.data.len()).map_err(|_| ReadError::Storage)?;
            bundle.extend_from_slice(&length.to_be_bytes());
            bundle.extend_from_slice(&leaf.data);
        }
        Ok(bundle)
    }

    /// The stored log, if the published tree has at least `size` leaves.
    fn published(&self, size: u64) -> Result<&StoredLog, ReadError> {
        let published = self.head().size.get();
        if size > published {
            return Err(ReadError::OutOfRange { size: published });
        }
        Ok(&self.handle.stored)
    }
}
