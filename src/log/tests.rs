use std::ops::{ControlFlow, Range};
use std::sync::Mutex;

use super::memory::{MemoryJournal, MemoryState};
use super::port::{
    Batch, CommitError, Committed, Journal, JournalCursor, JournalError, JournalTail, Position,
    SearchIndex, State, StateChange, StateError,
};
use super::*;
use crate::doubles::TestClock;
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::merkle::proof::verify_consistency;
use crate::protocol::merkle::{TileId, TileSpan, leaf_hash, root_from_inclusion};
use crate::protocol::note::checkpoint::sign_checkpoint;
use crate::protocol::note::{Checkpoint, NoteKey, UnverifiedNote};

/// Signs as the Rekor v2 log does.
pub(crate) struct TestSigner {
    key: SigningKey,
    note_key: NoteKey,
}

impl TestSigner {
    pub(crate) fn new(origin: &str) -> Arc<Self> {
        Self::with(
            SigningKey::generate(KeyAlgorithm::Ed25519).unwrap().0,
            origin,
        )
    }

    /// With the Ed25519 key of the seed 00 01 … 1f.
    pub(crate) fn from_known_seed(origin: &str) -> Arc<Self> {
        let mut pkcs8 = hex::decode("302e020100300506032b657004220420").unwrap();
        pkcs8.extend(0..32_u8);
        Self::with(SigningKey::from_pkcs8(&pkcs8).unwrap(), origin)
    }

    fn with(key: SigningKey, origin: &str) -> Arc<Self> {
        let note_key = NoteKey::new(origin, key.public_key().clone()).unwrap();
        Arc::new(Self { key, note_key })
    }

    pub(crate) fn open(&self, note: &str) -> Checkpoint {
        let note = UnverifiedNote::parse(note).unwrap();
        Checkpoint::open(&note, self.note_key.id(), self.note_key.key()).unwrap()
    }
}

impl HeadSigner for TestSigner {
    fn origin(&self) -> &str {
        self.note_key.name()
    }

    fn key(&self) -> &PublicKey {
        self.note_key.key()
    }

    fn log_id(&self) -> Sha256 {
        *self.note_key.hash()
    }

    fn sign(&self, size: TreeSize, root: &Sha256, _: UnixTime) -> Result<String, SigningFailed> {
        sign_checkpoint(&self.key, &self.note_key, size, root)
    }

    fn recognises(&self, note: &str, size: TreeSize, root: &Sha256) -> bool {
        UnverifiedNote::parse(note)
            .and_then(|note| Checkpoint::open(&note, self.note_key.id(), self.note_key.key()))
            .is_ok_and(|c| c.size == size && c.root == *root && c.origin == self.origin())
    }
}

pub(crate) fn leaf(text: &str) -> Leaf {
    Leaf {
        data: text.as_bytes().to_vec(),
        extra: format!("extra of {text}").into_bytes(),
        keys: Vec::new(),
    }
}

/// Starts a log whose search keys are stored with its leaves.
pub(crate) fn start(signer: &Arc<TestSigner>, storage: &LogStorage) -> Result<Log, StartError> {
    start_indexed(signer, storage, stored_keys)
}

pub(crate) fn start_indexed(
    signer: &Arc<TestSigner>,
    storage: &LogStorage,
    search_keys: SearchKeys,
) -> Result<Log, StartError> {
    Log::start(
        LogId::REKOR_V2,
        Arc::clone(signer) as _,
        Arc::new(TestClock::new(UnixTime::from_millis(0))),
        storage.clone(),
        Limits::default(),
        search_keys,
    )
}

/// A log in memory.
fn memory_log() -> Log {
    start(&TestSigner::new("log.example"), &LogStorage::in_memory()).unwrap()
}

pub(crate) fn assert_included(leaf_data: &[u8], appended: &Appended) {
    let leaf = appended.head.size.locate(appended.index).unwrap();
    let root =
        root_from_inclusion(leaf, &leaf_hash(leaf_data), &appended.inclusion_proof()).unwrap();
    assert_eq!(root, appended.head.root);
}

#[tokio::test]
async fn an_appended_leaf_gets_an_inclusion_proof_for_a_signed_and_published_head() {
    let signer = TestSigner::new("log.example");
    let log = start(&signer, &LogStorage::in_memory()).unwrap();

    for i in 0..300_u64 {
        let text = format!("leaf {i}");
        let appended = log.append(leaf(&text)).await.unwrap();

        assert_eq!(appended.index.get(), i);
        assert_included(text.as_bytes(), &appended);
        let checkpoint = signer.open(&appended.head.note);
        assert_eq!(checkpoint.root, appended.head.root);
        assert!(log.head().size >= appended.head.size);
        let located = appended.head.size.locate(appended.index).unwrap();
        assert_eq!(
            log.inclusion_proof(located).unwrap(),
            appended.inclusion_proof()
        );
    }
}

#[tokio::test]
async fn concurrent_leaves_share_a_head_and_have_inclusion_proofs() {
    let log = memory_log();
    let texts: Vec<_> = (0..500).map(|i| format!("leaf {i}")).collect();

    let answers = futures_util::future::join_all(texts.iter().map(|t| log.append(leaf(t)))).await;

    let mut indices = Vec::new();
    for (text, answer) in texts.iter().zip(answers) {
        let appended = answer.unwrap();
        assert_included(text.as_bytes(), &appended);
        let index = appended.index;
        assert_eq!(log.index_of(&leaf_hash(text.as_bytes())), Ok(Some(index)));
        assert_eq!(
            log.leaves(index.get()..index.get() + 1).unwrap(),
            [leaf(text)]
        );
        indices.push(index.get());
    }
    indices.sort_unstable();
    assert_eq!(indices, (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_head_is_consistent_with_every_later_one() {
    let log = memory_log();
    let mut heads = vec![log.head()];
    for i in 0..40 {
        heads.push(log.append(leaf(&i.to_string())).await.unwrap().head);
    }

    for (i, old) in heads.iter().enumerate() {
        for new in &heads[i..] {
            let proof = log.consistency_proof(old.size, new.size).unwrap();
            verify_consistency((old.size, &old.root), (new.size, &new.root), &proof).unwrap();
        }
        assert_eq!(log.root_at(old.size), Ok(old.root));
    }
}

#[tokio::test]
async fn the_same_leaf_keeps_its_first_index() {
    let log = memory_log();
    let first = log.append(leaf("a")).await.unwrap();

    let again = log.append(leaf("a")).await.unwrap_err();
    let together = futures_util::future::join_all((0..5).map(|_| log.append(leaf("b")))).await;

    assert_eq!(again, AppendError::Duplicate(first.index));
    let taken = together.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(taken, 1);
    for refused in together.into_iter().filter_map(Result::err) {
        assert_eq!(refused, AppendError::Duplicate(LeafIndex::new(1)));
    }
    assert_eq!(log.head().size.get(), 2);
}

#[tokio::test]
async fn tiles_and_entry_bundles_contain_exactly_the_published_tree() {
    let log = memory_log();
    let texts: Vec<_> = (0..260).map(|i| format!("leaf {i}")).collect();
    futures_util::future::join_all(texts.iter().map(|t| log.append(leaf(t)))).await;
    let tile = |level, span| log.tile(TileId::parse(level, span).unwrap());
    let bundle = |span| log.entry_bundle(TileSpan::parse(span).unwrap());

    let full = tile("0", "000").unwrap();
    assert_eq!(full.len(), 256);
    assert_eq!(
        crate::protocol::merkle::tile_root(&full),
        tile("1", "000.p/1").unwrap().first().copied()
    );
    assert_eq!(tile("0", "001.p/4").unwrap().len(), 4);
    let entries = bundle("001.p/4").unwrap();
    let first = log.leaves(256..257).unwrap().remove(0).data;
    assert_eq!(
        usize::from(entries[0]) << 8 | usize::from(entries[1]),
        first.len()
    );
    assert_eq!(entries[2..2 + first.len()], first);

    let beyond = ReadError::OutOfRange { size: 260 };
    assert_eq!(tile("0", "001.p/5"), Err(beyond));
    assert_eq!(tile("1", "000.p/2"), Err(beyond));
    assert_eq!(bundle("001"), Err(beyond));
    assert_eq!(log.leaves(259..261), Err(beyond));
    assert_eq!(log.root_at(TreeSize::new(261)), Err(beyond));
}

#[tokio::test]
async fn leaves_that_do_not_fit_an_entry_bundle_are_refused() {
    let log = memory_log();

    let largest = log.append(leaf(&"x".repeat(65_000))).await;
    let too_large = log.append(leaf(&"x".repeat(65_536))).await;

    largest.unwrap();
    assert_eq!(too_large.unwrap_err(), AppendError::TooLarge(65_545));
}

#[tokio::test]
async fn a_full_pool_refuses_and_recovers() {
    let (release, held) = std::sync::mpsc::channel();
    let gate = Arc::new(Gate {
        inner: MemoryJournal::default(),
        held: Mutex::new(held),
        entered: tokio::sync::Notify::new(),
    });
    let storage = LogStorage {
        journal: Arc::clone(&gate) as _,
        ..LogStorage::in_memory()
    };
    let log = Log::start(
        LogId::REKOR_V2,
        TestSigner::new("log.example"),
        Arc::new(TestClock::new(UnixTime::from_millis(0))),
        storage,
        Limits {
            pool_entries: 2,
            pool_bytes: 1 << 20,
        },
        stored_keys,
    )
    .unwrap();
    let mut waiting = vec![tokio::spawn(append(log.clone(), "first"))];
    gate.entered.notified().await;
    waiting.push(tokio::spawn(append(log.clone(), "second")));
    waiting.push(tokio::spawn(append(log.clone(), "third")));
    tokio::task::yield_now().await;

    let refused = log.append(leaf("fourth")).await.unwrap_err();

    assert_eq!(refused, AppendError::Overloaded);
    assert_eq!(
        log.head().size.get(),
        0,
        "published before it was committed"
    );
    drop(release);
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    log.append(leaf("fourth")).await.unwrap();
}

fn found_by(keys: &[&str], text: &str) -> Leaf {
    Leaf {
        keys: keys.iter().map(|key| Sha256::of(key.as_bytes())).collect(),
        ..leaf(text)
    }
}

fn search(log: &Log, key: &str, before: Option<u64>, limit: usize) -> Vec<u64> {
    let key = Sha256::of(key.as_bytes());
    let found = log.search(&key, before.map(LeafIndex::new), limit);
    found.unwrap().into_iter().map(LeafIndex::get).collect()
}

#[tokio::test]
async fn searches_find_leaves_by_each_key_newest_first() {
    let storage = LogStorage::in_memory();
    let signer = TestSigner::new("log.example");
    let log = start(&signer, &storage).unwrap();
    for i in 0..10 {
        let own = format!("own {i}");
        let leaf = found_by(&["all", &own, "all"], &i.to_string());
        log.append(leaf).await.unwrap();
    }
    log.append(leaf("without keys")).await.unwrap();

    assert_eq!(search(&log, "all", None, 4), [9, 8, 7, 6]);
    assert_eq!(search(&log, "all", Some(6), 99), [5, 4, 3, 2, 1, 0]);
    assert_eq!(search(&log, "own 3", Some(99), 99), [3]);
    assert_eq!(search(&log, "of no leaf", None, 99), [0; 0]);
    let stored = log.leaves(3..4).unwrap().remove(0);
    assert_eq!(stored.keys.len(), 2, "each once");
    log.drain().await;

    let storage = LogStorage {
        journal: Arc::clone(&storage.journal),
        ..LogStorage::in_memory()
    };
    let log = start(&signer, &storage).unwrap();
    assert_eq!(search(&log, "all", None, 4), [9, 8, 7, 6]);
    assert_eq!(search(&log, "own 3", None, 99), [3]);
}

#[tokio::test]
async fn too_many_search_keys_are_refused_with_their_number() {
    let log = memory_log();
    let keys = |count: u32| (0..count).map(|i| Sha256::of(&i.to_be_bytes())).collect();
    let with = |count| Leaf {
        keys: keys(count),
        ..leaf(&count.to_string())
    };

    log.append(with(8192)).await.unwrap();
    let refused = log.append(with(8193)).await.unwrap_err();

    assert_eq!(refused, AppendError::TooManyKeys(8193));
    assert!(refused.to_string().contains("8192"));
}

/// Writes index and time over the first two bytes; there is no third leaf.
fn number(leaf: &mut Leaf, index: LeafIndex, time: UnixTime) -> Result<(), IndexTooLarge> {
    let index = u8::try_from(index.get()).ok().filter(|index| *index < 3);
    leaf.data[0] = index.ok_or(IndexTooLarge)?;
    leaf.data[1] = u8::try_from(time.millis()).unwrap();
    Ok(())
}

#[tokio::test]
async fn a_leaf_that_contains_its_index_is_hashed_with_it_and_is_never_a_duplicate() {
    let log = Log::start(
        LogId::CT,
        TestSigner::new("log.example"),
        Arc::new(TestClock::new(UnixTime::from_millis(7))),
        LogStorage::in_memory(),
        Limits::default(),
        stored_keys,
    )
    .unwrap();

    let same = (0..4).map(|_| log.append_with_index(leaf("__ same"), number));
    let mut answers = futures_util::future::join_all(same).await;

    assert_eq!(answers.pop().unwrap().unwrap_err(), AppendError::Full);
    for (index, answer) in (0..).zip(answers) {
        let appended = answer.unwrap();
        let data = [&[index, 7], &b" same"[..]].concat();
        assert_eq!(appended.index.get(), u64::from(index));
        assert_eq!(appended.head.time.millis(), 7);
        assert_included(&data, &appended);
        let stored = log.leaves(u64::from(index)..u64::from(index) + 1).unwrap();
        assert_eq!(stored[0].data, data);
        assert_eq!(stored[0].extra, leaf("__ same").extra);
    }
    assert_eq!(log.head().size.get(), 3);
    log.append(leaf("whole")).await.unwrap();
}

async fn append(log: Log, text: &str) -> Result<Appended, AppendError> {
    log.append(leaf(text)).await
}

/// A journal whose commits wait until the sender is dropped.
struct Gate {
    inner: MemoryJournal,
    held: Mutex<std::sync::mpsc::Receiver<()>>,
    entered: tokio::sync::Notify,
}

impl Journal for Gate {
    fn tail(&self, log: LogId) -> JournalTail {
        self.inner.tail(log)
    }

    fn commit(
        &self,
        log: LogId,
        expected: Option<&SignedHead>,
        batch: &Batch,
    ) -> Result<Committed, CommitError> {
        if !batch.leaves.is_empty() {
            self.entered.notify_one();
            let _ = self.held.lock().unwrap().recv();
        }
        self.inner.commit(log, expected, batch)
    }

    fn replay(
        &self,
        log: LogId,
        from: Option<JournalCursor>,
        visit: &mut dyn FnMut(Batch, Committed) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.inner.replay(log, from, visit)
    }

    fn load(&self, log: LogId, index: LeafIndex, at: Position) -> Result<Leaf, JournalError> {
        self.inner.load(log, index, at)
    }
}

/// Where a commit, or the indexing of its leaves, breaks off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stop {
    JournalHasNoRoom,
    BeforeJournal,
    AfterJournal,
    BeforeState,
    AfterState,
    Panic,
    BeforeIndex,
    AfterIndex,
    PanicInIndex,
    /// A leaf cannot be read back.
    LeafUnreadable,
}

impl Stop {
    /// Those after which memory and disk may differ.
    pub(crate) const FATAL: [Self; 5] = [
        Self::BeforeJournal,
        Self::AfterJournal,
        Self::BeforeState,
        Self::AfterState,
        Self::Panic,
    ];

    /// Those that fail the index, and with it the log.
    pub(crate) const FATAL_IN_INDEX: [Self; 3] =
        [Self::BeforeIndex, Self::AfterIndex, Self::PanicInIndex];
}

/// Storage that survives its log, and breaks off where the test demands.
pub(crate) struct Breaking {
    inner: LogStorage,
    stop: Mutex<Option<Stop>>,
    /// The largest number of keys in one write of the index.
    largest_write: Mutex<usize>,
}

impl Breaking {
    pub(crate) fn over(inner: LogStorage) -> Arc<Self> {
        Arc::new(Self {
            inner,
            stop: Mutex::new(None),
            largest_write: Mutex::default(),
        })
    }

    pub(crate) fn storage(self: &Arc<Self>) -> LogStorage {
        LogStorage {
            journal: Arc::clone(self) as _,
            state: Arc::clone(self) as _,
            index: Arc::clone(self) as _,
        }
    }

    pub(crate) fn stop_at(&self, stop: Option<Stop>) {
        *self.stop.lock().unwrap() = stop;
    }

    fn stops(&self, at: Stop) -> bool {
        *self.stop.lock().unwrap() == Some(at)
    }
}

impl Journal for Breaking {
    fn tail(&self, log: LogId) -> JournalTail {
        self.inner.journal.tail(log)
    }

    fn commit(
        &self,
        log: LogId,
        expected: Option<&SignedHead>,
        batch: &Batch,
    ) -> Result<Committed, CommitError> {
        if self.stops(Stop::JournalHasNoRoom) {
            return Err(CommitError::NoRoom);
        }
        if self.stops(Stop::BeforeJournal) {
            return Err(CommitError::InDoubt);
        }
        assert!(!self.stops(Stop::Panic), "as the test demands");
        let committed = self.inner.journal.commit(log, expected, batch)?;
        if self.stops(Stop::AfterJournal) {
            return Err(CommitError::InDoubt);
        }
        Ok(committed)
    }

    fn replay(
        &self,
        log: LogId,
        from: Option<JournalCursor>,
        visit: &mut dyn FnMut(Batch, Committed) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.inner.journal.replay(log, from, visit)
    }

    fn load(&self, log: LogId, index: LeafIndex, at: Position) -> Result<Leaf, JournalError> {
        if self.stops(Stop::LeafUnreadable) {
            return Err(JournalError::Unreadable {
                place: "a test".to_owned(),
            });
        }
        self.inner.journal.load(log, index, at)
    }
}

impl State for Breaking {
    fn head(&self, log: LogId) -> Result<Option<(SignedHead, JournalCursor)>, StateError> {
        self.inner.state.head(log)
    }

    fn apply(&self, log: LogId, change: &StateChange) -> Result<(), StateError> {
        if self.stops(Stop::BeforeState) {
            return Err(StateError);
        }
        self.inner.state.apply(log, change)?;
        if self.stops(Stop::AfterState) {
            return Err(StateError);
        }
        Ok(())
    }

    fn hashes(&self, log: LogId, row: u8, range: Range<u64>) -> Result<Vec<Sha256>, StateError> {
        self.inner.state.hashes(log, row, range)
    }

    fn positions(&self, log: LogId, range: Range<u64>) -> Result<Vec<Position>, StateError> {
        self.inner.state.positions(log, range)
    }

    fn index_of(&self, log: LogId, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, StateError> {
        self.inner.state.index_of(log, leaf_hash)
    }
}

impl SearchIndex for Breaking {
    fn indexed(&self, log: LogId) -> Result<TreeSize, StateError> {
        self.inner.index.indexed(log)
    }

    fn add(
        &self,
        log: LogId,
        keys: &[(Sha256, LeafIndex)],
        indexed: TreeSize,
    ) -> Result<(), StateError> {
        if self.stops(Stop::BeforeIndex) {
            return Err(StateError);
        }
        assert!(!self.stops(Stop::PanicInIndex), "as the test demands");
        let mut largest = self.largest_write.lock().unwrap();
        *largest = keys.len().max(*largest);
        self.inner.index.add(log, keys, indexed)?;
        if self.stops(Stop::AfterIndex) {
            return Err(StateError);
        }
        Ok(())
    }

    fn clear(&self, log: LogId) -> Result<(), StateError> {
        self.inner.index.clear(log)
    }

    fn search(
        &self,
        log: LogId,
        key: &Sha256,
        before: LeafIndex,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, StateError> {
        self.inner.index.search(log, key, before, limit)
    }
}

#[tokio::test]
async fn a_log_that_fails_at_any_step_recovers_every_acknowledged_leaf() {
    for stop in Stop::FATAL {
        let signer = TestSigner::new("log.example");
        let breaking = Breaking::over(LogStorage::in_memory());
        let storage = breaking.storage();
        let log = start(&signer, &storage).unwrap();
        let mut heads = Vec::new();
        for i in 0..20 {
            heads.push(log.append(leaf(&i.to_string())).await.unwrap().head);
        }

        breaking.stop_at(Some(stop));
        let refused = log.append(leaf("in doubt")).await.unwrap_err();
        log.failed().await;
        assert_eq!(refused, AppendError::Stopped, "{stop:?}");
        let closed = log.append(leaf("later")).await.unwrap_err();
        assert_eq!(closed, AppendError::Stopped);
        assert_eq!(log.head().size.get(), 20, "{stop:?} published");
        breaking.stop_at(None);

        let log = start(&signer, &storage).unwrap();
        let again = log.append(leaf("in doubt")).await;
        let kept = matches!(again, Err(AppendError::Duplicate(_)));
        let reached = !matches!(stop, Stop::BeforeJournal | Stop::Panic);
        assert_eq!(kept, reached, "{stop:?}");
        let now = log.head();
        assert_eq!(now.size.get(), 21);
        for old in heads {
            let proof = log.consistency_proof(old.size, now.size).unwrap();
            verify_consistency((old.size, &old.root), (now.size, &now.root), &proof).unwrap();
        }
        for i in 0..20 {
            let data = i.to_string();
            let found = log.index_of(&leaf_hash(data.as_bytes())).unwrap();
            assert_eq!(found, Some(LeafIndex::new(i)), "{stop:?}");
        }
    }
}

#[tokio::test]
async fn a_full_journal_refuses_a_batch_without_side_effects() {
    let signer = TestSigner::new("log.example");
    let breaking = Breaking::over(LogStorage::in_memory());
    let storage = breaking.storage();
    let log = start(&signer, &storage).unwrap();

    breaking.stop_at(Some(Stop::JournalHasNoRoom));
    let refused = log.append(leaf("a")).await.unwrap_err();
    breaking.stop_at(None);
    let appended = log.append(leaf("b")).await.unwrap();

    assert_eq!(refused, AppendError::Overloaded);
    assert_eq!(appended.index.get(), 0);
    assert_eq!(log.health(), Health::Ok);
}

#[tokio::test]
async fn a_missing_outdated_or_inconsistent_state_is_rebuilt() {
    let signer = TestSigner::new("log.example");
    let full = LogStorage::in_memory();
    let log = start(&signer, &full).unwrap();
    for i in 0..30 {
        log.append(leaf(&i.to_string())).await.unwrap();
    }
    let (head, end) = full.journal.tail(LogId::REKOR_V2).last.unwrap();

    let wrong = Arc::new(MemoryState::default());
    let mut change = StateChange {
        start: TreeSize::EMPTY,
        rows: Vec::new(),
        positions: Vec::new(),
        head: (*head_with(&head, 31)).clone(),
        end,
    };
    wrong.apply(LogId::REKOR_V2, &change).unwrap();
    let behind = Arc::new(MemoryState::default());
    change.head = head.clone();
    behind.apply(LogId::REKOR_V2, &change).unwrap();
    for state in [Arc::new(MemoryState::default()), wrong, behind] {
        let storage = LogStorage {
            journal: Arc::clone(&full.journal),
            index: Arc::<MemoryState>::clone(&state),
            state,
        };
        let log = start(&signer, &storage).unwrap();

        assert_eq!(*log.head(), head);
        assert_eq!(log.health(), Health::Ok);
        assert_eq!(log.root_at(head.size), Ok(head.root));
        let last = log.index_of(&leaf_hash(b"29")).unwrap();
        assert_eq!(last, Some(LeafIndex::new(29)));
    }
}

fn head_with(head: &SignedHead, size: u64) -> Arc<SignedHead> {
    Arc::new(SignedHead {
        size: TreeSize::new(size),
        ..head.clone()
    })
}

#[tokio::test]
async fn a_journal_that_ends_before_a_signed_head_is_read_only() {
    let signer = TestSigner::new("log.example");
    let full = LogStorage::in_memory();
    let log = start(&signer, &full).unwrap();
    let old_journal = Arc::new(MemoryJournal::default());
    for i in 0..9 {
        log.append(leaf(&i.to_string())).await.unwrap();
        if i == 5 {
            full.journal
                .replay(LogId::REKOR_V2, None, &mut |batch, _| {
                    let last = old_journal.tail(LogId::REKOR_V2).last;
                    let expected = last.as_ref().map(|(head, _)| head);
                    old_journal
                        .commit(LogId::REKOR_V2, expected, &batch)
                        .unwrap();
                    ControlFlow::Continue(())
                })
                .unwrap();
        }
    }

    let storage = LogStorage {
        journal: old_journal,
        ..full
    };
    let log = start(&signer, &storage).unwrap();

    assert_eq!(log.health(), Health::ReadOnly { missing: 3 });
    let refused = log.append(leaf("new")).await.unwrap_err();
    assert_eq!(refused, AppendError::ReadOnly { missing: 3 });
    assert_eq!(log.head().size.get(), 6);
    assert_eq!(log.index_of(&leaf_hash(b"8")), Ok(None));
    assert_eq!(log.leaves(5..6).unwrap(), [leaf("5")]);
}

#[tokio::test]
async fn a_log_signed_by_another_key_does_not_start() {
    let storage = LogStorage::in_memory();
    let log = start(&TestSigner::new("log.example"), &storage).unwrap();
    log.append(leaf("a")).await.unwrap();
    log.drain().await;

    let error = start(&TestSigner::new("log.example"), &storage).err();

    assert!(matches!(
        error,
        Some(StartError::WrongSigner { size: 1, .. })
    ));
}

#[tokio::test]
async fn head_times_never_decrease() {
    let storage = LogStorage::in_memory();
    let signer = TestSigner::new("log.example");
    let clock = Arc::new(TestClock::new(UnixTime::from_millis(0)));
    let begin = |clock: &Arc<TestClock>| {
        Log::start(
            LogId::CT,
            Arc::<TestSigner>::clone(&signer),
            Arc::<TestClock>::clone(clock),
            storage.clone(),
            Limits::default(),
            stored_keys,
        )
        .unwrap()
    };
    clock.set(UnixTime::from_millis(5_000));
    let log = begin(&clock);
    log.append(leaf("a")).await.unwrap();
    clock.set(UnixTime::from_millis(1_000));

    let second = log.append(leaf("b")).await.unwrap();
    log.drain().await;
    let third = begin(&clock).append(leaf("c")).await.unwrap();

    assert_eq!(second.head.time.millis(), 5_000);
    assert_eq!(third.head.time.millis(), 5_000);
}

#[tokio::test]
async fn draining_answers_queued_leaves_and_accepts_no_more() {
    let log = memory_log();
    let waiting: Vec<_> = (0..50)
        .map(|i| tokio::spawn(append_owned(log.clone(), i.to_string())))
        .collect();
    tokio::task::yield_now().await;

    log.drain().await;

    for task in waiting {
        match task.await.unwrap() {
            Ok(appended) => assert!(appended.head.size <= log.head().size),
            Err(error) => assert_eq!(error, AppendError::Stopped),
        }
    }
    assert_eq!(log.health(), Health::Drained);
    let refused = log.append(leaf("late")).await.unwrap_err();
    assert_eq!(refused, AppendError::Stopped);
}

async fn append_owned(log: Log, text: String) -> Result<Appended, AppendError> {
    log.append(leaf(&text)).await
}

/// The storage of a log with these leaves, one head for each.
async fn history(signer: &Arc<TestSigner>, leaves: &[&str]) -> LogStorage {
    let storage = LogStorage::in_memory();
    let log = start(signer, &storage).unwrap();
    for text in leaves {
        log.append(leaf(text)).await.unwrap();
    }
    log.drain().await;
    storage
}

#[tokio::test]
async fn a_state_that_proves_a_different_and_longer_tree_is_not_rebuilt() {
    let signer = TestSigner::new("log.example");
    let storage = LogStorage {
        journal: history(&signer, &["a", "x", "y"]).await.journal,
        ..history(&signer, &["a", "b", "c", "d", "e"]).await
    };

    for _ in 0..2 {
        let error = start(&signer, &storage).err();

        let proof = Some(StartError::Recover(RecoverError::Longer {
            log: LogId::REKOR_V2,
            size: 3,
            known: 5,
        }));
        assert_eq!(format!("{error:?}"), format!("{proof:?}"));
    }
}

#[tokio::test]
async fn a_journal_that_contradicts_a_signed_head_is_a_fork_at_every_start() {
    let signer = TestSigner::new("log.example");
    let storage = LogStorage {
        journal: history(&signer, &["a", "x", "y", "z"]).await.journal,
        ..history(&signer, &["a", "b"]).await
    };

    for _ in 0..2 {
        let error = start(&signer, &storage).err();

        assert!(
            matches!(
                error,
                Some(StartError::Recover(RecoverError::Forked { size: 2, .. }))
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_state_with_a_later_cursor_but_fewer_entries_is_rebuilt() {
    let signer = TestSigner::new("log.example");
    let storage = LogStorage {
        journal: history(&signer, &["a", "b", "c"]).await.journal,
        ..history(&signer, &["a"]).await
    };
    let (head, _) = storage.state.head(LogId::REKOR_V2).unwrap().unwrap();
    let change = StateChange {
        start: head.size,
        rows: Vec::new(),
        positions: Vec::new(),
        head,
        end: JournalCursor([9; 8]),
    };
    storage.state.apply(LogId::REKOR_V2, &change).unwrap();

    let log = start(&signer, &storage).unwrap();
    let appended = log.append(leaf("d")).await.unwrap();

    assert_eq!(appended.index.get(), 3);
    assert_included(b"d", &appended);
}

#[test]
fn log_names_are_unique_and_unknown_numbers_are_valid() {
    let names = [LogId::CT, LogId::REKOR_V2, LogId::REKOR_V1].map(|log| log.to_string());
    assert_eq!(names, ["ct", "rekor-v2", "rekor-v1"]);
    let unknown = LogId::from_number(7);
    assert_eq!(
        (unknown.number(), unknown.to_string()),
        (7, "log-7".to_owned())
    );
    assert_eq!(LogId::from_number(1), LogId::CT);
}

#[tokio::test]
async fn the_second_of_two_writers_stops_and_recovers_at_restart() {
    let storage = LogStorage::in_memory();
    let signer = TestSigner::new("log.example");
    let one = start(&signer, &storage).unwrap();
    // Another process has a separate state.
    let other_storage = LogStorage {
        journal: Arc::clone(&storage.journal),
        ..LogStorage::in_memory()
    };
    let other = start(&signer, &other_storage).unwrap();
    one.append(leaf("a")).await.unwrap();

    let refused = other.append(leaf("b")).await.unwrap_err();

    assert_eq!(refused, AppendError::Stopped);
    other.failed().await;
    other.drain().await;
    let other = start(&signer, &other_storage).unwrap();
    let again = other.append(leaf("b")).await.unwrap();
    assert_eq!(again.index, LeafIndex::new(1));
    assert_included(b"b", &again);
    let refused = one.append(leaf("c")).await.unwrap_err();
    assert_eq!(refused, AppendError::Stopped);
}

#[tokio::test]
async fn a_search_finds_every_previously_acknowledged_leaf() {
    let log = memory_log();
    let mut handles = Vec::new();
    for writer in 0..4 {
        let log = log.clone();
        handles.push(tokio::spawn(async move {
            for i in 0..100 {
                let text = format!("leaf {i} of {writer}");
                let appended = log.append(found_by(&["all", &text], &text)).await.unwrap();
                let found = search(&log, &text, None, 9);
                assert_eq!(found, [appended.index.get()]);
                let found = search(&log, "all", Some(appended.index.get() + 1), 1);
                assert_eq!(found, [appended.index.get()]);
            }
        }));
    }
    for handle in handles {
        handle.await.unwrap();
    }
    assert_eq!(search(&log, "all", None, 999).len(), 400);
}

#[tokio::test]
async fn the_keys_of_one_leaf_are_indexed_in_bounded_writes() {
    let breaking = Breaking::over(LogStorage::in_memory());
    let storage = breaking.storage();
    let signer = TestSigner::new("log.example");
    let log = start(&signer, &storage).unwrap();
    let keys: Vec<_> = (0..8192_u32)
        .map(|i| Sha256::of(&i.to_be_bytes()))
        .collect();
    for text in ["one", "two"] {
        let keys = keys.clone();
        log.append(Leaf { keys, ..leaf(text) }).await.unwrap();
    }

    for key in keys.iter().step_by(1000) {
        let found = log.search(key, None, 9).unwrap();
        assert_eq!(found, [LeafIndex::new(1), LeafIndex::new(0)]);
    }
    assert_eq!(*breaking.largest_write.lock().unwrap(), 1024);

    log.drain().await;
    storage.index.clear(LogId::REKOR_V2).unwrap();
    let log = start(&signer, &storage).unwrap();
    assert_eq!(log.search(&keys[0], None, 9).unwrap().len(), 2);
    assert_eq!(*breaking.largest_write.lock().unwrap(), 1024);
}

#[tokio::test]
async fn a_log_whose_index_cannot_be_written_fails_and_the_next_start_continues_it() {
    for stop in Stop::FATAL_IN_INDEX {
        let breaking = Breaking::over(LogStorage::in_memory());
        let storage = breaking.storage();
        let signer = TestSigner::new("log.example");
        let log = start(&signer, &storage).unwrap();
        log.append(found_by(&["key"], "a")).await.unwrap();
        assert_eq!(search(&log, "key", None, 9), [0]);

        breaking.stop_at(Some(stop));
        log.append(found_by(&["key"], "b")).await.unwrap();
        log.failed().await;
        let refused = log.append(leaf("c")).await.unwrap_err();
        assert_eq!(refused, AppendError::Stopped, "{stop:?}");
        let unanswered = log.search(&Sha256::of(b"key"), None, 9);
        assert_eq!(unanswered, Err(ReadError::Storage), "{stop:?}");
        log.drain().await;
        assert_eq!(log.health(), Health::Failed);
        breaking.stop_at(None);

        let log = start(&signer, &storage).unwrap();
        assert_eq!(search(&log, "key", None, 9), [1, 0], "{stop:?}");
    }
}

#[tokio::test]
async fn an_unreadable_leaf_stops_the_index_but_not_the_log() {
    let breaking = Breaking::over(LogStorage::in_memory());
    let storage = breaking.storage();
    let signer = TestSigner::new("log.example");
    let log = start(&signer, &storage).unwrap();
    log.append(found_by(&["key"], "a")).await.unwrap();
    log.drain().await;
    storage.index.clear(LogId::REKOR_V2).unwrap();

    breaking.stop_at(Some(Stop::LeafUnreadable));
    let log = start(&signer, &storage).unwrap();
    let unanswered = log.search(&Sha256::of(b"key"), None, 9);
    log.append(found_by(&["key"], "b")).await.unwrap();

    assert_eq!(unanswered, Err(ReadError::Storage));
    assert_eq!(log.health(), Health::Ok);
    assert_eq!(log.head().size.get(), 2);
}

#[tokio::test]
async fn a_read_only_log_is_indexed_and_keeps_an_index_that_is_ahead() {
    let signer = TestSigner::new("log.example");
    let full = LogStorage::in_memory();
    let log = start(&signer, &full).unwrap();
    let old_journal = Arc::new(MemoryJournal::default());
    for i in 0..3 {
        let text = i.to_string();
        log.append(found_by(&["key"], &text)).await.unwrap();
        if i == 1 {
            full.journal
                .replay(LogId::REKOR_V2, None, &mut |batch, _| {
                    let last = old_journal.tail(LogId::REKOR_V2).last;
                    let expected = last.as_ref().map(|(head, _)| head);
                    let log = LogId::REKOR_V2;
                    old_journal.commit(log, expected, &batch).unwrap();
                    ControlFlow::Continue(())
                })
                .unwrap();
        }
    }
    log.drain().await;
    let old = LogStorage {
        journal: old_journal,
        ..full.clone()
    };

    let log = start(&signer, &old).unwrap();
    assert_eq!(log.health(), Health::ReadOnly { missing: 1 });
    assert_eq!(search(&log, "key", None, 9), [1, 0]);
    log.drain().await;
    assert_eq!(full.index.indexed(LogId::REKOR_V2), Ok(TreeSize::new(3)));

    full.index.clear(LogId::REKOR_V2).unwrap();
    let log = start(&signer, &old).unwrap();
    assert_eq!(search(&log, "key", None, 9), [1, 0]);
}
