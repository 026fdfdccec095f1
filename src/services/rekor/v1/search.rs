//! Search for entries by key, digest, e-mail address or subject. Blocks on storage.

use super::{EntryId, SignatureLogV1, V1Error};
use crate::log::{IndexView, ReadError};
use crate::protocol::entry::SearchTerm;
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::LeafIndex;

/// Maximum number of results; the newest entries are returned.
pub(super) const MAX_RESULTS: usize = 1_000;

/// Maximum number of steps of a search for entries that match all of several terms.
const MAX_SEARCH_STEPS: usize = 20_000;

/// How many of a query's terms an entry must match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SearchOperator {
    /// At least one
    #[default]
    Or,
    /// All
    And,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SearchQuery {
    pub terms: Vec<SearchTerm>,
    pub operator: SearchOperator,
}

impl SignatureLogV1 {
    /// The IDs of matching entries, newest first, at most [`MAX_RESULTS`]. A query without terms
    /// matches nothing. Every entry that was acknowledged before the search started is considered.
    ///
    /// # Errors
    /// The search index lags too far behind the log, or storage cannot be read.
    pub(crate) fn search(&self, query: &SearchQuery) -> Result<Vec<EntryId>, V1Error> {
        let keys: Vec<_> = query.terms.iter().map(SearchTerm::key).collect();
        let index = self.log.index_view()?;
        let found = match query.operator {
            SearchOperator::And if keys.len() > 1 => matching_all(&index, &keys)?,
            SearchOperator::And | SearchOperator::Or => matching_any(&index, &keys)?,
        };
        let entry_id = |index| Ok(EntryId::new(self.tree_id, self.log.leaf_hash(index)?));
        found.into_iter().map(entry_id).collect()
    }
}

fn matching_any(index: &IndexView<'_>, keys: &[Sha256]) -> Result<Vec<LeafIndex>, ReadError> {
    let mut found = Vec::new();
    for key in keys {
        found.extend(index.search(key, None, MAX_RESULTS)?);
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    found.truncate(MAX_RESULTS);
    Ok(found)
}

/// Walks the keys' postings in parallel, from the newest entry to the oldest. Each step reads the next
/// posting of every key. No entry after the lowest of them matches all keys, so the search continues
/// there.
fn matching_all(index: &IndexView<'_>, keys: &[Sha256]) -> Result<Vec<LeafIndex>, ReadError> {
    let mut found = Vec::new();
    let mut before = None;
    for _ in 0..MAX_SEARCH_STEPS {
        let mut next = Vec::with_capacity(keys.len());
        for key in keys {
            next.extend(index.search(key, before, 1)?);
        }
        let (Some(first), Some(last)) = (next.iter().min(), next.iter().max()) else {
            break;
        };
        if next.len() < keys.len() || found.len() >= MAX_RESULTS {
            break;
        }
        if first == last {
            found.push(*first);
            before = Some(*first);
        } else {
            before = Some(LeafIndex::new(first.get() + 1));
        }
    }
    Ok(found)
}
