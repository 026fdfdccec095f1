//! Positions and sizes as types of their own, so that they cannot be mixed up.

/// The position of a leaf, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(u64);

/// The number of leaves of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(u64);

/// A leaf and a tree that contains it: `index < size` by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafInTree {
    index: LeafIndex,
    size: TreeSize,
}

/// The tree has no such leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leaf {} is not in a tree of {} leaves", .index.0, .size.0)]
pub struct OutOfRange {
    pub index: LeafIndex,
    pub size: TreeSize,
}

impl LeafIndex {
    /// The leaf after `index` other leaves.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The number of leaves before it.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TreeSize {
    /// The empty tree.
    pub const EMPTY: Self = Self(0);

    /// A tree with `size` leaves.
    pub const fn new(size: u64) -> Self {
        Self(size)
    }

    /// The number of leaves.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The leaf at this index.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_located_only_in_a_tree_that_contains_it() {
        let size = TreeSize::new(3);

        assert_eq!(size.locate(LeafIndex::new(2)).unwrap().index().get(), 2);
        for index in [3, 4, u64::MAX] {
            size.locate(LeafIndex::new(index)).unwrap_err();
        }
        TreeSize::EMPTY.locate(LeafIndex::new(0)).unwrap_err();
    }
}
