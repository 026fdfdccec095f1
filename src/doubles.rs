//! Test doubles that unit tests share: clocks, randomness, ledgers, captured events, keys.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once};
use std::time::Duration;

use futures_util::future::BoxFuture;

pub(crate) use crate::adapters::system::SYSTEM_RNG;
use crate::protocol::identity::IssuerUrl;
use crate::protocol::time::{Clock, UnixTime};
use crate::services::ledger::{Facts, Ledger, LedgerError, Table};
use crate::services::oidc::{FetchError, IssuerKeys, KeySource};
use crate::services::random::{NoRandomness, Rng};

/// A clock that shows one moment for the whole test.
#[derive(Clone, Copy)]
pub(crate) struct FixedClock(pub(crate) UnixTime);

impl Clock for FixedClock {
    fn now(&self) -> UnixTime {
        self.0
    }
}

/// A clock that the test moves.
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) const fn new(start: UnixTime) -> Self {
        Self(AtomicU64::new(start.millis()))
    }

    pub(crate) fn set(&self, now: UnixTime) {
        self.0.store(now.millis(), Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(millis(span), Ordering::SeqCst);
    }

    pub(crate) fn rewind(&self, span: Duration) {
        self.0.fetch_sub(millis(span), Ordering::SeqCst);
    }
}

fn millis(span: Duration) -> u64 {
    span.as_millis().try_into().unwrap()
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A source that always fails.
pub(crate) const NO_RNG: Rng = Rng::new(|_| Err(NoRandomness));

/// A ledger in memory. It records its writes, and a test can make them fail or wait.
#[derive(Debug, Default)]
pub(crate) struct MemoryLedger {
    tables: Mutex<HashMap<Table, TableFacts>>,
    /// The keys written or removed, in order
    writes: Mutex<Vec<String>>,
    /// Number of writes before the ledger becomes read-only; no limit if none
    writes_left: Mutex<Option<usize>>,
    /// Held during a write
    disk: Mutex<()>,
}

pub(crate) type TableFacts = BTreeMap<Vec<u8>, Vec<u8>>;

impl MemoryLedger {
    pub(crate) fn facts(&self, table: Table) -> TableFacts {
        let tables = self.tables.lock().unwrap();
        tables.get(&table).cloned().unwrap_or_default()
    }

    pub(crate) fn set_facts(&self, table: Table, facts: TableFacts) {
        self.tables.lock().unwrap().insert(table, facts);
    }

    /// The keys of the writes since the last call, in order.
    pub(crate) fn take_writes(&self) -> Vec<String> {
        std::mem::take(&mut *self.writes.lock().unwrap())
    }

    /// Accepts this many more writes and refuses all others; none removes the limit.
    pub(crate) fn limit_writes(&self, count: Option<usize>) {
        *self.writes_left.lock().unwrap() = count;
    }

    /// Blocks writes, like a slow disk, until the guard is dropped.
    pub(crate) fn block_writes(&self) -> MutexGuard<'_, ()> {
        self.disk.lock().unwrap()
    }

    fn write(
        &self,
        key: &[u8],
        change: impl FnOnce(&mut HashMap<Table, TableFacts>),
    ) -> Result<(), LedgerError> {
        let _disk = self.disk.lock().unwrap();
        if let Some(left) = &mut *self.writes_left.lock().unwrap() {
            *left = left.checked_sub(1).ok_or(LedgerError::ReadOnly)?;
        }
        let key = String::from_utf8_lossy(key).into_owned();
        self.writes.lock().unwrap().push(key);
        change(&mut self.tables.lock().unwrap());
        Ok(())
    }
}

impl Ledger for MemoryLedger {
    fn put(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        self.write(key, |tables| {
            let facts = tables.entry(table).or_default();
            facts.insert(key.to_vec(), value.to_vec());
        })
    }

    fn remove(&self, table: Table, key: &[u8]) -> Result<(), LedgerError> {
        self.write(key, |tables| {
            tables.entry(table).or_default().remove(key);
        })
    }

    fn load(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.facts(table).remove(key))
    }

    fn scan(&self, table: Table) -> Result<Facts, LedgerError> {
        Ok(self.facts(table).into_iter().collect())
    }
}

/// An empty ledger that refuses every write.
pub(crate) struct ReadOnlyLedger;

impl Ledger for ReadOnlyLedger {
    fn put(&self, _: Table, _: &[u8], _: &[u8]) -> Result<(), LedgerError> {
        Err(LedgerError::ReadOnly)
    }

    fn remove(&self, _: Table, _: &[u8]) -> Result<(), LedgerError> {
        Err(LedgerError::ReadOnly)
    }

    fn load(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(None)
    }

    fn scan(&self, _: Table) -> Result<Facts, LedgerError> {
        Ok(Vec::new())
    }
}

/// The events of the current thread, as text.
///
/// The subscriber is global, because a callsite that another thread reaches first remembers that no
/// subscriber of *that* thread wants its events.
pub(crate) struct CapturedEvents(());

thread_local! {
    static CAPTURED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct CapturingWriter;

impl io::Write for CapturingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CAPTURED.with_borrow_mut(|captured| {
            if let Some(captured) = captured {
                captured.extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl CapturedEvents {
    pub(crate) fn start() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            let subscriber = tracing_subscriber::fmt().with_writer(|| CapturingWriter);
            tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
        });
        CAPTURED.set(Some(Vec::new()));
        Self(())
    }

    pub(crate) fn finish(self) -> String {
        String::from_utf8(CAPTURED.take().unwrap()).unwrap()
    }
}

/// A key source that always fails, for issuers whose keys are not fetched.
pub(crate) struct NoKeySource;

impl KeySource for NoKeySource {
    fn fetch<'a>(&'a self, _: &'a IssuerUrl) -> BoxFuture<'a, Result<IssuerKeys, FetchError>> {
        Box::pin(async { Err(FetchError::NotConfigured) })
    }
}

pub(crate) mod keys {
    //! New keys.

    use crate::protocol::keys::{KeyAlgorithm, SigningKey};

    pub(crate) fn p256() -> SigningKey {
        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        key
    }
}
