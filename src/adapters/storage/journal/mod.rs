//! The journal: append-only segment files and a head file, the truth from which all else is built.
//!
//! A segment begins with eight bytes of magic; records follow. The first is a header; leaves follow, and a
//! commit record ends each batch of them. A fact of the ledger is a batch of its own. A batch is
//! one write and one `fdatasync`, then the head file is written and synced, and only then is
//! anybody told. So start-up may cut whatever lies behind the last commit, provided that the head
//! file does not reach beyond it; and everything else that is not as it was written is damage.

mod heads;
mod open;
pub(super) mod record;
mod segment;
mod writer;

use std::collections::HashMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::record::{Draft, Fact, Record};
use self::segment::{Ending, Unit};
use self::writer::Writer;
use super::error::OpenError;
use crate::log::port::{Batch, Committed, Journal, JournalEnd, JournalError, JournalTail, Place};
use crate::log::{Leaf, LogId};
use crate::protocol::merkle::LeafIndex;
use crate::services::ledger::Table;

/// So many closed segments are kept open for reading.
const OPEN_SEGMENTS: usize = 64;

/// The journal on disk. One writer, behind a lock; readers do not wait for it.
#[derive(Debug)]
pub(crate) struct FileJournal {
    dir: PathBuf,
    writer: Mutex<Writer>,
    readers: Mutex<HashMap<u32, Arc<File>>>,
    /// The store's lock, held for as long as anything of the store is in use.
    _lock: File,
}

/// Whether there is anything of a journal in a directory.
pub(super) fn exists(dir: &Path) -> bool {
    heads::path(dir).exists() || segment::any(dir)
}

/// A commit or a fact as it lies in the journal.
pub(super) enum Entry {
    /// A batch of a log.
    Batch(LogId, Batch, Committed),
    /// A change of the ledger, and where it ends.
    Fact(Fact, JournalEnd),
}

impl FileJournal {
    /// Opens the journal in a directory, or makes one where there is none. Whoever calls holds the
    /// store's lock, which the journal keeps.
    ///
    /// # Errors
    /// Everything but a tail that nobody was told of is refused with its position.
    pub(super) fn open(dir: &Path, lock: File, segment_bytes: u32) -> Result<Self, OpenError> {
        Ok(Self {
            _lock: lock,
            dir: dir.to_owned(),
            writer: Mutex::new(open::open(dir, segment_bytes)?),
            readers: Mutex::default(),
        })
    }

    /// The random number that this journal was given when it was made.
    pub(super) fn instance(&self) -> [u8; 16] {
        self.writer().instance
    }

    /// The number of the last fact and the journal's end.
    pub(super) fn facts(&self) -> (u64, JournalEnd) {
        let writer = self.writer();
        (writer.facts, writer.end)
    }

    /// Whether the journal is behind what was once signed.
    pub(super) fn is_read_only(&self) -> bool {
        self.writer().read_only.is_some()
    }

    /// Accepts no more commits: something built from the journal may differ from it.
    pub(super) fn stop(&self) {
        self.writer().in_doubt.send_replace(true);
    }

    /// Waits until the journal cannot tell what would survive, for ever if that never happens.
    pub(super) async fn failed(&self) {
        let mut in_doubt = self.writer().in_doubt.subscribe();
        if in_doubt.wait_for(|in_doubt| *in_doubt).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Accepts no commits, of no log: it lacks so many entries of each, as the state proves.
    pub(super) fn hold(&self, missing: impl IntoIterator<Item = (LogId, u64)>) {
        let mut writer = self.writer();
        let known = writer.read_only.get_or_insert_default();
        for (log, missing) in missing {
            let known = known.entry(log).or_default();
            *known = missing.max(*known);
        }
    }

    /// Whether no log has ever been started on it.
    pub(super) fn is_new(&self) -> bool {
        let writer = self.writer();
        writer.heads.is_empty() && writer.read_only.is_none()
    }

    /// Appends a fact, which survives on return.
    pub(super) fn commit_fact(
        &self,
        table: Table,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(Fact, JournalEnd), JournalError> {
        let mut writer = self.writer();
        let fact = Fact {
            number: writer.facts.saturating_add(1),
            table,
            key: key.to_vec(),
            value: value.map(<[u8]>::to_vec),
        };
        let mut draft = Draft::default();
        draft.fact(&fact);
        let (_, end) = writer.append(draft, |writer, _| writer.facts = fact.number)?;
        Ok((fact, end))
    }

    /// Shows everything behind `from`, or from the beginning, up to the end that was committed when
    /// the call began.
    pub(super) fn walk(
        &self,
        from: Option<JournalEnd>,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let until = self.writer().end;
        let first = from.map_or(1, |end| end.segment);
        for number in first..=until.segment {
            let start = match from {
                Some(end) if end.segment == number => end.offset,
                _ => self.first_record(number)?,
            };
            if start >= until.offset && number == until.segment {
                break;
            }
            let ending = segment::scan(&self.dir, number, start, &mut |unit, end| {
                if end > until || visit(entry(unit, end)).is_break() {
                    return ControlFlow::Break(());
                }
                if end == until {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
            .map_err(|error| journal_error(&error, number))?;
            match ending {
                Ending::Clean => (),
                Ending::Stopped => break,
                Ending::Torn { offset, .. } => {
                    return Err(JournalError::Damaged {
                        segment: number,
                        offset,
                    });
                }
            }
        }
        Ok(())
    }

    fn first_record(&self, number: u32) -> Result<u32, JournalError> {
        segment::read_header(&self.dir, number)
            .map(|(_, start)| start)
            .map_err(|error| journal_error(&error, number))
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

fn entry(unit: Unit, end: JournalEnd) -> Entry {
    match unit {
        Unit::Commit {
            log,
            leaves,
            places,
            head,
        } => Entry::Batch(log, Batch { leaves, head }, Committed { places, end }),
        Unit::Fact(fact) => Entry::Fact(fact, end),
    }
}

fn journal_error(error: &OpenError, segment: u32) -> JournalError {
    match *error {
        OpenError::Damaged {
            segment, offset, ..
        } => JournalError::Damaged { segment, offset },
        _ => {
            tracing::error!(%error, "journal.unreadable");
            JournalError::Unreadable { segment }
        }
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

    fn commit(&self, log: LogId, batch: &Batch) -> Result<Committed, JournalError> {
        let count = u64::try_from(batch.leaves.len()).map_err(|_| JournalError::NoRoom)?;
        let size = batch.head.size.get();
        let first = size.checked_sub(count).ok_or(JournalError::NoRoom)?;
        let mut draft = Draft::default();
        for (index, leaf) in (first..size).zip(&batch.leaves) {
            draft.leaf(log, index, leaf);
        }
        draft.commit(log, &batch.head);
        let head = batch.head.clone();
        let (mut places, end) = self.writer().append(draft, |writer, end| {
            writer.heads.insert(log, (head, end));
        })?;
        places.truncate(batch.leaves.len());
        Ok(Committed { places, end })
    }

    fn replay(
        &self,
        log: LogId,
        from: Option<JournalEnd>,
        visit: &mut dyn FnMut(Batch, Committed) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.walk(from, &mut |entry| match entry {
            Entry::Batch(of, batch, committed) if of == log => visit(batch, committed),
            _ => ControlFlow::Continue(()),
        })
    }

    fn load(&self, log: LogId, index: LeafIndex, place: Place) -> Result<Leaf, JournalError> {
        let damaged = JournalError::Damaged {
            segment: place.segment,
            offset: place.offset,
        };
        let length = usize::try_from(place.length).unwrap_or(usize::MAX);
        if length > usize::try_from(record::MAX_PAYLOAD).unwrap_or(usize::MAX) {
            return Err(damaged);
        }
        let mut bytes = vec![0; length];
        self.reader(place.segment)
            .and_then(|file| file.read_exact_at(&mut bytes, u64::from(place.offset)))
            .map_err(|error| {
                tracing::error!(%error, segment = place.segment, "journal.unreadable");
                JournalError::Unreadable {
                    segment: place.segment,
                }
            })?;
        match record::parse(place.segment, place.offset, &bytes) {
            Some(Record::Leaf {
                log: of,
                index: at,
                leaf,
            }) if of == log && at == index.get() => Ok(leaf),
            _ => Err(damaged),
        }
    }
}
