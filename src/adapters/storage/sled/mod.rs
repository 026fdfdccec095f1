//! State and search index in sled: one tree, changed only by whole batches. `migrations/SCHEMA.md` lists
//! its keys.
//!
//! sled may lose its latest batches, may fail to open, and may panic on opening. None of that loses
//! anything, because the journal has all of it. So nothing is flushed before a request is answered.

pub(super) mod key;
pub(super) mod migrate;
mod open;

use std::ops::Range;

use ::sled::{Batch, Db};

#[cfg(test)]
pub(super) use self::open::wait_for_lock;
pub(super) use self::open::{open, set_aside};
use super::codec::{FieldReader, put_head};
use super::journal::record::Fact;
use crate::log::port::{JournalCursor, Position, SearchIndex, State, StateChange, StateError};
use crate::log::{LogId, SignedHead};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{LeafIndex, TreeSize};
use crate::services::ledger::{Facts, Table};
use key::CHUNK;

/// Number of keys that are removed at once when a part of the state is dropped.
const REMOVED_AT_ONCE: usize = 1000;

/// The version of the values whose first byte it is.
const VALUE_VERSION: u8 = 1;

/// The state on disk.
#[derive(Clone, Debug)]
pub(crate) struct SledState {
    db: Db,
}

fn failed(error: &::sled::Error) -> StateError {
    tracing::error!(%error, "state.failed");
    StateError
}

impl SledState {
    /// Writes out what sled still has in memory. This is not needed to keep anything, only to spare the
    /// next start a replay.
    pub(super) fn flush(&self) -> Result<(), StateError> {
        self.db.flush().map(drop).map_err(|e| failed(&e))
    }

    /// Every log that has a head in the state.
    pub(super) fn logs(&self) -> Result<Vec<LogId>, StateError> {
        let keys = self.db.scan_prefix([key::HEAD]).keys();
        keys.map(|key| {
            let key = key.map_err(|e| failed(&e))?;
            let number = key.get(1).ok_or(StateError)?;
            Ok(LogId::from_number(*number))
        })
        .collect()
    }

    /// The number of facts in the state, and where in the journal the last one ends.
    pub(super) fn facts(&self) -> Result<(u64, Option<JournalCursor>), StateError> {
        let Some(value) = self.get(key::FACTS)? else {
            return Ok((0, None));
        };
        let mut fields = FieldReader(&value);
        match (fields.u64(), fields.cursor()) {
            (Some(number), Some(end)) => Ok((number, Some(end))),
            _ => Err(StateError),
        }
    }

    /// Applies a fact and records how far the state has come.
    pub(super) fn apply_fact(&self, fact: &Fact, end: JournalCursor) -> Result<(), StateError> {
        let mut batch = Batch::default();
        let key = key::fact(fact.table, &fact.key);
        match &fact.value {
            Some(value) => batch.insert(key, value.as_slice()),
            None => batch.remove(key),
        }
        let reached = [&fact.number.to_be_bytes()[..], &end.0].concat();
        batch.insert(key::FACTS, reached);
        self.apply_batch(batch)
    }

    /// Removes every fact.
    pub(super) fn clear_facts(&self) -> Result<(), StateError> {
        self.remove(key::FACTS)?;
        self.remove_prefix(&[key::FACT])
    }

    /// The value of a fact.
    pub(super) fn fact(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        self.get(&key::fact(table, key))
    }

    /// The facts of a table, in the order of their keys.
    pub(super) fn scan(&self, table: Table) -> Result<Facts, StateError> {
        let prefix = key::table(table);
        self.db
            .scan_prefix(prefix)
            .map(|item| {
                let (key, value) = item.map_err(|e| failed(&e))?;
                let key = key.strip_prefix(&prefix).unwrap_or_default();
                Ok((key.to_vec(), value.to_vec()))
            })
            .collect()
    }

    /// Number of values that a log has in a row of tiles.
    pub(super) fn count_row(&self, log: LogId, row: u8) -> usize {
        self.db.scan_prefix(key::row(log, row)).count()
    }

    /// Number of values that a log has for positions.
    pub(super) fn count_positions(&self, log: LogId) -> usize {
        let prefix = key::of_log(key::POSITIONS, log);
        self.db.scan_prefix(prefix).count()
    }

    /// Number of leaf hashes of a log.
    pub(super) fn count_leaf_hashes(&self, log: LogId) -> usize {
        let prefix = key::of_log(key::LEAF_HASH, log);
        self.db.scan_prefix(prefix).count()
    }

    /// Number of search records of a log for leaves before `end`.
    pub(super) fn count_search_records(
        &self,
        log: LogId,
        end: TreeSize,
    ) -> Result<usize, StateError> {
        let mut count = 0;
        for key in self.db.scan_prefix(key::of_log(key::SEARCH, log)).keys() {
            let key = key.map_err(|e| failed(&e))?;
            if search_record_leaf(&key)?.get() < end.get() {
                count += 1;
            }
        }
        Ok(count)
    }

    /// Whether a leaf is found by a search key.
    pub(super) fn has_search_record(
        &self,
        log: LogId,
        key: &Sha256,
        index: LeafIndex,
    ) -> Result<bool, StateError> {
        let found = self.db.contains_key(key::search(log, key, index));
        found.map_err(|e| failed(&e))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let value = self.db.get(key).map_err(|e| failed(&e))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn apply_batch(&self, batch: Batch) -> Result<(), StateError> {
        self.db.apply_batch(batch).map_err(|e| failed(&e))
    }

    fn remove(&self, key: &[u8]) -> Result<(), StateError> {
        self.db.remove(key).map(drop).map_err(|e| failed(&e))
    }

    fn remove_prefix(&self, prefix: &[u8]) -> Result<(), StateError> {
        loop {
            let mut batch = Batch::default();
            let mut found = 0;
            for key in self.db.scan_prefix(prefix).keys().take(REMOVED_AT_ONCE) {
                batch.remove(key.map_err(|e| failed(&e))?);
                found += 1;
            }
            if found == 0 {
                return Ok(());
            }
            self.apply_batch(batch)?;
        }
    }

    /// Adds to a sequence of values of `N` bytes that is stored in chunks. Replaces what the chunk of
    /// `start` has after `start`; fails if a value before it is missing.
    fn extend<const N: usize>(
        &self,
        batch: &mut Batch,
        start: u64,
        values: &[[u8; N]],
        key: impl Fn(u64) -> Vec<u8>,
    ) -> Result<(), StateError> {
        let within = usize::try_from(start % CHUNK).map_err(|_| StateError)?;
        let mut chunk = start / CHUNK;
        let mut bytes = if within == 0 {
            Vec::new()
        } else {
            let mut before = self.get(&key(chunk))?.ok_or(StateError)?;
            if before.len() < within * N {
                return Err(StateError);
            }
            before.truncate(within * N);
            before
        };
        let full = usize::try_from(CHUNK).map_err(|_| StateError)? * N;
        for value in values {
            bytes.extend_from_slice(value);
            if bytes.len() >= full {
                batch.insert(key(chunk), std::mem::take(&mut bytes));
                chunk += 1;
            }
        }
        if !bytes.is_empty() {
            batch.insert(key(chunk), bytes);
        }
        Ok(())
    }

    /// Reads part of such a sequence.
    fn read<const N: usize>(
        &self,
        range: Range<u64>,
        key: impl Fn(u64) -> Vec<u8>,
    ) -> Result<Vec<[u8; N]>, StateError> {
        let mut values = Vec::new();
        let mut next = range.start;
        while next < range.end {
            let chunk = next / CHUNK;
            let bytes = self.get(&key(chunk))?.ok_or(StateError)?;
            let (all, _) = bytes.as_chunks::<N>();
            let first = chunk * CHUNK;
            let end = range.end.min(first + CHUNK);
            let within = |at: u64| usize::try_from(at - first).unwrap_or(usize::MAX);
            let part = all.get(within(next)..within(end)).ok_or(StateError)?;
            values.extend_from_slice(part);
            next = end;
        }
        Ok(values)
    }
}

/// The leaf that a search record is about.
fn search_record_leaf(key: &[u8]) -> Result<LeafIndex, StateError> {
    let index = key.last_chunk().ok_or(StateError)?;
    Ok(LeafIndex::new(u64::from_be_bytes(*index)))
}

impl State for SledState {
    fn head(&self, log: LogId) -> Result<Option<(SignedHead, JournalCursor)>, StateError> {
        let Some(value) = self.get(&key::of_log(key::HEAD, log))? else {
            return Ok(None);
        };
        let mut fields = FieldReader(&value);
        let version = fields.u8();
        match (fields.head(), fields.cursor()) {
            (Some(head), Some(end)) if version == Some(VALUE_VERSION) && fields.is_done() => {
                Ok(Some((head, end)))
            }
            _ => Err(StateError),
        }
    }

    fn apply(&self, log: LogId, change: &StateChange) -> Result<(), StateError> {
        let start = change.start.get();
        let head_key = key::of_log(key::HEAD, log);
        if start == 0 {
            // CRASH: the head goes first, so that what remains is a log without a head.
            self.remove(&head_key)?;
            for family in [key::HASHES, key::POSITIONS, key::LEAF_HASH] {
                self.remove_prefix(&key::of_log(family, log))?;
            }
        }
        let mut batch = Batch::default();
        for extension in &change.rows {
            let hashes: Vec<_> = extension.hashes.iter().map(|h| *h.as_bytes()).collect();
            self.extend(&mut batch, extension.start, &hashes, |chunk| {
                key::hashes(log, extension.row, chunk)
            })?;
            if extension.row == 0 {
                for (index, hash) in (extension.start..).zip(&extension.hashes) {
                    batch.insert(key::leaf_hash(log, hash), &index.to_be_bytes());
                }
            }
        }
        let positions: Vec<_> = change.positions.iter().map(|at| at.0).collect();
        self.extend(&mut batch, start, &positions, |chunk| {
            key::positions(log, chunk)
        })?;
        let mut head = vec![VALUE_VERSION];
        put_head(&mut head, &change.head);
        head.extend_from_slice(&change.end.0);
        batch.insert(&head_key, head);
        self.apply_batch(batch)
    }

    fn hashes(&self, log: LogId, row: u8, range: Range<u64>) -> Result<Vec<Sha256>, StateError> {
        let hashes = self.read(range, |chunk| key::hashes(log, row, chunk))?;
        Ok(hashes.into_iter().map(Sha256::from_bytes).collect())
    }

    fn positions(&self, log: LogId, range: Range<u64>) -> Result<Vec<Position>, StateError> {
        let positions = self.read(range, |chunk| key::positions(log, chunk))?;
        Ok(positions.into_iter().map(Position).collect())
    }

    fn index_of(&self, log: LogId, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, StateError> {
        let Some(value) = self.get(&key::leaf_hash(log, leaf_hash))? else {
            return Ok(None);
        };
        let index = value.as_slice().try_into().map_err(|_| StateError)?;
        Ok(Some(LeafIndex::new(u64::from_be_bytes(index))))
    }
}

impl SearchIndex for SledState {
    fn indexed(&self, log: LogId) -> Result<TreeSize, StateError> {
        let Some(value) = self.get(&key::of_log(key::CURSOR, log))? else {
            return Ok(TreeSize::EMPTY);
        };
        let mut fields = FieldReader(&value);
        match (fields.u8(), fields.u64()) {
            (Some(VALUE_VERSION), Some(indexed)) if fields.is_done() => Ok(TreeSize::new(indexed)),
            _ => Err(StateError),
        }
    }

    fn add(
        &self,
        log: LogId,
        keys: &[(Sha256, LeafIndex)],
        indexed: TreeSize,
    ) -> Result<(), StateError> {
        let mut batch = Batch::default();
        for (key, index) in keys {
            batch.insert(key::search(log, key, *index), &[]);
        }
        let cursor = [&[VALUE_VERSION][..], &indexed.get().to_be_bytes()].concat();
        batch.insert(&key::of_log(key::CURSOR, log), cursor);
        self.apply_batch(batch)
    }

    fn clear(&self, log: LogId) -> Result<(), StateError> {
        // CRASH: the cursor goes first, so that what remains is indexed again from the first leaf.
        self.remove(&key::of_log(key::CURSOR, log))?;
        self.remove_prefix(&key::of_log(key::SEARCH, log))
    }

    fn search(
        &self,
        log: LogId,
        key: &Sha256,
        before: LeafIndex,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, StateError> {
        let first = key::search(log, key, LeafIndex::new(0));
        let end = key::search(log, key, before);
        let found = self.db.range(first..end).keys().rev().take(limit);
        found
            .map(|key| search_record_leaf(&key.map_err(|e| failed(&e))?))
            .collect()
    }
}
