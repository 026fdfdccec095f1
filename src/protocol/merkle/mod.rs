//! Merkle trees of transparency logs (RFC 6962 §2.1, RFC 9162 §2.1, C2SP tlog-tiles). Pure: no I/O, no
//! clock.
//!
//! A node is identified by its level and its index in that level. Only the hash of a node whose subtree
//! is complete never changes, so only such nodes are stored; everything else is computed from them.

mod frontier;
mod index;
pub(crate) mod proof;
mod tile;

pub use frontier::Frontier;
pub(crate) use index::{LeafInTree, OutOfRange};
pub use index::{LeafIndex, TreeSize};
pub use proof::{NodeId, inclusion_proof, root_from_inclusion};
pub(crate) use proof::{ProofError, consistency_proof, root};
pub(crate) use tile::{TILE_HEIGHT, TilePathError, tile_root};
pub use tile::{TILE_WIDTH, TileId, TileSpan};

use crate::protocol::hash::Sha256;

/// `SHA-256(0x00 || leaf)`.
pub fn leaf_hash(leaf: &[u8]) -> Sha256 {
    Sha256::of_parts(&[&[0], leaf])
}

/// `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root of the empty tree: the hash of the empty string.
pub(crate) fn empty_root() -> Sha256 {
    Sha256::of(b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_hash_has_its_known_value() {
        let body = br#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}"#;

        assert_eq!(
            leaf_hash(body).to_hex(),
            "f029313d11b7293800928e3567bc44640d7ec9d39e5496a263a9f6835b00b008"
        );
    }

    #[test]
    fn leaves_and_nodes_have_separate_domains() {
        let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
        let both = [&left.as_bytes()[..], &right.as_bytes()[..]].concat();

        assert_ne!(node_hash(&left, &right), leaf_hash(&both));
        assert_eq!(
            empty_root().to_hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
