//! Doubles of ports that unit tests share: clocks, randomness, ledgers, keys.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) use crate::adapters::system::SYSTEM_RNG;
use crate::protocol::time::{Clock, UnixTime};
use crate::services::ledger::{Facts, Ledger, LedgerError, Table};
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

    pub(crate) fn advance(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A source that never has random bytes.
pub(crate) const NO_RNG: Rng = Rng::new(|_| Err(NoRandomness));

/// A ledger in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryLedger {
    tables: Mutex<HashMap<Table, TableFacts>>,
}

type TableFacts = BTreeMap<Vec<u8>, Vec<u8>>;

impl Ledger for MemoryLedger {
    fn put(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        let mut tables = self.tables.lock().unwrap();
        let facts = tables.entry(table).or_default();
        facts.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&self, table: Table, key: &[u8]) -> Result<(), LedgerError> {
        let mut tables = self.tables.lock().unwrap();
        tables.entry(table).or_default().remove(key);
        Ok(())
    }

    fn load(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        let mut tables = self.tables.lock().unwrap();
        Ok(tables.entry(table).or_default().get(key).cloned())
    }

    fn scan(&self, table: Table) -> Result<Facts, LedgerError> {
        let mut tables = self.tables.lock().unwrap();
        let facts = tables.entry(table).or_default().clone();
        Ok(facts.into_iter().collect())
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

pub(crate) mod keys {
    //! Fresh keys for one test.

    use crate::protocol::keys::{KeyAlgorithm, SigningKey};

    pub(crate) fn p256() -> SigningKey {
        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        key
    }
}
