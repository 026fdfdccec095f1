//! Merkle trees as transparency logs use them (RFC 6962 §2.1, RFC 9162 §2.1, C2SP tlog-tiles).
//! Pure: no I/O, no clock.
//!
//! A node is named by its level and its index in that level; only nodes whose subtree is complete
//! have a hash that never changes, so only those are stored, and everything else is folded from
//! them.

mod frontier;
mod hash;
mod index;
pub(crate) mod proof;
mod tile;

pub use frontier::Frontier;
pub(crate) use hash::empty_root;
pub use hash::{leaf_hash, node_hash};
pub(crate) use index::LeafInTree;
pub(crate) use index::OutOfRange;
pub use index::{LeafIndex, TreeSize};
pub(crate) use proof::ProofError;
pub(crate) use proof::consistency_proof;
pub(crate) use proof::root;
pub use proof::{NodeId, inclusion_proof, root_from_inclusion};
pub(crate) use tile::TILE_HEIGHT;
pub(crate) use tile::TilePathError;
pub(crate) use tile::tile_root;
pub use tile::{TILE_WIDTH, TileId, TileSpan};
