//! The search index of a log, and the follower that derives it from the log's published leaves.
//!
//! The follower takes leaves in order from the index's own cursor, so an index can be dropped, or added
//! to a log that never had one, and is then built in the background. While it keeps up it gets leaves
//! from the sequencer in memory; otherwise it reads them from state and journal.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::port::StateError;
use super::read::{ReadError, StoredLog};
use super::recover::RecoverError;
use super::{Health, Leaf, PublishedHead, Shared};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{LeafIndex, TreeSize};

/// Gives the keys by which a log's leaves are found. The index must be dropped when its result changes.
pub(crate) type SearchKeys = fn(&Leaf) -> Vec<Sha256>;

/// The keys that are stored with the leaf. The subjects of a Rekor v1 entry are not in its canonical
/// body, so nothing else could give them.
pub(crate) fn stored_keys(leaf: &Leaf) -> Vec<Sha256> {
    leaf.keys.clone()
}

/// A leaf's search keys in order, without duplicates.
pub(crate) fn distinct_keys(search_keys: SearchKeys, leaf: &Leaf) -> Vec<Sha256> {
    let mut keys = search_keys(leaf);
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Maximum number of keys in one write, of which a single leaf may have thousands. Appends wait while
/// the index is written, so a write must stay short.
const KEYS_PER_WRITE: usize = 1024;

/// Number of leaves whose positions the follower reads at once, and after which it writes the cursor if
/// leaves have no keys.
const LEAVES_PER_READ: u64 = 1024;

/// Maximum weight of the leaves that are queued for the follower, in bytes. A single larger batch is queued
/// if the queue is empty.
const QUEUE_BYTES: usize = 4 << 20;

/// Maximum time that a search waits for the index.
const SEARCH_WAIT: Duration = Duration::from_secs(5);

/// A follower that lags by more leaves than this is building an index from scratch and will not arrive
/// within [`SEARCH_WAIT`]. A search fails at once then: while it waits it occupies a thread.
const MAX_LAG: u64 = 64 << 10;

/// How far a log's index is, shared by sequencer, follower and searches.
pub(super) struct IndexProgress {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    /// Number of leaves whose keys are in the index, from the first leaf on.
    indexed: u64,
    /// Number of leaves in the published tree.
    published: u64,
    /// Published leaves for the follower, one batch after the other without gaps.
    queue: VecDeque<Vec<Leaf>>,
    queue_bytes: usize,
    /// Number of leaves that are indexed, queued, or being read by the follower.
    claimed: u64,
    /// The follower is reading leaves from storage.
    is_reading: bool,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// The follower ends once the queue is empty.
    Closing,
    Ended,
    /// The follower ended because the log's storage could not be read or written.
    Failed,
}

/// What the follower does next.
enum Work {
    Queued(VecDeque<Vec<Leaf>>),
    /// Read the leaves before this index from storage.
    StoredUpTo(u64),
}

impl IndexProgress {
    pub(super) fn new(indexed: TreeSize, published: TreeSize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                indexed: indexed.get(),
                published: published.get(),
                queue: VecDeque::new(),
                queue_bytes: 0,
                claimed: indexed.get(),
                is_reading: false,
                phase: Phase::Running,
            }),
            changed: Condvar::new(),
        }
    }

    /// Gives the follower the leaves from `start` to the end of a published tree.
    ///
    /// If the queue is full the call waits for the follower, so that appends do not outrun the index. It
    /// does not wait for a follower that reads from storage, which will read these leaves there too.
    pub(super) fn feed(&self, start: TreeSize, head: &PublishedHead, leaves: Vec<Leaf>) {
        let bytes = leaves.iter().map(Leaf::weight).sum::<usize>();
        let is_full =
            |inner: &Inner| !inner.queue.is_empty() && inner.queue_bytes + bytes > QUEUE_BYTES;
        let mut inner = self
            .changed
            .wait_while(self.lock(), |inner| {
                is_full(inner) && !inner.is_reading && inner.phase == Phase::Running
            })
            .unwrap_or_else(PoisonError::into_inner);
        inner.published = head.size.get();
        if inner.claimed == start.get() && !is_full(&inner) {
            inner.claimed = inner.published;
            inner.queue_bytes += bytes;
            inner.queue.push_back(leaves);
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Waits for work. None once the log is closed; leaves that are in storage only are then left to
    /// the next start.
    fn next(&self) -> Option<Work> {
        let mut inner = self.lock();
        inner.is_reading = false;
        loop {
            if !inner.queue.is_empty() {
                inner.queue_bytes = 0;
                let queue = std::mem::take(&mut inner.queue);
                drop(inner);
                self.changed.notify_all();
                return Some(Work::Queued(queue));
            }
            if inner.phase != Phase::Running {
                return None;
            }
            if inner.claimed < inner.published {
                inner.claimed = inner.published;
                inner.is_reading = true;
                return Some(Work::StoredUpTo(inner.published));
            }
            inner = self
                .changed
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn advance(&self, indexed: u64) {
        self.lock().indexed = indexed;
        self.changed.notify_all();
    }

    /// Ends the follower once it has indexed what is queued.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        if inner.phase == Phase::Running {
            inner.phase = Phase::Closing;
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Waits until the index has reached a size, for [`SEARCH_WAIT`] at most.
    ///
    /// # Errors
    /// The index did not reach the size in time, or the follower has failed.
    pub(super) fn wait_for(&self, size: TreeSize) -> Result<(), ReadError> {
        let size = size.get();
        let is_worth_waiting = |inner: &mut Inner| {
            let runs = matches!(inner.phase, Phase::Running | Phase::Closing);
            runs && inner.indexed < size && size - inner.indexed <= MAX_LAG
        };
        let (inner, _) = self
            .changed
            .wait_timeout_while(self.lock(), SEARCH_WAIT, is_worth_waiting)
            .unwrap_or_else(PoisonError::into_inner);
        if inner.indexed >= size {
            return Ok(());
        }
        if inner.phase == Phase::Failed {
            return Err(ReadError::Storage);
        }
        Err(ReadError::IndexBehind {
            indexed: inner.indexed,
            size,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the follower of a log on a dedicated thread.
pub(super) fn spawn_follower(
    stored: StoredLog,
    search_keys: SearchKeys,
    shared: &Arc<Shared>,
) -> std::io::Result<()> {
    /// Records how the follower ended, even if it panicked, so that no search waits for it.
    struct FollowerEnd<'a>(&'a IndexProgress, Phase);
    impl Drop for FollowerEnd<'_> {
        fn drop(&mut self) {
            self.0.lock().phase = self.1;
            self.0.changed.notify_all();
        }
    }
    shared.spawn(format!("index-{}", stored.id), move |shared| {
        let mut end = FollowerEnd(&shared.index, Phase::Failed);
        match Follower::new(&stored, search_keys, &shared.index).run() {
            Ok(()) => {
                end.1 = Phase::Ended;
                None
            }
            Err(error) => {
                tracing::error!(log = %stored.id, %error, "index.failed");
                // A journal that is damaged in the middle can still be appended to. A state that could
                // not be written is in doubt.
                matches!(error, RecoverError::State(_)).then_some(Health::Failed)
            }
        }
    })
}

/// Brings a log's index up to `size` on the calling thread.
pub(super) fn build_index(
    stored: &StoredLog,
    search_keys: SearchKeys,
    size: TreeSize,
) -> Result<(), RecoverError> {
    let indexed = stored.index.indexed(stored.id)?;
    let progress = IndexProgress::new(indexed, size);
    let mut follower = Follower::new(stored, search_keys, &progress);
    follower.add_stored(size.get())?;
    Ok(follower.write()?)
}

/// Adds the keys of a log's leaves to its index.
struct Follower<'a> {
    stored: &'a StoredLog,
    search_keys: SearchKeys,
    progress: &'a IndexProgress,
    /// Keys that are not written yet.
    keys: Vec<(Sha256, LeafIndex)>,
    /// Index of the next leaf.
    next: u64,
    /// The index cursor in storage.
    cursor: u64,
}

impl<'a> Follower<'a> {
    fn new(stored: &'a StoredLog, search_keys: SearchKeys, progress: &'a IndexProgress) -> Self {
        let indexed = progress.lock().indexed;
        Self {
            stored,
            search_keys,
            progress,
            keys: Vec::new(),
            next: indexed,
            cursor: indexed,
        }
    }

    fn run(mut self) -> Result<(), RecoverError> {
        while let Some(work) = self.progress.next() {
            match work {
                Work::Queued(batches) => {
                    for leaf in batches.iter().flatten() {
                        self.add(leaf)?;
                    }
                    self.finish_leaves()?;
                }
                Work::StoredUpTo(end) => {
                    self.add_stored(end)?;
                    // Closed halfway. Leaves in the queue follow those that were not read.
                    if self.next < end {
                        break;
                    }
                }
            }
        }
        Ok(self.write()?)
    }

    /// Adds the leaves before `end` from storage, reading one at a time. Stops when the log is closed.
    fn add_stored(&mut self, end: u64) -> Result<(), RecoverError> {
        let StoredLog {
            id, journal, state, ..
        } = self.stored;
        while self.next < end {
            let range = self.next..end.min(self.next + LEAVES_PER_READ);
            for position in state.positions(*id, range)? {
                if self.progress.lock().phase != Phase::Running {
                    return Ok(());
                }
                let leaf = journal.load(*id, LeafIndex::new(self.next), position)?;
                self.add(&leaf)?;
            }
            self.finish_leaves()?;
        }
        Ok(())
    }

    fn add(&mut self, leaf: &Leaf) -> Result<(), StateError> {
        for key in distinct_keys(self.search_keys, leaf) {
            if self.keys.len() == KEYS_PER_WRITE {
                self.write()?;
            }
            self.keys.push((key, LeafIndex::new(self.next)));
        }
        self.next += 1;
        Ok(())
    }

    /// Makes the leaves that were added visible to searches. Without keys there is nothing to find, and
    /// the cursor is written once in a while only: a log whose leaves have none pays nothing for an index.
    fn finish_leaves(&mut self) -> Result<(), StateError> {
        if !self.keys.is_empty() || self.next - self.cursor >= LEAVES_PER_READ {
            self.write()?;
        }
        self.progress.advance(self.next);
        Ok(())
    }

    /// Writes the keys that were collected and moves the cursor to the next leaf, some of whose keys may
    /// be among them.
    fn write(&mut self) -> Result<(), StateError> {
        if !self.keys.is_empty() || self.next != self.cursor {
            let cursor = TreeSize::new(self.next);
            self.stored.index.add(self.stored.id, &self.keys, cursor)?;
            self.keys.clear();
            self.cursor = self.next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::SignedHead;
    use super::super::tests::leaf;
    use super::*;
    use crate::protocol::time::UnixTime;

    fn progress(indexed: u64, published: u64) -> IndexProgress {
        IndexProgress::new(TreeSize::new(indexed), TreeSize::new(published))
    }

    fn feed(progress: &IndexProgress, start: u64, bytes: usize) {
        let head = PublishedHead::for_test(SignedHead {
            size: TreeSize::new(start + 1),
            root: Sha256::of(b"root"),
            time: UnixTime::from_millis(0),
            note: String::new(),
        });
        let leaves = vec![leaf(&"x".repeat(bytes))];
        progress.feed(TreeSize::new(start), &head, leaves);
    }

    /// Number of batches in a queue, or the end of a range in storage.
    fn next(progress: &IndexProgress) -> (Option<usize>, Option<u64>) {
        match progress.next() {
            Some(Work::Queued(batches)) => (Some(batches.len()), None),
            Some(Work::StoredUpTo(end)) => (None, Some(end)),
            None => (None, None),
        }
    }

    #[test]
    fn a_follower_that_keeps_up_gets_leaves_in_memory() {
        let progress = progress(5, 5);
        feed(&progress, 5, 1);
        feed(&progress, 6, 1);

        assert_eq!(next(&progress), (Some(2), None));
        feed(&progress, 7, 1);
        assert_eq!(next(&progress), (Some(1), None));
    }

    #[test]
    fn a_follower_that_lags_reads_what_does_not_fit_the_queue_from_storage() {
        let progress = progress(2, 5);
        assert_eq!(next(&progress), (None, Some(5)));
        // The follower is reading, so nothing of this waits.
        feed(&progress, 5, QUEUE_BYTES);
        feed(&progress, 6, QUEUE_BYTES);
        feed(&progress, 7, 1);

        assert_eq!(next(&progress), (Some(1), None));
        assert_eq!(next(&progress), (None, Some(8)));
        feed(&progress, 8, 1);
        assert_eq!(next(&progress), (Some(1), None));
    }

    #[test]
    fn a_full_queue_waits_for_the_follower() {
        let progress = progress(0, 0);
        feed(&progress, 0, QUEUE_BYTES);
        std::thread::scope(|scope| {
            let fed = scope.spawn(|| feed(&progress, 1, QUEUE_BYTES));

            assert_eq!(next(&progress), (Some(1), None));
            fed.join().unwrap();
        });
        assert_eq!(next(&progress), (Some(1), None));

        feed(&progress, 2, QUEUE_BYTES);
        progress.close();
        feed(&progress, 3, QUEUE_BYTES);
        assert_eq!(next(&progress), (Some(1), None));
        assert_eq!(next(&progress), (None, None));
    }

    #[test]
    fn a_search_waits_for_the_follower_and_for_no_index_that_is_built_from_scratch() {
        let progress = progress(1, 3);
        let size = TreeSize::new(3);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| progress.wait_for(size));

            progress.advance(2);
            progress.advance(3);
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });

        let far = 3 + MAX_LAG + 1;
        let behind = ReadError::IndexBehind {
            indexed: 3,
            size: far,
        };
        assert_eq!(progress.wait_for(TreeSize::new(far)), Err(behind));
        progress.lock().phase = Phase::Ended;
        let behind = ReadError::IndexBehind {
            indexed: 3,
            size: 4,
        };
        assert_eq!(progress.wait_for(TreeSize::new(4)), Err(behind));
        assert_eq!(progress.wait_for(size), Ok(()));
    }

    #[test]
    fn keys_are_taken_once_each() {
        let [a, b] = [b"a", b"b"].map(|text| Sha256::of(text));
        let leaf = Leaf {
            keys: vec![b, a, b],
            ..Leaf::default()
        };

        let keys = distinct_keys(stored_keys, &leaf);

        assert_eq!(keys.len(), 2);
        assert!(keys.is_sorted());
    }
}
