//! The state in sled: one tree, changed only by whole batches. `migrations/SCHEMA.md` has its keys.
//!
//! sled may lose its latest batches, may not open, and may panic where it opens; none of that loses
//! anything here, because the journal has it all. So nothing is flushed on the way to an answer.

pub(super) mod key;
mod open;

use std::ops::Range;

use ::sled::{Batch, Db};

pub(super) use self::open::{open, set_aside};
use super::codec::{Fields, put_end, put_head};
use super::journal::record::Fact;
use crate::log::port::{JournalEnd, Place, State, StateChange, StateError};
use crate::log::{LogId, SignedHead};
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::LeafIndex;
use crate::services::ledger::{Facts, Table};
use key::CHUNK;

/// So many keys are removed at once when a log's state is made anew.
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
    /// Writes out what sled still has in memory: not needed to keep anything, only to save the
    /// next start a replay.
    pub(super) fn flush(&self) -> Result<(), StateError> {
        self.db.flush().map(drop).map_err(|e| failed(&e))
    }

    /// How many facts the state has, and where in the journal the last one ends.
    pub(super) fn facts(&self) -> Result<(u64, Option<JournalEnd>), StateError> {
        let Some(value) = self.get(key::FACTS)? else {
            return Ok((0, None));
        };
        let mut fields = Fields(&value);
        match (fields.u64(), fields.end()) {
            (Some(number), Some(end)) => Ok((number, Some(end))),
            _ => Err(StateError),
        }
    }

    /// Applies a fact and notes how far the state has come.
    pub(super) fn apply_fact(&self, fact: &Fact, end: JournalEnd) -> Result<(), StateError> {
        let mut batch = Batch::default();
        let key = key::fact(fact.table, &fact.key);
        match &fact.value {
            Some(value) => batch.insert(key, value.as_slice()),
            None => batch.remove(key),
        }
        let mut reached = fact.number.to_be_bytes().to_vec();
        put_end(&mut reached, end);
        batch.insert(key::FACTS, reached);
        self.db.apply_batch(batch).map_err(|e| failed(&e))
    }

    /// Removes every fact.
    pub(super) fn clear_facts(&self) -> Result<(), StateError> {
        self.db.remove(key::FACTS).map_err(|e| failed(&e))?;
        self.remove_prefix(b"f")
    }

    /// The fact under a key.
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

    /// How many keys a log has in a row of tiles.
    pub(super) fn count_row(&self, log: LogId, row: u8) -> usize {
        self.db.scan_prefix(key::row(log, row)).count()
    }

    /// How many keys a log has among the places, in the index, and in the search index.
    pub(super) fn count(&self, log: LogId) -> [usize; 3] {
        (*b"pis").map(|family| self.db.scan_prefix(key::prefix(family, log)).count())
    }

    /// Whether a leaf is found by a search key.
    pub(super) fn has_key(
        &self,
        log: LogId,
        key: &Sha256,
        index: LeafIndex,
    ) -> Result<bool, StateError> {
        let found = self.db.contains_key(key::found(log, key, index));
        found.map_err(|e| failed(&e))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let value = self.db.get(key).map_err(|e| failed(&e))?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// Forgets a log, its head first, so that a crash on the way leaves a log without one.
    fn clear(&self, log: LogId) -> Result<(), StateError> {
        self.db.remove(key::head(log)).map_err(|e| failed(&e))?;
        for family in *b"tpis" {
            self.remove_prefix(&key::prefix(family, log))?;
        }
        Ok(())
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
            self.db.apply_batch(batch).map_err(|e| failed(&e))?;
        }
    }

    /// Adds to a sequence of values of `N` bytes that is stored in chunks: what is behind `start`
    /// in its chunk is replaced, and nothing before it may be missing.
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
            let end = range.end.min(first.saturating_add(CHUNK));
            let part = |at: u64| usize::try_from(at - first).unwrap_or(usize::MAX);
            let wanted = all.get(part(next)..part(end)).ok_or(StateError)?;
            values.extend_from_slice(wanted);
            next = end;
        }
        Ok(values)
    }
}

fn place_bytes(place: Place) -> [u8; 12] {
    let mut bytes = [0; 12];
    let fields = [place.segment, place.offset, place.length];
    for (to, field) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
        *to = field.to_be_bytes();
    }
    bytes
}

fn place(bytes: [u8; 12]) -> Option<Place> {
    let mut fields = Fields(&bytes);
    Some(Place {
        segment: fields.u32()?,
        offset: fields.u32()?,
        length: fields.u32()?,
    })
}

fn parse_head(value: &[u8]) -> Option<(SignedHead, JournalEnd)> {
    let mut fields = Fields(value);
    if fields.u8()? != VALUE_VERSION {
        return None;
    }
    let head = (fields.head()?, fields.end()?);
    fields.is_done().then_some(head)
}

impl State for SledState {
    fn head(&self, log: LogId) -> Result<Option<(SignedHead, JournalEnd)>, StateError> {
        self.get(&key::head(log))?
            .map(|value| parse_head(&value).ok_or(StateError))
            .transpose()
    }

    fn apply(&self, log: LogId, change: &StateChange) -> Result<(), StateError> {
        let start = change.start.get();
        if start == 0 {
            self.clear(log)?;
        }
        let mut batch = Batch::default();
        for extension in &change.rows {
            let hashes: Vec<_> = extension.hashes.iter().map(|h| *h.as_bytes()).collect();
            self.extend(&mut batch, extension.start, &hashes, |chunk| {
                key::hashes(log, extension.row, chunk)
            })?;
            if extension.row == 0 {
                for (index, hash) in (extension.start..).zip(&extension.hashes) {
                    batch.insert(key::index(log, hash), &index.to_be_bytes());
                }
            }
        }
        let places: Vec<_> = change.places.iter().map(|p| place_bytes(*p)).collect();
        self.extend(&mut batch, start, &places, |chunk| key::places(log, chunk))?;
        for (key, index) in &change.keys {
            batch.insert(key::found(log, key, *index), &[]);
        }
        let mut head = vec![VALUE_VERSION];
        put_head(&mut head, &change.head);
        put_end(&mut head, change.end);
        batch.insert(&key::head(log), head);
        self.db.apply_batch(batch).map_err(|e| failed(&e))
    }

    fn hashes(&self, log: LogId, row: u8, range: Range<u64>) -> Result<Vec<Sha256>, StateError> {
        let hashes = self.read(range, |chunk| key::hashes(log, row, chunk))?;
        Ok(hashes.into_iter().map(Sha256::from_bytes).collect())
    }

    fn places(&self, log: LogId, range: Range<u64>) -> Result<Vec<Place>, StateError> {
        self.read(range, |chunk| key::places(log, chunk))?
            .into_iter()
            .map(|bytes| place(bytes).ok_or(StateError))
            .collect()
    }

    fn index_of(&self, log: LogId, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, StateError> {
        let Some(value) = self.get(&key::index(log, leaf_hash))? else {
            return Ok(None);
        };
        let index = value.as_slice().try_into().map_err(|_| StateError)?;
        Ok(Some(LeafIndex::new(u64::from_be_bytes(index))))
    }

    fn search(
        &self,
        log: LogId,
        key: &Sha256,
        before: LeafIndex,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, StateError> {
        let (first, end) = (
            key::found(log, key, LeafIndex::new(0)),
            key::found(log, key, before),
        );
        let found = self.db.range(first..end).keys().rev().take(limit);
        found
            .map(|key| {
                let key = key.map_err(|e| failed(&e))?;
                let index = key.last_chunk().ok_or(StateError)?;
                Ok(LeafIndex::new(u64::from_be_bytes(*index)))
            })
            .collect()
    }
}
