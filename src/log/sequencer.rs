//! The sequencer: takes the pool, integrates it as one batch, publishes, answers.

use std::collections::HashMap;
use std::sync::Arc;

use super::pool::{HashOf, QueuedLeaf};
use super::port::{Batch, CommitError, StateChange, StateError};
use super::publish::CommittedHead;
use super::read::StoredLog;
use super::tree::extend;
use super::{AppendError, Appended, HeadSigner, Health, Leaf, Shared, SignedHead};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::SigningFailed;
use crate::protocol::merkle::{Frontier, LeafIndex, NodeId, leaf_hash};
use crate::protocol::time::{Clock, UnixTime};

/// Owns the right edge of the tree. Each log has one sequencer, which alone appends to it.
pub(super) struct Sequencer {
    stored: StoredLog,
    signer: Arc<dyn HeadSigner>,
    clock: Arc<dyn Clock>,
    frontier: Frontier,
    /// The last head in the journal, which the next commit extends.
    head: Option<CommittedHead>,
}

/// Error sequencing a batch.
#[derive(Debug, thiserror::Error)]
pub(super) enum SequenceError {
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    State(#[from] StateError),
}

impl SequenceError {
    /// Whether this process must not append any more: memory and disk may differ, or another process
    /// has appended.
    const fn is_fatal(&self) -> bool {
        match self {
            Self::Signing(_) | Self::Commit(CommitError::NoRoom) => false,
            Self::Commit(_) | Self::State(_) => true,
        }
    }
}

/// A batch that is in journal and state.
struct Integrated {
    head: CommittedHead,
    leaves: Vec<Leaf>,
    /// The nodes of which the proofs of these leaves consist.
    nodes: HashMap<NodeId, Sha256>,
}

/// Leaves of a batch that the log does not contain yet.
#[derive(Default)]
struct NewLeaves {
    queued: Vec<QueuedLeaf>,
    hashes: Vec<Sha256>,
    /// Position of each hash in `hashes`.
    positions: HashMap<Sha256, u64>,
    /// Leaves that equal the one at a position in `hashes`.
    duplicates: Vec<(u64, QueuedLeaf)>,
}

impl Sequencer {
    pub(super) fn new(
        stored: StoredLog,
        frontier: Frontier,
        head: Option<CommittedHead>,
        signer: Arc<dyn HeadSigner>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            stored,
            signer,
            clock,
            frontier,
            head,
        }
    }

    /// Runs on a dedicated thread until the pool is closed and empty, or until it fails.
    pub(super) fn spawn(mut self, shared: &Arc<Shared>) -> std::io::Result<()> {
        let name = format!("log-{}", self.stored.id);
        shared.spawn(name, move |shared| {
            while let Some(queued) = shared.pool.take() {
                if let Err(error) = self.sequence(queued, shared) {
                    tracing::error!(log = %self.stored.id, %error, "sequencer.failed");
                    return Some(Health::Failed);
                }
            }
            Some(Health::Drained)
        })
    }

    /// Appends one pool. After an error its tasks are dropped unanswered, which they notice.
    fn sequence(&mut self, queued: Vec<QueuedLeaf>, shared: &Shared) -> Result<(), SequenceError> {
        let time = self.time();
        let mut new = self.deduplicate(queued, time)?;
        if new.queued.is_empty() {
            return Ok(());
        }
        let start = self.frontier.size();
        let leaves = new.queued.iter_mut();
        let leaves = leaves.map(|queued| std::mem::take(&mut queued.leaf));
        match self.integrate(leaves.collect(), &new.hashes, time) {
            Ok(integrated) => {
                let head = shared.publisher.publish(integrated.head);
                let nodes = Arc::new(integrated.nodes);
                for (index, queued) in (start.get()..).zip(new.queued) {
                    queued.answer(Ok(Appended {
                        index: LeafIndex::new(index),
                        head: head.clone(),
                        nodes: Arc::clone(&nodes),
                    }));
                }
                for (position, queued) in new.duplicates {
                    let index = LeafIndex::new(start.get() + position);
                    queued.answer(Err(AppendError::Duplicate(index)));
                }
                shared.index.feed(start, &head, integrated.leaves);
                Ok(())
            }
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                tracing::warn!(log = %self.stored.id, %error, "batch.refused");
                let duplicates = new.duplicates.into_iter().map(|(_, queued)| queued);
                for queued in new.queued.into_iter().chain(duplicates) {
                    queued.answer(Err(AppendError::Overloaded));
                }
                Ok(())
            }
        }
    }

    /// Answers the leaves that the log contains already, finds equal leaves within the batch, and
    /// embeds indices. After this the bytes of every leaf are final.
    fn deduplicate(
        &self,
        queued: Vec<QueuedLeaf>,
        time: UnixTime,
    ) -> Result<NewLeaves, SequenceError> {
        let mut new = NewLeaves::default();
        let start = self.frontier.size().get();
        let mut count = 0;
        for mut queued in queued {
            let hash = match queued.hash {
                HashOf::Data(hash) => hash,
                HashOf::DataWithIndex(embed) => {
                    let index = LeafIndex::new(start + count);
                    if embed(&mut queued.leaf, index, time).is_err() {
                        queued.answer(Err(AppendError::Full));
                        continue;
                    }
                    leaf_hash(&queued.leaf.data)
                }
            };
            let known = self.stored.state.index_of(self.stored.id, &hash)?;
            if let Some(index) = known {
                // The state contains only what was durable and published before this batch.
                queued.answer(Err(AppendError::Duplicate(index)));
            } else if let Some(position) = new.positions.get(&hash) {
                new.duplicates.push((*position, queued));
            } else {
                new.positions.insert(hash, count);
                new.hashes.push(hash);
                new.queued.push(queued);
                count += 1;
            }
        }
        Ok(new)
    }

    /// Extends the tree, signs its head, and commits it to journal and state: all or nothing, unless
    /// the error is fatal.
    fn integrate(
        &mut self,
        leaves: Vec<Leaf>,
        hashes: &[Sha256],
        time: UnixTime,
    ) -> Result<Integrated, SequenceError> {
        let start = self.frontier.size();
        let mut nodes: HashMap<_, _> = Frontier::node_ids(start)
            .into_iter()
            .zip(self.frontier.nodes().iter().copied())
            .collect();
        let mut frontier = self.frontier.clone();
        let mut rows = Vec::new();
        let hashes = hashes.iter().copied();
        extend(&mut frontier, &mut rows, hashes, |node, hash| {
            nodes.insert(node, hash);
        });
        let batch = Batch {
            leaves,
            head: self.sign(&frontier, time)?,
        };
        let journal = &self.stored.journal;
        // CRASH: from here on the batch may survive; until the call returns nothing refers to it.
        let committed = journal.commit(self.stored.id, self.head.as_deref(), &batch)?;
        let head = CommittedHead::new(batch.head, &committed);
        let change = StateChange {
            start,
            rows,
            positions: committed.positions,
            head: SignedHead::clone(&head),
            end: committed.end,
        };
        // CRASH: the journal has the batch; what is lost from here on is replayed at the next start.
        self.stored.state.apply(self.stored.id, &change)?;
        self.frontier = frontier;
        self.head = Some(head.clone());
        Ok(Integrated {
            head,
            leaves: batch.leaves,
            nodes,
        })
    }

    /// The time of the next head: now, but not before the time of the last head.
    fn time(&self) -> UnixTime {
        let last = self.head.as_ref().map(|head| head.time);
        last.map_or_else(|| self.clock.now(), |last| self.clock.now().max(last))
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

    /// Signs the head of the empty tree without writing it.
    pub(super) fn sign_empty(&self) -> Result<CommittedHead, SigningFailed> {
        let head = self.sign(&Frontier::empty(), self.time())?;
        Ok(CommittedHead::of_empty_tree(head))
    }

    /// Signs and commits the head of the empty tree, a log's first.
    pub(super) fn commit_empty(&mut self) -> Result<CommittedHead, SequenceError> {
        let integrated = self.integrate(Vec::new(), &[], self.time())?;
        Ok(integrated.head)
    }
}
