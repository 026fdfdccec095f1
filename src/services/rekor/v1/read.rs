//! Lookups of entries, and consistency proofs. All of them block on storage.

use super::{EntryId, EntryName, SignatureLogV1, V1Error, V1LoggedEntry, decode_integrated_time};
use crate::log::ReadError;
use crate::protocol::entry::v1::ProposedEntry;
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{LeafIndex, TreeSize, leaf_hash};

/// Maximum number of entries that one request can look up.
pub(crate) const MAX_LOOKUPS: usize = 10;

/// What identifies an entry in a request.
#[derive(Clone, Debug)]
pub enum EntryLookup {
    Name(EntryName),
    /// The proposal that was logged
    Proposal(Box<ProposedEntry>),
    /// Index in the tree
    Index(u64),
}

/// A consistency proof between two trees of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consistency {
    /// Empty if both trees have the same size.
    pub hashes: Vec<Sha256>,
    /// Root of the larger tree.
    pub root: Sha256,
}

impl SignatureLogV1 {
    /// Looks up several entries and omits those that the log does not contain. Every signed entry
    /// timestamp is signed again, over the stored time; inclusion proofs are for the newest head.
    ///
    /// # Errors
    /// There are too many lookups, a proposal has no canonical form, or storage cannot be read.
    pub(crate) fn entries(&self, lookups: &[EntryLookup]) -> Result<Vec<V1LoggedEntry>, V1Error> {
        if lookups.len() > MAX_LOOKUPS {
            return Err(V1Error::TooManyLookups(lookups.len()));
        }
        let found = lookups.iter().map(|lookup| self.entry(lookup));
        found.filter_map(Result::transpose).collect()
    }

    /// Looks up one entry.
    ///
    /// # Errors
    /// See [`Self::entries`].
    pub(crate) fn entry(&self, lookup: &EntryLookup) -> Result<Option<V1LoggedEntry>, V1Error> {
        let index = match lookup {
            EntryLookup::Index(index) => Some(LeafIndex::new(*index)),
            EntryLookup::Name(name) => match name.within(self.tree_id) {
                Some(leaf) => self.log.index_of(&leaf)?,
                None => None,
            },
            EntryLookup::Proposal(proposed) => {
                let body = proposed.canonical_body()?;
                self.log.index_of(&leaf_hash(&body))?
            }
        };
        index.map_or(Ok(None), |index| self.read(index))
    }

    fn read(&self, index: LeafIndex) -> Result<Option<V1LoggedEntry>, V1Error> {
        let head = self.log.head();
        let Ok(place) = head.size.locate(index) else {
            return Ok(None);
        };
        let leaf = self.log.leaves(index.get()..index.get() + 1)?.pop();
        let leaf = leaf.ok_or(ReadError::Storage)?;
        let integrated_time = decode_integrated_time(&leaf.extra).ok_or(ReadError::Storage)?;
        Ok(Some(V1LoggedEntry {
            id: EntryId::new(self.tree_id, leaf_hash(&leaf.data)),
            log_id: *self.log_id(),
            index,
            integrated_time,
            promise: self.sign_promise(&leaf.data, integrated_time, index)?,
            body: leaf.data,
            proof: self.log.inclusion_proof(place)?,
            head,
        }))
    }

    /// Proves that the tree of `last` entries extends the tree of `first` entries. `tree_id`, if
    /// present, must be this log's.
    ///
    /// # Errors
    /// A size is zero or exceeds the published one, `first` exceeds `last`, the tree ID is another
    /// log's, or storage cannot be read.
    pub(crate) fn consistency(
        &self,
        tree_id: Option<u64>,
        first: u64,
        last: u64,
    ) -> Result<Consistency, V1Error> {
        self.check_tree_id(tree_id)?;
        if first > last {
            return Err(V1Error::SizeOrder { first, last });
        }
        let size = self.log.head().size.get();
        for (name, requested) in [("firstSize", first), ("lastSize", last)] {
            if !(1..=size).contains(&requested) {
                return Err(V1Error::Size { name, size });
            }
        }
        let (first, last) = (TreeSize::new(first), TreeSize::new(last));
        Ok(Consistency {
            hashes: match first == last {
                true => Vec::new(),
                false => self.log.consistency_proof(first, last)?,
            },
            root: self.log.root_at(last)?,
        })
    }

    /// Checks the tree ID of a request, if it has one.
    ///
    /// # Errors
    /// The tree ID is another log's.
    pub(crate) fn check_tree_id(&self, tree_id: Option<u64>) -> Result<(), V1Error> {
        match tree_id {
            Some(other) if i64::try_from(other) != Ok(self.tree_id.get()) => {
                Err(V1Error::TreeId(other))
            }
            _ => Ok(()),
        }
    }
}
