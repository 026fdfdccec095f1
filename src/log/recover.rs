//! Bringing the state up to the journal, at start and when it is rebuilt.

use std::ops::ControlFlow;

use super::port::{Batch, Committed, JournalCursor, JournalError, StateChange, StateError};
use super::read::StoredLog;
use super::tree::extend;
use super::{LogId, SignedHead};
use crate::protocol::merkle::{Frontier, leaf_hash};

/// Number of leaves after which a replay writes what it has collected.
const LEAVES_PER_CHANGE: usize = 1024;

/// A log as the journal has it, with a state that agrees.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) frontier: Frontier,
    pub(super) head: Option<SignedHead>,
}

/// Error recovering a log.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the state could not be brought up to the journal")]
    State(#[from] StateError),
    /// The leaves in the journal do not have the root that was signed for them.
    #[error(
        "log {log}: the leaves in the journal do not lead to the root that was signed for size {size}"
    )]
    Root { log: LogId, size: u64 },
    /// The state proves that the journal lacks entries, but has a different tree before them.
    /// Rebuilding the state would destroy that proof.
    #[error(
        "log {log} has signed a tree of {known} entries that does not begin with the {size} in the \
         journal; restore the right journal"
    )]
    Longer { log: LogId, size: u64, known: u64 },
    /// Journal and state have two trees of one size, both signed by this log.
    #[error(
        "log {log} has signed two different trees of {size} entries; restore the right journal"
    )]
    Forked { log: LogId, size: u64 },
}

impl RecoverError {
    /// Whether another attempt cannot help.
    pub(crate) const fn is_damage(&self) -> bool {
        match self {
            Self::Journal(error) => matches!(error, JournalError::Damaged { .. }),
            Self::State(_) => false,
            Self::Root { .. } | Self::Longer { .. } | Self::Forked { .. } => true,
        }
    }
}

/// Compares state and journal, replays what the state lacks, and rebuilds the state where it does not
/// agree with the journal.
///
/// `signed` is the state's head if this log signed it. If it is longer than the journal, it proves
/// what the journal lacks, and neither of them is written.
pub(super) fn recover(
    stored: &StoredLog,
    signed: Option<&SignedHead>,
) -> Result<Recovered, RecoverError> {
    let Some((head, end)) = stored.journal.tail(stored.id).last else {
        return Ok(Recovered {
            frontier: Frontier::empty(),
            head: None,
        });
    };
    if let Some(longer) = signed.filter(|signed| signed.size > head.size) {
        return match stored.frontier(head.size) {
            Ok(frontier) if frontier.root() == head.root => check_root(stored.id, frontier, head),
            _ => Err(RecoverError::Longer {
                log: stored.id,
                size: head.size.get(),
                known: longer.size.get(),
            }),
        };
    }
    if let Some((frontier, reached)) = state_frontier(stored, &head) {
        if reached >= end && frontier.size() == head.size {
            return check_root(stored.id, frontier, head);
        }
        match replay(stored, frontier, Some(reached))
            .and_then(|frontier| check_root(stored.id, frontier, head.clone()))
        {
            Ok(recovered) => return Ok(recovered),
            // A damaged journal stays damaged; only the state can be rebuilt.
            Err(RecoverError::Journal(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(log = %stored.id, %error, "state.disagreed");
            }
        }
    }
    if let Some(signed) = signed {
        check_fork(stored, signed)?;
    }
    tracing::warn!(log = %stored.id, tree.size = head.size.get(), "state.rebuilt");
    // A state that has other leaves than the journal may have an index of them.
    stored.index.clear(stored.id)?;
    check_root(stored.id, replay(stored, Frontier::empty(), None)?, head)
}

/// The frontier of the state's tree, if that tree could be the beginning of the journal's.
fn state_frontier(stored: &StoredLog, head: &SignedHead) -> Option<(Frontier, JournalCursor)> {
    let (state_head, reached) = stored.state.head(stored.id).ok()??;
    if state_head.size > head.size {
        return None;
    }
    let frontier = stored.frontier(state_head.size).ok()?;
    let same_size_other_root = state_head.size == head.size && state_head.root != head.root;
    (frontier.root() == state_head.root && !same_size_other_root).then_some((frontier, reached))
}

/// Refuses a journal whose leaves do not lead to a root that was signed. The state that has this root
/// must not be rebuilt, or the proof of the fork would be lost.
fn check_fork(stored: &StoredLog, signed: &SignedHead) -> Result<(), RecoverError> {
    let mut frontier = Frontier::empty();
    stored.journal.replay(stored.id, None, &mut |batch, _| {
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
        log: stored.id,
        size: signed.size.get(),
    })
}

fn check_root(log: LogId, frontier: Frontier, head: SignedHead) -> Result<Recovered, RecoverError> {
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

/// Applies the batches after `from` to the state and returns the frontier after them.
fn replay(
    stored: &StoredLog,
    frontier: Frontier,
    from: Option<JournalCursor>,
) -> Result<Frontier, RecoverError> {
    let mut replay = Replay {
        stored,
        pending: None,
        frontier,
    };
    let mut result = Ok(());
    stored
        .journal
        .replay(stored.id, from, &mut |batch, committed| {
            result = replay.add(batch, committed);
            match result {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
    result?;
    replay.apply()?;
    Ok(replay.frontier)
}

struct Replay<'a> {
    stored: &'a StoredLog,
    frontier: Frontier,
    pending: Option<StateChange>,
}

impl Replay<'_> {
    fn add(&mut self, batch: Batch, committed: Committed) -> Result<(), RecoverError> {
        let mut change = self.pending.take().unwrap_or_else(|| StateChange {
            start: self.frontier.size(),
            rows: Vec::new(),
            positions: Vec::new(),
            head: batch.head.clone(),
            end: committed.end,
        });
        let hashes = batch.leaves.iter().map(|leaf| leaf_hash(&leaf.data));
        extend(&mut self.frontier, &mut change.rows, hashes, |_, _| ());
        if self.frontier.size() != batch.head.size || self.frontier.root() != batch.head.root {
            return Err(RecoverError::Root {
                log: self.stored.id,
                size: batch.head.size.get(),
            });
        }
        change.positions.extend(committed.positions);
        change.head = batch.head;
        change.end = committed.end;
        let enough = change.positions.len() >= LEAVES_PER_CHANGE;
        self.pending = Some(change);
        if enough { self.apply() } else { Ok(()) }
    }

    fn apply(&mut self) -> Result<(), RecoverError> {
        if let Some(change) = self.pending.take() {
            self.stored.state.apply(self.stored.id, &change)?;
        }
        Ok(())
    }
}
