//! Reading the log (RFC 6962 §4.3–4.8, C2SP static-ct-api). Everything but the head blocks on storage.

use std::ops::Range;

use super::{CtLog, CtReadError};
use crate::log::{Leaf, ReadError};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{LeafInTree, LeafIndex, TileId, TileSpan, TreeSize};
use crate::protocol::note::UnverifiedNote;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::Certificate;
use crate::protocol::x509::sct::{PrecertChain, tile_leaf};

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

    /// Entries `start` to `end`, both included; fewer where the tree or [`MAX_ENTRIES`] ends.
    ///
    /// # Errors
    /// A range that is backwards or begins behind the tree, or storage that cannot be read.
    pub(crate) fn entries(&self, start: u64, end: u64) -> Result<Vec<LogEntry>, CtReadError> {
        let range = clamp(start, end, self.size())?;
        let leaves = self.log.leaves(range)?;
        Ok(leaves.into_iter().map(LogEntry::from).collect())
    }

    /// The proof that the tree of `second` entries begins with that of `first`.
    ///
    /// # Errors
    /// Sizes that are zero, in the wrong order or not published, or storage that cannot be read.
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

    /// The inclusion proof of the leaf with this hash in the tree of `size` entries.
    ///
    /// # Errors
    /// A size that is not published, a hash that the tree does not have, or storage.
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

    /// An entry and its inclusion proof in the tree of `size` entries.
    ///
    /// # Errors
    /// A size that is not published, a leaf that is not in the tree, or storage.
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

    /// The hashes of a tile that the published tree fills. Blocks on storage.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] if the tree does not fill it yet.
    pub(crate) fn tile(&self, tile: TileId) -> Result<Vec<Sha256>, ReadError> {
        self.log.tile(tile)
    }

    /// A data tile (C2SP static-ct-api): the TileLeaf structures of a span. Blocks on storage.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] if the tree does not fill it yet.
    pub(crate) fn data_tile(&self, span: TileSpan) -> Result<Vec<u8>, ReadError> {
        let mut tile = Vec::new();
        for leaf in self.log.leaves(span.range())? {
            let entry = tile_leaf(&leaf.data, &leaf.extra).ok_or(ReadError::Storage)?;
            tile.extend_from_slice(&entry);
        }
        Ok(tile)
    }

    /// The certificate in DER with this SHA-256, if an entry was submitted with it in its chain or if
    /// it is one of the authority's own. Blocks on storage.
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

    /// A size that has been published and is not zero.
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

/// The half-open range that is served for `start` to `end`, both included.
fn clamp(start: u64, end: u64, size: u64) -> Result<Range<u64>, CtReadError> {
    if start > end {
        return Err(CtReadError::Range);
    }
    if start >= size {
        return Err(CtReadError::StartBeyondTree { size });
    }
    // Monitors ask for one entry past the end and expect the entries before it.
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
        assert!(matches!(clamp(4, 3, 10), Err(CtReadError::Range)));
        for (start, size) in [(10, 10), (0, 0), (u64::MAX, 10)] {
            assert!(matches!(
                clamp(start, u64::MAX, size),
                Err(CtReadError::StartBeyondTree { .. })
            ));
        }
    }
}
