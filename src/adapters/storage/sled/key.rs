//! The keys of the state's one tree: a letter for the family, then big-endian integers.

use crate::adapters::storage::journal::record::table_number;
use crate::log::LogId;
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::LeafIndex;
use crate::services::ledger::Table;

/// So many hashes, or places, share one value, which keeps values below 2 KiB.
pub(super) const CHUNK: u64 = 64;

/// The store's version.
pub(crate) const VERSION: &[u8] = b"mversion";

/// The instance of the journal that the state was built from.
pub(super) const INSTANCE: &[u8] = b"minstance";

/// How many facts the state has, and the end of the last one.
pub(super) const FACTS: &[u8] = b"mfacts";

pub(super) fn head(log: LogId) -> [u8; 2] {
    [b'h', log.number()]
}

/// Every key of a family of one log begins like this.
pub(super) fn prefix(family: u8, log: LogId) -> [u8; 2] {
    [family, log.number()]
}

pub(super) fn row(log: LogId, row: u8) -> [u8; 3] {
    [b't', log.number(), row]
}

pub(super) fn hashes(log: LogId, row: u8, chunk: u64) -> Vec<u8> {
    [&[b't', log.number(), row][..], &chunk.to_be_bytes()].concat()
}

pub(super) fn places(log: LogId, chunk: u64) -> Vec<u8> {
    [&[b'p', log.number()][..], &chunk.to_be_bytes()].concat()
}

pub(super) fn index(log: LogId, leaf_hash: &Sha256) -> Vec<u8> {
    [&[b'i', log.number()][..], leaf_hash.as_bytes()].concat()
}

/// Every leaf that has a search key has a key that begins like this.
pub(super) fn search(log: LogId, key: &Sha256) -> Vec<u8> {
    [&[b's', log.number()][..], key.as_bytes()].concat()
}

/// A search key and a leaf that has it.
pub(super) fn found(log: LogId, key: &Sha256, index: LeafIndex) -> Vec<u8> {
    [&search(log, key), &index.get().to_be_bytes()[..]].concat()
}

pub(super) fn table(table: Table) -> [u8; 2] {
    [b'f', table_number(table)]
}

pub(super) fn fact(of: Table, key: &[u8]) -> Vec<u8> {
    [&table(of)[..], key].concat()
}
