//! Opening a journal: what start-up checks, mends, cuts and refuses.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tokio::sync::watch;

use super::heads::{self, HeadFile, Heads};
use super::record::{FORMAT, Header};
use super::segment::{self, Ending, Unit};
use super::writer::Writer;
use crate::adapters::storage::error::{DamagedEntry, OpenError};
use crate::adapters::storage::files;
use crate::adapters::system::random_bytes;
use crate::log::port::JournalEnd;
use crate::log::{LogId, SignedHead};

/// What reading the last segment told.
struct Found {
    heads: BTreeMap<LogId, (SignedHead, JournalEnd)>,
    facts: u64,
    first_record: u32,
    end: JournalEnd,
}

/// Opens the journal in a directory, or makes a new one where there is none.
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
    let found = read_last(dir, last, &header, known.as_ref())?;
    let read_only = compare(&found, known.as_ref())?;
    writer(dir, &header, found, known, read_only, segment_bytes)
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
    let found = Found {
        heads: BTreeMap::new(),
        facts: 0,
        first_record: length,
        end: JournalEnd {
            segment: 1,
            offset: length,
        },
    };
    tracing::info!("journal.created");
    writer(dir, &header, found, None, None, segment_bytes)
}

/// Checks that the segments are all there, of one journal, and as long as they were closed with.
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
                segment: number.saturating_sub(1),
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

/// Reads the last segment. A torn end is mended if it was acknowledged, cut if nobody was ever told
/// of it, and otherwise damage. An end in good order stays as it is, wherever it is: a journal that
/// was restored from an old copy ends like that.
fn read_last(
    dir: &Path,
    last: u32,
    header: &Header,
    known: Option<&Heads>,
) -> Result<Found, OpenError> {
    let (mut found, mut ending) = scan_last(dir, last, header)?;
    let told = known.filter(|known| found.end < known.end);
    if let (Ending::Torn { .. }, Some(known)) = (&ending, told)
        && mend(dir, last, known)?
    {
        (found, ending) = scan_last(dir, last, header)?;
    }
    if let Ending::Torn { offset, entry } = ending {
        // Without the head file nobody can tell what was acknowledged, so nothing is cut.
        if known.is_none_or(|known| found.end < known.end) {
            return Err(damaged(last, offset, entry));
        }
        cut(dir, last, found.end.offset)?;
    }
    Ok(found)
}

/// Puts back bytes that were acknowledged and are missing from the torn end of the last segment, if
/// the copy beside the last heads has them all. Returns whether it did.
fn mend(dir: &Path, last: u32, known: &Heads) -> Result<bool, OpenError> {
    if known.end.segment != last {
        return Ok(false);
    }
    let path = segment::path(dir, last);
    let end = u64::from(known.end.offset);
    let start = end.saturating_sub(u64::try_from(known.tail.len()).unwrap_or(u64::MAX));
    let repair = || -> io::Result<bool> {
        let length = std::fs::metadata(&path)?.len();
        let Some(kept) = length.checked_sub(start).filter(|_| length < end) else {
            return Ok(false);
        };
        let (kept, missing) = known
            .tail
            .split_at_checked(usize::try_from(kept).unwrap_or(usize::MAX))
            .unwrap_or_default();
        let file = files::open_private(&path)?;
        let mut there = vec![0; kept.len()];
        file.read_exact_at(&mut there, start)?;
        if there != kept {
            return Ok(false);
        }
        file.write_all_at(missing, length)?;
        file.sync_all()?;
        tracing::warn!(
            segment = last,
            bytes = missing.len(),
            "journal.mended: acknowledged bytes were missing from its torn end"
        );
        Ok(true)
    };
    repair().map_err(OpenError::io(&path))
}

/// Reads the last segment to where it ends or is torn.
fn scan_last(dir: &Path, last: u32, header: &Header) -> Result<(Found, Ending), OpenError> {
    let (_, start) = segment::read_header(dir, last)?;
    let heads = header.heads.iter().cloned();
    let mut found = Found {
        heads: heads.map(|(log, head, end)| (log, (head, end))).collect(),
        facts: header.facts,
        first_record: start,
        end: JournalEnd {
            segment: last,
            offset: start,
        },
    };
    let ending = segment::scan(dir, last, start, &mut |unit, end| {
        found.end = end;
        match unit {
            Unit::Commit { log, head, .. } => {
                found.heads.insert(log, (head, end));
            }
            Unit::Fact(fact) => found.facts = fact.number,
        }
        ControlFlow::Continue(())
    })?;
    Ok((found, ending))
}

const fn damaged(segment: u32, offset: u32, entry: DamagedEntry) -> OpenError {
    OpenError::Damaged {
        segment,
        offset,
        entry,
    }
}

fn cut(dir: &Path, segment: u32, offset: u32) -> Result<(), OpenError> {
    let path = segment::path(dir, segment);
    let file = files::open_private(&path).map_err(OpenError::io(&path))?;
    file.set_len(u64::from(offset))
        .and_then(|()| file.sync_all())
        .map_err(OpenError::io(&path))?;
    tracing::warn!(
        segment,
        offset,
        "journal.cut: a batch that was never acknowledged was torn"
    );
    Ok(())
}

/// Compares the journal with what was signed last. Where it is behind, answers how many entries
/// each log lacks.
fn compare(
    found: &Found,
    known: Option<&Heads>,
) -> Result<Option<BTreeMap<LogId, u64>>, OpenError> {
    let Some(known) = known else {
        return Ok(None);
    };
    let mut missing = BTreeMap::new();
    for (log, head) in &known.heads {
        let there = found.heads.get(log).map(|(head, _)| head);
        let size = there.map_or(0, |head| head.size.get());
        if there.is_some_and(|there| there.size == head.size && there.root != head.root) {
            return Err(OpenError::Forked { log: *log, size });
        }
        missing.insert(*log, head.size.get().saturating_sub(size));
    }
    let behind = found.end < known.end || missing.values().any(|missing| *missing > 0);
    Ok(behind.then_some(missing))
}

fn writer(
    dir: &Path,
    header: &Header,
    found: Found,
    known: Option<Heads>,
    read_only: Option<BTreeMap<LogId, u64>>,
    segment_bytes: u32,
) -> Result<Writer, OpenError> {
    let path = segment::path(dir, found.end.segment);
    let file = files::open_private(&path).map_err(OpenError::io(&path))?;
    let tail = last_bytes(&file, found.end.offset).map_err(OpenError::io(&path))?;
    let head_path = heads::path(dir);
    if known.is_none() && (found.facts > 0 || !found.heads.is_empty()) {
        tracing::warn!("journal.heads_lost: the head file is made anew from the journal");
    }
    let mut writer = Writer {
        dir: dir.to_owned(),
        instance: header.instance,
        file,
        format: header.format,
        end: found.end,
        first_record: found.first_record,
        tail,
        heads: found.heads,
        facts: found.facts,
        sequence: known.as_ref().map_or(0, |known| known.sequence),
        head_file: None,
        read_only,
        in_doubt: watch::Sender::new(false),
        segment_bytes,
    };
    if writer.read_only.is_none() {
        let told = known.as_ref().map(|known| known.end);
        writer
            .settle(told.unwrap_or_default())
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
    let start = u64::from(end).saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
    file.read_exact_at(&mut tail, start)?;
    Ok(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn a_fact(number: u64) -> super::super::record::Draft {
        let mut draft = super::super::record::Draft::default();
        draft.fact(&super::super::record::Fact {
            number,
            table: crate::services::ledger::Table::Account,
            key: vec![7; 100],
            value: None,
        });
        draft
    }

    #[test]
    fn what_nobody_was_told_of_is_written_again_before_it_counts() {
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

        assert!(!written_again(), "all of it was told");
        std::fs::write(heads::path(dir.path()), before).unwrap();
        let bytes = std::fs::read(&segment).unwrap();
        assert!(written_again(), "killed before the heads were written");
        assert_eq!(std::fs::read(&segment).unwrap(), bytes);
    }

    #[test]
    fn what_an_earlier_release_began_is_read_and_the_next_batch_begins_a_segment() {
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
    fn a_segment_that_32_bits_cannot_address_any_further_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path(), u32::MAX).unwrap();
        // A hole: nothing is read of it.
        journal.end.offset = u32::MAX - 100;

        let (_, end) = journal.append(a_fact(1), |_, _| ()).unwrap();

        assert_eq!(end.segment, 2);
    }
}
