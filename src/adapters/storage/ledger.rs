//! The ledger: a fact goes into the journal first and then into the state.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use super::error::OpenError;
use super::journal::{Entry, FileJournal};
use super::sled::SledState;
use crate::log::RecoverError;
use crate::log::port::{CommitError, StateError};
use crate::services::ledger::{Facts, Ledger, LedgerError, Table};

/// Maximum length of a fact's key and value together, in bytes.
const MAX_FACT: usize = 64 << 10;

/// The ledger on disk.
#[derive(Debug)]
pub(crate) struct FileLedger {
    journal: Arc<FileJournal>,
    state: Arc<SledState>,
    /// Locked during both writes of a fact, so that journal and state have facts in one order.
    order: Mutex<()>,
}

impl FileLedger {
    /// Brings the facts in the state up to the journal.
    pub(super) fn open(
        journal: Arc<FileJournal>,
        state: Arc<SledState>,
    ) -> Result<Self, OpenError> {
        if state_is_ahead_after_replay(&journal, &state)? {
            let reason = "the journal lacks facts that were acknowledged";
            tracing::error!(reason, "ledger.read_only");
            journal.set_read_only([]);
        }
        Ok(Self {
            journal,
            state,
            order: Mutex::new(()),
        })
    }

    fn set(&self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), LedgerError> {
        let bytes = key.len() + value.map_or(0, <[u8]>::len);
        if bytes > MAX_FACT {
            return Err(LedgerError::TooLarge {
                bytes,
                limit: MAX_FACT,
            });
        }
        let Ok(_order) = self.order.lock() else {
            // A panic under the lock, in sled for example, may have left a fact in the journal that the
            // state lacks. The next fact would hide that from every later start.
            self.journal.stop();
            return Err(LedgerError::Storage);
        };
        let (fact, end) = self.journal.commit_fact(table, key, value)?;
        self.state.apply_fact(&fact, end).map_err(|error| {
            // CRASH: the journal has the fact and the state does not; only a restart repairs that.
            self.journal.stop();
            error.into()
        })
    }
}

/// Replays the facts that the state lacks. Returns whether the state has more facts than the journal.
fn state_is_ahead_after_replay(
    journal: &FileJournal,
    state: &SledState,
) -> Result<bool, RecoverError> {
    let total = journal.facts();
    let (number, from) = match state.facts() {
        Ok((number, _)) if number > total => return Ok(true),
        Ok((number, from)) if from.is_some() || total == 0 => (number, from),
        _ => {
            state.clear_facts()?;
            (0, None)
        }
    };
    if number == total {
        return Ok(false);
    }
    let mut result = Ok(());
    journal.walk(from, &mut |entry| {
        if let Entry::Fact(fact, end) = entry {
            result = state.apply_fact(&fact, end);
        }
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    result?;
    Ok(false)
}

impl From<CommitError> for LedgerError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::ReadOnly => Self::ReadOnly,
            _ => Self::Storage,
        }
    }
}

impl From<StateError> for LedgerError {
    fn from(_: StateError) -> Self {
        Self::Storage
    }
}

impl Ledger for FileLedger {
    fn put(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        self.set(table, key, Some(value))
    }

    fn remove(&self, table: Table, key: &[u8]) -> Result<(), LedgerError> {
        if self.load(table, key)?.is_none() {
            return Ok(());
        }
        self.set(table, key, None)
    }

    fn load(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.state.fact(table, key)?)
    }

    fn scan(&self, table: Table) -> Result<Facts, LedgerError> {
        Ok(self.state.scan(table)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, open};
    use super::*;

    #[tokio::test]
    async fn after_a_panic_between_journal_and_state_only_a_restart_continues() {
        let dir = tempfile::tempdir().unwrap();
        let storage = open(dir.path(), Options::default()).unwrap();
        let ledger = Arc::clone(&storage.ledger);
        ledger.put(Table::Account, b"a", b"1").unwrap();
        let broken = std::thread::spawn(move || {
            let _order = ledger.order.lock().unwrap();
            ledger
                .journal
                .commit_fact(Table::Account, b"b", Some(b"2"))
                .unwrap();
            panic!("as the test demands");
        });
        assert!(broken.join().is_err());

        let refused = storage.ledger().put(Table::Account, b"c", b"3");

        assert!(matches!(refused, Err(LedgerError::Storage)));
        storage.failed().await;
        drop(storage);
        let storage = open(dir.path(), Options::default()).unwrap();
        let found = storage.ledger().load(Table::Account, b"b").unwrap();
        assert_eq!(found.as_deref(), Some(&b"2"[..]));
    }

    #[test]
    fn a_fact_that_is_too_large_is_refused_with_its_length() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path(), Options::default()).unwrap().ledger();

        ledger
            .put(Table::Account, b"key", &vec![0; MAX_FACT - 3])
            .unwrap();
        let refused = ledger.put(Table::Account, b"key", &vec![0; MAX_FACT - 2]);

        assert_eq!(
            refused.unwrap_err().to_string(),
            "the record has 65537 bytes; the limit is 65536"
        );
    }
}
