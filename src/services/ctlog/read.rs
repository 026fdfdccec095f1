//! The reading side (RFC 6962 §4.3–4.8). Everything here may block on storage, except the head.

use std::ops::Range;

use super::{CtError, CtLog};
use crate::log::{Leaf, ReadError};
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::{LeafInTree, LeafIndex, TreeSize};
use crate::protocol::note::UnverifiedNote;
use crate::protocol::time::UnixTime;

/// How many entries one call returns at most.
pub(super) const MAX_ENTRIES: u64 = 256;

/// A signed tree head (RFC 6962 §4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeHead {
    /// How many entries the tree has.
    pub size: TreeSize,
    /// When it was signed.
    pub time: UnixTime,
    /// Its root hash.
    pub root: Sha256,
    /// The DigitallySigned structure.
    pub signature: Vec<u8>,
}

/// An entry as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEntry {
    /// The MerkleTreeLeaf, which is what was hashed.
    pub leaf_input: Vec<u8>,
    /// The precertificate and the chain above it.
    pub extra_data: Vec<u8>,
}

/// An inclusion proof and the place of the leaf that was named by hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProofByHash {
    /// Where the leaf stands.
    pub index: LeafIndex,
    /// The proof, from leaf to root.
    pub proof: Vec<Sha256>,
}

/// An entry with its inclusion proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryAndProof {
    /// The entry.
    pub entry: LogEntry,
    /// The proof, from leaf to root.
    pub proof: Vec<Sha256>,
}

impl CtLog {
    /// The newest published tree head.
    ///
    /// # Errors
    /// The head is not one that this log signed.
    pub(crate) fn tree_head(&self) -> Result<TreeHead, CtError> {
        let note = UnverifiedNote::parse(&self.log.head().note)?;
        let head = self.head_key.open(&note)?;
        Ok(TreeHead {
            size: head.checkpoint.size,
            time: head.time,
            root: head.checkpoint.root,
            signature: head.digitally_signed,
        })
    }

    /// Entries `start` to `end`, both included; fewer where the tree or [`MAX_ENTRIES`] ends.
    ///
    /// # Errors
    /// A range that is backwards or begins behind the tree, or storage that cannot be read.
    pub(crate) fn entries(&self, start: u64, end: u64) -> Result<Vec<LogEntry>, CtError> {
        let range = clamp(start, end, self.size())?;
        let leaves = self.log.leaves(range)?;
        Ok(leaves.into_iter().map(LogEntry::from).collect())
    }

    /// The proof that the tree of `second` entries begins with that of `first`.
    ///
    /// # Errors
    /// Sizes that are zero, in the wrong order or not published, or storage that cannot be read.
    pub(crate) fn consistency(&self, first: u64, second: u64) -> Result<Vec<Sha256>, CtError> {
        if first > second {
            return Err(CtError::SizeOrder);
        }
        let first = self.published(first)?;
        let second = self.published(second)?;
        if first == second {
            return Ok(Vec::new());
        }
        Ok(self.log.consistency_proof(first, second)?)
    }

    /// The inclusion proof of the leaf with this hash in the tree of `size` entries.
    ///
    /// # Errors
    /// A size that is not published, a hash that the tree does not have, or storage.
    pub(crate) fn proof_by_hash(
        &self,
        leaf_hash: &Sha256,
        size: u64,
    ) -> Result<ProofByHash, CtError> {
        let size = self.published(size)?;
        let index = self.log.index_of(leaf_hash)?.ok_or(CtError::UnknownHash)?;
        let leaf = size.locate(index).map_err(|_| CtError::UnknownHash)?;
        let proof = self.log.inclusion_proof(leaf)?;
        Ok(ProofByHash { index, proof })
    }

    /// An entry and its inclusion proof in the tree of `size` entries.
    ///
    /// # Errors
    /// A size that is not published, a leaf that is not in the tree, or storage.
    pub(crate) fn entry_and_proof(&self, index: u64, size: u64) -> Result<EntryAndProof, CtError> {
        let leaf: LeafInTree = self.published(size)?.locate(LeafIndex::new(index))?;
        let end = index.checked_add(1).ok_or(CtError::Range)?;
        let entry = self
            .log
            .leaves(index..end)?
            .pop()
            .ok_or(ReadError::Storage)?;
        Ok(EntryAndProof {
            entry: entry.into(),
            proof: self.log.inclusion_proof(leaf)?,
        })
    }

    fn size(&self) -> u64 {
        self.log.head().size.get()
    }

    /// A size that has been published and is not zero.
    fn published(&self, wanted: u64) -> Result<TreeSize, CtError> {
        let size = self.size();
        if (1..=size).contains(&wanted) {
            Ok(TreeSize::new(wanted))
        } else {
            Err(CtError::TreeSize { size })
        }
    }
}

impl From<Leaf> for LogEntry {
    fn from(leaf: Leaf) -> Self {
        Self {
            leaf_input: leaf.data,
            extra_data: leaf.extra,
        }
    }
}

/// The half-open range that is served for `start` to `end`, both included.
fn clamp(start: u64, end: u64, size: u64) -> Result<Range<u64>, CtError> {
    if start > end {
        return Err(CtError::Range);
    }
    if start >= size {
        return Err(CtError::StartBeyondTree { size });
    }
    // Monitors ask for one entry past the end (contract, gotcha 27).
    let end = end
        .saturating_add(1)
        .min(size)
        .min(start.saturating_add(MAX_ENTRIES));
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_tree_and_to_the_limit() {
        assert_eq!(clamp(0, 10, 10).unwrap(), 0..10);
        assert_eq!(clamp(9, u64::MAX, 10).unwrap(), 9..10);
        assert_eq!(clamp(3, 3, 10).unwrap(), 3..4);
        assert_eq!(clamp(5, u64::MAX, 10_000).unwrap(), 5..5 + MAX_ENTRIES);
    }

    #[test]
    fn a_range_that_is_backwards_or_behind_the_tree_is_refused() {
        assert!(matches!(clamp(4, 3, 10), Err(CtError::Range)));
        for (start, size) in [(10, 10), (0, 0), (u64::MAX, 10)] {
            assert!(matches!(
                clamp(start, u64::MAX, size),
                Err(CtError::StartBeyondTree { .. })
            ));
        }
    }
}
