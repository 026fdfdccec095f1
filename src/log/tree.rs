//! The growing tree: the only code that turns leaf hashes into rows of tiles, for commits and for
//! recovery.

use super::port::RowExtension;
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{Frontier, NodeId, TILE_HEIGHT};

/// Appends leaves to the frontier and collects what the rows of tiles gain. Calls `complete` with
/// every node that becomes complete.
pub(crate) fn extend(
    frontier: &mut Frontier,
    rows: &mut Vec<RowExtension>,
    leaf_hashes: impl IntoIterator<Item = Sha256>,
    mut complete: impl FnMut(NodeId, Sha256),
) {
    for leaf_hash in leaf_hashes {
        frontier.push(leaf_hash, |node, hash| {
            complete(node, hash);
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
        });
    }
}
