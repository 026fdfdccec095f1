//! Publication: the stage between the commit of a head and its acknowledgement.
//!
//! [`Publisher::publish`] is the only way from a [`CommittedHead`] to a [`PublishedHead`], and readers
//! and waiting tasks get published heads only: nothing can be acknowledged under a head that clients
//! cannot see, and clients never see a head that a crash could undo.

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use super::SignedHead;
use super::port::Committed;

/// A head that the journal has made durable. No client has seen it yet.
#[derive(Clone, Debug)]
pub(super) struct CommittedHead(Arc<SignedHead>);

impl CommittedHead {
    /// The head of a batch for which the journal returned this receipt.
    pub(super) fn new(head: SignedHead, _receipt: &Committed) -> Self {
        Self(Arc::new(head))
    }

    /// The head that recovery found in the journal, and with which the state agrees.
    pub(super) fn recovered(head: SignedHead) -> Self {
        Self(Arc::new(head))
    }

    /// The head of the empty tree, for a log that may write nothing and has no head. It cannot
    /// contradict another head, because the root of the empty tree is always the same.
    pub(super) fn of_empty_tree(head: SignedHead) -> Self {
        debug_assert_eq!(head.size.get(), 0);
        Self(Arc::new(head))
    }
}

impl Deref for CommittedHead {
    type Target = SignedHead;

    fn deref(&self) -> &SignedHead {
        &self.0
    }
}

/// A head that is durable and visible to clients.
#[derive(Clone, Debug)]
pub(crate) struct PublishedHead(Arc<SignedHead>);

impl Deref for PublishedHead {
    type Target = SignedHead;

    fn deref(&self) -> &SignedHead {
        &self.0
    }
}

#[cfg(test)]
impl PublishedHead {
    /// A head that no log has published, for tests of what is made of one.
    pub(crate) fn for_test(head: SignedHead) -> Self {
        Self(Arc::new(head))
    }
}

/// The newest published head of a log.
pub(super) struct Publisher(RwLock<PublishedHead>);

impl Publisher {
    /// Publishes the head that a log starts with.
    pub(super) fn new(first: CommittedHead) -> Self {
        Self(RwLock::new(PublishedHead(first.0)))
    }

    pub(super) fn head(&self) -> PublishedHead {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Publishes the next head. On return every reader gets this head or a later one, and the batch
    /// that the head ends may be acknowledged.
    ///
    /// This is the place for cosignatures of witnesses (C2SP tlog-cosignature). A cosignature adds
    /// signature lines to the note. Size, root, time, and the lines that the log signed stay as they
    /// were committed. Publication may wait for witnesses, or fail for want of them: the head is
    /// committed all the same, nothing of it is visible or acknowledged, and the next head includes
    /// its leaves.
    pub(super) fn publish(&self, next: CommittedHead) -> PublishedHead {
        let next = PublishedHead(next.0);
        let mut head = self.0.write().unwrap_or_else(PoisonError::into_inner);
        assert!(next.size >= head.size, "a published tree never shrinks");
        head.clone_from(&next);
        next
    }
}
