//! Bringing the state up to the journal, at start and whenever it is made anew.

use std::ops::ControlFlow;

use super::port::{Batch, Committed, JournalEnd, JournalError, StateChange, StateError};
use super::read::Reader;
use super::tree::{extend, search_keys};
use super::{LogId, SignedHead};
use crate::protocol::merkle::{Frontier, leaf_hash};

/// The state is brought up in steps of about so many leaves.
const LEAVES_PER_CHANGE: usize = 1024;

/// Or of about so many search keys, of which one leaf may have thousands.
const KEYS_PER_CHANGE: usize = 64 << 10;

/// A log as its journal has it, with a state that agrees.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) frontier: Frontier,
    pub(super) head: Option<SignedHead>,
}

/// Why a log could not be recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal could not be read
    #[error("the journal could not be read")]
    Journal(#[from] JournalError),
    /// The state could not be written
    #[error("the state could not be brought up to the journal")]
    State(#[from] StateError),
    /// The leaves in the journal do not have the root that was signed for them
    #[error(
        "the leaves of the {log} in the journal do not lead to the root signed for size {size}"
    )]
    Root {
        /// Which log.
        log: LogId,
        /// The size for which the signed root is another.
        size: u64,
    },
    /// The state proves that the journal lacks entries, but has another tree before them; making it
    /// anew would destroy the proof
    #[error(
        "log {log:?} has signed a tree of {known} entries that does not begin with the {size} in \
         the journal; restore the right journal"
    )]
    Longer {
        /// Which log.
        log: LogId,
        /// How many entries the journal has.
        size: u64,
        /// How many the state has.
        known: u64,
    },
    /// Journal and state hold two trees of one size, both signed by this log
    #[error(
        "log {log:?} has signed two different trees of {size} entries; restore the right journal"
    )]
    Forked {
        /// Which log.
        log: LogId,
        /// The size of both trees.
        size: u64,
    },
}

impl RecoverError {
    /// Whether trying again cannot help.
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Journal(error) => matches!(error, JournalError::Damaged { .. }),
            Self::State(_) => false,
            Self::Root { .. } | Self::Longer { .. } | Self::Forked { .. } => true,
        }
    }
}

/// Compares state and journal, replays what the state lacks, and makes the state anew where it does
/// not agree with the journal.
///
/// `signed` is the state's head if it was signed by this log. Where it is longer than the journal,
/// it proves what is missing, and both are only read.
pub(super) fn recover(
    reader: &Reader,
    signed: Option<&SignedHead>,
) -> Result<Recovered, RecoverError> {
    let Some((head, end)) = reader.journal.tail(reader.id).last else {
        return Ok(Recovered {
            frontier: Frontier::empty(),
            head: None,
        });
    };
    if let Some(longer) = signed.filter(|signed| signed.size > head.size) {
        return only_read(reader, head, longer);
    }
    if let Some((frontier, reached)) = known_edge(reader, &head) {
        if reached >= end && frontier.size() == head.size {
            return arrived(reader.id, frontier, head);
        }
        match replay(reader, frontier, Some(reached))
            .and_then(|f| arrived(reader.id, f, head.clone()))
        {
            Ok(recovered) => return Ok(recovered),
            // A journal that is damaged stays damaged; only the state can be made anew.
            Err(RecoverError::Journal(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(log = %reader.id, %error, "state.disagreed");
            }
        }
    }
    if let Some(signed) = signed {
        check_fork(reader, signed)?;
    }
    tracing::warn!(log = %reader.id, tree.size = head.size.get(), "state.rebuilt");
    arrived(reader.id, replay(reader, Frontier::empty(), None)?, head)
}

/// Takes the journal's tree from a state that has more.
fn only_read(
    reader: &Reader,
    head: SignedHead,
    longer: &SignedHead,
) -> Result<Recovered, RecoverError> {
    match reader.frontier(head.size) {
        Ok(frontier) if frontier.root() == head.root => arrived(reader.id, frontier, head),
        _ => Err(RecoverError::Longer {
            log: reader.id,
            size: head.size.get(),
            known: longer.size.get(),
        }),
    }
}

/// The edge of the tree that the state has, if it could be the beginning of the journal's.
fn known_edge(reader: &Reader, head: &SignedHead) -> Option<(Frontier, JournalEnd)> {
    let (state_head, reached) = reader.state.head(reader.id).ok()??;
    if state_head.size > head.size {
        return None;
    }
    let frontier = reader.frontier(state_head.size).ok()?;
    let same_size_other_root = state_head.size == head.size && state_head.root != head.root;
    (frontier.root() == state_head.root && !same_size_other_root).then_some((frontier, reached))
}

/// Refuses a journal whose leaves do not lead to a root that was signed: the state that knows of it
/// must not be made anew, or the proof of the fork would be gone.
fn check_fork(reader: &Reader, signed: &SignedHead) -> Result<(), RecoverError> {
    let mut frontier = Frontier::empty();
    reader.journal.replay(reader.id, None, &mut |batch, _| {
        for leaf in &batch.leaves {
            if frontier.size() < signed.size {
                frontier.push(leaf_hash(&leaf.data), |_, _| ());
            }
        }
        if frontier.size() < signed.size {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    if frontier.size() == signed.size && frontier.root() == signed.root {
        return Ok(());
    }
    Err(RecoverError::Forked {
        log: reader.id,
        size: signed.size.get(),
    })
}

fn arrived(log: LogId, frontier: Frontier, head: SignedHead) -> Result<Recovered, RecoverError> {
    if frontier.size() != head.size || frontier.root() != head.root {
        return Err(RecoverError::Root {
            log,
            size: head.size.get(),
        });
    }
    Ok(Recovered {
        frontier,
        head: Some(head),
    })
}

fn replay(
    reader: &Reader,
    frontier: Frontier,
    from: Option<JournalEnd>,
) -> Result<Frontier, RecoverError> {
    let mut catch_up = CatchUp {
        reader,
        pending: None,
        frontier,
    };
    let mut failure = None;
    reader
        .journal
        .replay(
            reader.id,
            from,
            &mut |batch, committed| match catch_up.take(batch, committed) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            },
        )?;
    match failure {
        Some(error) => Err(error),
        None => {
            catch_up.apply()?;
            Ok(catch_up.frontier)
        }
    }
}

struct CatchUp<'a> {
    reader: &'a Reader,
    frontier: Frontier,
    pending: Option<StateChange>,
}

impl CatchUp<'_> {
    fn take(&mut self, batch: Batch, committed: Committed) -> Result<(), RecoverError> {
        let start = self.frontier.size();
        let mut change = self.pending.take().unwrap_or_else(|| StateChange {
            start,
            rows: Vec::new(),
            places: Vec::new(),
            keys: Vec::new(),
            head: batch.head.clone(),
            end: committed.end,
        });
        let hashes = batch.leaves.iter().map(|leaf| leaf_hash(&leaf.data));
        extend(&mut self.frontier, &mut change.rows, hashes, |_, _| ());
        if self.frontier.size() != batch.head.size || self.frontier.root() != batch.head.root {
            return Err(RecoverError::Root {
                log: self.reader.id,
                size: batch.head.size.get(),
            });
        }
        change.keys.extend(search_keys(start, &batch.leaves));
        change.places.extend(committed.places);
        change.head = batch.head;
        change.end = committed.end;
        let enough =
            change.places.len() >= LEAVES_PER_CHANGE || change.keys.len() >= KEYS_PER_CHANGE;
        self.pending = Some(change);
        if enough { self.apply() } else { Ok(()) }
    }

    fn apply(&mut self) -> Result<(), RecoverError> {
        if let Some(change) = self.pending.take() {
            self.reader.state.apply(self.reader.id, &change)?;
        }
        Ok(())
    }
}
