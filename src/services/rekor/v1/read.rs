//! Entries and proofs, read again. Everything here may block on storage.

use super::{EntryId, EntryName, Kept, LoggedEntry, SignatureLogV1, V1Error};
use crate::log::ReadError;
use crate::protocol::entry::v1::ProposedEntry;
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{LeafIndex, TreeSize, leaf_hash};

/// The most entries that are read for one request.
pub(crate) const MAX_WANTED: usize = 10;

/// How an entry is asked for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// By its name
    Name(EntryName),
    /// By what was proposed: the entry that it became
    Proposal(Box<ProposedEntry>),
    /// By its position
    Index(u64),
}

/// The proof that a tree begins with an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consistency {
    /// The proof; empty where both trees are one.
    pub hashes: Vec<Sha256>,
    /// The newer tree's root.
    pub root: Sha256,
}

impl SignatureLogV1 {
    /// The entries that are there of those that are wanted, in this order. The promise of each is
    /// signed anew, over the time that was kept; the proof is to the newest head.
    ///
    /// # Errors
    /// Too many are wanted, a proposal has no canonical form, or storage cannot be read.
    pub(crate) fn entries(&self, wanted: &[Wanted]) -> Result<Vec<LoggedEntry>, V1Error> {
        if wanted.len() > MAX_WANTED {
            return Err(V1Error::TooManyWanted(wanted.len()));
        }
        let found = wanted.iter().map(|wanted| self.entry(wanted));
        found.filter_map(Result::transpose).collect()
    }

    /// One entry, if it is there.
    ///
    /// # Errors
    /// As [`Self::entries`].
    pub(crate) fn entry(&self, wanted: &Wanted) -> Result<Option<LoggedEntry>, V1Error> {
        let index = match wanted {
            Wanted::Index(index) => Some(LeafIndex::new(*index)),
            Wanted::Name(name) => match name.within(self.tree_id) {
                Some(leaf) => self.log.index_of(&leaf)?,
                None => None,
            },
            Wanted::Proposal(proposed) => {
                let body = proposed.canonical_body()?;
                self.log.index_of(&leaf_hash(&body))?
            }
        };
        index.map_or(Ok(None), |index| self.read(index))
    }

    fn read(&self, index: LeafIndex) -> Result<Option<LoggedEntry>, V1Error> {
        let head = self.log.head();
        let Ok(place) = head.size.locate(index) else {
            return Ok(None);
        };
        let next = index.get().saturating_add(1);
        let leaf = self.log.leaves(index.get()..next)?.pop();
        let leaf = leaf.ok_or(ReadError::Storage)?;
        let kept = Kept::decode(&leaf.extra).ok_or(ReadError::Storage)?;
        Ok(Some(LoggedEntry {
            id: EntryId::new(self.tree_id, leaf_hash(&leaf.data)),
            log_id: *self.log_id(),
            index,
            integrated_time: kept.integrated_time,
            promise: self.promise(&leaf.data, kept, index)?,
            body: leaf.data,
            proof: self.log.inclusion_proof(place)?,
            head,
        }))
    }

    /// The proof that the tree of `last` entries begins with that of `first`, both of them published
    /// and not empty, in the tree with this ID or in the only one.
    ///
    /// # Errors
    /// Sizes that are zero, in the wrong order or not published, an unknown tree, or storage.
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
        for (name, wanted) in [("firstSize", first), ("lastSize", last)] {
            if !(1..=size).contains(&wanted) {
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

    /// Whether a tree ID, if one is named, is this log's.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn check_tree_id(&self, named: Option<u64>) -> Result<(), V1Error> {
        match named {
            Some(named) if i64::try_from(named) != Ok(self.tree_id.get()) => {
                Err(V1Error::TreeId(named))
            }
            _ => Ok(()),
        }
    }
}
