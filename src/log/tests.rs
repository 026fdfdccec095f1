use crate::protocol::merkle::proof::verify_consistency;
use crate::protocol::note::checkpoint::sign_checkpoint;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::port::{
    Batch, Committed, JournalEnd, JournalError, JournalTail, Place, StateChange, StateError,
};
use super::*;
use crate::adapters::storage::memory::{MemoryJournal, MemoryState};
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::merkle::{leaf_hash, root_from_inclusion};
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

    fn sign(&self, size: TreeSize, root: &Sha256, _: UnixTime) -> Result<String, SigningFailed> {
        sign_checkpoint(&self.key, &self.note_key, size, root)
    }

    fn recognises(&self, note: &str, size: TreeSize, root: &Sha256) -> bool {
        UnverifiedNote::parse(note)
            .and_then(|note| Checkpoint::open(&note, self.note_key.id(), self.note_key.key()))
            .is_ok_and(|c| c.size == size && c.root == *root && c.origin == self.origin())
    }
}

/// A clock that is set by hand.
#[derive(Default)]
pub(crate) struct TestClock(pub(crate) AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) fn leaf(text: &str) -> Leaf {
    Leaf {
        data: text.as_bytes().to_vec(),
        extra: format!("extra of {text}").into_bytes(),
        keys: Vec::new(),
    }
}

fn memory() -> Parts {
    Parts {
        journal: Arc::new(MemoryJournal::default()),
        state: Arc::new(MemoryState::default()),
    }
}

pub(crate) fn start(signer: &Arc<TestSigner>, parts: &Parts) -> Result<Log, StartError> {
    let signer: Arc<dyn HeadSigner> = Arc::clone(signer) as _;
    let clock = Arc::new(TestClock::default());
    Log::start(
        LogId::RekorV2,
        signer,
        clock,
        parts.clone(),
        Limits::default(),
    )
}

pub(crate) fn assert_included(leaf_data: &[u8], appended: &Appended) {
    let leaf = appended.head.size.locate(appended.index).unwrap();
    let root = root_from_inclusion(leaf, &leaf_hash(leaf_data), &appended.proof).unwrap();
    assert_eq!(root, appended.head.root);
}

#[tokio::test]
async fn an_appended_leaf_has_a_proof_to_a_signed_and_published_head() {
    let signer = TestSigner::new("log.example");
    let log = start(&signer, &memory()).unwrap();

    for i in 0..300_u64 {
        let text = format!("leaf {i}");
        let appended = log.append(leaf(&text)).await.unwrap();

        assert_eq!(appended.index.get(), i);
        assert_included(text.as_bytes(), &appended);
        let checkpoint = signer.open(&appended.head.note);
        assert_eq!(checkpoint.root, appended.head.root);
        assert!(log.head().size >= appended.head.size);
        let located = appended.head.size.locate(appended.index).unwrap();
        assert_eq!(log.inclusion_proof(located).unwrap(), appended.proof);
    }
}

#[tokio::test]
async fn leaves_that_come_together_share_a_head_and_all_have_proofs() {
    let log = start(&TestSigner::new("log.example"), &memory()).unwrap();
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
    let log = start(&TestSigner::new("log.example"), &memory()).unwrap();
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
    let log = start(&TestSigner::new("log.example"), &memory()).unwrap();
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
async fn tiles_and_entry_bundles_have_what_the_tree_has_and_nothing_beyond() {
    let log = start(&TestSigner::new("log.example"), &memory()).unwrap();
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
    let log = start(&TestSigner::new("log.example"), &memory()).unwrap();

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
    let parts = Parts {
        journal: Arc::clone(&gate) as _,
        state: Arc::new(MemoryState::default()),
    };
    let log = Log::start(
        LogId::RekorV2,
        TestSigner::new("log.example"),
        Arc::new(TestClock::default()),
        parts,
        Limits {
            pool_entries: 2,
            pool_bytes: 1 << 20,
        },
    )
    .unwrap();
    let mut waiting = vec![tokio::spawn(append(log.clone(), "first"))];
    gate.entered.notified().await;
    waiting.push(tokio::spawn(append(log.clone(), "second")));
    waiting.push(tokio::spawn(append(log.clone(), "third")));
    tokio::task::yield_now().await;

    let refused = log.append(leaf("fourth")).await.unwrap_err();

    assert_eq!(refused, AppendError::Overloaded);
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
async fn a_leaf_is_found_by_each_of_its_keys_the_newest_first() {
    let parts = memory();
    let signer = TestSigner::new("log.example");
    let log = start(&signer, &parts).unwrap();
    for i in 0..10 {
        let own = format!("own {i}");
        let leaf = found_by(&["all", &own, "all"], &i.to_string());
        log.append(leaf).await.unwrap();
    }
    log.append(leaf("without keys")).await.unwrap();

    assert_eq!(search(&log, "all", None, 4), [9, 8, 7, 6]);
    assert_eq!(search(&log, "all", Some(6), 99), [5, 4, 3, 2, 1, 0]);
    assert_eq!(search(&log, "own 3", Some(99), 99), [3]);
    assert_eq!(search(&log, "nobody's", None, 99), [0; 0]);
    let stored = log.leaves(3..4).unwrap().remove(0);
    assert_eq!(stored.keys.len(), 2, "each once");
    log.drain().await;

    let state = Arc::new(MemoryState::default());
    let journal = Arc::clone(&parts.journal);
    let log = start(&signer, &Parts { journal, state }).unwrap();
    assert_eq!(search(&log, "all", None, 4), [9, 8, 7, 6]);
    assert_eq!(search(&log, "own 3", None, 99), [3]);
}

#[tokio::test]
async fn too_many_search_keys_are_refused_with_their_number() {
    let log = start(&TestSigner::new("log.example"), &memory()).unwrap();
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
fn number(leaf: &mut Leaf, index: LeafIndex, time: UnixTime) -> Result<(), Unnumbered> {
    let index = u8::try_from(index.get()).ok().filter(|index| *index < 3);
    leaf.data[0] = index.ok_or(Unnumbered)?;
    leaf.data[1] = u8::try_from(time.millis()).unwrap();
    Ok(())
}

#[tokio::test]
async fn a_leaf_that_tells_its_place_is_hashed_with_it_and_equals_no_other() {
    let parts = memory();
    let clock = Arc::new(TestClock(AtomicU64::new(7)));
    let signer = TestSigner::new("log.example");
    let log = Log::start(LogId::Ct, signer, clock, parts, Limits::default()).unwrap();

    let same = (0..4).map(|_| log.append_with(leaf("__ same"), number));
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

/// A journal that waits with its commits until the sender is dropped.
struct Gate {
    inner: MemoryJournal,
    held: Mutex<std::sync::mpsc::Receiver<()>>,
    entered: tokio::sync::Notify,
}

impl Journal for Gate {
    fn tail(&self, log: LogId) -> JournalTail {
        self.inner.tail(log)
    }

    fn commit(&self, log: LogId, batch: &Batch) -> Result<Committed, JournalError> {
        if !batch.leaves.is_empty() {
            self.entered.notify_one();
            let _ = self.held.lock().unwrap().recv();
        }
        self.inner.commit(log, batch)
    }

    fn replay(
        &self,
        log: LogId,
        from: Option<JournalEnd>,
        visit: &mut dyn FnMut(Batch, Committed) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.inner.replay(log, from, visit)
    }

    fn load(&self, log: LogId, index: LeafIndex, place: Place) -> Result<Leaf, JournalError> {
        self.inner.load(log, index, place)
    }
}

/// Where a commit breaks off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stop {
    JournalHasNoRoom,
    BeforeJournal,
    AfterJournal,
    BeforeState,
    AfterState,
    Panic,
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
}

/// Storage that survives its log, and breaks off where it is told to.
pub(crate) struct Breaking {
    journal: Arc<dyn Journal>,
    state: Arc<dyn State>,
    stop: Mutex<Option<Stop>>,
}

impl Breaking {
    pub(crate) fn over(journal: Arc<dyn Journal>, state: Arc<dyn State>) -> Self {
        Self {
            journal,
            state,
            stop: Mutex::new(None),
        }
    }

    fn in_memory() -> Arc<Self> {
        let parts = memory();
        Arc::new(Self::over(parts.journal, parts.state))
    }

    pub(crate) fn parts(self: &Arc<Self>) -> Parts {
        Parts {
            journal: Arc::clone(self) as _,
            state: Arc::clone(self) as _,
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
        self.journal.tail(log)
    }

    fn commit(&self, log: LogId, batch: &Batch) -> Result<Committed, JournalError> {
        if self.stops(Stop::JournalHasNoRoom) {
            return Err(JournalError::NoRoom);
        }
        if self.stops(Stop::BeforeJournal) {
            return Err(JournalError::InDoubt);
        }
        assert!(!self.stops(Stop::Panic), "told to panic");
        let committed = self.journal.commit(log, batch)?;
        if self.stops(Stop::AfterJournal) {
            return Err(JournalError::InDoubt);
        }
        Ok(committed)
    }

    fn replay(
        &self,
        log: LogId,
        from: Option<JournalEnd>,
        visit: &mut dyn FnMut(Batch, Committed) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.journal.replay(log, from, visit)
    }

    fn load(&self, log: LogId, index: LeafIndex, place: Place) -> Result<Leaf, JournalError> {
        self.journal.load(log, index, place)
    }
}

impl State for Breaking {
    fn head(&self, log: LogId) -> Result<Option<(SignedHead, JournalEnd)>, StateError> {
        self.state.head(log)
    }

    fn apply(&self, log: LogId, change: &StateChange) -> Result<(), StateError> {
        if self.stops(Stop::BeforeState) {
            return Err(StateError);
        }
        self.state.apply(log, change)?;
        if self.stops(Stop::AfterState) {
            return Err(StateError);
        }
        Ok(())
    }

    fn hashes(&self, log: LogId, row: u8, range: Range<u64>) -> Result<Vec<Sha256>, StateError> {
        self.state.hashes(log, row, range)
    }

    fn places(&self, log: LogId, range: Range<u64>) -> Result<Vec<Place>, StateError> {
        self.state.places(log, range)
    }

    fn index_of(&self, log: LogId, leaf_hash: &Sha256) -> Result<Option<LeafIndex>, StateError> {
        self.state.index_of(log, leaf_hash)
    }

    fn search(
        &self,
        log: LogId,
        key: &Sha256,
        before: LeafIndex,
        limit: usize,
    ) -> Result<Vec<LeafIndex>, StateError> {
        self.state.search(log, key, before, limit)
    }
}

#[tokio::test]
async fn a_log_that_breaks_off_at_any_step_recovers_all_that_it_acknowledged() {
    for stop in Stop::FATAL {
        let signer = TestSigner::new("log.example");
        let storage = Breaking::in_memory();
        let parts = storage.parts();
        let log = start(&signer, &parts).unwrap();
        let mut heads = Vec::new();
        for i in 0..20 {
            heads.push(log.append(leaf(&i.to_string())).await.unwrap().head);
        }

        storage.stop_at(Some(stop));
        let refused = log.append(leaf("in doubt")).await.unwrap_err();
        log.failed().await;
        assert_eq!(refused, AppendError::Stopped, "{stop:?}");
        let closed = log.append(leaf("later")).await.unwrap_err();
        assert_eq!(closed, AppendError::Stopped);
        assert_eq!(log.head().size.get(), 20, "{stop:?} published");
        storage.stop_at(None);

        let log = start(&signer, &parts).unwrap();
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
async fn a_journal_without_room_refuses_and_leaves_no_trace() {
    let signer = TestSigner::new("log.example");
    let storage = Breaking::in_memory();
    let parts = storage.parts();
    let log = start(&signer, &parts).unwrap();

    storage.stop_at(Some(Stop::JournalHasNoRoom));
    let refused = log.append(leaf("a")).await.unwrap_err();
    storage.stop_at(None);
    let appended = log.append(leaf("b")).await.unwrap();

    assert_eq!(refused, AppendError::Overloaded);
    assert_eq!(appended.index.get(), 0);
    assert_eq!(log.health(), Health::Ok);
}

#[tokio::test]
async fn a_state_that_is_lost_behind_or_wrong_is_made_anew() {
    let signer = TestSigner::new("log.example");
    let full = memory();
    let log = start(&signer, &full).unwrap();
    for i in 0..30 {
        log.append(leaf(&i.to_string())).await.unwrap();
    }
    let (head, end) = full.journal.tail(LogId::RekorV2).last.unwrap();

    let wrong = Arc::new(MemoryState::default());
    let mut change = StateChange {
        start: TreeSize::EMPTY,
        rows: Vec::new(),
        places: Vec::new(),
        keys: Vec::new(),
        head: (*head_with(&head, 31)).clone(),
        end,
    };
    wrong.apply(LogId::RekorV2, &change).unwrap();
    let behind = Arc::new(MemoryState::default());
    change.head = head.clone();
    behind.apply(LogId::RekorV2, &change).unwrap();
    for state in [Arc::new(MemoryState::default()), wrong, behind] {
        let parts = Parts {
            journal: Arc::clone(&full.journal),
            state,
        };
        let log = start(&signer, &parts).unwrap();

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
async fn a_journal_that_is_behind_a_head_this_log_signed_is_only_read() {
    let signer = TestSigner::new("log.example");
    let full = memory();
    let log = start(&signer, &full).unwrap();
    let old_journal = Arc::new(MemoryJournal::default());
    for i in 0..9 {
        log.append(leaf(&i.to_string())).await.unwrap();
        if i == 5 {
            full.journal
                .replay(LogId::RekorV2, None, &mut |batch, _| {
                    old_journal.commit(LogId::RekorV2, &batch).unwrap();
                    ControlFlow::Continue(())
                })
                .unwrap();
        }
    }

    let parts = Parts {
        journal: old_journal,
        state: Arc::clone(&full.state),
    };
    let log = start(&signer, &parts).unwrap();

    assert_eq!(log.health(), Health::ReadOnly { missing: 3 });
    let refused = log.append(leaf("new")).await.unwrap_err();
    assert_eq!(refused, AppendError::ReadOnly { missing: 3 });
    assert_eq!(log.head().size.get(), 6);
    assert_eq!(log.index_of(&leaf_hash(b"8")), Ok(None));
    assert_eq!(log.leaves(5..6).unwrap(), [leaf("5")]);
}

#[tokio::test]
async fn a_log_signed_by_another_key_is_not_taken_up() {
    let parts = memory();
    let log = start(&TestSigner::new("log.example"), &parts).unwrap();
    log.append(leaf("a")).await.unwrap();
    log.drain().await;

    let error = start(&TestSigner::new("log.example"), &parts).err();

    assert!(matches!(error, Some(StartError::Stranger { size: 1, .. })));
}

#[tokio::test]
async fn the_time_of_heads_never_goes_back() {
    let parts = memory();
    let signer = TestSigner::new("log.example");
    let clock = Arc::new(TestClock::default());
    let begin = |clock: &Arc<TestClock>| {
        let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
        let signer: Arc<dyn HeadSigner> = Arc::clone(&signer) as _;
        Log::start(LogId::Ct, signer, clock, parts.clone(), Limits::default()).unwrap()
    };
    clock.0.store(5_000, Ordering::Relaxed);
    let log = begin(&clock);
    log.append(leaf("a")).await.unwrap();
    clock.0.store(1_000, Ordering::Relaxed);

    let second = log.append(leaf("b")).await.unwrap();
    log.drain().await;
    let third = begin(&clock).append(leaf("c")).await.unwrap();

    assert_eq!(second.head.time.millis(), 5_000);
    assert_eq!(third.head.time.millis(), 5_000);
}

#[tokio::test]
async fn draining_answers_whoever_waits_and_lets_nobody_in() {
    let log = start(&TestSigner::new("log.example"), &memory()).unwrap();
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

/// The parts of a log with these leaves, one head for each.
async fn history(signer: &Arc<TestSigner>, leaves: &[&str]) -> Parts {
    let parts = memory();
    let log = start(signer, &parts).unwrap();
    for text in leaves {
        log.append(leaf(text)).await.unwrap();
    }
    log.drain().await;
    parts
}

#[tokio::test]
async fn a_state_that_proves_another_and_longer_tree_is_not_made_anew() {
    let signer = TestSigner::new("log.example");
    let parts = Parts {
        journal: history(&signer, &["a", "x", "y"]).await.journal,
        state: history(&signer, &["a", "b", "c", "d", "e"]).await.state,
    };

    for _ in 0..2 {
        let error = start(&signer, &parts).err();

        let proof = Some(StartError::Recover(RecoverError::Longer {
            log: LogId::RekorV2,
            size: 3,
            known: 5,
        }));
        assert_eq!(format!("{error:?}"), format!("{proof:?}"));
    }
}

#[tokio::test]
async fn a_journal_that_went_another_way_than_a_signed_head_is_a_fork_at_every_start() {
    let signer = TestSigner::new("log.example");
    let parts = Parts {
        journal: history(&signer, &["a", "x", "y", "z"]).await.journal,
        state: history(&signer, &["a", "b"]).await.state,
    };

    for _ in 0..2 {
        let error = start(&signer, &parts).err();

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
async fn a_state_that_claims_to_have_read_on_but_has_fewer_entries_is_made_anew() {
    let signer = TestSigner::new("log.example");
    let journal = history(&signer, &["a", "b", "c"]).await.journal;
    let state = history(&signer, &["a"]).await.state;
    let (head, _) = state.head(LogId::RekorV2).unwrap().unwrap();
    let change = StateChange {
        start: head.size,
        rows: Vec::new(),
        places: Vec::new(),
        keys: Vec::new(),
        head,
        end: JournalEnd {
            segment: 9,
            offset: 9,
        },
    };
    state.apply(LogId::RekorV2, &change).unwrap();

    let log = start(&signer, &Parts { journal, state }).unwrap();
    let appended = log.append(leaf("d")).await.unwrap();

    assert_eq!(appended.index.get(), 3);
    assert_included(b"d", &appended);
}
