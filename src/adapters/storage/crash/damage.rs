//! Damage: found, named, and never served.

use super::torn::open_journal;
use super::*;
use crate::adapters::storage::audit::Difference;
use crate::adapters::storage::error::DamagedEntry;
use crate::adapters::storage::sled::wait_for_lock;
use crate::log::port::JournalError;
use crate::log::{ReadError, missing_entries};
use crate::services::ledger::{LedgerError, Table};

#[tokio::test]
async fn a_journal_cut_in_the_middle_is_refused_with_the_position() {
    let mut store = Store::new();
    for _ in 0..3 {
        store.append(20, 900).await;
    }
    let middle = length(&store.segment()) / 3;
    cut(&store.segment(), middle);

    let error = open_journal(store.path()).unwrap_err();

    let OpenError::Damaged {
        segment, offset, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(segment, 1);
    assert!(u64::from(offset) <= middle && u64::from(offset) > middle - 2_200);
}

#[tokio::test]
async fn one_flipped_bit_is_refused_with_the_name_of_the_entry() {
    let mut store = Store::new();
    store.append(12, 60).await;
    store.append(12, 60).await;
    let whole = fs::read(store.segment()).unwrap();
    let copy = store.copy_journal();
    let segment = journal_dir(copy.path()).join("00000001.seg");
    let position = |index: u64| {
        let (text, _) = store
            .acknowledged
            .iter()
            .find(|(_, i)| *i == index)
            .unwrap();
        let found = whole.windows(text.len()).position(|w| w == text.as_bytes());
        found.unwrap()
    };

    for bit in (0..whole.len() * 8).step_by(37) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&segment, &flipped).unwrap();
        open_journal(copy.path()).map(drop).unwrap_err();
    }
    for index in 0..24 {
        let mut flipped = whole.clone();
        flipped[position(index) + 5] ^= 1;
        fs::write(&segment, &flipped).unwrap();

        let error = open_journal(copy.path()).unwrap_err();

        let OpenError::Damaged { entry, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(entry, DamagedEntry(Some((LogId::REKOR_V2, index))));
        assert!(
            error
                .to_string()
                .contains(&format!("entry {index} of log rekor-v2"))
        );
    }
}

#[tokio::test]
async fn a_leaf_that_is_damaged_while_the_store_is_open_is_not_served() {
    let mut store = Store::new();
    store.append(5, 60).await;
    let (_storage, log) = store.start_at(store.path()).unwrap();
    let mut bytes = fs::read(store.segment()).unwrap();
    let text = store.acknowledged[2].0.clone();
    let at = bytes
        .windows(60)
        .position(|w| w == text.as_bytes())
        .unwrap();
    bytes[at] ^= 0x10;
    fs::write(store.segment(), bytes).unwrap();

    let index = store.acknowledged[2].1;

    assert_eq!(log.leaves(index..index + 1), Err(ReadError::Storage));
    assert!(log.leaves(0..5).is_err());
}

#[tokio::test]
async fn damage_in_a_closed_segment_is_found_by_the_audit() {
    let mut store = Store::new();
    store.options.segment_bytes = 4_000;
    for _ in 0..6 {
        store.append(5, 300).await;
    }
    let mut bytes = fs::read(store.segment()).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(store.segment(), bytes).unwrap();

    let report = fsck(store.path(), &[]).unwrap();

    assert!(!report.is_clean());
    assert!(matches!(
        &report.differences[0],
        Difference::Journal(JournalError::Damaged { place }) if place.starts_with("segment 1,")
    ));
    fs::remove_file(store.segment()).unwrap();
    let missing = open_journal(store.path());
    assert!(matches!(missing, Err(OpenError::MissingSegment(1))));
}

#[tokio::test]
async fn an_older_copy_of_the_journal_is_only_read_and_says_what_is_missing() {
    let mut store = Store::new();
    store.append(9, 3_000).await;
    let older = store.copy_journal();
    store.append(11, 3_000).await;
    fs::copy(
        journal_dir(older.path()).join("00000001.seg"),
        store.segment(),
    )
    .unwrap();

    let (storage, log) = store.start_at(store.path()).unwrap();

    assert_eq!(log.health(), Health::ReadOnly { missing: 11 });
    let refused = log.append(leaf("new")).await.unwrap_err();
    assert_eq!(refused, AppendError::ReadOnly { missing: 11 });
    assert_eq!(log.head().size.get(), 9);
    assert_eq!(log.leaves(0..9).unwrap().len(), 9);
    let refused = storage.ledger().put(Table::Account, b"a", b"b");
    assert!(matches!(refused, Err(LedgerError::ReadOnly)));
    log.drain().await;
    drop((storage, log));
    let report = fsck(store.path(), &[]).unwrap();
    assert_eq!(report.missing, [(LogId::REKOR_V2, 11)]);
}

#[tokio::test]
async fn a_whole_journal_restored_from_yesterday_is_only_read_because_the_state_knows_more() {
    let mut store = Store::new();
    store.append(4, 50).await;
    let older = store.copy_journal();
    store.append(3, 50).await;
    fs::remove_dir_all(store.journal()).unwrap();
    fs::create_dir(store.journal()).unwrap();
    copy_files(&journal_dir(older.path()), &store.journal());

    let (_storage, log) = store.start_at(store.path()).unwrap();

    assert_eq!(log.health(), Health::ReadOnly { missing: 3 });
    assert_eq!(log.head().size.get(), 4);
}

#[tokio::test]
async fn a_segment_of_another_journal_is_refused() {
    let (mut store, mut other) = (Store::new(), Store::new());
    store.append(5, 50).await;
    other.append(5, 50).await;
    fs::copy(other.segment(), store.segment()).unwrap();

    let error = open_journal(store.path()).unwrap_err();

    assert!(matches!(error, OpenError::Foreign(_)));
}

#[tokio::test]
async fn the_audit_names_what_the_state_has_wrong() {
    let mut store = Store::new();
    store.append(70, 50).await;
    let storage = open(store.path(), Options::default()).unwrap();
    let ledger = storage.ledger();
    ledger.put(Table::Account, b"a", b"1").unwrap();
    drop((ledger, storage));
    let db = sled_state(&store);
    let hash = leaf_hash(store.acknowledged[9].0.as_bytes());
    db.remove([&[b'i', 2][..], hash.as_bytes()].concat())
        .unwrap();
    let key = Sha256::of(store.acknowledged[11].0.as_bytes());
    db.remove([&[b's', 2][..], key.as_bytes(), &11_u64.to_be_bytes()].concat())
        .unwrap();
    for stray in 0..2_u64 {
        let key = [&[b's', 2][..], key.as_bytes(), &stray.to_be_bytes()].concat();
        db.insert(key, &[]).unwrap();
    }
    db.insert(
        [&[b't', 2, 0][..], &1_u64.to_be_bytes()].concat(),
        vec![0; 192],
    )
    .unwrap();
    db.insert(b"f\x01a", b"2").unwrap();
    db.insert(b"f\x01b", b"2").unwrap();
    drop(db);

    let report = fsck(store.path(), &[]).unwrap();

    let text = report.to_string();
    assert!(text.contains("entry 9 is not found by its hash"), "{text}");
    assert!(
        text.contains("row 0 of tiles is wrong at hash 64"),
        "{text}"
    );
    assert!(
        text.contains("entry 11 is not found by its search key"),
        "{text}"
    );
    assert!(
        text.contains("141 search records where 140 are due"),
        "{text}"
    );
    assert!(text.contains("69 index records where 70 are due"), "{text}");
    assert!(text.contains("fact 61 of table Account is wrong"), "{text}");
    assert!(text.contains("fact 62 of table Account is wrong"), "{text}");
    assert!(text.ends_with("not clean"), "{text}");
    rebuild(store.path()).unwrap();
    store.check(store.path()).await.unwrap();
}

/// The state as sled has it.
fn sled_state(store: &Store) -> ::sled::Db {
    let dir = state_dir(store.path());
    wait_for_lock(&dir).unwrap();
    ::sled::Config::new()
        .path(dir)
        .segment_size(2 << 20)
        .open()
        .unwrap()
}

/// The index cursor of the log, as sled has it.
fn cursor(indexed: u64) -> Vec<u8> {
    [&[1][..], &indexed.to_be_bytes()].concat()
}

#[tokio::test]
async fn an_index_that_lags_is_no_damage_and_the_audit_says_by_how_much() {
    let mut store = Store::new();
    store.append(70, 50).await;
    let db = sled_state(&store);
    assert_eq!(db.get(b"c\x02").unwrap().unwrap(), cursor(70));
    db.insert(b"c\x02", cursor(60)).unwrap();
    let key = Sha256::of(store.acknowledged[65].0.as_bytes());
    let lagging = [&[b's', 2][..], key.as_bytes(), &65_u64.to_be_bytes()].concat();
    assert!(db.remove(lagging).unwrap().is_some());
    drop(db);

    let report = fsck(store.path(), &[]).unwrap();
    assert!(report.is_clean() && report.behind.is_empty(), "{report}");
    assert_eq!(report.index_behind, [(LogId::REKOR_V2, 10)]);
    let text = report.to_string();
    assert!(
        text.contains("rekor-v2: the search index lacks the last 10 entries"),
        "{text}"
    );

    // The log indexes them when it runs.
    store.check(store.path()).await.unwrap();
    let report = fsck(store.path(), &[]).unwrap();
    assert_eq!(report.index_behind, []);
}

#[tokio::test]
async fn a_state_of_an_earlier_release_has_no_index_cursor_and_is_indexed_from_the_first_leaf() {
    let mut store = Store::new();
    store.append(70, 50).await;
    let db = sled_state(&store);
    db.remove(b"c\x02").unwrap();
    drop(db);
    let report = fsck(store.path(), &[]).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.index_behind, [(LogId::REKOR_V2, 70)]);

    store.check(store.path()).await.unwrap();

    assert_eq!(
        sled_state(&store).get(b"c\x02").unwrap().unwrap(),
        cursor(71)
    );
}

#[tokio::test]
async fn an_index_that_is_ahead_of_its_log_is_found_by_the_audit_and_built_again() {
    let mut store = Store::new();
    store.append(20, 50).await;
    let db = sled_state(&store);
    db.insert(b"c\x02", cursor(25)).unwrap();
    drop(db);
    let report = fsck(store.path(), &[]).unwrap();
    let text = report.to_string();
    assert!(
        text.contains("rekor-v2: the search index has 25 entries; the state has 20"),
        "{text}"
    );

    // Without the drop, the next five leaves would never be indexed.
    store.append(6, 60).await;
    store.check(store.path()).await.unwrap();
}

#[tokio::test]
async fn a_rebuild_builds_the_index_too() {
    let mut store = Store::new();
    store.append(70, 50).await;

    let sizes = rebuild(store.path()).unwrap();

    assert_eq!(sizes, [(LogId::REKOR_V2, TreeSize::new(70))]);
    let report = fsck(store.path(), &[]).unwrap();
    assert!(
        report.is_clean() && report.index_behind.is_empty(),
        "{report}"
    );
    assert_eq!(
        sled_state(&store).get(b"c\x02").unwrap().unwrap(),
        cursor(70)
    );
}

#[tokio::test]
async fn a_log_without_a_name_is_rebuilt_and_audited_like_the_others() {
    let mut store = Store::new();
    store.append(3, 50).await;
    let unknown = LogId::from_number(7);
    let storage = open(store.path(), Options::default()).unwrap();
    let log = Log::start(
        unknown,
        TestSigner::new("unknown.example"),
        Arc::new(TestClock::new(UnixTime::from_millis(0))),
        storage.log_storage(),
        Limits::default(),
        stored_keys,
    )
    .unwrap();
    log.append(found_leaf("of a log without a name"))
        .await
        .unwrap();
    log.drain().await;
    drop((log, storage));

    let sizes = rebuild(store.path()).unwrap();
    let report = fsck(store.path(), &[]).unwrap();

    let expected = [
        (LogId::REKOR_V2, TreeSize::new(3)),
        (unknown, TreeSize::new(1)),
    ];
    assert_eq!(sizes, expected);
    assert!(report.is_clean(), "{report}");
    assert!(
        report
            .to_string()
            .contains("log-7: 1 entries, 2 checkpoints"),
        "{report}"
    );
}

#[tokio::test]
async fn a_state_that_proves_what_is_missing_is_not_set_aside_by_a_rebuild() {
    let mut store = Store::new();
    store.append(4, 50).await;
    let older = store.copy_journal();
    store.append(3, 50).await;
    copy_files(&journal_dir(older.path()), &store.journal());

    let refused = rebuild(store.path());

    assert!(
        matches!(refused, Err(OpenError::Behind { entries: 3, .. })),
        "{refused:?}"
    );
    let (_storage, log) = store.start_at(store.path()).unwrap();
    assert_eq!(log.health(), Health::ReadOnly { missing: 3 });
}

#[tokio::test]
async fn a_ledger_that_proves_what_is_missing_makes_the_logs_read_only() {
    let mut store = Store::new();
    store.append(4, 50).await;
    let older = store.copy_journal();
    let storage = open(store.path(), Options::default()).unwrap();
    storage.ledger().put(Table::Account, b"a", b"1").unwrap();
    drop(storage);
    copy_files(&journal_dir(older.path()), &store.journal());

    let (storage, log) = store.start_at(store.path()).unwrap();

    assert_eq!(log.health(), Health::ReadOnly { missing: 0 });
    let refused = storage.ledger().put(Table::Account, b"a", b"2");
    assert!(matches!(refused, Err(LedgerError::ReadOnly)));
}

#[tokio::test]
async fn a_journal_in_doubt_is_reported_although_no_log_was_writing() {
    let store = Store::new();
    let (storage, log) = store.start_at(store.path()).unwrap();
    assert!(futures_util::FutureExt::now_or_never(storage.failed()).is_none());

    storage.journal.stop();

    storage.failed().await;
    assert_eq!(log.health(), Health::Ok);
}

#[tokio::test]
async fn an_empty_folder_in_place_of_the_journal_is_not_a_store() {
    let mut store = Store::new();
    store.append(1, 50).await;
    fs::remove_dir_all(store.journal()).unwrap();
    fs::create_dir(store.journal()).unwrap();

    let refused = rebuild(store.path());

    assert!(matches!(refused, Err(OpenError::NoJournal(_))));
    assert_eq!(fs::read_dir(store.journal()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_old_copy_for_one_log_makes_every_log_read_only() {
    let mut store = Store::new();
    store.append(4, 50).await;
    let ct_signer: Arc<dyn HeadSigner> = TestSigner::new("ct.example");
    let start_ct = |storage: &Storage| {
        Log::start(
            LogId::CT,
            Arc::clone(&ct_signer),
            Arc::new(TestClock::new(UnixTime::from_millis(0))),
            storage.log_storage(),
            Limits::default(),
            stored_keys,
        )
        .unwrap()
    };
    let append_to_ct = async |text| {
        let storage = open(store.path(), store.options).unwrap();
        let ct = start_ct(&storage);
        ct.append(leaf(text)).await.unwrap();
        ct.drain().await;
    };
    append_to_ct("first").await;
    let older = store.copy_journal();
    append_to_ct("second").await;
    copy_files(&journal_dir(older.path()), &store.journal());

    let storage = open(store.path(), store.options).unwrap();
    let missing = missing_entries(LogId::CT, ct_signer.as_ref(), storage.log_storage());
    storage.set_read_only(missing.map(|missing| (LogId::CT, missing)));
    let log = store.start(&storage).unwrap();

    assert_eq!(missing, Some(1));
    assert_eq!(start_ct(&storage).health(), Health::ReadOnly { missing: 1 });
    assert_eq!(log.health(), Health::ReadOnly { missing: 0 });
    let refused = storage.ledger().put(Table::Account, b"a", b"b");
    assert!(matches!(refused, Err(LedgerError::ReadOnly)));
}
