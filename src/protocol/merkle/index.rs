//! Positions and sizes, which cannot be taken for one another.

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
