//! Crashes and damage, in process: after each, every acknowledged entry exists and every checkpoint ever
//! seen is consistent with every later one, or the store says what is wrong and where.

mod damage;
mod fixture;
mod torn;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::join_all;
use tempfile::TempDir;

use super::audit::Report;
use super::*;
use crate::doubles::TestClock;
use crate::log::tests::{TestSigner, assert_included, leaf, start};
use crate::log::{
    AppendError, HeadSigner, Health, Leaf, Limits, Log, PublishedHead, StartError, stored_keys,
};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::proof::verify_consistency;
use crate::protocol::merkle::{LeafIndex, leaf_hash};
use crate::protocol::time::UnixTime;

fn fsck(dir: &Path, signers: &[Arc<dyn HeadSigner>]) -> Result<Report, OpenError> {
    super::fsck(dir, signers, |_| stored_keys)
}

fn rebuild(dir: &Path) -> Result<Vec<(LogId, TreeSize)>, OpenError> {
    super::rebuild(dir, |_| stored_keys)
}

/// A store, and what its clients have seen of it.
struct Store {
    dir: TempDir,
    signer: Arc<TestSigner>,
    options: Options,
    /// Makes a leaf of its text.
    leaf: fn(&str) -> Leaf,
    acknowledged: Vec<(String, u64)>,
    heads: Vec<PublishedHead>,
}

impl Store {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            signer: TestSigner::new("log.example"),
            options: Options::default(),
            leaf: found_leaf,
            acknowledged: Vec::new(),
            heads: Vec::new(),
        }
    }

    fn with(signer: Arc<TestSigner>) -> Self {
        Self {
            signer,
            ..Self::new()
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn journal(&self) -> PathBuf {
        journal_dir(self.path())
    }

    fn segment(&self) -> PathBuf {
        self.journal().join("00000001.seg")
    }

    fn start_at(&self, dir: &Path) -> Result<(Storage, Log), String> {
        let storage = open(dir, self.options).map_err(|e| e.to_string())?;
        let log = self.start(&storage).map_err(|e| e.to_string())?;
        Ok((storage, log))
    }

    fn start(&self, storage: &Storage) -> Result<Log, StartError> {
        start(&self.signer, &storage.log_storage())
    }

    /// Starts the store, appends `count` leaves of `bytes` bytes, all at once, and closes it.
    async fn append(&mut self, count: usize, bytes: usize) {
        let (storage, log) = self.start_at(self.dir.path()).unwrap();
        let texts: Vec<_> = (0..count)
            .map(|i| format!("{:>bytes$}", self.acknowledged.len() + i))
            .collect();
        let leaves = texts.iter().map(|text| (self.leaf)(text));
        let answers = join_all(leaves.map(|leaf| log.append(leaf))).await;
        for (text, answer) in texts.into_iter().zip(answers) {
            let appended = answer.unwrap();
            assert_included(text.as_bytes(), &appended);
            self.acknowledged.push((text, appended.index.get()));
            self.heads.push(appended.head);
        }
        log.drain().await;
        drop(storage);
    }

    /// Starts a store and checks that nothing that was acknowledged is missing from it.
    async fn check(&self, dir: &Path) -> Result<(), String> {
        let (storage, log) = self.start_at(dir)?;
        if log.health() != Health::Ok {
            return Err(format!("{:?}", log.health()));
        }
        self.check_log(&log);
        let new = log.append(leaf("one more")).await;
        assert!(matches!(new, Ok(_) | Err(AppendError::Duplicate(_))));
        self.check_log(&log);
        log.drain().await;
        drop((log, storage));
        let signer: Arc<dyn HeadSigner> = Arc::clone(&self.signer) as _;
        let report = fsck(dir, &[signer]).unwrap();
        assert!(report.is_clean(), "{report}");
        Ok(())
    }

    fn check_log(&self, log: &Log) {
        let now = log.head();
        for old in &self.heads {
            let proof = log.consistency_proof(old.size, now.size).unwrap();
            verify_consistency((old.size, &old.root), (now.size, &now.root), &proof).unwrap();
        }
        for (text, index) in &self.acknowledged {
            let found = log.index_of(&leaf_hash(text.as_bytes())).unwrap();
            assert_eq!(found.map(|index| index.get()), Some(*index));
            let expected = (self.leaf)(text);
            for key in &expected.keys {
                let found = log.search(key, None, usize::MAX).unwrap();
                assert!(found.contains(&LeafIndex::new(*index)), "{text}");
            }
            assert_eq!(log.leaves(*index..index + 1).unwrap(), [expected]);
        }
    }

    /// A copy of the journal alone, in another data directory.
    fn copy_journal(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        let to = journal_dir(copy.path());
        fs::create_dir(&to).unwrap();
        copy_files(&self.journal(), &to);
        copy
    }
}

/// A leaf with two search keys: one that others have too, and one of its own.
fn found_leaf(text: &str) -> Leaf {
    let mut keys = vec![Sha256::of(b"shared"), Sha256::of(text.as_bytes())];
    keys.sort_unstable();
    Leaf { keys, ..leaf(text) }
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn cut(path: &Path, length: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[tokio::test]
async fn a_store_is_reopened_as_it_was() {
    let mut store = Store::new();
    for _ in 0..5 {
        store.append(7, 20).await;
    }

    store.check(store.path()).await.unwrap();
}

#[tokio::test]
async fn two_logs_and_the_ledger_share_a_journal_over_many_segments() {
    use crate::services::ledger::Table;
    let mut store = Store::new();
    store.options.segment_bytes = 5_000;
    let (storage, log) = store.start_at(store.path()).unwrap();
    let ct = Log::start(
        LogId::CT,
        TestSigner::new("ct.example"),
        Arc::new(TestClock::new(UnixTime::from_millis(0))),
        storage.log_storage(),
        Limits::default(),
        stored_keys,
    )
    .unwrap();
    let ledger = storage.ledger();
    for i in 0..30_u8 {
        let text = format!("{i:>200}");
        let (a, b) = tokio::join!(log.append(found_leaf(&text)), ct.append(leaf(&text)));
        ledger.put(Table::Account, &[i % 7], &[i]).unwrap();
        store.acknowledged.push((text, a.unwrap().index.get()));
        b.unwrap();
    }
    ledger.remove(Table::Account, &[3]).unwrap();
    let facts = ledger.scan(Table::Account).unwrap();
    log.drain().await;
    ct.drain().await;
    drop((log, ct, ledger, storage));

    let report = fsck(store.path(), &[]).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.facts, 31);
    rebuild(store.path()).unwrap();
    let report = fsck(store.path(), &[]).unwrap();
    assert!(report.is_clean() && report.behind.is_empty(), "{report}");
    let (storage, log) = store.start_at(store.path()).unwrap();
    store.check_log(&log);
    assert_eq!(storage.ledger().scan(Table::Account).unwrap(), facts);
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let mut store = Store::new();
    store.append(1, 10).await;
    let held = open(store.path(), Options::default()).unwrap();

    let second = open(store.path(), Options::default());

    assert!(matches!(second, Err(OpenError::Locked(_))));
    drop(held);
    open(store.path(), Options::default()).unwrap();
}

#[tokio::test]
async fn audit_and_rebuild_do_not_create_a_store() {
    let dir = tempfile::tempdir().unwrap();

    let audited = fsck(dir.path(), &[]);
    assert!(matches!(audited, Err(OpenError::NoJournal(_))));
    let rebuilt = rebuild(dir.path());
    assert!(matches!(rebuilt, Err(OpenError::NoJournal(_))));

    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn only_the_owner_can_read_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let mut store = Store::new();
    store.append(3, 10).await;

    for dir in [store.journal(), state_dir(store.path())] {
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o77, 0);
    }
    for entry in fs::read_dir(store.journal()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
