//! Starting a log: recovery, the check of its last signature, and the choice to be read-only.

use std::sync::Arc;

use tokio::sync::watch;

use super::index::{IndexProgress, SearchKeys, build_index, spawn_follower};
use super::pool::Pool;
use super::port::{CommitError, LogStorage};
use super::publish::{CommittedHead, Publisher};
use super::read::StoredLog;
use super::recover::{Recovered, recover};
use super::sequencer::{SequenceError, Sequencer};
use super::{Handle, HeadSigner, Health, Limits, Log, LogId, RecoverError, Shared, SignedHead};
use crate::protocol::keys::SigningFailed;
use crate::protocol::merkle::TreeSize;
use crate::protocol::time::Clock;

/// Error starting a log.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The last checkpoint was signed by another key or under another origin.
    #[error(
        "log {log}: the last checkpoint (size {size}) was not signed by the configured key (log ID \
         {log_id}) under the configured origin {origin:?}"
    )]
    WrongSigner {
        log: LogId,
        size: u64,
        /// In hexadecimal.
        log_id: String,
        origin: String,
    },
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    #[error("the first checkpoint could not be written")]
    Commit(#[from] CommitError),
    #[error("could not spawn the log's threads")]
    Thread(#[source] std::io::Error),
}

impl StartError {
    /// Whether another attempt cannot help.
    pub(crate) const fn is_damage(&self) -> bool {
        match self {
            Self::Recover(error) => error.is_damage(),
            Self::WrongSigner { .. } => true,
            Self::Signing(_) | Self::Commit(_) | Self::Thread(_) => false,
        }
    }
}

impl From<SequenceError> for StartError {
    fn from(error: SequenceError) -> Self {
        match error {
            SequenceError::Signing(error) => Self::Signing(error),
            SequenceError::Commit(error) => Self::Commit(error),
            SequenceError::State(error) => Self::Recover(RecoverError::State(error)),
        }
    }
}

pub(super) fn start(
    id: LogId,
    signer: Arc<dyn HeadSigner>,
    clock: Arc<dyn Clock>,
    storage: LogStorage,
    limits: Limits,
    search_keys: SearchKeys,
) -> Result<Log, StartError> {
    let stored = StoredLog::new(id, storage);
    let signed = signed_head(&stored, signer.as_ref());
    let missing = missing(&stored, signed.as_ref());
    let Recovered { frontier, head } = recover(&stored, signed.as_ref())?;
    if let Some(head) = &head
        && !signer.recognises(&head.note, head.size, &head.root)
    {
        return Err(StartError::WrongSigner {
            log: id,
            size: head.size.get(),
            log_id: signer.log_id().to_hex(),
            origin: signer.origin().to_owned(),
        });
    }
    let head = head.map(CommittedHead::recovered);
    let mut sequencer = Sequencer::new(stored.clone(), frontier, head.clone(), signer, clock);
    let head = match (head, missing) {
        (Some(head), _) => head,
        (None, Some(_)) => sequencer.sign_empty()?,
        (None, None) => sequencer.commit_empty()?,
    };
    let health = match missing {
        Some(missing) => Health::ReadOnly { missing },
        None => Health::Ok,
    };
    let indexed = usable_index(&stored, head.size, health)?;
    let shared = Arc::new(Shared {
        pool: Pool::new(limits),
        index: IndexProgress::new(indexed, head.size),
        publisher: Publisher::new(head),
        health: watch::Sender::new(health),
        threads: watch::Sender::new(0),
    });
    spawn_follower(stored.clone(), search_keys, &shared).map_err(StartError::Thread)?;
    match health {
        Health::Ok => sequencer.spawn(&shared).map_err(StartError::Thread)?,
        _ => tracing::error!(log = %id, missing, "log.read_only"),
    }
    Ok(Log {
        handle: Arc::new(Handle { stored, shared }),
    })
}

/// The size that the index has reached. An index that has reached further than the tree would hide the
/// next leaves from the follower, so a log that will get any drops it.
fn usable_index(
    stored: &StoredLog,
    size: TreeSize,
    health: Health,
) -> Result<TreeSize, RecoverError> {
    let indexed = stored.index.indexed(stored.id)?;
    if indexed <= size || health != Health::Ok {
        return Ok(indexed);
    }
    tracing::warn!(
        log = %stored.id, tree.size = size.get(), index.size = indexed.get(), "index.dropped"
    );
    stored.index.clear(stored.id)?;
    Ok(TreeSize::EMPTY)
}

/// The head in the state, if this log signed it. Only a signed head is evidence of lost entries.
fn signed_head(stored: &StoredLog, signer: &dyn HeadSigner) -> Option<SignedHead> {
    let (head, _) = stored.state.head(stored.id).ok()??;
    let recognised = signer.recognises(&head.note, head.size, &head.root);
    recognised.then_some(head)
}

/// Number of entries that the log lacks, if it lacks any: as the journal itself knows, or as a signed
/// head in the state proves.
fn missing(stored: &StoredLog, signed: Option<&SignedHead>) -> Option<u64> {
    let tail = stored.journal.tail(stored.id);
    let size = tail.last.map_or(0, |(head, _)| head.size.get());
    let beyond = signed.and_then(|signed| signed.size.get().checked_sub(size));
    tail.read_only.max(beyond.filter(|missing| *missing > 0))
}

/// Number of entries that the journal of a log lacks, if it lacks any. Writes nothing. Blocks on
/// storage.
pub(crate) fn missing_entries(
    id: LogId,
    signer: &dyn HeadSigner,
    storage: LogStorage,
) -> Option<u64> {
    let stored = StoredLog::new(id, storage);
    missing(&stored, signed_head(&stored, signer).as_ref())
}

/// Brings state and index of a log up to its journal without starting the log or checking its
/// signatures, and returns the tree's size.
///
/// # Errors
/// See [`RecoverError`].
pub(crate) fn rebuild_state(
    id: LogId,
    storage: LogStorage,
    search_keys: SearchKeys,
) -> Result<TreeSize, RecoverError> {
    let stored = StoredLog::new(id, storage);
    let size = recover(&stored, None)?.frontier.size();
    build_index(&stored, search_keys, size)?;
    Ok(size)
}
