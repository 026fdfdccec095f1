#![expect(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a panic would fail the test"
)]

use std::collections::HashMap;
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::protocol::merkle::{Frontier, LeafIndex, leaf_hash};

struct Tree {
    leaves: Vec<Sha256>,
    roots: Vec<Sha256>,
    nodes: HashMap<NodeId, Sha256>,
}

impl Tree {
    fn new(size: u64) -> Self {
        let mut frontier = Frontier::empty();
        let mut tree = Self {
            leaves: Vec::new(),
            roots: vec![frontier.root()],
            nodes: HashMap::new(),
        };
        for i in 0..size {
            let leaf = leaf_hash(&i.to_be_bytes());
            frontier.push(leaf, |id, hash| {
                tree.nodes.insert(id, hash);
            });
            tree.leaves.push(leaf);
            tree.roots.push(frontier.root());
        }
        tree
    }

    fn read(&self, id: NodeId) -> Result<Sha256, Infallible> {
        Ok(self.nodes[&id])
    }

    fn root(&self, size: u64) -> &Sha256 {
        &self.roots[usize::try_from(size).unwrap()]
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<Sha256> {
        let leaf = leaf_in(index, size);
        inclusion_proof(leaf, |id| self.read(id)).unwrap()
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Sha256> {
        consistency_proof(TreeSize::new(old), TreeSize::new(new), |id| self.read(id)).unwrap()
    }

    fn verify(&self, old: u64, new: u64, proof: &[Sha256]) -> Result<(), ProofError> {
        verify_consistency(
            (TreeSize::new(old), self.root(old)),
            (TreeSize::new(new), self.root(new)),
            proof,
        )
    }
}

fn leaf_in(index: u64, size: u64) -> LeafInTree {
    TreeSize::new(size).locate(LeafIndex::new(index)).unwrap()
}

#[test]
fn every_proof_of_every_tree_up_to_300_leaves_verifies() {
    let tree = Tree::new(300);
    for size in 1..=300 {
        let root = super::root(TreeSize::new(size), |id| tree.read(id)).unwrap();
        assert_eq!(root, *tree.root(size));
        for index in 0..size {
            let proof = tree.inclusion(index, size);
            let leaf = &tree.leaves[usize::try_from(index).unwrap()];
            assert_eq!(
                root_from_inclusion(leaf_in(index, size), leaf, &proof),
                Ok(root)
            );
            assert_eq!(
                tree.verify(index, size, &tree.consistency(index, size)),
                Ok(())
            );
        }
        assert_eq!(tree.verify(size, size, &[]), Ok(()));
    }
}

#[test]
fn the_proofs_of_the_example_tree_of_rfc_6962_are_generated_and_verified() {
    // RFC 6962 §2.1.3: a tree of seven leaves d0 … d6.
    let tree = Tree::new(7);
    let node = |level, index| tree.nodes[&NodeId { level, index }];
    let l = super::root(TreeSize::new(7), |id| tree.read(id)).unwrap();
    let right = node_hash(&node(1, 2), &node(0, 6));
    assert_eq!(l, node_hash(&node(2, 0), &right));

    assert_eq!(tree.inclusion(0, 7), [node(0, 1), node(1, 1), right]);
    assert_eq!(tree.inclusion(3, 7), [node(0, 2), node(1, 0), right]);
    assert_eq!(tree.inclusion(4, 7), [node(0, 5), node(0, 6), node(2, 0)]);
    assert_eq!(tree.inclusion(6, 7), [node(1, 2), node(2, 0)]);
    assert_eq!(
        tree.consistency(3, 7),
        [node(0, 2), node(0, 3), node(1, 0), right]
    );
    assert_eq!(tree.consistency(4, 7), [right]);
    assert_eq!(tree.consistency(6, 7), [node(1, 2), node(0, 6), node(2, 0)]);
}

#[test]
fn a_larger_old_tree_is_refused_with_any_proof() {
    let tree = Tree::new(8);

    assert_eq!(tree.verify(8, 7, &[]), Err(ProofError::Order));
}

#[test]
fn equal_sizes_with_unequal_roots_are_refused() {
    let tree = Tree::new(8);
    let other = leaf_hash(b"other");
    let size = TreeSize::new(8);

    assert_eq!(
        verify_consistency((size, &other), (size, tree.root(8)), &[]),
        Err(ProofError::Root)
    );
    assert_eq!(
        verify_consistency((TreeSize::EMPTY, &other), (size, tree.root(8)), &[]),
        Err(ProofError::Root)
    );
}

#[test]
fn indices_up_to_the_last_one_do_not_overflow() {
    let leaf = leaf_in(u64::MAX - 1, u64::MAX);
    let proof = vec![leaf_hash(b""); 63];
    for length in 0..proof.len() {
        let _ = root_from_inclusion(leaf, &leaf_hash(b""), &proof[..length]);
    }
    let (old, new) = (TreeSize::new(u64::MAX - 1), TreeSize::new(u64::MAX));
    let root = leaf_hash(b"");

    verify_consistency((old, &root), (new, &root), &proof).unwrap_err();
}

proptest! {
    #[test]
    fn a_proof_is_refused_for_any_other_index_size_length_or_hash(
        size in 2_u64..300, index in 0_u64..300, other in 0_u64..300, place in 0_usize..16,
    ) {
        let index = index % size;
        let tree = Tree::new(300);
        let leaf = tree.leaves[usize::try_from(index).unwrap()];
        let root = *tree.root(size);
        let proof = tree.inclusion(index, size);
        let leads = |at: LeafInTree, leaf: &Sha256, proof: &[Sha256]| {
            root_from_inclusion(at, leaf, proof) == Ok(root)
        };

        if other % size != index {
            prop_assert!(!leads(leaf_in(other % size, size), &leaf, &proof));
        }
        prop_assert!(!leads(leaf_in(index, size), &leaf_hash(b"other"), &proof));
        prop_assert!(!leads(leaf_in(index, size), &leaf, &proof[1..]));
        prop_assert!(!leads(leaf_in(index, size), &leaf, &[&proof[..], &[root]].concat()));
        let mut changed = proof.clone();
        changed[place % proof.len()] = leaf_hash(b"changed");
        prop_assert!(!leads(leaf_in(index, size), &leaf, &changed));
    }

    #[test]
    fn a_consistency_proof_is_refused_with_any_change(
        old in 1_u64..299, more in 1_u64..299, place in 0_usize..16,
    ) {
        let new = (old + more).min(300);
        let tree = Tree::new(300);
        let proof = tree.consistency(old, new);

        let longer = [&proof[..], &[leaf_hash(b"")]].concat();
        prop_assert!(tree.verify(old, new, &longer).is_err());
        prop_assert!(tree.verify(old, new, &proof[1..]).is_err());
        let mut changed = proof.clone();
        changed[place % proof.len()] = leaf_hash(b"changed");
        prop_assert_eq!(tree.verify(old, new, &changed), Err(ProofError::Root));
        let other_root = leaf_hash(b"other");
        let refused = verify_consistency(
            (TreeSize::new(old), &other_root),
            (TreeSize::new(new), tree.root(new)),
            &proof,
        );
        prop_assert!(refused.is_err());
    }
}
