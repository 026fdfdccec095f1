//! Merkle trees as transparency logs use them (RFC 6962 §2.1, RFC 9162 §2.1, C2SP tlog-tiles).
//! Pure: no I/O, no clock.
//!
//! A node is named by its level and its index in that level; only nodes whose subtree is complete
//! have a hash that never changes, so only those are stored, and everything else is folded from
//! them.

mod frontier;
mod hash;
mod index;
mod proof;
mod tile;

pub use frontier::{Frontier, NotAFrontier};
pub use hash::{empty_root, leaf_hash, node_hash};
pub use index::{LeafInTree, LeafIndex, OutOfRange, TreeSize};
pub use proof::{
    NodeId, ProofError, consistency_proof, inclusion_proof, root, root_from_inclusion,
    verify_consistency,
};
pub use tile::{TILE_HEIGHT, TILE_WIDTH, TileId, TilePathError, TileSpan, tile_root};
