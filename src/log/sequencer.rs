//! The sequencer: takes the pool, integrates it as one batch, answers.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use super::pool::{Form, Waiting};
use super::port::{Batch, JournalError, StateChange, StateError};
use super::read::Reader;
use super::tree::{extend, search_keys};
use super::{AppendError, Appended, HeadSigner, Health, Leaf, Shared, SignedHead};
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::SigningFailed;
use crate::protocol::merkle::{Frontier, LeafIndex, NodeId, TreeSize, inclusion_proof, leaf_hash};
use crate::protocol::time::{Clock, UnixTime};

/// Owns the tree's edge. Whatever else may be shared, there is one of these for a log.
pub(super) struct Sequencer {
    reader: Reader,
    signer: Arc<dyn HeadSigner>,
    clock: Arc<dyn Clock>,
    frontier: Frontier,
    last_time: UnixTime,
}

/// Why a batch did not become part of the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfinished {
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    State(#[from] StateError),
}

impl Unfinished {
    /// Whether memory and disk may differ now, so that nothing may go on from here.
    const fn is_fatal(&self) -> bool {
        match self {
            Self::Signing(_) => false,
            Self::Journal(error) => !matches!(error, JournalError::NoRoom),
            Self::State(_) => true,
        }
    }
}

/// A tree that is durable: the head and the nodes that proofs of its newest leaves are made of.
struct Integrated {
    head: Arc<SignedHead>,
    nodes: HashMap<NodeId, Sha256>,
}

/// Leaves of a batch: the first of each kind, and who else sent it.
#[derive(Default)]
struct Sorted {
    fresh: Vec<Waiting>,
    hashes: Vec<Sha256>,
    places: HashMap<Sha256, usize>,
    followers: Vec<(usize, Waiting)>,
}

impl Sequencer {
    pub(super) fn new(
        reader: Reader,
        frontier: Frontier,
        signer: Arc<dyn HeadSigner>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let last_time = reader
            .journal
            .tail(reader.id)
            .last
            .map_or(UnixTime::from_millis(0), |(head, _)| head.time);
        Self {
            reader,
            signer,
            clock,
            frontier,
            last_time,
        }
    }

    /// Runs on a thread of its own until the pool is closed and empty, or until it fails.
    pub(super) fn spawn(self, shared: Arc<Shared>) -> std::io::Result<()> {
        std::thread::Builder::new()
            .name(format!("sequencer-{:?}", self.reader.id))
            .spawn(move || {
                let mut end = End {
                    shared: &shared,
                    health: Health::Failed,
                };
                end.health = self.run(&shared);
            })
            .map(drop)
    }

    fn run(mut self, shared: &Shared) -> Health {
        while let Some(batch) = shared.pool.take() {
            if let Err(error) = self.round(batch, shared) {
                tracing::error!(log = %self.reader.id, %error, "sequencer.failed");
                return Health::Failed;
            }
        }
        Health::Drained
    }

    /// One batch from the pool. Waiters of a batch that failed are dropped, which tells them.
    fn round(&mut self, batch: Vec<Waiting>, shared: &Shared) -> Result<(), Unfinished> {
        let time = self.time();
        let mut sorted = self.sort(batch, time)?;
        if sorted.fresh.is_empty() {
            return Ok(());
        }
        let start = self.frontier.size();
        let fresh = sorted.fresh.iter_mut();
        let leaves = fresh.map(|waiting| std::mem::take(&mut waiting.leaf));
        match self.integrate(leaves.collect(), &sorted.hashes, time) {
            Ok(integrated) => {
                shared.publish(Arc::clone(&integrated.head));
                answer(sorted, start, &integrated);
                Ok(())
            }
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                tracing::warn!(log = %self.reader.id, %error, "batch.refused");
                let followers = sorted.followers.into_iter().map(|(_, waiting)| waiting);
                for waiting in sorted.fresh.into_iter().chain(followers) {
                    waiting.answer(Err(AppendError::Overloaded));
                }
                Ok(())
            }
        }
    }

    /// Answers those whose leaf is in the log already, finds equal leaves within the batch, and
    /// completes those whose bytes depend on their place: from here on it is settled.
    fn sort(&self, batch: Vec<Waiting>, time: UnixTime) -> Result<Sorted, Unfinished> {
        let mut sorted = Sorted::default();
        let mut next = self.frontier.size().get();
        for mut waiting in batch {
            let hash = match waiting.form {
                Form::Whole(hash) => hash,
                Form::Unfinished(finish) => {
                    if finish(&mut waiting.leaf, LeafIndex::new(next), time).is_err() {
                        waiting.answer(Err(AppendError::Full));
                        continue;
                    }
                    leaf_hash(&waiting.leaf.data)
                }
            };
            let known = self.reader.state.index_of(self.reader.id, &hash)?;
            if let Some(index) = known {
                // The state has only what the journal has made durable.
                waiting.answer(Err(AppendError::Duplicate(index)));
            } else if let Some(place) = sorted.places.get(&hash) {
                sorted.followers.push((*place, waiting));
            } else {
                sorted.places.insert(hash, sorted.fresh.len());
                sorted.hashes.push(hash);
                sorted.fresh.push(waiting);
                next = next.saturating_add(1);
            }
        }
        Ok(sorted)
    }

    /// Extends the tree, signs its head, makes it durable and applies it: all or nothing, unless
    /// the error is fatal.
    fn integrate(
        &mut self,
        leaves: Vec<Leaf>,
        hashes: &[Sha256],
        time: UnixTime,
    ) -> Result<Integrated, Unfinished> {
        let start = self.frontier.size();
        let mut nodes: HashMap<_, _> = Frontier::node_ids(start)
            .into_iter()
            .zip(self.frontier.nodes().iter().copied())
            .collect();
        let mut frontier = self.frontier.clone();
        let mut rows = Vec::new();
        extend(
            &mut frontier,
            &mut rows,
            hashes.iter().copied(),
            |node, hash| {
                nodes.insert(node, hash);
            },
        );
        let batch = Batch {
            leaves,
            head: self.sign(&frontier, time)?,
        };
        // CRASH: from here on the batch may survive; before this line returns nobody hears of it.
        let committed = self.reader.journal.commit(self.reader.id, &batch)?;
        let change = StateChange {
            start,
            rows,
            places: committed.places,
            keys: search_keys(start, &batch.leaves).collect(),
            head: batch.head,
            end: committed.end,
        };
        // CRASH: the journal has the batch; what is lost from here on is replayed at start.
        self.reader.state.apply(self.reader.id, &change)?;
        self.frontier = frontier;
        self.last_time = change.head.time;
        Ok(Integrated {
            head: Arc::new(change.head),
            nodes,
        })
    }

    /// The time of the next head, which is never before that of the head before.
    fn time(&self) -> UnixTime {
        self.clock.now().max(self.last_time)
    }

    fn sign(&self, frontier: &Frontier, time: UnixTime) -> Result<SignedHead, SigningFailed> {
        let (size, root) = (frontier.size(), frontier.root());
        Ok(SignedHead {
            size,
            root,
            time,
            note: self.signer.sign(size, &root, time)?,
        })
    }

    pub(super) fn sign_empty(&self) -> Result<SignedHead, SigningFailed> {
        self.sign(&Frontier::empty(), self.time())
    }

    /// Signs and commits the head of the empty tree, a log's first.
    pub(super) fn commit_empty(&mut self) -> Result<SignedHead, Unfinished> {
        let integrated = self.integrate(Vec::new(), &[], self.time())?;
        Ok(Arc::unwrap_or_clone(integrated.head))
    }
}

/// Answers everyone with an index, the head, and the proof that leads from one to the other.
fn answer(sorted: Sorted, start: TreeSize, integrated: &Integrated) {
    let mut next = start.get();
    for waiting in sorted.fresh {
        let index = LeafIndex::new(next);
        next = next.saturating_add(1);
        waiting.answer(appended(index, integrated));
    }
    for (place, waiting) in sorted.followers {
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        let index = LeafIndex::new(start.get().saturating_add(place));
        waiting.answer(Err(AppendError::Duplicate(index)));
    }
}

fn appended(index: LeafIndex, integrated: &Integrated) -> Result<Appended, AppendError> {
    let head = Arc::clone(&integrated.head);
    let leaf = head.size.locate(index).map_err(|_| AppendError::Stopped)?;
    // A new leaf's siblings are on the old edge or among the new nodes, so nothing is read.
    let proof = inclusion_proof(leaf, |node| {
        Ok::<_, Infallible>(
            *integrated
                .nodes
                .get(&node)
                .expect("the siblings of a new leaf are new or on the old edge"),
        )
    });
    let Ok(proof) = proof;
    Ok(Appended { index, head, proof })
}

/// Says how the sequencer ended, even where it panicked.
struct End<'a> {
    shared: &'a Shared,
    health: Health,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.shared.pool.abandon();
        self.shared.health.send_replace(self.health);
    }
}
