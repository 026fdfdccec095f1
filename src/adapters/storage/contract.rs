//! What every journal, state, index and ledger must do, run on those in memory and those on disk.

use std::ops::ControlFlow;

use super::*;
use crate::doubles::MemoryLedger;
use crate::log::memory::{MemoryJournal, MemoryState};
use crate::log::port::{
    Batch, CommitError, Committed, Journal, JournalCursor, Position, SearchIndex, State,
    StateChange,
};
use crate::log::tests::{TestSigner, leaf, start, start_indexed};
use crate::log::{Leaf, SignedHead, extend};
use crate::protocol::hash::Sha256;
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
    from: Option<JournalCursor>,
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
    let log = LogId::REKOR_V2;
    assert!(journal.tail(log).last.is_none());
    assert!(replayed(journal, log, None).is_empty());
    let commit = |log, batch: &Batch| {
        let last = journal.tail(log).last.map(|(head, _)| head);
        journal.commit(log, last.as_ref(), batch).unwrap()
    };

    let empty = commit(log, &batch(0, 0));
    let first = commit(log, &batch(0, 3));
    let other = commit(LogId::CT, &batch(0, 2));
    let second = commit(log, &batch(3, 200));

    assert!(empty.end < first.end && first.end < other.end && other.end < second.end);
    assert!(first.end.0 < other.end.0 && other.end.0 < second.end.0);
    assert!(JournalCursor::default() < empty.end);
    let tail = journal.tail(log);
    assert_eq!(tail.last, Some((batch(3, 200).head, second.end)));
    assert_eq!(tail.read_only, None);
    assert_eq!(journal.tail(LogId::CT).last.unwrap().0.size.get(), 2);

    let all = replayed(journal, log, None);
    let sizes: Vec<_> = all.iter().map(|(b, _)| b.head.size.get()).collect();
    assert_eq!(sizes, [0, 3, 200]);
    assert_eq!(all[2].0.leaves, leaves(3, 200));
    assert_eq!(all[2].1.positions, second.positions);
    assert_eq!(all[2].1.end, second.end);
    assert_eq!(replayed(journal, log, Some(first.end)).len(), 1);
    assert!(replayed(journal, log, Some(second.end)).is_empty());

    for (index, position) in (3..).map(LeafIndex::new).zip(&second.positions) {
        let leaf = journal.load(log, index, *position).unwrap();
        assert_eq!(leaf, leaves(index.get(), index.get() + 1)[0]);
    }
    journal
        .load(log, LeafIndex::new(2), other.positions[0])
        .unwrap_err();
    journal
        .load(LogId::CT, LeafIndex::new(0), first.positions[0])
        .unwrap_err();

    a_journal_refuses_a_commit_that_does_not_extend_its_last_head(journal);
}

/// Of 200 leaves.
fn a_journal_refuses_a_commit_that_does_not_extend_its_last_head(journal: &dyn Journal) {
    let log = LogId::REKOR_V2;
    let last = batch(3, 200).head;
    let other_root = head(200, Sha256::of(b"another root"));
    let stale = batch(0, 3).head;
    for (expected, batch) in [
        (None, batch(0, 1)),
        (Some(&stale), batch(3, 4)),
        (Some(&other_root), batch(200, 201)),
    ] {
        let refused = journal.commit(log, expected, &batch).unwrap_err();

        let conflict = CommitError::Conflict {
            expected: expected.map_or(0, |head| head.size.get()),
            found: 200,
        };
        assert_eq!(refused, conflict);
        assert_eq!(journal.tail(log).last.unwrap().0, last);
    }
    let new_log = LogId::REKOR_V1;
    let refused = journal.commit(new_log, Some(&stale), &batch(3, 4));
    assert!(matches!(
        refused,
        Err(CommitError::Conflict { found: 0, .. })
    ));
    assert_eq!(replayed(journal, log, None).len(), 3);

    // Only size and root are compared: another process may have the note with other signatures.
    let same = SignedHead {
        note: "the same tree".to_owned(),
        ..last
    };
    journal.commit(log, Some(&same), &batch(200, 201)).unwrap();
    journal.commit(new_log, None, &batch(0, 1)).unwrap();
    assert_eq!(journal.tail(log).last.unwrap().0.size.get(), 201);
}

fn position(index: u64) -> Position {
    let mut bytes = [1; 12];
    bytes[4..].copy_from_slice(&index.to_be_bytes());
    Position(bytes)
}

fn change(from: u64, to: u64, frontier: &mut Frontier) -> StateChange {
    let mut rows = Vec::new();
    let hashes = leaves(from, to).into_iter().map(|l| leaf_hash(&l.data));
    extend(frontier, &mut rows, hashes, |_, _| ());
    StateChange {
        start: TreeSize::new(from),
        rows,
        positions: (from..to).map(position).collect(),
        head: head(to, frontier.root()),
        end: JournalCursor(to.to_be_bytes()),
    }
}

fn a_state_keeps_the_promises_of_its_port(state: &dyn State) {
    let log = LogId::REKOR_V2;
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
        state.positions(log, to..to + 1).unwrap_err();
    }
    assert_eq!(state.hashes(log, 1, 0..2).unwrap().len(), 2);
    state.hashes(log, 1, 0..3).unwrap_err();
    let positions = state.positions(log, 60..130).unwrap();
    assert!((60..).zip(&positions).all(|(i, at)| *at == position(i)));
    assert_eq!(
        state.index_of(log, &hash(699)),
        Ok(Some(LeafIndex::new(699)))
    );
    assert_eq!(state.index_of(log, &hash(700)), Ok(None));
    assert_eq!(state.index_of(LogId::CT, &hash(0)), Ok(None));
    assert_eq!(state.head(LogId::CT), Ok(None));

    let replacement = change(0, 10, &mut Frontier::empty());
    state.apply(log, &replacement).unwrap();
    assert_eq!(state.head(log).unwrap().unwrap().0.size.get(), 10);
    assert_eq!(state.index_of(log, &hash(11)), Ok(None));
    state.hashes(log, 0, 0..11).unwrap_err();
    state.hashes(log, 1, 0..1).unwrap_err();
}

/// The search records of leaves.
fn records(from: u64, to: u64) -> Vec<(Sha256, LeafIndex)> {
    (from..to)
        .flat_map(|i| keys(i).map(|key| (key, LeafIndex::new(i))))
        .collect()
}

fn an_index_keeps_the_promises_of_its_port(index: &dyn SearchIndex) {
    let log = LogId::REKOR_V2;
    assert_eq!(index.indexed(log), Ok(TreeSize::EMPTY));
    for (from, to) in [(0, 0), (0, 1), (1, 300), (300, 700)] {
        index
            .add(log, &records(from, to), TreeSize::new(to))
            .unwrap();
        assert_eq!(index.indexed(log), Ok(TreeSize::new(to)));
    }
    // Part of a leaf, before the cursor passes it, and a leaf for the second time.
    let [first, second] = keys(700).map(|key| (key, LeafIndex::new(700)));
    index.add(log, &[first], TreeSize::new(700)).unwrap();
    index.add(log, &[second], TreeSize::new(701)).unwrap();
    index
        .add(log, &records(600, 701), TreeSize::new(701))
        .unwrap();
    index.add(log, &[], TreeSize::new(702)).unwrap();
    assert_eq!(index.indexed(log), Ok(TreeSize::new(702)));
    assert_eq!(index.indexed(LogId::CT), Ok(TreeSize::EMPTY));

    assert_eq!(found(index, 1, 701, 1), [700]);
    assert_eq!(found(index, 1, 700, 1), [697]);
    an_index_finds_leaves_by_their_search_keys(index);

    index
        .add(LogId::CT, &records(0, 3), TreeSize::new(3))
        .unwrap();
    index.clear(log).unwrap();
    assert_eq!(index.indexed(log), Ok(TreeSize::EMPTY));
    assert_eq!(found(index, 0, 700, 99), [0; 0]);
    assert_eq!(index.indexed(LogId::CT), Ok(TreeSize::new(3)));
    index.add(log, &records(0, 10), TreeSize::new(10)).unwrap();
    assert_eq!(found(index, 0, 700, 99), [9, 6, 3, 0]);
}

/// The leaves of which the first search key is that of leaf `of`.
fn found(index: &dyn SearchIndex, of: u64, before: u64, limit: usize) -> Vec<u64> {
    let [key, _] = keys(of);
    let found = index.search(LogId::REKOR_V2, &key, LeafIndex::new(before), limit);
    found.unwrap().into_iter().map(LeafIndex::get).collect()
}

/// Of 701 leaves.
fn an_index_finds_leaves_by_their_search_keys(index: &dyn SearchIndex) {
    assert_eq!(found(index, 0, 700, 2), [699, 696]);
    assert_eq!(found(index, 1, 7, 99), [4, 1]);
    assert_eq!(found(index, 2, u64::MAX, 1), [698]);
    assert_eq!(found(index, 2, 2, 1), [0; 0]);
    assert_eq!(found(index, 0, 700, 0), [0; 0]);
    assert_eq!(found(index, 0, 700, 999).len(), 234);
    for leaf in [0, 63, 64, 300, 699] {
        let [_, own] = keys(leaf);
        let all = LeafIndex::new(u64::MAX);
        let found = index.search(LogId::REKOR_V2, &own, all, 9);
        assert_eq!(found, Ok(vec![LeafIndex::new(leaf)]));
        assert_eq!(index.search(LogId::CT, &own, all, 9), Ok(Vec::new()));
        let unknown = index.search(LogId::REKOR_V2, &Sha256::of(b"?"), all, 9);
        assert_eq!(unknown, Ok(Vec::new()));
    }
}

async fn an_index_can_be_dropped_and_added_to_a_log_that_had_none(storage: &LogStorage) {
    const NUMBER: u64 = 300;
    let signer = TestSigner::new("log.example");
    let log = start_indexed(&signer, storage, |_| Vec::new()).unwrap();
    let texts = (0..NUMBER).map(|i| format!("leaf {i}"));
    let appends = texts.map(|text| {
        let keys = vec![Sha256::of(b"all"), Sha256::of(text.as_bytes())];
        log.append(Leaf {
            keys,
            ..leaf(&text)
        })
    });
    for appended in futures_util::future::join_all(appends).await {
        appended.unwrap();
    }
    let all = Sha256::of(b"all");
    assert_eq!(log.search(&all, None, 999), Ok(Vec::new()));
    log.drain().await;

    let newest_first: Vec<_> = (0..NUMBER).rev().map(LeafIndex::new).collect();
    for _ in 0..2 {
        storage.index.clear(LogId::REKOR_V2).unwrap();
        let log = start(&signer, storage).unwrap();
        assert_eq!(log.search(&all, None, 999).unwrap(), newest_first);
        let own = Sha256::of(&log.leaves(7..8).unwrap()[0].data);
        assert_eq!(log.search(&own, None, 9), Ok(vec![LeafIndex::new(7)]));
        log.drain().await;
        let indexed = storage.index.indexed(LogId::REKOR_V2);
        assert_eq!(indexed, Ok(TreeSize::new(NUMBER)));
    }

    storage.index.clear(LogId::REKOR_V2).unwrap();
    let by_data: SearchKeys = |leaf| vec![leaf_hash(&leaf.data)];
    let log = start_indexed(&signer, storage, by_data).unwrap();
    assert_eq!(log.search(&all, None, 9), Ok(Vec::new()));
    let found = log.search(&leaf_hash(b"leaf 7"), None, 9).unwrap();
    assert_eq!(found.len(), 1);
    log.drain().await;
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

#[tokio::test]
async fn storage_in_memory_keeps_the_contract() {
    a_journal_keeps_the_promises_of_its_port(&MemoryJournal::default());
    a_state_keeps_the_promises_of_its_port(&MemoryState::default());
    an_index_keeps_the_promises_of_its_port(&MemoryState::default());
    a_ledger_keeps_the_promises_of_its_port(&MemoryLedger::default());
    an_index_can_be_dropped_and_added_to_a_log_that_had_none(&LogStorage::in_memory()).await;
}

#[tokio::test]
async fn storage_on_disk_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path(), Options::default()).unwrap();
    let log_storage = storage.log_storage();

    a_journal_keeps_the_promises_of_its_port(log_storage.journal.as_ref());
    a_state_keeps_the_promises_of_its_port(log_storage.state.as_ref());
    an_index_keeps_the_promises_of_its_port(log_storage.index.as_ref());
    a_ledger_keeps_the_promises_of_its_port(storage.ledger().as_ref());

    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path(), Options::default()).unwrap();
    an_index_can_be_dropped_and_added_to_a_log_that_had_none(&storage.log_storage()).await;
}

#[test]
fn storage_on_disk_keeps_the_contract_over_many_segments() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 2_000,
        ..Options::default()
    };
    let storage = open(dir.path(), options).unwrap();

    a_journal_keeps_the_promises_of_its_port(storage.log_storage().journal.as_ref());
    a_ledger_keeps_the_promises_of_its_port(storage.ledger().as_ref());
    let segments = std::fs::read_dir(journal_dir(dir.path())).unwrap().count();
    assert!(segments > 3);
}
