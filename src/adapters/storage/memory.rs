//! Journal, state and ledger in memory: for tests, and the plainest reading of what the ports ask.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{ControlFlow, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::log::port::{
    Batch, Committed, Journal, JournalEnd, JournalError, JournalTail, Place, State, StateChange,
    StateError,
};
use crate::log::{Leaf, LogId, SignedHead};
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::LeafIndex;
use crate::services::ledger::{Facts, Ledger, LedgerError, Table};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn usize_of(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

/// A journal in memory: one segment of batches; an offset counts commits, or leaves of its log.
#[derive(Debug, Default)]
pub(crate) struct MemoryJournal {
    commits: Mutex<Vec<(LogId, Batch, Committed)>>,
}

impl Journal for MemoryJournal {
    fn tail(&self, log: LogId) -> JournalTail {
        let commits = lock(&self.commits);
        let last = commits.iter().rfind(|(id, ..)| *id == log);
        JournalTail {
            last: last.map(|(_, batch, committed)| (batch.head.clone(), committed.end)),
            read_only: None,
        }
    }

    fn commit(&self, log: LogId, batch: &Batch) -> Result<Committed, JournalError> {
        let mut commits = lock(&self.commits);
        let number = |count: usize| u32::try_from(count).map_err(|_| JournalError::NoRoom);
        let commit = number(commits.len())?;
        let places = (0..batch.leaves.len())
            .map(|leaf| {
                Ok(Place {
                    segment: commit,
                    offset: number(leaf)?,
                    length: 1,
                })
            })
            .collect::<Result<_, _>>()?;
        let end = JournalEnd {
            segment: 1,
            offset: commit.saturating_add(1),
        };
        let committed = Committed { places, end };
        commits.push((log, batch.clone(), committed.clone()));
        Ok(committed)
    }

    fn replay(
        &self,
        log: LogId,
        from: Option<JournalEnd>,
        visit: &mut dyn FnMut(Batch, Committed) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let commits = lock(&self.commits).clone();
        let from = from.map_or(0, |end| usize_of(end.offset));
        for (id, batch, committed) in commits.into_iter().skip(from) {
            if id == log && visit(batch, committed).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn load(&self, log: LogId, index: LeafIndex, place: Place) -> Result<Leaf, JournalError> {
        let commits = lock(&self.commits);
        let leaf = commits
            .get(usize_of(place.segment))
            .filter(|(id, ..)| *id == log)
            .and_then(|(_, batch, _)| {
                let first = usize_of(batch.head.size.get()).checked_sub(batch.leaves.len())?;
                let within = usize_of(index.get()).checked_sub(first)?;
                batch.leaves.get(within)
            });
        leaf.cloned().ok_or(JournalError::Damaged {
            segment: place.segment,
            offset: place.offset,
        })
    }
}

/// A state in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryState {
    logs: Mutex<HashMap<LogId, LogState>>,
}

#[derive(Debug, Default)]
struct LogState {
    head: Option<(SignedHead, JournalEnd)>,
    rows: BTreeMap<u8, Vec<Sha256>>,
    places: Vec<Place>,
    indices: HashMap<Sha256, LeafIndex>,
    keys: BTreeSet<(Sha256, LeafIndex)>,
}

fn slice<T: Clone>(items: Option<&Vec<T>>, range: Range<u64>) -> Result<Vec<T>, StateError> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    items
        .and_then(|items| items.get(usize_of(range.start)..usize_of(range.end)))
        .map(<[T]>::to_vec)
        .ok_or(StateError)
}

impl State for MemoryState {
    fn head(&self, log: LogId) -> Result<Option<(SignedHead, JournalEnd)>, StateError> {
        Ok(lock(&self.logs).get(&log).and_then(|log| log.head.clone()))
    }

    fn apply(&self, log: LogId, change: &StateChange) -> Result<(), StateError> {
        let mut logs = lock(&self.logs);
        let log = logs.entry(log).or_default();
        if change.start.get() == 0 {
            *log = LogState::default();
        }
        for extension in &change.rows {
            let row = log.rows.entry(extension.row).or_default();
            row.truncate(usize_of(extension.start));
            if row.len() != usize_of(extension.start) {
                return Err(StateError);
            }
            row.extend_from_slice(&extension.hashes);
            if extension.row == 0 {
                let indices = (extension.start..).map(LeafIndex::new);
                log.indices
                    .extend(extension.hashes.iter().copied().zip(indices));
            }
        }
        log.places.truncate(usize_of(change.start.get()));
        log.places.extend_from_slice(&change.places);
        log.keys.extend(change.keys.iter().copied());
        log.head = Some((change.head.clone(), change.end));
        Ok(())
    }

    fn hashes(&self, log: LogId, row: u8, range: Range<u64>) -> Result<Vec<Sha256>, StateError> {
        let logs = lock(&self.logs);
        slice(logs.get(&log).and_then(|log| log.rows.get(&row)), range)
    }

    fn places(&self, log: LogId, range: Range<u64>) -> Result<Vec<Place>, StateError> {
        let logs = lock(&self.logs);
        slice(logs.get(&log).map(|log| &log.places), range)
    }

    fn index_of(&self, log: LogId, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, StateError> {
        let logs = lock(&self.logs);
        Ok(logs
            .get(&log)
            .and_then(|log| log.indices.get(leaf_hash).copied()))
    }

    fn search(
        &self,
        log: LogId,
        key: &Sha256,
        before: LeafIndex,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, StateError> {
        let logs = lock(&self.logs);
        let range = (*key, LeafIndex::new(0))..(*key, before);
        Ok(logs.get(&log).map_or_else(Vec::new, |log| {
            let found = log.keys.range(range).rev().take(limit);
            found.map(|(_, index)| *index).collect()
        }))
    }
}

/// A ledger in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryLedger {
    tables: Mutex<HashMap<Table, TableFacts>>,
}

type TableFacts = BTreeMap<Vec<u8>, Vec<u8>>;

impl Ledger for MemoryLedger {
    fn put(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        let mut tables = lock(&self.tables);
        let facts = tables.entry(table).or_default();
        facts.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&self, table: Table, key: &[u8]) -> Result<(), LedgerError> {
        let mut tables = lock(&self.tables);
        tables.entry(table).or_default().remove(key);
        Ok(())
    }

    fn load(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        let tables = lock(&self.tables);
        Ok(tables.get(&table).and_then(|facts| facts.get(key).cloned()))
    }

    fn scan(&self, table: Table) -> Result<Facts, LedgerError> {
        let tables = lock(&self.tables);
        let facts = tables.get(&table).cloned().unwrap_or_default();
        Ok(facts.into_iter().collect())
    }
}
