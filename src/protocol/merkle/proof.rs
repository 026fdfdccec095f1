//! Inclusion and consistency proofs, made from stored nodes and verified (RFC 9162 §2.1.3, §2.1.4).

use super::{LeafInTree, TreeSize, empty_root, node_hash};
use crate::protocol::bytes::Sha256;

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

/// A node whose subtree is complete: it covers the leaves from `index << level`, `1 << level` of
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// The height above the leaves, at most 63.
    pub level: u8,
    /// The position in that level, from zero.
    pub index: u64,
}

impl NodeId {
    /// The leaf at this position, as a node.
    pub const fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }

    /// The node above.
    #[must_use]
    pub const fn parent(self) -> Self {
        Self {
            level: self.level.saturating_add(1),
            index: self.index >> 1,
        }
    }

    /// The complete subtrees that the leaves `start..end` decompose into, the largest first where
    /// `start` is a multiple of the smallest power of two that is not below the range's length.
    pub(super) fn covering(mut start: u64, end: u64) -> Vec<Self> {
        let mut nodes = Vec::new();
        while let Some(length) = end.checked_sub(start).filter(|length| *length > 0) {
            let level = length.ilog2();
            nodes.push(Self {
                level: u8::try_from(level).unwrap_or(u8::MAX),
                index: start.checked_shr(level).unwrap_or(0),
            });
            start = start.saturating_add(1_u64.checked_shl(level).unwrap_or(length));
        }
        nodes
    }
}

/// The inclusion proof of a leaf, from nodes that `read` supplies (RFC 9162 §2.1.3.1).
///
/// # Errors
/// What `read` fails with.
pub fn inclusion_proof<E>(
    leaf: LeafInTree,
    mut read: impl FnMut(NodeId) -> Result<Sha256, E>,
) -> Result<Vec<Sha256>, E> {
    let index = leaf.index().get();
    let (mut start, mut end) = (0, leaf.size().get());
    let mut proof = Vec::new();
    while let Some(middle) = split(start, end) {
        if index < middle {
            proof.push(range_root(middle, end, &mut read)?);
            end = middle;
        } else {
            proof.push(range_root(start, middle, &mut read)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the newer tree begins with the older one (RFC 9162 §2.1.4.1). It is empty where
/// the sizes are equal, where the older tree is empty, and where the sizes are in the wrong order.
///
/// # Errors
/// What `read` fails with.
pub(crate) fn consistency_proof<E>(
    old: TreeSize,
    new: TreeSize,
    mut read: impl FnMut(NodeId) -> Result<Sha256, E>,
) -> Result<Vec<Sha256>, E> {
    let (old, new) = (old.get(), new.get());
    if old == 0 || old >= new {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, new);
    let mut proof = Vec::new();
    while let Some(middle) = split(start, end).filter(|_| old < end) {
        if old <= middle {
            proof.push(range_root(middle, end, &mut read)?);
            end = middle;
        } else {
            proof.push(range_root(start, middle, &mut read)?);
            start = middle;
        }
    }
    // The subtree where the older tree ends is known to the verifier only if it is the whole of it.
    if start > 0 {
        proof.push(range_root(start, end, &mut read)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root of the tree with the first `size` leaves.
///
/// # Errors
/// What `read` fails with.
pub(crate) fn root<E>(
    size: TreeSize,
    mut read: impl FnMut(NodeId) -> Result<Sha256, E>,
) -> Result<Sha256, E> {
    range_root(0, size.get(), &mut read)
}

/// Where RFC 9162 §2.1.1 splits the leaves `start..end`; none where there is one leaf or none.
fn split(start: u64, end: u64) -> Option<u64> {
    let last = end.checked_sub(start)?.checked_sub(1)?;
    let half = 1_u64.checked_shl(last.checked_ilog2()?)?;
    start.checked_add(half)
}

fn range_root<E>(
    start: u64,
    end: u64,
    read: &mut impl FnMut(NodeId) -> Result<Sha256, E>,
) -> Result<Sha256, E> {
    let mut hash = None;
    for node in NodeId::covering(start, end).into_iter().rev() {
        let left = read(node)?;
        hash = Some(hash.map_or(left, |right| node_hash(&left, &right)));
    }
    Ok(hash.unwrap_or_else(empty_root))
}

/// The root that an inclusion proof leads to (RFC 9162 §2.1.3.2).
///
/// # Errors
/// The proof does not have exactly the length that index and size imply.
pub fn root_from_inclusion(
    leaf: LeafInTree,
    leaf_hash: &Sha256,
    proof: &[Sha256],
) -> Result<Sha256, ProofError> {
    let index = leaf.index().get();
    let shape = Shape::of(index, leaf.size());
    let (inner, border) = shape.divide(proof, 0)?;
    let hash = climb(*leaf_hash, inner, index);
    Ok(climb_border(hash, border))
}

/// Verifies that the newer tree begins with the older one (RFC 9162 §2.1.4.2).
///
/// # Errors
/// The proof has the wrong length or leads to other roots, or the sizes are in the wrong order.
#[cfg(any(test, feature = "testing"))]
pub fn verify_consistency(
    old: (TreeSize, &Sha256),
    new: (TreeSize, &Sha256),
    proof: &[Sha256],
) -> Result<(), ProofError> {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size > new_size {
        return Err(ProofError::Order);
    }
    let Some(last) = old_size.get().checked_sub(1) else {
        return empty_proof(proof, *old_root == empty_root());
    };
    if old_size == new_size {
        return empty_proof(proof, old_root == new_root);
    }
    let level = old_size.get().trailing_zeros();
    let mut shape = Shape::of(last, new_size);
    shape.inner = shape
        .inner
        .saturating_sub(usize::try_from(level).unwrap_or(usize::MAX));
    // A power of two is a subtree of the newer tree, so its root is known and stands for itself.
    let (seed, rest) = if old_size.get().is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(ProofError::Length {
            expected: shape.length().saturating_add(1),
            actual: 0,
        })?;
        (*first, rest)
    };
    let skipped = proof.len().saturating_sub(rest.len());
    let (inner, border) = shape.divide(rest, skipped)?;
    let path = last.checked_shr(level).unwrap_or(0);
    let old_hash = climb_border(climb_left(seed, inner, path), border);
    let new_hash = climb_border(climb(seed, inner, path), border);
    if old_hash == *old_root && new_hash == *new_root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

#[cfg(any(test, feature = "testing"))]
const fn empty_proof(proof: &[Sha256], roots_agree: bool) -> Result<(), ProofError> {
    if !proof.is_empty() {
        return Err(ProofError::Length {
            expected: 0,
            actual: proof.len(),
        });
    }
    if roots_agree {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// How many siblings a path has below the point where it joins the tree's right edge, and above.
struct Shape {
    inner: usize,
    border: usize,
}

impl Shape {
    fn of(index: u64, size: TreeSize) -> Self {
        let last = size.get().saturating_sub(1);
        let inner = u64::BITS.saturating_sub((index ^ last).leading_zeros());
        let border = index.checked_shr(inner).unwrap_or(0).count_ones();
        let count = |bits: u32| usize::try_from(bits).unwrap_or(usize::MAX);
        Self {
            inner: count(inner),
            border: count(border),
        }
    }

    const fn length(&self) -> usize {
        self.inner.saturating_add(self.border)
    }

    /// Divides a proof of which `skipped` hashes have been used already.
    fn divide<'p>(
        &self,
        proof: &'p [Sha256],
        skipped: usize,
    ) -> Result<(&'p [Sha256], &'p [Sha256]), ProofError> {
        let wrong_length = ProofError::Length {
            expected: self.length().saturating_add(skipped),
            actual: proof.len().saturating_add(skipped),
        };
        if proof.len() != self.length() {
            return Err(wrong_length);
        }
        proof.split_at_checked(self.inner).ok_or(wrong_length)
    }
}

/// Joins siblings on the side that each bit of the path names.
fn climb(seed: Sha256, siblings: &[Sha256], path: u64) -> Sha256 {
    let mut path = path;
    siblings.iter().fold(seed, |hash, sibling| {
        let is_right = path & 1 == 1;
        path >>= 1;
        if is_right {
            node_hash(sibling, &hash)
        } else {
            node_hash(&hash, sibling)
        }
    })
}

/// Joins only the siblings to the left: what the older tree knew.
#[cfg(any(test, feature = "testing"))]
fn climb_left(seed: Sha256, siblings: &[Sha256], path: u64) -> Sha256 {
    let mut path = path;
    siblings.iter().fold(seed, |hash, sibling| {
        let is_right = path & 1 == 1;
        path >>= 1;
        if is_right {
            node_hash(sibling, &hash)
        } else {
            hash
        }
    })
}

fn climb_border(seed: Sha256, siblings: &[Sha256]) -> Sha256 {
    siblings
        .iter()
        .fold(seed, |hash, sibling| node_hash(sibling, &hash))
}

#[cfg(test)]
mod tests;
