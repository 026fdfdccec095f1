//! The growing tree: the one piece of code that turns leaf hashes into rows of tiles, for commits
//! and for recovery alike.

use super::Leaf;
use super::port::RowExtension;
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::{Frontier, LeafIndex, NodeId, TILE_HEIGHT, TreeSize};

/// Appends leaves to the edge and collects what the rows of tiles gain. `complete` is told every
/// node that becomes complete.
pub(crate) fn extend(
    frontier: &mut Frontier,
    rows: &mut Vec<RowExtension>,
    leaf_hashes: impl IntoIterator<Item = Sha256>,
    mut complete: impl FnMut(NodeId, Sha256),
) {
    for leaf_hash in leaf_hashes {
        frontier.push(leaf_hash, |node, hash| {
            complete(node, hash);
            add_to_rows(rows, node, hash);
        });
    }
}

/// The search keys of leaves that stand behind `start`, each with its leaf's index.
pub(super) fn search_keys(
    start: TreeSize,
    leaves: &[Leaf],
) -> impl Iterator<Item = (Sha256, LeafIndex)> {
    let indices = (start.get()..).map(LeafIndex::new);
    indices
        .zip(leaves)
        .flat_map(|(index, leaf)| leaf.keys.iter().map(move |key| (*key, index)))
}

fn add_to_rows(rows: &mut Vec<RowExtension>, node: NodeId, hash: Sha256) {
    if !node.level.is_multiple_of(TILE_HEIGHT) {
        return;
    }
    let row = node.level / TILE_HEIGHT;
    match rows.iter_mut().find(|extension| extension.row == row) {
        Some(extension) => extension.hashes.push(hash),
        None => rows.push(RowExtension {
            row,
            start: node.index,
            hashes: vec![hash],
        }),
    }
}
