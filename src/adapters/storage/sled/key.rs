//! The keys of the state's only tree: a letter for the family, then big-endian integers.

use crate::log::LogId;
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::LeafIndex;
use crate::services::ledger::Table;

/// Number of hashes, or positions, that share one value, so that values stay below 2 KiB.
pub(in crate::adapters::storage) const CHUNK: u64 = 64;

/// The state's version.
pub(crate) const VERSION: &[u8] = b"mversion";

/// The instance of the journal from which the state was built.
pub(super) const INSTANCE: &[u8] = b"minstance";

/// The number of facts in the state, and the end of the last one in the journal.
pub(super) const FACTS: &[u8] = b"mfacts";

pub(super) const HEAD: u8 = b'h';
pub(super) const HASHES: u8 = b't';
pub(super) const POSITIONS: u8 = b'p';
pub(super) const LEAF_HASH: u8 = b'i';
pub(super) const SEARCH: u8 = b's';
pub(super) const CURSOR: u8 = b'c';
pub(super) const FACT: u8 = b'f';

/// The only key of a family that has one for each log, or the beginning of a log's keys in others.
pub(super) fn of_log(family: u8, log: LogId) -> [u8; 2] {
    [family, log.number()]
}

pub(super) fn row(log: LogId, row: u8) -> [u8; 3] {
    [HASHES, log.number(), row]
}

pub(super) fn hashes(log: LogId, row: u8, chunk: u64) -> Vec<u8> {
    [&[HASHES, log.number(), row][..], &chunk.to_be_bytes()].concat()
}

pub(super) fn positions(log: LogId, chunk: u64) -> Vec<u8> {
    [&of_log(POSITIONS, log)[..], &chunk.to_be_bytes()].concat()
}

pub(super) fn leaf_hash(log: LogId, leaf_hash: &Sha256) -> Vec<u8> {
    [&of_log(LEAF_HASH, log)[..], leaf_hash.as_bytes()].concat()
}

/// A search key and a leaf that has it.
pub(super) fn search(log: LogId, key: &Sha256, index: LeafIndex) -> Vec<u8> {
    let index = index.get().to_be_bytes();
    [&of_log(SEARCH, log)[..], key.as_bytes(), &index].concat()
}

pub(super) fn table(table: Table) -> [u8; 2] {
    [FACT, table.number()]
}

pub(super) fn fact(of: Table, key: &[u8]) -> Vec<u8> {
    [&table(of)[..], key].concat()
}
