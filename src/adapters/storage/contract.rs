//! What every journal, state and ledger must do, run on those in memory and those on disk.

use std::ops::ControlFlow;

use super::memory::{MemoryJournal, MemoryLedger, MemoryState};
use super::*;
use crate::log::port::{Batch, Committed, JournalEnd, StateChange};
use crate::log::{Journal, Leaf, SignedHead, State, extend};
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::{Frontier, LeafIndex, leaf_hash};
use crate::protocol::time::UnixTime;
use crate::services::ledger::Table;

fn leaves(from: u64, to: u64) -> Vec<Leaf> {
    (from..to)
        .map(|i| Leaf {
            data: format!("leaf {i}").into_bytes(),
            extra: i.to_be_bytes().to_vec(),
            keys: keys(i).to_vec(),
        })
        .collect()
}

/// The search keys of a leaf: one that every third leaf has, and one of its own.
fn keys(index: u64) -> [Sha256; 2] {
    let third = Sha256::of(&[u8::try_from(index % 3).unwrap()]);
    [third, Sha256::of(&index.to_be_bytes())]
}

fn head(size: u64, root: Sha256) -> SignedHead {
    SignedHead {
        size: TreeSize::new(size),
        root,
        time: UnixTime::from_millis(size),
        note: format!("note of {size}"),
    }
}

fn batch(from: u64, to: u64) -> Batch {
    Batch {
        leaves: leaves(from, to),
        head: head(to, leaf_hash(&to.to_be_bytes())),
    }
}

fn replayed(
    journal: &dyn Journal,
    log: LogId,
    from: Option<JournalEnd>,
) -> Vec<(Batch, Committed)> {
    let mut batches = Vec::new();
    journal
        .replay(log, from, &mut |batch, committed| {
            batches.push((batch, committed));
            ControlFlow::Continue(())
        })
        .unwrap();
    batches
}

fn a_journal_keeps_the_promises_of_its_port(journal: &dyn Journal) {
    let log = LogId::RekorV2;
    assert!(journal.tail(log).last.is_none());
    assert!(replayed(journal, log, None).is_empty());

    let empty = journal.commit(log, &batch(0, 0)).unwrap();
    let first = journal.commit(log, &batch(0, 3)).unwrap();
    let other = journal.commit(LogId::Ct, &batch(0, 2)).unwrap();
    let second = journal.commit(log, &batch(3, 200)).unwrap();

    assert!(empty.end < first.end && first.end < other.end && other.end < second.end);
    let tail = journal.tail(log);
    assert_eq!(tail.last, Some((batch(3, 200).head, second.end)));
    assert_eq!(tail.read_only, None);
    assert_eq!(journal.tail(LogId::Ct).last.unwrap().0.size.get(), 2);

    let all = replayed(journal, log, None);
    let sizes: Vec<_> = all.iter().map(|(b, _)| b.head.size.get()).collect();
    assert_eq!(sizes, [0, 3, 200]);
    assert_eq!(all[2].0.leaves, leaves(3, 200));
    assert_eq!(all[2].1.places, second.places);
    assert_eq!(all[2].1.end, second.end);
    assert_eq!(replayed(journal, log, Some(first.end)).len(), 1);
    assert!(replayed(journal, log, Some(second.end)).is_empty());

    for (index, place) in (3..).map(LeafIndex::new).zip(&second.places) {
        let leaf = journal.load(log, index, *place).unwrap();
        assert_eq!(leaf, leaves(index.get(), index.get() + 1)[0]);
    }
    journal
        .load(log, LeafIndex::new(2), other.places[0])
        .unwrap_err();
    journal
        .load(LogId::Ct, LeafIndex::new(0), first.places[0])
        .unwrap_err();
}

fn change(from: u64, to: u64, frontier: &mut Frontier) -> StateChange {
    let mut rows = Vec::new();
    let hashes = leaves(from, to).into_iter().map(|l| leaf_hash(&l.data));
    extend(frontier, &mut rows, hashes, |_, _| ());
    let place = |i| crate::log::port::Place {
        segment: 1,
        offset: u32::try_from(i).unwrap(),
        length: 9,
    };
    StateChange {
        start: TreeSize::new(from),
        rows,
        places: (from..to).map(place).collect(),
        keys: (from..to)
            .flat_map(|i| keys(i).map(|key| (key, LeafIndex::new(i))))
            .collect(),
        head: head(to, frontier.root()),
        end: JournalEnd {
            segment: 1,
            offset: u32::try_from(to).unwrap(),
        },
    }
}

fn a_state_keeps_the_promises_of_its_port(state: &dyn State) {
    let log = LogId::RekorV2;
    assert_eq!(state.head(log), Ok(None));
    state.hashes(log, 0, 0..1).unwrap_err();
    let hash = |i: u64| leaf_hash(format!("leaf {i}").as_bytes());

    let mut frontier = Frontier::empty();
    let mut reached = 0;
    for to in [0, 1, 63, 64, 65, 300, 512, 700] {
        let change = change(reached, to, &mut frontier);
        state.apply(log, &change).unwrap();
        reached = to;
        assert_eq!(state.head(log), Ok(Some((change.head, change.end))));
        let hashes = state.hashes(log, 0, 0..to).unwrap();
        assert_eq!(hashes, (0..to).map(hash).collect::<Vec<_>>());
        state.hashes(log, 0, 0..to + 1).unwrap_err();
        state.places(log, to..to + 1).unwrap_err();
    }
    assert_eq!(state.hashes(log, 1, 0..2).unwrap().len(), 2);
    state.hashes(log, 1, 0..3).unwrap_err();
    let places = state.places(log, 60..130).unwrap();
    assert!((60..).zip(&places).all(|(i, place)| place.offset == i));
    assert_eq!(
        state.index_of(log, &hash(699)),
        Ok(Some(LeafIndex::new(699)))
    );
    assert_eq!(state.index_of(log, &hash(700)), Ok(None));
    assert_eq!(state.index_of(LogId::Ct, &hash(0)), Ok(None));
    assert_eq!(state.head(LogId::Ct), Ok(None));

    a_state_finds_leaves_by_their_search_keys(state);

    let anew = change(0, 10, &mut Frontier::empty());
    state.apply(log, &anew).unwrap();
    assert_eq!(state.head(log).unwrap().unwrap().0.size.get(), 10);
    assert_eq!(state.index_of(log, &hash(11)), Ok(None));
    state.hashes(log, 0, 0..11).unwrap_err();
    state.hashes(log, 1, 0..1).unwrap_err();
    assert_eq!(found(state, 0, 700, 99), [9, 6, 3, 0]);
}

/// The leaves of which the first search key is that of leaf `of`.
fn found(state: &dyn State, of: u64, before: u64, limit: usize) -> Vec<u64> {
    let [key, _] = keys(of);
    let found = state.search(LogId::RekorV2, &key, LeafIndex::new(before), limit);
    found.unwrap().into_iter().map(LeafIndex::get).collect()
}

/// Of 700 leaves.
fn a_state_finds_leaves_by_their_search_keys(state: &dyn State) {
    assert_eq!(found(state, 0, 700, 2), [699, 696]);
    assert_eq!(found(state, 1, 7, 99), [4, 1]);
    assert_eq!(found(state, 2, u64::MAX, 1), [698]);
    assert_eq!(found(state, 2, 2, 1), [0; 0]);
    assert_eq!(found(state, 0, 700, 0), [0; 0]);
    assert_eq!(found(state, 0, 700, 999).len(), 234);
    for index in [0, 63, 64, 300, 699] {
        let [_, own] = keys(index);
        let all = LeafIndex::new(u64::MAX);
        let found = state.search(LogId::RekorV2, &own, all, 9);
        assert_eq!(found, Ok(vec![LeafIndex::new(index)]));
        assert_eq!(state.search(LogId::Ct, &own, all, 9), Ok(Vec::new()));
        let unknown = state.search(LogId::RekorV2, &Sha256::of(b"?"), all, 9);
        assert_eq!(unknown, Ok(Vec::new()));
    }
}

fn a_ledger_keeps_the_promises_of_its_port(ledger: &dyn Ledger) {
    let table = Table::Account;
    assert_eq!(ledger.load(table, b"a").unwrap(), None);
    ledger.remove(table, b"a").unwrap();

    ledger.put(table, b"b", b"2").unwrap();
    ledger.put(table, b"a", b"1").unwrap();
    ledger.put(table, b"c", b"").unwrap();
    ledger.put(Table::TimestampFloor, b"a", b"9").unwrap();
    ledger.put(table, b"b", b"3").unwrap();

    assert_eq!(ledger.load(table, b"b").unwrap().unwrap(), b"3");
    assert_eq!(ledger.load(table, b"c").unwrap().unwrap(), b"");
    let facts = ledger.scan(table).unwrap();
    let keys: Vec<_> = facts.iter().map(|(key, _)| &key[..]).collect();
    assert_eq!(keys, [b"a", b"b", b"c"]);

    ledger.remove(table, b"a").unwrap();
    assert_eq!(ledger.load(table, b"a").unwrap(), None);
    let other = ledger.load(Table::TimestampFloor, b"a").unwrap();
    assert_eq!(other.unwrap(), b"9");
}

#[test]
fn storage_in_memory_keeps_the_contract() {
    a_journal_keeps_the_promises_of_its_port(&MemoryJournal::default());
    a_state_keeps_the_promises_of_its_port(&MemoryState::default());
    a_ledger_keeps_the_promises_of_its_port(&MemoryLedger::default());
}

#[test]
fn storage_on_disk_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path(), Options::default()).unwrap();
    let parts = storage.parts();

    a_journal_keeps_the_promises_of_its_port(parts.journal.as_ref());
    a_state_keeps_the_promises_of_its_port(parts.state.as_ref());
    a_ledger_keeps_the_promises_of_its_port(storage.ledger().as_ref());
}

#[test]
fn storage_on_disk_keeps_the_contract_over_many_segments() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 2_000,
        ..Options::default()
    };
    let storage = open(dir.path(), options).unwrap();

    a_journal_keeps_the_promises_of_its_port(storage.parts().journal.as_ref());
    a_ledger_keeps_the_promises_of_its_port(storage.ledger().as_ref());
    let segments = std::fs::read_dir(journal_dir(dir.path())).unwrap().count();
    assert!(segments > 3);
}
