//! Bringing the state up to the journal, at start and whenever it is made anew.

use std::ops::ControlFlow;

use super::port::{Batch, Committed, JournalEnd, JournalError, StateChange, StateError};
use super::read::Reader;
use super::tree::extend;
use super::{LogId, SignedHead};
use crate::protocol::merkle::{Frontier, TreeSize, leaf_hash};

/// The state is brought up in steps of about so many leaves.
const LEAVES_PER_CHANGE: usize = 1024;

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
}

/// Compares state and journal, replays what the state lacks, and makes the state anew where it does
/// not agree with the journal.
///
/// `keep_longer` says that the state may know more than the journal: both are then only read.
pub(super) fn recover(reader: &Reader, keep_longer: bool) -> Result<Recovered, RecoverError> {
    let Some((head, end)) = reader.journal.tail(reader.id).last else {
        return Ok(Recovered {
            frontier: Frontier::empty(),
            head: None,
        });
    };
    let known = known_edge(reader, &head, keep_longer);
    if let Some((frontier, _)) = known.as_ref().filter(|(_, reached)| *reached >= end) {
        return Ok(Recovered {
            frontier: frontier.clone(),
            head: Some(head),
        });
    }
    if let Some((frontier, reached)) = known {
        match replay(reader, frontier, Some(reached)) {
            Ok(frontier) => return arrived(reader.id, frontier, head),
            // A journal that is damaged stays damaged; only the state can be made anew.
            Err(RecoverError::Journal(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(log = %reader.id, %error, "state.disagreed");
            }
        }
    }
    tracing::warn!(log = %reader.id, tree.size = head.size.get(), "state.rebuilt");
    arrived(reader.id, replay(reader, Frontier::empty(), None)?, head)
}

/// The edge of the tree that the state has, if it is the beginning of the journal's or all of it.
fn known_edge(
    reader: &Reader,
    head: &SignedHead,
    keep_longer: bool,
) -> Option<(Frontier, JournalEnd)> {
    let (state_head, reached) = reader.state.head(reader.id).ok()??;
    let longer = state_head.size > head.size;
    if longer && !keep_longer {
        return None;
    }
    let shared = if longer { head } else { &state_head };
    let frontier = reader.frontier(shared.size).ok()?;
    let same_size_other_root = state_head.size == head.size && state_head.root != head.root;
    (frontier.root() == shared.root && !same_size_other_root).then_some((frontier, reached))
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
        change.places.extend(committed.places);
        change.head = batch.head;
        change.end = committed.end;
        let enough = change.places.len() >= LEAVES_PER_CHANGE;
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

/// How many entries the state has beyond the journal, if the log's own signature says so.
pub(super) fn signed_beyond(
    reader: &Reader,
    head: TreeSize,
    recognises: impl Fn(&SignedHead) -> bool,
) -> Option<u64> {
    let (state_head, _) = reader.state.head(reader.id).ok()??;
    let missing = state_head.size.get().checked_sub(head.get())?;
    (missing > 0 && recognises(&state_head)).then_some(missing)
}
