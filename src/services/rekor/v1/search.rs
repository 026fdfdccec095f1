//! Finding entries by what is in them. Everything here may block on storage.

use super::{EntryId, SignatureLogV1, V1Error};
use crate::log::{IndexView, ReadError};
use crate::protocol::entry::SearchTerm;
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::LeafIndex;

/// The most entries that one search finds: the newest ones.
pub(super) const MAX_FOUND: usize = 1_000;

/// The most places that a search for entries with several terms at once looks at.
const MAX_STEPS: usize = 20_000;

/// Which of a query's terms an entry must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Operator {
    /// Any of them
    #[default]
    Or,
    /// All of them
    And,
}

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// What the entries have.
    pub terms: Vec<SearchTerm>,
    /// Which of it.
    pub operator: Operator,
}

impl SignatureLogV1 {
    /// The entries that a query asks for, the newest first and at most [`MAX_FOUND`]; none where it
    /// has no terms. An entry that was acknowledged before the search began is found.
    ///
    /// # Errors
    /// The index is behind, or storage cannot be read.
    pub(crate) fn search(&self, query: &Query) -> Result<Vec<EntryId>, V1Error> {
        let keys: Vec<_> = query.terms.iter().map(SearchTerm::key).collect();
        let index = self.log.index_view()?;
        let found = match query.operator {
            Operator::And if keys.len() > 1 => with_all(&index, &keys)?,
            Operator::And | Operator::Or => with_any(&index, &keys)?,
        };
        let name = |index| Ok(EntryId::new(self.tree_id, self.log.leaf_hash(index)?));
        found.into_iter().map(name).collect()
    }
}

fn with_any(index: &IndexView<'_>, keys: &[Sha256]) -> Result<Vec<LeafIndex>, ReadError> {
    let mut found = Vec::new();
    for key in keys {
        found.extend(index.search(key, None, MAX_FOUND)?);
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    found.truncate(MAX_FOUND);
    Ok(found)
}

/// Steps back from the newest entry: no entry behind the earliest of the keys' next places has
/// all of them, so the search goes on there.
fn with_all(index: &IndexView<'_>, keys: &[Sha256]) -> Result<Vec<LeafIndex>, ReadError> {
    let mut found = Vec::new();
    let mut before = None;
    for _ in 0..MAX_STEPS {
        let mut next = Vec::with_capacity(keys.len());
        for key in keys {
            next.extend(index.search(key, before, 1)?);
        }
        let (Some(first), Some(last)) = (next.iter().min(), next.iter().max()) else {
            break;
        };
        if next.len() < keys.len() || found.len() >= MAX_FOUND {
            break;
        }
        if first == last {
            found.push(*first);
            before = Some(*first);
        } else {
            before = Some(LeafIndex::new(first.get().saturating_add(1)));
        }
    }
    Ok(found)
}
