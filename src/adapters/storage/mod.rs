//! Where things are kept: the journal, which is the truth, and the state that is built from it.
//!
//! ```text
//! <data>/lock       held by the process that has the store open
//! <data>/journal/   segments and the head file
//! <data>/state/     sled; state.broken-<n> are states that were set aside
//! ```

mod audit;
mod codec;
mod error;
mod files;
pub(crate) mod journal;
mod ledger;
#[cfg(test)]
pub(crate) mod memory;
mod migrate;
mod sled;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod crash;

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
use crate::log::{LogId, Parts, rebuild_state};
use crate::protocol::merkle::TreeSize;
use crate::services::ledger::Ledger;

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much sled may keep in memory, in bytes.
    pub cache_bytes: u64,
    /// How long a segment of the journal may become, in bytes.
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

/// An open store. No other process can open it until the last part of it is dropped.
#[derive(Clone, Debug)]
pub struct Storage {
    journal: Arc<FileJournal>,
    state: Arc<SledState>,
    ledger: Arc<FileLedger>,
}

impl Storage {
    /// What a log is started with.
    pub fn parts(&self) -> Parts {
        Parts {
            journal: Arc::clone(&self.journal) as _,
            state: Arc::clone(&self.state) as _,
        }
    }

    /// The ledger.
    pub fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.ledger) as _
    }

    /// Which journal it is.
    pub fn journal_id(&self) -> JournalId {
        JournalId(self.journal.instance())
    }

    /// Whether the journal is behind what was once signed, so that nothing can be written.
    pub fn is_read_only(&self) -> bool {
        self.journal.is_read_only()
    }

    /// Whether no log has ever been started on the store.
    pub fn is_new(&self) -> bool {
        self.journal.is_new()
    }

    /// Lets nothing be written any more, by any log or the ledger, because the journal lacks so many
    /// entries of these logs: what were written now would be lost with the right journal's return.
    pub fn hold(&self, missing: impl IntoIterator<Item = (LogId, u64)>) {
        self.journal.hold(missing);
    }

    /// Waits until it cannot be told what of the store would survive, for ever if that never
    /// happens. The process must then end.
    pub async fn failed(&self) {
        self.journal.failed().await;
    }
}

/// The random number that a journal is given when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalId([u8; 16]);

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Opens the store in a data directory, or makes one where there is none. Logs bring their own part
/// of the state up to date when they start.
///
/// # Errors
/// See [`OpenError`].
pub fn open(dir: &Path, options: Options) -> Result<Storage, OpenError> {
    let (journal, state) = open_parts(dir, options)?;
    Ok(Storage {
        ledger: Arc::new(FileLedger::open(Arc::clone(&journal), Arc::clone(&state))?),
        journal,
        state,
    })
}

fn open_parts(
    dir: &Path,
    options: Options,
) -> Result<(Arc<FileJournal>, Arc<SledState>), OpenError> {
    let lock = lock(dir)?;
    let journal = FileJournal::open(&journal_dir(dir), lock, options.segment_bytes)?;
    let state = sled::open(&state_dir(dir), journal.instance(), options.cache_bytes)?;
    Ok((Arc::new(journal), Arc::new(state)))
}

/// Sets the state aside and makes it anew from the journal. Returns the size of each log.
///
/// # Errors
/// See [`OpenError`].
pub(crate) fn rebuild(dir: &Path) -> Result<Vec<(LogId, TreeSize)>, OpenError> {
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
    let parts = Parts {
        journal,
        state: Arc::clone(&state) as _,
    };
    let mut sizes = Vec::new();
    for log in LogId::ALL {
        sizes.push((log, rebuild_state(log, &parts)?));
    }
    state
        .flush()
        .map_err(|error| OpenError::State(error.to_string()))?;
    Ok(sizes)
}

/// A state that knows more than the journal is the only proof that the journal is an old copy.
/// Without it the logs would go on from there, and sign other trees of sizes that they have signed.
fn refuse_lost_proof(dir: &Path, journal: &FileJournal, options: Options) -> Result<(), OpenError> {
    let state = sled::open(dir, journal.instance(), options.cache_bytes)?;
    for log in LogId::ALL {
        let size = journal
            .tail(log)
            .last
            .map_or(0, |(head, _)| head.size.get());
        let known = state.head(log).ok().flatten();
        let known = known.map_or(0, |(head, _)| head.size.get());
        if known > size {
            return Err(OpenError::Behind {
                entries: known.saturating_sub(size),
                state: dir.to_owned(),
            });
        }
    }
    let known = state.facts().map_or(0, |(number, _)| number);
    let (facts, _) = journal.facts();
    if known > facts {
        return Err(OpenError::Behind {
            entries: known.saturating_sub(facts),
            state: dir.to_owned(),
        });
    }
    Ok(())
}

/// Refuses a directory without a store, lest a mistyped path becomes a new store, or a lost journal
/// a second history.
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

/// Takes the store for this process. The lock goes with the process, however it ends.
fn lock(dir: &Path) -> Result<File, OpenError> {
    files::make_private_dir(dir).map_err(OpenError::io(dir))?;
    let path = dir.join("lock");
    let file = files::open_private(&path).map_err(OpenError::io(&path))?;
    match file.try_lock() {
        // CRASH: what a killed start has made may have its name in memory only.
        Ok(()) => files::sync_dir(dir)
            .map(|()| file)
            .map_err(OpenError::io(dir)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path)),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path)(error)),
    }
}
