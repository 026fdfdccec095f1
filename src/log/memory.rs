//! Storage in memory, for tests: the plainest reading of what the ports demand.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex};

use super::port::{
    Batch, CommitError, Committed, Journal, JournalCursor, JournalError, JournalTail, LogStorage,
    Position, SearchIndex, State, StateChange, StateError, check_expected,
};
use super::{Leaf, LogId, SignedHead};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{LeafIndex, TreeSize};

impl LogStorage {
    pub(crate) fn in_memory() -> Self {
        Self::over(Arc::default(), Arc::default())
    }

    pub(crate) fn over(journal: Arc<MemoryJournal>, state: Arc<MemoryState>) -> Self {
        Self {
            journal,
            state: Arc::<MemoryState>::clone(&state),
            index: state,
        }
    }
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// The commits of all logs in order. A cursor is a number of commits; a position is the number of a
/// commit and that of a leaf in it.
#[derive(Debug, Default)]
pub(crate) struct MemoryJournal {
    commits: Mutex<Vec<(LogId, Batch, Committed)>>,
}

fn position(commit: u64, leaf: u32) -> Position {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&commit.to_be_bytes());
    bytes[8..].copy_from_slice(&leaf.to_be_bytes());
    Position(bytes)
}

impl Journal for MemoryJournal {
    fn tail(&self, log: LogId) -> JournalTail {
        let commits = self.commits.lock().unwrap();
        let last = commits.iter().rfind(|(id, ..)| *id == log);
        JournalTail {
            last: last.map(|(_, batch, committed)| (batch.head.clone(), committed.end)),
            read_only: None,
        }
    }

    fn commit(
        &self,
        log: LogId,
        expected: Option<&SignedHead>,
        batch: &Batch,
    ) -> Result<Committed, CommitError> {
        let mut commits = self.commits.lock().unwrap();
        let last = commits.iter().rfind(|(id, ..)| *id == log);
        check_expected(expected, last.map(|(_, batch, _)| &batch.head))?;
        let commit = u64::try_from(commits.len()).unwrap();
        let leaves = u32::try_from(batch.leaves.len()).unwrap();
        let committed = Committed {
            positions: (0..leaves).map(|leaf| position(commit, leaf)).collect(),
            end: JournalCursor((commit + 1).to_be_bytes()),
        };
        commits.push((log, batch.clone(), committed.clone()));
        Ok(committed)
    }

    fn replay(
        &self,
        log: LogId,
        from: Option<JournalCursor>,
        visit: &mut dyn FnMut(Batch, Committed) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let commits = self.commits.lock().unwrap().clone();
        let from = u64::from_be_bytes(from.unwrap_or_default().0);
        for (id, batch, committed) in commits.into_iter().skip(usize_of(from)) {
            if id == log && visit(batch, committed).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn load(&self, log: LogId, index: LeafIndex, at: Position) -> Result<Leaf, JournalError> {
        let commits = self.commits.lock().unwrap();
        let (commit, leaf) = at.0.split_first_chunk().unwrap();
        let commit = usize_of(u64::from_be_bytes(*commit));
        let leaf = u32::from_be_bytes(leaf.try_into().unwrap());
        let batch = commits.get(commit).filter(|(id, ..)| *id == log);
        let stored = batch.and_then(|(_, batch, _)| {
            let first = batch.head.size.get() - u64::try_from(batch.leaves.len()).unwrap();
            let leaf = (first + u64::from(leaf) == index.get()).then_some(leaf)?;
            batch.leaves.get(usize_of(leaf.into()))
        });
        stored.cloned().ok_or_else(|| JournalError::Damaged {
            place: format!("{at:?}"),
        })
    }
}

/// State and search index.
#[derive(Debug, Default)]
pub(crate) struct MemoryState {
    logs: Mutex<HashMap<LogId, LogState>>,
    indices: Mutex<HashMap<LogId, LogIndex>>,
}

#[derive(Debug, Default)]
struct LogState {
    head: Option<(SignedHead, JournalCursor)>,
    rows: BTreeMap<u8, Vec<Sha256>>,
    positions: Vec<Position>,
    hashes: HashMap<Sha256, LeafIndex>,
}

#[derive(Debug, Default)]
struct LogIndex {
    indexed: u64,
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
    fn head(&self, log: LogId) -> Result<Option<(SignedHead, JournalCursor)>, StateError> {
        let logs = self.logs.lock().unwrap();
        Ok(logs.get(&log).and_then(|log| log.head.clone()))
    }

    fn apply(&self, log: LogId, change: &StateChange) -> Result<(), StateError> {
        let mut logs = self.logs.lock().unwrap();
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
                log.hashes
                    .extend(extension.hashes.iter().copied().zip(indices));
            }
        }
        log.positions.truncate(usize_of(change.start.get()));
        log.positions.extend_from_slice(&change.positions);
        log.head = Some((change.head.clone(), change.end));
        Ok(())
    }

    fn hashes(&self, log: LogId, row: u8, range: Range<u64>) -> Result<Vec<Sha256>, StateError> {
        let logs = self.logs.lock().unwrap();
        slice(logs.get(&log).and_then(|log| log.rows.get(&row)), range)
    }

    fn positions(&self, log: LogId, range: Range<u64>) -> Result<Vec<Position>, StateError> {
        let logs = self.logs.lock().unwrap();
        slice(logs.get(&log).map(|log| &log.positions), range)
    }

    fn index_of(&self, log: LogId, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, StateError> {
        let logs = self.logs.lock().unwrap();
        let log = logs.get(&log);
        Ok(log.and_then(|log| log.hashes.get(leaf_hash).copied()))
    }
}

impl SearchIndex for MemoryState {
    fn indexed(&self, log: LogId) -> Result<TreeSize, StateError> {
        let indices = self.indices.lock().unwrap();
        let indexed = indices.get(&log).map_or(0, |index| index.indexed);
        Ok(TreeSize::new(indexed))
    }

    fn add(
        &self,
        log: LogId,
        keys: &[(Sha256, LeafIndex)],
        indexed: TreeSize,
    ) -> Result<(), StateError> {
        let mut indices = self.indices.lock().unwrap();
        let index = indices.entry(log).or_default();
        index.keys.extend(keys);
        index.indexed = indexed.get();
        Ok(())
    }

    fn clear(&self, log: LogId) -> Result<(), StateError> {
        self.indices.lock().unwrap().remove(&log);
        Ok(())
    }

    fn search(
        &self,
        log: LogId,
        key: &Sha256,
        before: LeafIndex,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, StateError> {
        let indices = self.indices.lock().unwrap();
        let range = (*key, LeafIndex::new(0))..(*key, before);
        Ok(indices.get(&log).map_or_else(Vec::new, |index| {
            let found = index.keys.range(range).rev().take(limit);
            found.map(|(_, leaf)| *leaf).collect()
        }))
    }
}
