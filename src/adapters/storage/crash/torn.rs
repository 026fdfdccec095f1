//! Power cuts: batches that were written in part, and ends that went missing.

use super::*;
use crate::adapters::storage::journal::record::End;
use crate::log::Appended;
use crate::log::tests::{Breaking, Stop};

#[tokio::test]
async fn a_batch_that_was_torn_anywhere_before_it_was_acknowledged_leaves_no_trace() {
    let mut store = Store::new();
    store.append(20, 50).await;
    let heads_before = fs::read(store.journal().join("heads")).unwrap();
    let before = length(&store.segment());
    let acknowledged = store.acknowledged.clone();
    let seen = store.heads.clone();
    store.append(2, 50).await;
    let whole = fs::read(store.segment()).unwrap();
    let after = length(&store.segment());
    store.acknowledged = acknowledged;
    store.heads = seen;

    for end in before..=after {
        let copy = store.copy_journal();
        let journal = journal_dir(copy.path());
        fs::write(journal.join("heads"), &heads_before).unwrap();
        let segment = journal.join("00000001.seg");
        cut(&segment, end);
        if end % 2 == 1 {
            // What was not written may also be zeros, if the file got its length first.
            cut(&segment, after);
        }
        let opened = open_journal(copy.path()).unwrap();
        let kept = opened.tail(LogId::REKOR_V2).last.unwrap().0.size.get();
        drop(opened);
        let torn = fs::read(&segment).unwrap();
        assert!((20..=22).contains(&kept) && whole.starts_with(&torn));
        if end % 101 == 0 {
            store.check(copy.path()).await.unwrap();
        }
    }
}

pub(super) fn open_journal(dir: &Path) -> Result<FileJournal, OpenError> {
    let options = Options::default();
    FileJournal::open(&journal_dir(dir), lock(dir)?, options.segment_bytes)
}

#[tokio::test]
async fn an_acknowledged_end_that_was_torn_off_is_restored() {
    let mut store = Store::new();
    for _ in 0..3 {
        store.append(10, 700).await;
    }
    let whole = fs::read(store.segment()).unwrap();
    let commits = commits(store.path());

    for gone in (1..=4096).step_by(5) {
        let copy = store.copy_journal();
        let segment = journal_dir(copy.path()).join("00000001.seg");
        let kept = length(&segment) - gone;
        if commits.contains(&kept) {
            continue;
        }
        cut(&segment, kept);

        drop(open_journal(copy.path()).unwrap());

        assert_eq!(fs::read(&segment).unwrap(), whole, "{gone} bytes");
        if gone % 1000 == 1 {
            store.check(copy.path()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_journal_that_ends_at_an_earlier_commit_is_an_old_copy_and_never_mended() {
    let mut store = Store::new();
    for _ in 0..4 {
        store.append(1, 40).await;
    }
    let commits = commits(store.path());
    assert_eq!(commits.last(), Some(&length(&store.segment())));

    for (missing, end) in (1..).zip(commits.iter().rev().skip(1)) {
        let copy = store.copy_journal();
        let segment = journal_dir(copy.path()).join("00000001.seg");
        cut(&segment, *end);

        let (storage, log) = store.start_at(copy.path()).unwrap();

        assert_eq!(log.health(), Health::ReadOnly { missing });
        assert!(storage.is_read_only());
        assert_eq!(length(&segment), *end);
    }
}

/// Where the commits end in the first segment.
fn commits(dir: &Path) -> Vec<u64> {
    let journal = open_journal(dir).unwrap();
    let mut ends = Vec::new();
    journal
        .replay(LogId::REKOR_V2, None, &mut |_, committed| {
            ends.push(u64::from(End::from(committed.end).offset));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    ends
}

#[tokio::test]
async fn a_new_store_that_was_killed_while_it_was_created_is_created_again() {
    let store = Store::new();
    let journal = store.journal();
    fs::create_dir_all(&journal).unwrap();
    fs::write(journal.join("00000001.tmp"), b"SIGNETJ").unwrap();
    store.check(store.path()).await.unwrap();

    let store = Store::new();
    drop(open_journal(store.path()).unwrap());
    fs::remove_file(store.journal().join("heads")).unwrap();
    store.check(store.path()).await.unwrap();
}

#[tokio::test]
async fn a_lost_head_file_is_created_again_from_a_valid_journal() {
    let mut store = Store::new();
    store.append(10, 50).await;
    fs::remove_file(store.journal().join("heads")).unwrap();

    store.check(store.path()).await.unwrap();

    assert!(store.journal().join("heads").exists());
}

#[tokio::test]
async fn a_state_that_is_missing_cut_or_noise_is_rebuilt() {
    let mut store = Store::new();
    store.append(30, 50).await;
    let state = state_dir(store.path());

    fs::remove_dir_all(&state).unwrap();
    store.check(store.path()).await.unwrap();

    for length in [0, 1, 100, 5_000, 20_000] {
        cut(&state.join("db"), length);
        store.check(store.path()).await.unwrap();
    }
    for name in ["db", "conf"] {
        let noise: Vec<u8> = (0..100_000_u32)
            .map(|i| (i * 7919).to_be_bytes()[2])
            .collect();
        fs::write(state.join(name), noise).unwrap();
        store.check(store.path()).await.unwrap();
    }
    fs::write(state.join("snap.0000000000000001.generating"), b"").unwrap();
    store.check(store.path()).await.unwrap();
    assert!(store.path().join("state.broken-1").exists());
}

#[tokio::test]
async fn a_state_of_another_journal_is_not_used() {
    let (mut store, mut other) = (Store::new(), Store::new());
    store.append(5, 50).await;
    other.append(50, 50).await;
    fs::remove_dir_all(state_dir(store.path())).unwrap();
    fs::rename(state_dir(other.path()), state_dir(store.path())).unwrap();

    store.check(store.path()).await.unwrap();
}

/// Appends a leaf to a log that fails at a step, and closes the store.
async fn append_until(stop: Stop, store: &Store, leaf: Leaf) -> Result<Appended, AppendError> {
    let storage = open(store.path(), Options::default()).unwrap();
    let breaking = Breaking::over(storage.log_storage());
    let log = start(&store.signer, &breaking.storage()).unwrap();
    breaking.stop_at(Some(stop));
    let result = log.append(leaf).await;
    log.failed().await;
    log.drain().await;
    result
}

#[tokio::test]
async fn a_store_that_breaks_off_at_any_step_of_a_commit_recovers_all_that_it_acknowledged() {
    for stop in Stop::FATAL {
        let mut store = Store::new();
        store.append(5, 50).await;
        let result = append_until(stop, &store, leaf("in doubt")).await;

        assert_eq!(result.unwrap_err(), AppendError::Stopped);
        store.check(store.path()).await.unwrap();
    }
}

#[tokio::test]
async fn an_index_that_breaks_off_at_any_step_finds_all_that_was_acknowledged_after_a_restart() {
    for stop in Stop::FATAL_IN_INDEX {
        let mut store = Store::new();
        store.append(5, 50).await;
        let result = append_until(stop, &store, found_leaf("acknowledged")).await;
        let appended = result.unwrap();

        let acknowledged = ("acknowledged".to_owned(), appended.index.get());
        store.acknowledged.push(acknowledged);
        store.check(store.path()).await.unwrap();
    }
}
