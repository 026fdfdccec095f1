//! Reading a log: proofs, tiles and leaves out of state and journal.

use std::ops::Range;
use std::sync::Arc;

use super::port::{Journal, State, StateError};
use super::{Leaf, LogId, ReadError};
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::{
    Frontier, LeafInTree, LeafIndex, NodeId, TILE_HEIGHT, TileId, TileSpan, TreeSize, tile_root,
};
use crate::protocol::merkle::{consistency_proof, inclusion_proof, root};

/// A log's stored part, without its sequencer.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) id: LogId,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) state: Arc<dyn State>,
}

impl Reader {
    /// A node of the tree, folded from the row of tiles beneath it.
    pub(super) fn node(&self, node: NodeId) -> Result<Sha256, StateError> {
        let height = node.level % TILE_HEIGHT;
        let (start, width) = (node.index << height, 1_u64 << height);
        let row = self.state.hashes(
            self.id,
            node.level / TILE_HEIGHT,
            start..start.saturating_add(width),
        )?;
        tile_root(&row).ok_or(StateError)
    }

    /// The right edge of the tree at a size that the state has reached.
    pub(super) fn frontier(&self, size: TreeSize) -> Result<Frontier, StateError> {
        let nodes = Frontier::node_ids(size)
            .into_iter()
            .map(|node| self.node(node))
            .collect::<Result<_, _>>()?;
        Frontier::from_nodes(size, nodes).map_err(|_| StateError)
    }

    pub(super) fn inclusion_proof(&self, leaf: LeafInTree) -> Result<Vec<Sha256>, ReadError> {
        Ok(inclusion_proof(leaf, |node| self.node(node))?)
    }

    pub(super) fn consistency_proof(
        &self,
        old: TreeSize,
        new: TreeSize,
    ) -> Result<Vec<Sha256>, ReadError> {
        Ok(consistency_proof(old, new, |node| self.node(node))?)
    }

    pub(super) fn root(&self, size: TreeSize) -> Result<Sha256, ReadError> {
        Ok(root(size, |node| self.node(node))?)
    }

    pub(super) fn tile(&self, tile: TileId) -> Result<Vec<Sha256>, ReadError> {
        Ok(self
            .state
            .hashes(self.id, tile.level(), tile.span().range())?)
    }

    /// `u16 length || data` for each leaf (C2SP tlog-tiles, entry bundles).
    pub(super) fn entry_bundle(&self, span: TileSpan) -> Result<Vec<u8>, ReadError> {
        let mut bundle = Vec::new();
        for leaf in self.leaves(span.range())? {
            let length = u16::try_from(leaf.data.len()).map_err(|_| ReadError::Storage)?;
            bundle.extend_from_slice(&length.to_be_bytes());
            bundle.extend_from_slice(&leaf.data);
        }
        Ok(bundle)
    }

    pub(super) fn leaves(&self, range: Range<u64>) -> Result<Vec<Leaf>, ReadError> {
        let places = self.state.places(self.id, range.clone())?;
        range
            .zip(places)
            .map(|(index, place)| {
                let index = LeafIndex::new(index);
                self.journal
                    .load(self.id, index, place)
                    .map_err(|error| self.unreadable(index, &error))
            })
            .collect()
    }

    fn unreadable(&self, index: LeafIndex, error: &super::port::JournalError) -> ReadError {
        tracing::error!(log = %self.id, leaf.index = index.get(), %error, "leaf.unreadable");
        ReadError::Storage
    }

    pub(super) fn leaf_hash(&self, index: LeafIndex) -> Result<Sha256, ReadError> {
        let leaf = NodeId {
            level: 0,
            index: index.get(),
        };
        Ok(self.node(leaf)?)
    }

    pub(super) fn index_of(&self, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, ReadError> {
        Ok(self.state.index_of(self.id, leaf_hash)?)
    }

    pub(super) fn search(
        &self,
        key: &Sha256,
        before: LeafIndex,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, ReadError> {
        Ok(self.state.search(self.id, key, before, limit)?)
    }
}

impl From<StateError> for ReadError {
    fn from(_: StateError) -> Self {
        Self::Storage
    }
}
