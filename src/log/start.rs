//! Starting a log: recovery, the check of its own signature, and the choice to be read-only.

use std::sync::{Arc, RwLock};

use tokio::sync::watch;

use super::pool::Pool;
use super::port::JournalError;
use super::read::Reader;
use super::recover::{Recovered, recover};
use super::sequencer::{Sequencer, Unfinished};
use super::{
    Handle, HeadSigner, Health, Limits, Log, LogId, Parts, RecoverError, Shared, SignedHead,
};
use crate::protocol::keys::SigningFailed;
use crate::protocol::merkle::TreeSize;
use crate::protocol::time::Clock;

/// Why a log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// State and journal could not be made to agree
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The last checkpoint was signed with another key or under another origin
    #[error(
        "the last checkpoint of the {log} (size {size}) was not signed by the key and origin \
         {origin:?} that are configured"
    )]
    Stranger {
        /// Which log.
        log: LogId,
        /// The size in the checkpoint.
        size: u64,
        /// The configured origin.
        origin: String,
    },
    /// The first head could not be signed
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// The first head could not be written
    #[error("the first checkpoint could not be written")]
    Journal(#[from] JournalError),
    /// The operating system gave no thread
    #[error("the operating system gave no thread for the sequencer")]
    Thread(#[source] std::io::Error),
}

impl StartError {
    /// Whether trying again cannot help.
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Recover(error) => error.is_damage(),
            Self::Stranger { .. } => true,
            Self::Signing(_) | Self::Journal(_) | Self::Thread(_) => false,
        }
    }
}

/// How many entries the journal of a log lacks, if any: as the journal knows by itself, or as a head
/// in the state that this log has signed proves. Nothing is written. Blocks on storage.
pub(crate) fn missing_entries(id: LogId, signer: &dyn HeadSigner, parts: &Parts) -> Option<u64> {
    let reader = Reader {
        id,
        journal: Arc::clone(&parts.journal),
        state: Arc::clone(&parts.state),
    };
    missing(&reader, signed_head(&reader, signer).as_ref())
}

pub(super) fn start(
    id: LogId,
    signer: Arc<dyn HeadSigner>,
    clock: Arc<dyn Clock>,
    parts: Parts,
    limits: Limits,
) -> Result<Log, StartError> {
    let reader = Reader {
        id,
        journal: parts.journal,
        state: parts.state,
    };
    let signed = signed_head(&reader, signer.as_ref());
    let missing = missing(&reader, signed.as_ref());
    let Recovered { frontier, head } = recover(&reader, signed.as_ref())?;
    check_signature(id, head.as_ref(), signer.as_ref())?;
    let mut sequencer = Sequencer::new(reader.clone(), frontier, signer, clock);
    let head = match (head, missing) {
        (Some(head), _) => head,
        // The root of the empty tree is always the same, so this head cannot contradict another.
        (None, Some(_)) => sequencer.sign_empty()?,
        (None, None) => sequencer.commit_empty()?,
    };
    let health = match missing {
        Some(missing) => Health::ReadOnly { missing },
        None => Health::Ok,
    };
    let shared = Arc::new(Shared {
        pool: Pool::new(limits),
        head: RwLock::new(Arc::new(head)),
        health: watch::Sender::new(health),
    });
    match health {
        Health::Ok => sequencer
            .spawn(Arc::clone(&shared))
            .map_err(StartError::Thread)?,
        _ => tracing::error!(log = %id, missing, "log.read_only"),
    }
    Ok(Log {
        handle: Arc::new(Handle { reader, shared }),
    })
}

/// The head in the state, if this log has signed it. Nothing else in the state proves anything.
fn signed_head(reader: &Reader, signer: &dyn HeadSigner) -> Option<SignedHead> {
    let (head, _) = reader.state.head(reader.id).ok()??;
    let recognised = signer.recognises(&head.note, head.size, &head.root);
    recognised.then_some(head)
}

/// How many entries the log lacks, if it lacks any: as the journal knows by itself, or as a signed
/// head in the state proves.
fn missing(reader: &Reader, signed: Option<&SignedHead>) -> Option<u64> {
    let tail = reader.journal.tail(reader.id);
    let size = tail.last.map_or(0, |(head, _)| head.size.get());
    let beyond = signed.and_then(|signed| signed.size.get().checked_sub(size));
    tail.read_only.max(beyond.filter(|missing| *missing > 0))
}

fn check_signature(
    log: LogId,
    head: Option<&SignedHead>,
    signer: &dyn HeadSigner,
) -> Result<(), StartError> {
    match head {
        Some(head) if !signer.recognises(&head.note, head.size, &head.root) => {
            Err(StartError::Stranger {
                log,
                size: head.size.get(),
                origin: signer.origin().to_owned(),
            })
        }
        _ => Ok(()),
    }
}

impl From<Unfinished> for StartError {
    fn from(error: Unfinished) -> Self {
        match error {
            Unfinished::Signing(error) => Self::Signing(error),
            Unfinished::Journal(error) => Self::Journal(error),
            Unfinished::State(error) => Self::Recover(RecoverError::State(error)),
        }
    }
}

/// Brings a log's state up to its journal without starting the log, and returns the tree's size.
/// Signatures are not looked at.
///
/// # Errors
/// See [`RecoverError`].
pub(crate) fn rebuild_state(id: LogId, parts: &Parts) -> Result<TreeSize, RecoverError> {
    let reader = Reader {
        id,
        journal: Arc::clone(&parts.journal),
        state: Arc::clone(&parts.state),
    };
    Ok(recover(&reader, None)?.frontier.size())
}
