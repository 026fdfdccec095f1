//! The journal: append-only segment files and a head file, from which everything else can be rebuilt.
//!
//! A segment begins with eight bytes of magic and a header record. Then come batches: leaves and the
//! commit that ends them, or a single fact of the ledger. A batch is one write and one `fdatasync`; then
//! the head file is written and synced, and only then is the batch acknowledged. So start-up may cut off
//! what follows the last commit, provided that the head file does not reach further. Every other
//! deviation from what was written is damage.

mod heads;
mod open;
pub(super) mod record;
mod segment;
mod writer;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::record::{End, Fact, MAX_PAYLOAD, Place, Record, RecordBatch};
use self::segment::Ending;
pub(super) use self::segment::Entry;
use self::writer::Writer;
use super::error::OpenError;
use crate::log::port::{
    Batch, CommitError, Committed, Journal, JournalCursor, JournalError, JournalTail, Position,
    check_expected,
};
use crate::log::{Leaf, LogId, SignedHead};
use crate::protocol::merkle::LeafIndex;
use crate::services::ledger::Table;

/// Maximum number of segments that stay open for reading.
const OPEN_SEGMENTS: usize = 64;

/// The journal on disk. It has one writer, behind a lock. Readers do not wait for it.
#[derive(Debug)]
pub(crate) struct FileJournal {
    dir: PathBuf,
    writer: Mutex<Writer>,
    readers: Mutex<HashMap<u32, Arc<File>>>,
    /// The store's lock, which lasts as long as anything of the store is in use.
    _lock: File,
}

/// Whether a directory contains any part of a journal.
pub(super) fn exists(dir: &Path) -> bool {
    heads::path(dir).exists() || segment::any(dir)
}

impl FileJournal {
    /// Opens the journal in a directory, or creates one if there is none. The journal keeps the store's
    /// lock, which the caller has taken.
    ///
    /// # Errors
    /// The journal is damaged, other than by a torn end that was never acknowledged.
    pub(super) fn open(dir: &Path, lock: File, segment_bytes: u32) -> Result<Self, OpenError> {
        Ok(Self {
            _lock: lock,
            dir: dir.to_owned(),
            writer: Mutex::new(open::open(dir, segment_bytes)?),
            readers: Mutex::default(),
        })
    }

    /// The random number that the journal got when it was created.
    pub(super) fn instance(&self) -> [u8; 16] {
        self.writer().instance
    }

    /// Number of facts that were ever set or removed.
    pub(super) fn facts(&self) -> u64 {
        self.writer().facts
    }

    /// Every log with a head in this journal, or with entries that are missing from it.
    pub(super) fn logs(&self) -> BTreeSet<LogId> {
        let writer = self.writer();
        let missing = writer.read_only.iter().flat_map(|missing| missing.keys());
        missing.chain(writer.heads.keys()).copied().collect()
    }

    /// Whether the journal lacks what was once signed.
    pub(super) fn is_read_only(&self) -> bool {
        self.writer().read_only.is_some()
    }

    /// Accepts no more commits because something that was built from the journal may differ from it.
    pub(super) fn stop(&self) {
        self.writer().in_doubt.send_replace(true);
    }

    /// Waits until only a restart can tell what would survive; pending while that is not so.
    pub(super) async fn failed(&self) {
        let mut in_doubt = self.writer().in_doubt.subscribe();
        if in_doubt.wait_for(|in_doubt| *in_doubt).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Accepts no more commits, of any log, because these numbers of entries are missing, as the state
    /// proves.
    pub(super) fn set_read_only(&self, missing: impl IntoIterator<Item = (LogId, u64)>) {
        let mut writer = self.writer();
        let known = writer.read_only.get_or_insert_default();
        for (log, missing) in missing {
            let known = known.entry(log).or_default();
            *known = missing.max(*known);
        }
    }

    /// Whether no log was ever started on it.
    pub(super) fn is_new(&self) -> bool {
        let writer = self.writer();
        writer.heads.is_empty() && writer.read_only.is_none()
    }

    /// Appends a fact, which survives a power cut on return.
    pub(super) fn commit_fact(
        &self,
        table: Table,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(Fact, JournalCursor), CommitError> {
        let mut writer = self.writer();
        let fact = Fact {
            number: writer.facts + 1,
            table,
            key: key.to_vec(),
            value: value.map(<[u8]>::to_vec),
        };
        let mut records = RecordBatch::default();
        records.fact(&fact);
        let (_, end) = writer.append(records, |writer, _| writer.facts = fact.number)?;
        Ok((fact, end.into()))
    }

    /// Visits everything after `from`, or from the beginning, up to the end at the time of the call.
    pub(super) fn walk(
        &self,
        from: Option<JournalCursor>,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let until = self.writer().end;
        let from = from.map(End::from);
        let first = from.map_or(1, |end| end.segment);
        for number in first..=until.segment {
            let failed = |error: OpenError| match error {
                OpenError::Damaged {
                    segment, offset, ..
                } => damaged(End { segment, offset }),
                error => unreadable(number, &error),
            };
            let start = match from {
                Some(end) if end.segment == number => end.offset,
                _ => segment::read_header(&self.dir, number).map_err(failed)?.1,
            };
            if start >= until.offset && number == until.segment {
                break;
            }
            let ending = segment::scan(&self.dir, number, start, &mut |entry, end| {
                if end > until || visit(entry).is_break() || end == until {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
            .map_err(failed)?;
            match ending {
                Ending::Clean => (),
                Ending::Stopped => break,
                Ending::Torn { offset, .. } => {
                    return Err(damaged(End {
                        segment: number,
                        offset,
                    }));
                }
            }
        }
        Ok(())
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self, number: u32) -> std::io::Result<Arc<File>> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = readers.get(&number) {
            return Ok(Arc::clone(file));
        }
        if readers.len() >= OPEN_SEGMENTS {
            readers.clear();
        }
        let file = Arc::new(File::open(segment::path(&self.dir, number))?);
        readers.insert(number, Arc::clone(&file));
        Ok(file)
    }
}

fn damaged(at: End) -> JournalError {
    JournalError::Damaged {
        place: at.to_string(),
    }
}

fn unreadable(segment: u32, error: &dyn std::error::Error) -> JournalError {
    tracing::error!(%error, segment, "journal.unreadable");
    JournalError::Unreadable {
        place: format!("segment {segment}"),
    }
}

impl Journal for FileJournal {
    fn tail(&self, log: LogId) -> JournalTail {
        let writer = self.writer();
        JournalTail {
            last: writer.heads.get(&log).cloned(),
            read_only: writer
                .read_only
                .as_ref()
                .map(|missing| missing.get(&log).copied().unwrap_or(0)),
        }
    }

    fn commit(
        &self,
        log: LogId,
        expected: Option<&SignedHead>,
        batch: &Batch,
    ) -> Result<Committed, CommitError> {
        let first = expected.map_or(0, |head| head.size.get());
        let size = batch.head.size.get();
        assert_eq!(
            first.checked_add(batch.leaves.len() as u64),
            Some(size),
            "the head of a batch is that of the expected tree with the batch's leaves"
        );
        let mut records = RecordBatch::default();
        for (index, leaf) in (first..size).zip(&batch.leaves) {
            records.leaf(log, index, leaf);
        }
        records.commit(log, &batch.head);
        let mut writer = self.writer();
        writer.check()?;
        check_expected(expected, writer.heads.get(&log).map(|(head, _)| head))?;
        let head = batch.head.clone();
        let (places, end) = writer.append(records, |writer, end| {
            writer.heads.insert(log, (head, end.into()));
        })?;
        let leaves = places.into_iter().take(batch.leaves.len());
        Ok(Committed {
            positions: leaves.map(Position::from).collect(),
            end: end.into(),
        })
    }

    fn replay(
        &self,
        log: LogId,
        from: Option<JournalCursor>,
        visit: &mut dyn FnMut(Batch, Committed) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.walk(from, &mut |entry| match entry {
            Entry::Batch(of, batch, committed) if of == log => visit(batch, committed),
            _ => ControlFlow::Continue(()),
        })
    }

    fn load(&self, log: LogId, index: LeafIndex, at: Position) -> Result<Leaf, JournalError> {
        let place = Place::from(at);
        let damaged = || {
            damaged(End {
                segment: place.segment,
                offset: place.offset,
            })
        };
        // The length comes from the state, which may be wrong: allocate for a possible one only.
        if place.length > MAX_PAYLOAD {
            return Err(damaged());
        }
        let mut bytes = vec![0; usize::try_from(place.length).map_err(|_| damaged())?];
        self.reader(place.segment)
            .and_then(|file| file.read_exact_at(&mut bytes, u64::from(place.offset)))
            .map_err(|error| unreadable(place.segment, &error))?;
        match record::parse(place.segment, place.offset, &bytes) {
            Some(Record::Leaf {
                log: of,
                index: stored,
                leaf,
            }) if of == log && stored == index.get() => Ok(leaf),
            _ => Err(damaged()),
        }
    }
}
