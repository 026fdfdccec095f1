//! Where leaves wait for the sequencer: bounded, and taken whole.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{AppendError, Appended, Finish, Leaf, Limits};
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::leaf_hash;

/// A leaf in the pool and the one who waits for it.
pub(super) struct Waiting {
    pub(super) leaf: Leaf,
    pub(super) form: Form,
    answer: oneshot::Sender<Result<Appended, AppendError>>,
}

/// Whether a leaf's bytes are settled.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// They are; this is its hash.
    Whole(Sha256),
    /// They depend on its place.
    Unfinished(Finish),
}

impl Waiting {
    /// Answers; whoever no longer waits is none of the sequencer's business.
    pub(super) fn answer(self, answer: Result<Appended, AppendError>) {
        let _ = self.answer.send(answer);
    }
}

pub(super) struct Pool {
    inner: Mutex<Inner>,
    changed: Condvar,
    limits: Limits,
}

#[derive(Default)]
struct Inner {
    waiting: Vec<Waiting>,
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

    /// Joins the pool; the receiver gets the answer, or is dropped with the sequencer.
    pub(super) fn join(
        &self,
        leaf: Leaf,
        finish: Option<Finish>,
    ) -> Result<oneshot::Receiver<Result<Appended, AppendError>>, AppendError> {
        let whole = || Form::Whole(leaf_hash(&leaf.data));
        let form = finish.map_or_else(whole, Form::Unfinished);
        let bytes = leaf.weight();
        let (answer, receiver) = oneshot::channel();
        let mut inner = self.lock();
        if inner.closed {
            return Err(AppendError::Stopped);
        }
        let full = inner.waiting.len() >= self.limits.pool_entries
            || inner.bytes.saturating_add(bytes) > self.limits.pool_bytes;
        if full {
            return Err(AppendError::Overloaded);
        }
        inner.bytes = inner.bytes.saturating_add(bytes);
        inner.waiting.push(Waiting { leaf, form, answer });
        drop(inner);
        self.changed.notify_one();
        Ok(receiver)
    }

    /// Waits until there are leaves and takes them all; none once the pool is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<Waiting>> {
        let mut inner = self
            .changed
            .wait_while(self.lock(), |inner| {
                inner.waiting.is_empty() && !inner.closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        inner.bytes = 0;
        let batch = std::mem::take(&mut inner.waiting);
        (!batch.is_empty()).then_some(batch)
    }

    /// Lets nobody in any more; whoever waits is still taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Lets nobody in any more and drops everyone who waits.
    pub(super) fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
