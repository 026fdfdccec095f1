//! Reads of the log (RFC 6962 §4.3–4.8, C2SP static-ct-api). All of them except the tree head block on storage.

use std::ops::Range;

use super::{CtLog, CtReadError};
use crate::log::{Leaf, ReadError};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{LeafInTree, LeafIndex, TileId, TileSpan, TreeSize};
use crate::protocol::note::UnverifiedNote;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::Certificate;
use crate::protocol::x509::sct::{PrecertChain, tile_leaf};

/// Maximum number of entries that one call returns.
pub(super) const MAX_ENTRIES: u64 = 256;

/// A signed tree head (RFC 6962 §4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeHead {
    pub size: TreeSize,
    pub time: UnixTime,
    pub root: Sha256,
    /// The DigitallySigned structure.
    pub signature: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEntry {
    /// MerkleTreeLeaf, which the leaf hash covers.
    pub leaf_input: Vec<u8>,
    /// PrecertChainEntry: the precertificate and its chain.
    pub extra_data: Vec<u8>,
}

/// An inclusion proof and the index of its leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProofByHash {
    pub index: LeafIndex,
    pub proof: Vec<Sha256>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryAndProof {
    pub entry: LogEntry,
    pub proof: Vec<Sha256>,
}

impl CtLog {
    /// The published tree head.
    ///
    /// # Errors
    /// The head does not verify with this log's key.
    pub(crate) fn tree_head(&self) -> Result<TreeHead, CtReadError> {
        let note = UnverifiedNote::parse(&self.log.head().note)?;
        let head = self.head_key.open(&note)?;
        Ok(TreeHead {
            size: head.checkpoint.size,
            time: head.time,
            root: head.checkpoint.root,
            signature: head.digitally_signed,
        })
    }

    /// Entries `start` to `end` inclusive, limited to the tree and to [`MAX_ENTRIES`].
    ///
    /// # Errors
    /// `start` exceeds `end` or is beyond the tree, or storage cannot be read.
    pub(crate) fn entries(&self, start: u64, end: u64) -> Result<Vec<LogEntry>, CtReadError> {
        let range = clamp(start, end, self.size())?;
        let leaves = self.log.leaves(range)?;
        Ok(leaves.into_iter().map(LogEntry::from).collect())
    }

    /// Proves that the tree of `second` entries extends the tree of `first` entries.
    ///
    /// # Errors
    /// A size is zero or exceeds the published one, `first` exceeds `second`, or storage cannot be read.
    pub(crate) fn consistency(&self, first: u64, second: u64) -> Result<Vec<Sha256>, CtReadError> {
        if first > second {
            return Err(CtReadError::SizeOrder);
        }
        let first = self.published(first)?;
        let second = self.published(second)?;
        if first == second {
            return Ok(Vec::new());
        }
        Ok(self.log.consistency_proof(first, second)?)
    }

    /// Proves that the tree of `size` entries contains the leaf with this hash.
    ///
    /// # Errors
    /// The size is not published, the tree does not contain the leaf, or storage cannot be read.
    pub(crate) fn proof_by_hash(
        &self,
        leaf_hash: &Sha256,
        size: u64,
    ) -> Result<ProofByHash, CtReadError> {
        let size = self.published(size)?;
        let index = self
            .log
            .index_of(leaf_hash)?
            .ok_or(CtReadError::UnknownHash)?;
        let leaf = size.locate(index).map_err(|_| CtReadError::UnknownHash)?;
        let proof = self.log.inclusion_proof(leaf)?;
        Ok(ProofByHash { index, proof })
    }

    /// An entry and its inclusion proof for the tree of `size` entries.
    ///
    /// # Errors
    /// The size is not published, the tree does not contain the leaf, or storage cannot be read.
    pub(crate) fn entry_and_proof(
        &self,
        index: u64,
        size: u64,
    ) -> Result<EntryAndProof, CtReadError> {
        let leaf: LeafInTree = self.published(size)?.locate(LeafIndex::new(index))?;
        let end = index.checked_add(1).ok_or(CtReadError::Range)?;
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

    /// The hashes of a tile.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] if the published tree does not fill the tile yet.
    pub(crate) fn tile(&self, tile: TileId) -> Result<Vec<Sha256>, ReadError> {
        self.log.tile(tile)
    }

    /// A data tile (C2SP static-ct-api): the TileLeaf structures of a span.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] if the published tree does not fill the tile yet.
    pub(crate) fn data_tile(&self, span: TileSpan) -> Result<Vec<u8>, ReadError> {
        let mut tile = Vec::new();
        for leaf in self.log.leaves(span.range())? {
            let entry = tile_leaf(&leaf.data, &leaf.extra).ok_or(ReadError::Storage)?;
            tile.extend_from_slice(&entry);
        }
        Ok(tile)
    }

    /// The DER certificate with this SHA-256, if it belongs to the chain of this instance's authority or
    /// of an entry.
    ///
    /// # Errors
    /// [`CtReadError::UnknownIssuer`], or storage cannot be read.
    pub(crate) fn issuer(&self, fingerprint: &Sha256) -> Result<Vec<u8>, CtReadError> {
        let mut current = self.issuers.current.iter().map(Certificate::der);
        if let Some(issuer) = current.find(|der| Sha256::of(der) == *fingerprint) {
            return Ok(issuer.to_vec());
        }
        let found = self.log.search(fingerprint, None, 1)?;
        let index = found.first().ok_or(CtReadError::UnknownIssuer)?.get();
        for leaf in self.log.leaves(index..index + 1)? {
            let chain = PrecertChain::parse(&leaf.extra).ok_or(ReadError::Storage)?;
            let mut issuers = chain.issuers.into_iter();
            if let Some(issuer) = issuers.find(|der| Sha256::of(der) == *fingerprint) {
                return Ok(issuer.to_vec());
            }
        }
        Err(CtReadError::Read(ReadError::Storage))
    }

    fn size(&self) -> u64 {
        self.log.head().size.get()
    }

    /// Checks that a requested size is published and not zero.
    fn published(&self, wanted: u64) -> Result<TreeSize, CtReadError> {
        let size = self.size();
        if (1..=size).contains(&wanted) {
            Ok(TreeSize::new(wanted))
        } else {
            Err(CtReadError::TreeSize { size })
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

/// The half-open range to serve for `start` to `end` inclusive.
fn clamp(start: u64, end: u64, size: u64) -> Result<Range<u64>, CtReadError> {
    if start > end {
        return Err(CtReadError::Range);
    }
    if start >= size {
        return Err(CtReadError::StartBeyondTree { size });
    }
    // Saturating, because clients may send u64::MAX.
    // Monitors request one entry past the end of the tree and expect a shortened reply.
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
    fn a_range_is_limited_to_the_tree_and_to_the_maximum() {
        assert_eq!(clamp(0, 10, 10).unwrap(), 0..10);
        assert_eq!(clamp(9, u64::MAX, 10).unwrap(), 9..10);
        assert_eq!(clamp(3, 3, 10).unwrap(), 3..4);
        assert_eq!(clamp(5, u64::MAX, 10_000).unwrap(), 5..5 + MAX_ENTRIES);
    }

    #[test]
    fn reversed_ranges_and_ranges_beyond_the_tree_are_refused() {
        assert!(matches!(clamp(4, 3, 10), Err(CtReadError::Range)));
        for (start, size) in [(10, 10), (0, 0), (u64::MAX, 10)] {
            assert!(matches!(
                clamp(start, u64::MAX, size),
                Err(CtReadError::StartBeyondTree { .. })
            ));
        }
    }
}
