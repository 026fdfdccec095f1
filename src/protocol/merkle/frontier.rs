//! The right edge of a tree: all that is needed to append to it.

use super::{NodeId, TreeSize, empty_root, node_hash};
use crate::protocol::hash::Sha256;

/// The roots of the complete subtrees that a tree decomposes into, the largest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Sha256>,
}

/// The number of hashes is not the number of one bits of the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves does not have a right edge of {nodes} hashes")]
pub struct NotAFrontier {
    /// The tree's size.
    pub size: u64,
    /// How many hashes were given.
    pub nodes: usize,
}

impl Frontier {
    /// The edge of the empty tree.
    pub const fn empty() -> Self {
        Self {
            size: 0,
            nodes: Vec::new(),
        }
    }

    /// The edge with the hashes of the nodes in [`Self::node_ids`], in that order.
    ///
    /// # Errors
    /// Another number of hashes.
    pub fn from_nodes(size: TreeSize, nodes: Vec<Sha256>) -> Result<Self, NotAFrontier> {
        if u32::try_from(nodes.len()) != Ok(size.get().count_ones()) {
            return Err(NotAFrontier {
                size: size.get(),
                nodes: nodes.len(),
            });
        }
        Ok(Self {
            size: size.get(),
            nodes,
        })
    }

    /// The nodes on the right edge of a tree of this size, the largest subtree first.
    pub fn node_ids(size: TreeSize) -> Vec<NodeId> {
        NodeId::covering(0, size.get())
    }

    /// The number of leaves of the tree.
    pub const fn size(&self) -> TreeSize {
        TreeSize::new(self.size)
    }

    /// The hashes on the edge, in the order of [`Self::node_ids`].
    pub fn nodes(&self) -> &[Sha256] {
        &self.nodes
    }

    /// Appends a leaf by its hash. Calls `complete` with each node that becomes complete, from the leaf
    /// upwards.
    pub fn push(&mut self, leaf_hash: Sha256, mut complete: impl FnMut(NodeId, Sha256)) {
        let mut node = NodeId::leaf(self.size);
        let mut hash = leaf_hash;
        complete(node, hash);
        // Each one bit at the end of the size is a complete subtree that the new leaf closes.
        for _ in 0..self.size.trailing_ones() {
            let left = self
                .nodes
                .pop()
                .expect("the edge has a hash for each one bit of the size");
            hash = node_hash(&left, &hash);
            node = node.parent();
            complete(node, hash);
        }
        self.nodes.push(hash);
        self.size += 1;
    }

    /// The tree's root.
    pub fn root(&self) -> Sha256 {
        self.nodes
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::merkle::leaf_hash;

    /// The definition of RFC 6962 §2.1.
    fn tree_hash(leaves: &[Sha256]) -> Sha256 {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&tree_hash(left), &tree_hash(right))
            }
        }
    }

    #[test]
    fn the_root_of_the_edge_is_the_one_that_rfc_6962_defines() {
        let leaves: Vec<_> = (0..130_u32).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        let mut frontier = Frontier::empty();
        for size in 0..leaves.len() {
            assert_eq!(frontier.root(), tree_hash(&leaves[..size]));
            frontier.push(leaves[size], |_, _| ());
        }
    }

    #[test]
    fn an_edge_is_restored_from_the_nodes_that_it_names() {
        let mut nodes = std::collections::HashMap::new();
        let mut frontier = Frontier::empty();
        for i in 0..77_u32 {
            frontier.push(leaf_hash(&i.to_be_bytes()), |id, hash| {
                nodes.insert(id, hash);
            });
            let ids = Frontier::node_ids(frontier.size());
            let hashes = ids.iter().map(|id| nodes[id]).collect();

            assert_eq!(
                Frontier::from_nodes(frontier.size(), hashes).as_ref(),
                Ok(&frontier)
            );
        }
        Frontier::from_nodes(TreeSize::new(3), vec![empty_root()]).unwrap_err();
    }
}
