//! Merkle trees as transparency logs use them (RFC 6962 §2.1, RFC 9162 §2.1, C2SP tlog-tiles).
//! Pure: no I/O, no clock.

use crate::protocol::bytes::Sha256;

/// The position of a leaf, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(u64);

/// How many leaves a tree has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(u64);

/// A leaf and a tree that contains it: `index < size`, by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafInTree {
    index: LeafIndex,
    size: TreeSize,
}

/// The tree has no such leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leaf {} is not in a tree of {} leaves", .index.0, .size.0)]
pub struct OutOfRange {
    /// The leaf that was asked for.
    pub index: LeafIndex,
    /// The tree that does not have it.
    pub size: TreeSize,
}

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not the number of hashes that index and size imply
    #[error("the proof has {actual} hashes where {expected} are needed")]
    Length {
        /// What the sizes imply.
        expected: usize,
        /// What was there.
        actual: usize,
    },
    /// The hashes lead to another root
    #[error("the proof leads to another root than the one claimed")]
    Root,
    /// The older tree is larger than the newer one
    #[error("the older tree is larger than the newer one")]
    Order,
}

impl LeafIndex {
    /// The leaf with this many leaves before it.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// How many leaves stand before it.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TreeSize {
    /// The empty tree.
    pub const EMPTY: Self = Self(0);

    /// A tree of this many leaves.
    pub const fn new(size: u64) -> Self {
        Self(size)
    }

    /// How many leaves it has.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The leaf at `index` of this tree.
    ///
    /// # Errors
    /// The tree has no such leaf.
    pub const fn locate(self, index: LeafIndex) -> Result<LeafInTree, OutOfRange> {
        if index.0 < self.0 {
            Ok(LeafInTree { index, size: self })
        } else {
            Err(OutOfRange { index, size: self })
        }
    }
}

impl LeafInTree {
    /// The leaf's position.
    pub const fn index(self) -> LeafIndex {
        self.index
    }

    /// The tree's size.
    pub const fn size(self) -> TreeSize {
        self.size
    }
}

/// `SHA-256(0x00 || leaf)` (RFC 6962 §2.1).
pub fn leaf_hash(leaf: &[u8]) -> Sha256 {
    Sha256::of_parts(&[&[0], leaf])
}

/// `SHA-256(0x01 || left || right)` (RFC 6962 §2.1).
pub fn node_hash(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root that an inclusion proof leads to (RFC 9162 §2.1.3.2).
///
/// # Errors
/// The proof does not have exactly the length that index and size imply.
pub fn root_from_inclusion(
    _leaf: LeafInTree,
    _leaf_hash: &Sha256,
    _proof: &[Sha256],
) -> Result<Sha256, ProofError> {
    todo!("log engine")
}

/// Verifies that the newer tree begins with the older one (RFC 9162 §2.1.4.2).
///
/// # Errors
/// The proof has the wrong length or leads to other roots, or the sizes are in the wrong order.
pub fn verify_consistency(
    _old: (TreeSize, &Sha256),
    _new: (TreeSize, &Sha256),
    _proof: &[Sha256],
) -> Result<(), ProofError> {
    todo!("log engine")
}
