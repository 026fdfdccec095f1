//! The pool: leaves that wait for the sequencer. It is bounded, and taken as a whole.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{AppendError, Appended, EmbedIndex, Leaf, Limits};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::leaf_hash;

/// A leaf in the pool, and the task that waits for it.
pub(super) struct QueuedLeaf {
    pub(super) leaf: Leaf,
    pub(super) hash: HashOf,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
}

/// When a leaf's hash is known.
#[derive(Clone, Copy)]
pub(super) enum HashOf {
    /// Now: the task that appended the leaf has computed it.
    Data(Sha256),
    /// Once the sequencer has embedded the leaf's index.
    DataWithIndex(EmbedIndex),
}

impl QueuedLeaf {
    /// Answers the task, which may have stopped waiting.
    pub(super) fn answer(self, answer: Result<Appended, AppendError>) {
        let _ = self.reply.send(answer);
    }
}

pub(super) struct Pool {
    inner: Mutex<Inner>,
    changed: Condvar,
    limits: Limits,
}

#[derive(Default)]
struct Inner {
    queued: Vec<QueuedLeaf>,
    bytes: usize,
    closed: bool,
}

impl Pool {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            inner: Mutex::default(),
            changed: Condvar::new(),
            limits,
        }
    }

    /// Adds a leaf. The receiver gets the answer, or an error if the sequencer ends without one.
    pub(super) fn push(
        &self,
        leaf: Leaf,
        embed: Option<EmbedIndex>,
    ) -> Result<oneshot::Receiver<Result<Appended, AppendError>>, AppendError> {
        let hash = match embed {
            Some(embed) => HashOf::DataWithIndex(embed),
            None => HashOf::Data(leaf_hash(&leaf.data)),
        };
        let bytes = leaf.weight();
        let (reply, receiver) = oneshot::channel();
        let mut inner = self.lock();
        if inner.closed {
            return Err(AppendError::Stopped);
        }
        let full = inner.queued.len() >= self.limits.pool_entries
            || inner.bytes + bytes > self.limits.pool_bytes;
        if full {
            return Err(AppendError::Overloaded);
        }
        inner.bytes += bytes;
        inner.queued.push(QueuedLeaf { leaf, hash, reply });
        drop(inner);
        self.changed.notify_one();
        Ok(receiver)
    }

    /// Waits until there are leaves and takes all of them. None once the pool is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<QueuedLeaf>> {
        let mut inner = self
            .changed
            .wait_while(self.lock(), |inner| {
                inner.queued.is_empty() && !inner.closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        inner.bytes = 0;
        let batch = std::mem::take(&mut inner.queued);
        (!batch.is_empty()).then_some(batch)
    }

    /// Accepts no more leaves. Those in the pool can still be taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Accepts no more leaves and drops those in the pool.
    pub(super) fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.queued.clear();
        drop(inner);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
