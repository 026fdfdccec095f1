//! Inclusion and consistency proofs, generated from stored nodes and verified (RFC 9162 §2.1.3, §2.1.4).

use super::{LeafInTree, TreeSize, empty_root, node_hash};
use crate::protocol::hash::Sha256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index and the sizes imply the length
    #[error("the proof has {actual} hashes where {expected} are needed")]
    Length { expected: usize, actual: usize },
    #[error("the proof leads to another root than the one claimed")]
    Root,
    #[error("the older tree is larger than the newer one")]
    Order,
}

/// A node whose subtree is complete: it covers `1 << level` leaves from `index << level` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// The height above the leaves, at most 63.
    pub level: u8,
    /// The position in that level, from 0.
    pub index: u64,
}

impl NodeId {
    /// The node of a leaf.
    pub const fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }

    /// The node above it.
    #[must_use]
    pub const fn parent(self) -> Self {
        Self {
            level: self.level + 1,
            index: self.index >> 1,
        }
    }

    /// The complete subtrees that the leaves `start..end` decompose into, the largest first. `start` must
    /// be a multiple of the smallest power of two that is not less than the range's length.
    pub(super) fn covering(mut start: u64, end: u64) -> Vec<Self> {
        let mut nodes = Vec::new();
        while start < end {
            let level = (end - start).ilog2();
            nodes.push(Self {
                level: u8::try_from(level).expect("a u64 has 64 bits"),
                index: start >> level,
            });
            start += 1 << level;
        }
        nodes
    }
}

/// Generates the inclusion proof of a leaf from the nodes that `read` returns (RFC 9162 §2.1.3.1).
///
/// # Errors
/// Those of `read`.
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

/// Generates the proof that the older tree is a prefix of the newer one (RFC 9162 §2.1.4.1). It is empty
/// if the sizes are equal or in the wrong order, or if the older tree is empty.
///
/// # Errors
/// Those of `read`.
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
    // The verifier knows the subtree where the older tree ends only if it is the whole older tree.
    if start > 0 {
        proof.push(range_root(start, end, &mut read)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root of the tree with the first `size` leaves.
///
/// # Errors
/// Those of `read`.
pub(crate) fn root<E>(
    size: TreeSize,
    mut read: impl FnMut(NodeId) -> Result<Sha256, E>,
) -> Result<Sha256, E> {
    range_root(0, size.get(), &mut read)
}

/// Where RFC 9162 §2.1.1 splits the leaves `start..end`; none if there is at most one leaf.
fn split(start: u64, end: u64) -> Option<u64> {
    let length = end.checked_sub(start).filter(|length| *length > 1)?;
    Some(start + (1 << (length - 1).ilog2()))
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

/// The root to which an inclusion proof leads (RFC 9162 §2.1.3.2).
///
/// # Errors
/// The proof does not have the length that index and size imply.
pub fn root_from_inclusion(
    leaf: LeafInTree,
    leaf_hash: &Sha256,
    proof: &[Sha256],
) -> Result<Sha256, ProofError> {
    let index = leaf.index().get();
    let path = PathLength::of(index, leaf.size());
    let (inner, border) = path.divide(proof, 0)?;
    let hash = climb(*leaf_hash, inner, index);
    Ok(climb_border(hash, border))
}

/// Verifies that the older tree is a prefix of the newer one (RFC 9162 §2.1.4.2).
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
    let mut path = PathLength::of(last, new_size);
    // The newer tree's last leaf is beyond the older tree's last subtree, which has this level, so the
    // paths of the two last leaves join above it.
    path.inner -= to_usize(level);
    // If the older tree's size is a power of two, its root is a node of the newer tree and is not
    // repeated in the proof.
    let (seed, rest) = if old_size.get().is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(ProofError::Length {
            expected: path.inner + path.border + 1,
            actual: 0,
        })?;
        (*first, rest)
    };
    let skipped = proof.len() - rest.len();
    let (inner, border) = path.divide(rest, skipped)?;
    // `level` is less than 64: the older tree is not empty.
    let directions = last >> level;
    let old_hash = climb_border(climb_left(seed, inner, directions), border);
    let new_hash = climb_border(climb(seed, inner, directions), border);
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

/// The number of siblings on a leaf's path below the point where it joins the tree's right edge, and
/// above it.
struct PathLength {
    inner: usize,
    border: usize,
}

impl PathLength {
    /// The size must be greater than the index.
    fn of(index: u64, size: TreeSize) -> Self {
        let last = size.get() - 1;
        let inner = u64::BITS - (index ^ last).leading_zeros();
        // All 64 bits are shifted out if the two differ in the highest bit.
        let border = index.checked_shr(inner).unwrap_or(0).count_ones();
        Self {
            inner: to_usize(inner),
            border: to_usize(border),
        }
    }

    /// Divides a proof whose first `skipped` hashes were used already.
    fn divide<'p>(
        &self,
        proof: &'p [Sha256],
        skipped: usize,
    ) -> Result<(&'p [Sha256], &'p [Sha256]), ProofError> {
        let length = self.inner + self.border;
        let wrong_length = ProofError::Length {
            expected: length + skipped,
            actual: proof.len() + skipped,
        };
        if proof.len() != length {
            return Err(wrong_length);
        }
        proof.split_at_checked(self.inner).ok_or(wrong_length)
    }
}

fn to_usize(bits: u32) -> usize {
    usize::try_from(bits).expect("a number of bits is at most 64")
}

/// Hashes upwards with each sibling: it is on the left if the bit of `directions` is set.
fn climb(seed: Sha256, siblings: &[Sha256], mut directions: u64) -> Sha256 {
    siblings.iter().fold(seed, |hash, sibling| {
        let is_right = directions & 1 == 1;
        directions >>= 1;
        if is_right {
            node_hash(sibling, &hash)
        } else {
            node_hash(&hash, sibling)
        }
    })
}

/// Hashes upwards with the left siblings only, which are those that the older tree contains.
#[cfg(any(test, feature = "testing"))]
fn climb_left(seed: Sha256, siblings: &[Sha256], mut directions: u64) -> Sha256 {
    siblings.iter().fold(seed, |hash, sibling| {
        let is_right = directions & 1 == 1;
        directions >>= 1;
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
