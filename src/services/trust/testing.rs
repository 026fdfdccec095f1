//! A repository over a ledger that can be told to fail, with a clock that is moved by hand.

use crate::protocol::tuf::trusted_set::TrustedSet;
use crate::protocol::tuf::trusted_set::UpdateError;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::error::OpenRepositoryError;
use super::repository::{RepositoryKeys, TrustRepository};
use super::target::Target;
use crate::protocol::keys::SigningKey;
use crate::protocol::time::{Clock, UnixTime};
use crate::protocol::tuf::testing::{NOW, key};
use crate::protocol::tuf::{Custom, SigstoreCustom};
use crate::services::ledger::{Facts, Ledger, LedgerError, Table};

/// Facts of one table in memory.
#[derive(Default)]
pub(crate) struct TestLedger {
    pub(crate) facts: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// Every write that was done, in order.
    pub(crate) writes: Mutex<Vec<String>>,
    /// So many more writes are done before they are refused; none means no end.
    pub(crate) writes_left: Mutex<Option<usize>>,
}

impl TestLedger {
    fn admit(&self, key: &[u8]) -> Result<(), LedgerError> {
        let mut left = self.writes_left.lock().unwrap();
        match &mut *left {
            Some(0) => return Err(LedgerError::ReadOnly),
            Some(left) => *left -= 1,
            None => {}
        }
        let key = String::from_utf8(key.to_vec()).unwrap();
        self.writes.lock().unwrap().push(key);
        Ok(())
    }

    pub(crate) fn allow(&self, writes: Option<usize>) {
        *self.writes_left.lock().unwrap() = writes;
    }

    pub(crate) fn take_writes(&self) -> Vec<String> {
        std::mem::take(&mut *self.writes.lock().unwrap())
    }
}

impl Ledger for TestLedger {
    fn put(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        assert_eq!(table, Table::TrustRepository);
        self.admit(key)?;
        let mut facts = self.facts.lock().unwrap();
        facts.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&self, _: Table, key: &[u8]) -> Result<(), LedgerError> {
        self.admit(key)?;
        self.facts.lock().unwrap().remove(key);
        Ok(())
    }

    fn load(&self, _: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.facts.lock().unwrap().get(key).cloned())
    }

    fn scan(&self, _: Table) -> Result<Facts, LedgerError> {
        Ok(self.facts.lock().unwrap().clone().into_iter().collect())
    }
}

/// Begins at `NOW`.
pub(crate) struct TestTime(AtomicU64);

impl TestTime {
    pub(crate) fn advance_days(&self, days: u64) {
        self.advance(Duration::from_secs(days * 86_400));
    }

    pub(crate) fn go_back_days(&self, days: u64) {
        self.0.fetch_sub(days * 86_400_000, Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestTime {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// What a repository is opened with.
pub(crate) struct TestInstance {
    pub(crate) ledger: Arc<TestLedger>,
    pub(crate) clock: Arc<TestTime>,
    pub(crate) root_key: Arc<(SigningKey, Vec<u8>)>,
    pub(crate) online_key: Arc<(SigningKey, Vec<u8>)>,
}

impl TestInstance {
    pub(crate) fn new() -> Self {
        let pair = || {
            let (key, pkcs8) =
                SigningKey::generate(crate::protocol::keys::KeyAlgorithm::P256).unwrap();
            Arc::new((key, pkcs8.to_vec()))
        };
        Self {
            ledger: Arc::default(),
            clock: Arc::new(TestTime(AtomicU64::new(NOW.millis()))),
            root_key: pair(),
            online_key: pair(),
        }
    }

    pub(crate) fn keys(&self) -> RepositoryKeys {
        let again = |pair: &(SigningKey, Vec<u8>)| SigningKey::from_pkcs8(&pair.1).unwrap();
        RepositoryKeys {
            online: again(&self.online_key),
            root: Some(again(&self.root_key)),
        }
    }

    pub(crate) fn open(&self) -> TrustRepository {
        self.open_with("first").unwrap()
    }

    /// Opens it with this content of its one file.
    pub(crate) fn open_with(&self, content: &str) -> Result<TrustRepository, OpenRepositoryError> {
        self.open_keys(content, self.keys())
    }

    pub(crate) fn open_keys(
        &self,
        content: &str,
        keys: RepositoryKeys,
    ) -> Result<TrustRepository, OpenRepositoryError> {
        let ledger: Arc<dyn Ledger> = Arc::<TestLedger>::clone(&self.ledger);
        let clock: Arc<dyn Clock> = Arc::<TestTime>::clone(&self.clock);
        TrustRepository::open(ledger, clock, keys, vec![target(content)])
    }
}

pub(crate) fn target(content: &str) -> Target {
    Target {
        name: "trusted_root.json",
        content: content.as_bytes().into(),
        custom: Custom {
            sigstore: SigstoreCustom {
                status: "Active".to_owned(),
                usage: "Unknown".to_owned(),
                uri: None,
            },
        },
    }
}

/// A key that the server has not.
pub(crate) fn outside_key() -> SigningKey {
    key()
}

/// What a client would do, from the newest root that it has to the file.
pub(crate) fn refresh(
    set: &mut TrustedSet,
    now: UnixTime,
    file: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, UpdateError> {
    use crate::protocol::tuf::{Metadata as _, Role};
    loop {
        let next = set.root().body().version().next().unwrap();
        let Some(root) = file(&format!("{next}.root.json")) else {
            break;
        };
        set.update_root(&root)?;
    }
    set.update_timestamp(&file("timestamp.json").unwrap(), now)?;
    let number = |set: &TrustedSet| set.timestamp().unwrap().body().snapshot().version;
    set.update_snapshot(
        &file(&format!("{}.snapshot.json", number(set))).unwrap(),
        now,
    )?;
    let list = set.snapshot().unwrap().body().targets();
    let list = list.ok_or(UpdateError::Order(Role::Targets))?.version;
    set.update_targets(&file(&format!("{list}.targets.json")).unwrap(), now)?;
    let (name, listed) = set.files()?.next().unwrap();
    let content = file(&format!("targets/{}.{name}", listed.sha256().to_hex())).unwrap();
    set.check_target(name, &content)?;
    Ok(content)
}
