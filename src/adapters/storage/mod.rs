//! The store: the journal, and the state that is built from it.
//!
//! ```text
//! <data>/lock       locked by the process that has the store open
//! <data>/journal/   segments and the head file
//! <data>/state/     sled; state.broken-<n> are states that were set aside
//! ```

mod audit;
mod codec;
mod error;
mod files;
pub(crate) mod journal;
mod ledger;
mod sled;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod crash;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use self::audit::fsck;
pub(crate) use self::error::OpenError;
pub(crate) use self::journal::FileJournal;
pub(crate) use self::ledger::FileLedger;
pub(crate) use self::sled::SledState;
use crate::log::port::{Journal as _, State as _};
use crate::log::{LogId, LogStorage, SearchKeys, rebuild_state};
use crate::protocol::merkle::TreeSize;
use crate::services::ledger::Ledger;

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Size of sled's cache, in bytes.
    pub cache_bytes: u64,
    /// Length beyond which a segment of the journal is not extended, in bytes.
    pub segment_bytes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            segment_bytes: 64 << 20,
        }
    }
}

/// An open store. No other process can open it until everything that uses it is dropped.
#[derive(Clone, Debug)]
pub struct Storage {
    journal: Arc<FileJournal>,
    state: Arc<SledState>,
    ledger: Arc<FileLedger>,
}

impl Storage {
    /// What a log is started with.
    pub(crate) fn log_storage(&self) -> LogStorage {
        log_storage(&self.journal, &self.state)
    }

    /// The ledger.
    pub fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.ledger) as _
    }

    pub(crate) fn journal_id(&self) -> JournalId {
        JournalId(self.journal.instance())
    }

    /// Whether the journal lacks what was once signed, so that nothing can be written.
    pub(crate) fn is_read_only(&self) -> bool {
        self.journal.is_read_only()
    }

    /// Whether no log was ever started on the store.
    pub(crate) fn is_new(&self) -> bool {
        self.journal.is_new()
    }

    /// Refuses every further write, of any log and of the ledger, because the journal lacks these
    /// numbers of entries: anything written now would be lost when the right journal is restored.
    pub(crate) fn set_read_only(&self, missing: impl IntoIterator<Item = (LogId, u64)>) {
        self.journal.set_read_only(missing);
    }

    /// Waits until only a restart can tell what of the store would survive; pending while that is not
    /// so. The process must then end.
    pub(crate) async fn failed(&self) {
        self.journal.failed().await;
    }
}

fn log_storage(journal: &Arc<FileJournal>, state: &Arc<SledState>) -> LogStorage {
    LogStorage {
        journal: Arc::clone(journal) as _,
        state: Arc::clone(state) as _,
        index: Arc::clone(state) as _,
    }
}

/// The random number that a journal gets when it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JournalId([u8; 16]);

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Opens the store in a data directory, or creates one if there is none. A log brings its own part of
/// the state up to date when it starts.
///
/// # Errors
/// See [`OpenError`].
pub fn open(dir: &Path, options: Options) -> Result<Storage, OpenError> {
    let (journal, state) = open_journal_and_state(dir, options)?;
    Ok(Storage {
        ledger: Arc::new(FileLedger::open(Arc::clone(&journal), Arc::clone(&state))?),
        journal,
        state,
    })
}

fn open_journal_and_state(
    dir: &Path,
    options: Options,
) -> Result<(Arc<FileJournal>, Arc<SledState>), OpenError> {
    let lock = lock(dir)?;
    let journal = FileJournal::open(&journal_dir(dir), lock, options.segment_bytes)?;
    let state = sled::open(&state_dir(dir), journal.instance(), options.cache_bytes)?;
    Ok((Arc::new(journal), Arc::new(state)))
}

/// Sets the state aside and rebuilds it from the journal, search indices included. `search_keys` gives
/// the keys by which a log's leaves are found. Returns the size of each log in the journal.
///
/// # Errors
/// See [`OpenError`].
pub(crate) fn rebuild(
    dir: &Path,
    search_keys: impl Fn(LogId) -> SearchKeys,
) -> Result<Vec<(LogId, TreeSize)>, OpenError> {
    require_store(dir)?;
    let lock = lock(dir)?;
    let options = Options::default();
    let journal = FileJournal::open(&journal_dir(dir), lock, options.segment_bytes)?;
    let state_dir = state_dir(dir);
    if state_dir.exists() {
        refuse_lost_proof(&state_dir, &journal, options)?;
        sled::set_aside(&state_dir).map_err(OpenError::io(&state_dir))?;
    }
    let state = sled::open(&state_dir, journal.instance(), options.cache_bytes)?;
    let (journal, state) = (Arc::new(journal), Arc::new(state));
    FileLedger::open(Arc::clone(&journal), Arc::clone(&state))?;
    let mut sizes = Vec::new();
    for log in journal.logs() {
        let storage = log_storage(&journal, &state);
        sizes.push((log, rebuild_state(log, storage, search_keys(log))?));
    }
    state
        .flush()
        .map_err(|error| OpenError::State(error.to_string()))?;
    Ok(sizes)
}

/// Refuses to set aside a state that has more than the journal, because it is the only proof that the
/// journal is an old copy. Without it the logs would continue from there, and sign different trees of
/// sizes that they have signed already.
fn refuse_lost_proof(dir: &Path, journal: &FileJournal, options: Options) -> Result<(), OpenError> {
    let behind = |entries| OpenError::Behind {
        entries,
        state: dir.to_owned(),
    };
    let state = sled::open(dir, journal.instance(), options.cache_bytes)?;
    for log in all_logs(journal, &state) {
        let tail = journal.tail(log).last;
        let size = tail.map_or(0, |(head, _)| head.size.get());
        // A head that cannot be read proves nothing.
        let known = state.head(log).ok().flatten();
        let known = known.map_or(0, |(head, _)| head.size.get());
        if let Some(entries) = known.checked_sub(size).filter(|entries| *entries > 0) {
            return Err(behind(entries));
        }
    }
    let known = state.facts().map_or(0, |(number, _)| number);
    match known.checked_sub(journal.facts()) {
        Some(facts @ 1..) => Err(behind(facts)),
        _ => Ok(()),
    }
}

/// Every log of which journal or state know.
fn all_logs(journal: &FileJournal, state: &SledState) -> BTreeSet<LogId> {
    let mut logs = journal.logs();
    logs.extend(state.logs().unwrap_or_default());
    logs
}

/// Refuses a directory without a store: a mistyped path must not become a new store, and a lost journal
/// must not be replaced by an empty one.
///
/// # Errors
/// There is no journal.
pub(crate) fn require_store(dir: &Path) -> Result<(), OpenError> {
    let journal = journal_dir(dir);
    if journal::exists(&journal) {
        return Ok(());
    }
    Err(OpenError::NoJournal(journal))
}

fn journal_dir(dir: &Path) -> PathBuf {
    dir.join("journal")
}

fn state_dir(dir: &Path) -> PathBuf {
    dir.join("state")
}

/// Locks the store for this process. The system releases the lock however the process ends.
fn lock(dir: &Path) -> Result<File, OpenError> {
    files::make_private_dir(dir).map_err(OpenError::io(dir))?;
    let path = dir.join("lock");
    let file = files::open_private(&path).map_err(OpenError::io(&path))?;
    match file.try_lock() {
        // CRASH: what a killed start has created may have its name in memory only.
        Ok(()) => files::sync_dir(dir)
            .map(|()| file)
            .map_err(OpenError::io(dir)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path)),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path)(error)),
    }
}
