//! Opening a journal: what start-up checks, restores, cuts and refuses.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tokio::sync::watch;

use super::heads::{self, HeadFile, Heads};
use super::record::{End, FORMAT, Header};
use super::segment::{self, Ending, Entry};
use super::writer::Writer;
use crate::adapters::storage::error::OpenError;
use crate::adapters::storage::files;
use crate::adapters::system::random_bytes;
use crate::log::port::JournalCursor;
use crate::log::{LogId, SignedHead};

/// Where the last segment ends, and what is true there.
struct JournalState {
    heads: BTreeMap<LogId, (SignedHead, JournalCursor)>,
    facts: u64,
    /// Where the first record after the last segment's header begins.
    first_record: u32,
    end: End,
}

/// Opens the journal in a directory, or creates one if there is none.
pub(super) fn open(dir: &Path, segment_bytes: u32) -> Result<Writer, OpenError> {
    files::make_private_dir(dir).map_err(OpenError::io(dir))?;
    let segments = segment::list(dir)?;
    let known = heads::load(dir).map_err(OpenError::io(&heads::path(dir)))?;
    let Some(last) = segments.last().copied() else {
        return match known {
            Some(_) => Err(OpenError::MissingSegment(1)),
            None => create(dir, segment_bytes),
        };
    };
    let header = check_headers(dir, &segments, known.as_ref())?;
    let state = read_last(dir, last, &header, known.as_ref())?;
    let read_only = missing_entries(&state, known.as_ref())?;
    writer(dir, &header, state, known, read_only, segment_bytes)
}

fn create(dir: &Path, segment_bytes: u32) -> Result<Writer, OpenError> {
    let header = Header {
        format: FORMAT,
        instance: random_bytes().map_err(|_| OpenError::NoRandomness)?,
        segment: 1,
        previous_length: 0,
        facts: 0,
        heads: Vec::new(),
    };
    let (_, length) = segment::create(dir, &header).map_err(OpenError::io(dir))?;
    let state = JournalState {
        heads: BTreeMap::new(),
        facts: 0,
        first_record: length,
        end: End {
            segment: 1,
            offset: length,
        },
    };
    tracing::info!("journal.created");
    writer(dir, &header, state, None, None, segment_bytes)
}

/// Checks that all segments exist, belong to one journal, and are as long as when they were closed.
/// Returns the last one's header.
fn check_headers(dir: &Path, segments: &[u32], known: Option<&Heads>) -> Result<Header, OpenError> {
    let mut previous: Option<(Header, u64)> = None;
    for (expected, number) in (1_u32..).zip(segments.iter().copied()) {
        if number != expected {
            return Err(OpenError::MissingSegment(expected));
        }
        let path = segment::path(dir, number);
        let (header, _) = segment::read_header(dir, number)?;
        if header.format > FORMAT {
            return Err(OpenError::Newer {
                what: "journal",
                found: header.format,
                supported: FORMAT,
            });
        }
        let instance = previous
            .as_ref()
            .map(|(header, _)| header.instance)
            .or_else(|| known.map(|heads| heads.instance));
        if header.segment != number || instance.is_some_and(|id| id != header.instance) {
            return Err(OpenError::Foreign(path));
        }
        let closed_with = previous.map_or(0, |(_, length)| length);
        if closed_with != u64::from(header.previous_length) {
            return Err(OpenError::SegmentLength {
                segment: number - 1,
                expected: header.previous_length,
                actual: closed_with,
            });
        }
        let length = std::fs::metadata(&path)
            .map_err(OpenError::io(&path))?
            .len();
        previous = Some((header, length));
    }
    previous
        .map(|(header, _)| header)
        .ok_or(OpenError::MissingSegment(1))
}

/// Reads the last segment. A torn end is restored if it was acknowledged, cut off if it was never
/// acknowledged, and damage otherwise. An end immediately after a commit stays as it is, even before
/// the acknowledged one: a journal that was restored from an old copy ends like that.
fn read_last(
    dir: &Path,
    last: u32,
    header: &Header,
    known: Option<&Heads>,
) -> Result<JournalState, OpenError> {
    let (mut state, mut ending) = scan_last(dir, last, header)?;
    let acknowledged = known.filter(|known| state.end < known.end);
    if let (Ending::Torn { .. }, Some(known)) = (&ending, acknowledged)
        && restore_end(dir, last, known)?
    {
        (state, ending) = scan_last(dir, last, header)?;
    }
    if let Ending::Torn { offset, entry } = ending {
        // Without the head file it is unknown what was acknowledged, so nothing is cut off.
        if known.is_none_or(|known| state.end < known.end) {
            return Err(OpenError::Damaged {
                segment: last,
                offset,
                entry,
            });
        }
        cut_end(dir, last, state.end.offset)?;
    }
    Ok(state)
}

/// Restores acknowledged bytes that are missing from the torn end of the last segment, if the head
/// file's copy has all of them. Returns whether it did.
fn restore_end(dir: &Path, last: u32, known: &Heads) -> Result<bool, OpenError> {
    if known.end.segment != last {
        return Ok(false);
    }
    let path = segment::path(dir, last);
    let end = u64::from(known.end.offset);
    let repair = || -> io::Result<bool> {
        let Some(start) = end.checked_sub(known.tail.len() as u64) else {
            return Ok(false);
        };
        let length = std::fs::metadata(&path)?.len();
        let Some(kept) = length.checked_sub(start).filter(|_| length < end) else {
            return Ok(false);
        };
        let (kept, missing) = known
            .tail
            .split_at_checked(usize::try_from(kept).unwrap_or(usize::MAX))
            .unwrap_or_default();
        let file = files::open_private(&path)?;
        let mut existing = vec![0; kept.len()];
        file.read_exact_at(&mut existing, start)?;
        if existing != kept {
            return Ok(false);
        }
        file.write_all_at(missing, length)?;
        file.sync_all()?;
        let reason = "acknowledged bytes were missing from the torn end";
        tracing::warn!(
            segment = last,
            bytes = missing.len(),
            reason,
            "journal.mended"
        );
        Ok(true)
    };
    repair().map_err(OpenError::io(&path))
}

/// Reads the last segment up to its end or to where it is torn.
fn scan_last(dir: &Path, last: u32, header: &Header) -> Result<(JournalState, Ending), OpenError> {
    let (_, start) = segment::read_header(dir, last)?;
    let heads = header.heads.iter().cloned();
    let mut state = JournalState {
        heads: heads.map(|(log, head, end)| (log, (head, end))).collect(),
        facts: header.facts,
        first_record: start,
        end: End {
            segment: last,
            offset: start,
        },
    };
    let ending = segment::scan(dir, last, start, &mut |entry, end| {
        state.end = end;
        match entry {
            Entry::Batch(log, batch, committed) => {
                state.heads.insert(log, (batch.head, committed.end));
            }
            Entry::Fact(fact, _) => state.facts = fact.number,
        }
        ControlFlow::Continue(())
    })?;
    Ok((state, ending))
}

fn cut_end(dir: &Path, segment: u32, offset: u32) -> Result<(), OpenError> {
    let path = segment::path(dir, segment);
    let file = files::open_private(&path).map_err(OpenError::io(&path))?;
    file.set_len(u64::from(offset))
        .and_then(|()| file.sync_all())
        .map_err(OpenError::io(&path))?;
    let reason = "a torn batch was never acknowledged";
    tracing::warn!(segment, offset, reason, "journal.cut");
    Ok(())
}

/// Compares the journal with what was signed last. Returns how many entries of each log are missing if
/// the journal ends before that.
fn missing_entries(
    state: &JournalState,
    known: Option<&Heads>,
) -> Result<Option<BTreeMap<LogId, u64>>, OpenError> {
    let Some(known) = known else {
        return Ok(None);
    };
    let mut missing = BTreeMap::new();
    for (log, signed) in &known.heads {
        let last = state.heads.get(log).map(|(head, _)| head);
        let size = last.map_or(0, |head| head.size.get());
        if last.is_some_and(|last| last.size == signed.size && last.root != signed.root) {
            return Err(OpenError::Forked { log: *log, size });
        }
        // Nothing is missing where the journal was ahead of the head file.
        missing.insert(*log, signed.size.get().saturating_sub(size));
    }
    let is_behind = state.end < known.end || missing.values().any(|missing| *missing > 0);
    Ok(is_behind.then_some(missing))
}

fn writer(
    dir: &Path,
    header: &Header,
    state: JournalState,
    known: Option<Heads>,
    read_only: Option<BTreeMap<LogId, u64>>,
    segment_bytes: u32,
) -> Result<Writer, OpenError> {
    let path = segment::path(dir, state.end.segment);
    let file = files::open_private(&path).map_err(OpenError::io(&path))?;
    let tail = last_bytes(&file, state.end.offset).map_err(OpenError::io(&path))?;
    let head_path = heads::path(dir);
    if known.is_none() && (state.facts > 0 || !state.heads.is_empty()) {
        let reason = "the head file is missing and is created from the journal";
        tracing::warn!(reason, "journal.heads_lost");
    }
    let mut writer = Writer {
        dir: dir.to_owned(),
        instance: header.instance,
        file,
        format: header.format,
        end: state.end,
        first_record: state.first_record,
        tail,
        heads: state.heads,
        facts: state.facts,
        sequence: known.as_ref().map_or(0, |known| known.sequence),
        head_file: None,
        read_only,
        in_doubt: watch::Sender::new(false),
        segment_bytes,
    };
    if writer.read_only.is_none() {
        let acknowledged = known.as_ref().map(|known| known.end);
        writer
            .settle(acknowledged.unwrap_or_default())
            .map_err(OpenError::io(&path))?;
        let head_file = HeadFile::open(dir).map_err(OpenError::io(&head_path))?;
        writer.head_file = Some(head_file);
        writer.write_heads().map_err(OpenError::io(&head_path))?;
    }
    Ok(writer)
}

fn last_bytes(file: &File, end: u32) -> io::Result<Vec<u8>> {
    let length = usize::try_from(end).unwrap_or(usize::MAX).min(heads::TAIL);
    let mut tail = vec![0; length];
    file.read_exact_at(&mut tail, u64::from(end) - length as u64)?;
    Ok(tail)
}

#[cfg(test)]
mod tests {
    use super::super::record::{Fact, RecordBatch};
    use super::*;
    use crate::services::ledger::Table;

    #[test]
    fn a_journal_of_a_newer_format_is_refused_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let header = Header {
            format: FORMAT + 1,
            instance: [1; 16],
            segment: 1,
            previous_length: 0,
            facts: 0,
            heads: Vec::new(),
        };
        segment::create(dir.path(), &header).unwrap();

        let error = open(dir.path(), 1 << 20).unwrap_err();

        assert!(matches!(
            error,
            OpenError::Newer {
                what: "journal",
                found: 3,
                ..
            }
        ));
        assert!(!heads::path(dir.path()).exists());
    }

    fn a_fact(number: u64) -> RecordBatch {
        let mut records = RecordBatch::default();
        records.fact(&Fact {
            number,
            table: Table::Account,
            key: vec![7; 100],
            value: None,
        });
        records
    }

    #[test]
    fn what_was_never_acknowledged_is_written_again_before_it_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), 1 << 20).unwrap();
        let before = std::fs::read(heads::path(dir.path())).unwrap();
        journal.append(a_fact(1), |_, _| ()).unwrap();
        drop(journal);
        let segment = segment::path(dir.path(), 1);
        let written_again = || {
            let file = files::open_private(&segment).unwrap();
            let long_ago = std::time::SystemTime::UNIX_EPOCH;
            file.set_modified(long_ago).unwrap();
            drop(open(dir.path(), 1 << 20).unwrap());
            file.metadata().unwrap().modified().unwrap() > long_ago
        };

        assert!(!written_again(), "all of it was acknowledged");
        std::fs::write(heads::path(dir.path()), before).unwrap();
        let bytes = std::fs::read(&segment).unwrap();
        assert!(written_again(), "killed before the heads were written");
        assert_eq!(std::fs::read(&segment).unwrap(), bytes);
    }

    #[test]
    fn a_segment_of_an_earlier_release_is_read_and_the_next_batch_begins_another() {
        let dir = tempfile::tempdir().unwrap();
        let header = Header {
            format: 1,
            instance: [1; 16],
            segment: 1,
            previous_length: 0,
            facts: 0,
            heads: Vec::new(),
        };
        segment::create(dir.path(), &header).unwrap();
        let format_of = |number| segment::read_header(dir.path(), number).unwrap().0.format;

        let mut journal = open(dir.path(), 1 << 20).unwrap();
        assert_eq!(segment::list(dir.path()).unwrap(), [1]);
        let (_, first) = journal.append(a_fact(1), |_, _| ()).unwrap();
        let (_, second) = journal.append(a_fact(2), |_, _| ()).unwrap();

        assert_eq!((first.segment, second.segment), (2, 2));
        assert_eq!((format_of(1), format_of(2)), (1, FORMAT));
        drop(journal);
        open(dir.path(), 1 << 20).unwrap();
    }

    #[test]
    fn a_segment_is_closed_before_its_offsets_exceed_32_bits() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), u32::MAX).unwrap();
        // A hole, which is never read.
        journal.end.offset = u32::MAX - 100;

        let (_, end) = journal.append(a_fact(1), |_, _| ()).unwrap();

        assert_eq!(end.segment, 2);
    }
}
