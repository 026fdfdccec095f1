//! Segment files: their names, their creation, and reading them from end to end.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::record::{
    End, FRAME, Fact, Header, Place, Record, RecordBatch, claimed_entry, parse, payload_length,
};
use crate::adapters::storage::error::{DamagedEntry, OpenError};
use crate::adapters::storage::files;
use crate::log::port::{Batch, Committed, JournalCursor, Position};
use crate::log::{Leaf, LogId};

/// The first bytes of every segment.
pub(super) const MAGIC: &[u8; 8] = b"SIGNETJ\n";

/// Buffer size for reading a segment from end to end.
const SCAN_AHEAD: usize = 256 << 10;

/// Buffer size for reading a header, which every start does for every segment.
const HEADER_AHEAD: usize = 4 << 10;

pub(super) fn path(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08}.seg"))
}

/// The numbers of the existing segments, in order. Removes what an interrupted creation left.
pub(super) fn list(dir: &Path) -> Result<Vec<u32>, OpenError> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(OpenError::io(dir))? {
        let path = entry.map_err(OpenError::io(dir))?.path();
        let extension = path.extension().and_then(|e| e.to_str());
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        match (extension, number) {
            (Some("seg"), Some(number)) => segments.push(number),
            (Some("tmp"), _) => std::fs::remove_file(&path).map_err(OpenError::io(&path))?,
            _ => (),
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Whether there is a segment. Changes nothing, so it needs no lock.
pub(super) fn any(dir: &Path) -> bool {
    let is_segment = |path: PathBuf| path.extension().is_some_and(|extension| extension == "seg");
    std::fs::read_dir(dir)
        .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|e| is_segment(e.path()))))
}

/// Creates a segment with its header, completely or not at all. Returns the file and its length.
pub(super) fn create(dir: &Path, header: &Header) -> std::io::Result<(File, u32)> {
    use std::io::Write as _;
    let mut records = RecordBatch::default();
    records.header(header);
    let start = u32::try_from(MAGIC.len()).map_err(std::io::Error::other)?;
    let record = records
        .place_at(header.segment, start)
        .ok_or_else(|| std::io::Error::other("the header is too large"))?;
    let bytes = [&MAGIC[..], &record.bytes].concat();
    let temporary = dir.join(format!("{:08}.tmp", header.segment));
    let mut file = files::open_private(&temporary)?;
    file.set_len(0)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path(dir, header.segment))?;
    files::sync_dir(dir)?;
    Ok((
        file,
        u32::try_from(bytes.len()).map_err(std::io::Error::other)?,
    ))
}

/// A commit or a fact, complete, with the point after it.
pub(in crate::adapters::storage) enum Entry {
    Batch(LogId, Batch, Committed),
    Fact(Fact, JournalCursor),
}

/// How the reading of a segment ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// At its end, immediately after a commit or a fact.
    Clean,
    /// The visitor broke off.
    Stopped,
    /// At something that is not a record, or in the middle of a batch.
    Torn {
        /// Where the invalid or missing record begins.
        offset: u32,
        entry: DamagedEntry,
    },
}

/// Reads records one after the other.
struct Frames {
    reader: BufReader<File>,
    segment: u32,
    offset: u32,
}

enum Frame {
    Record(Place, Record),
    End,
    Invalid(DamagedEntry),
}

impl Frames {
    fn open(dir: &Path, segment: u32, offset: u32, ahead: usize) -> Result<Self, OpenError> {
        let path = path(dir, segment);
        let mut file = File::open(&path).map_err(OpenError::io(&path))?;
        file.seek(SeekFrom::Start(u64::from(offset)))
            .map_err(OpenError::io(&path))?;
        Ok(Self {
            reader: BufReader::with_capacity(ahead, file),
            segment,
            offset,
        })
    }

    fn next(&mut self) -> std::io::Result<Frame> {
        let mut record = Vec::new();
        self.read(&mut record, FRAME)?;
        if record.is_empty() {
            return Ok(Frame::End);
        }
        let Some(length) = payload_length(&record) else {
            return Ok(Frame::Invalid(DamagedEntry(None)));
        };
        self.read(&mut record, usize::try_from(length).unwrap_or(usize::MAX))?;
        let Some(parsed) = parse(self.segment, self.offset, &record) else {
            return Ok(Frame::Invalid(DamagedEntry(claimed_entry(&record))));
        };
        let place = Place {
            segment: self.segment,
            offset: self.offset,
            length: u32::try_from(record.len()).map_err(std::io::Error::other)?,
        };
        self.offset = (place.offset)
            .checked_add(place.length)
            .ok_or_else(|| std::io::Error::other("the segment has more than 4 GiB"))?;
        Ok(Frame::Record(place, parsed))
    }

    /// Appends up to `count` bytes to `record`, fewer at the end of the file.
    fn read(&mut self, record: &mut Vec<u8>, count: usize) -> std::io::Result<()> {
        let limit = u64::try_from(count).unwrap_or(u64::MAX);
        self.reader.by_ref().take(limit).read_to_end(record)?;
        Ok(())
    }
}

/// Reads a segment's magic and header. Returns the header and where the next record begins.
pub(super) fn read_header(dir: &Path, segment: u32) -> Result<(Header, u32), OpenError> {
    let damaged = |offset| OpenError::Damaged {
        segment,
        offset,
        entry: DamagedEntry(None),
    };
    let mut frames = Frames::open(dir, segment, 0, HEADER_AHEAD)?;
    let path = path(dir, segment);
    let mut magic = Vec::new();
    frames
        .read(&mut magic, MAGIC.len())
        .map_err(OpenError::io(&path))?;
    if magic != MAGIC {
        return Err(damaged(0));
    }
    frames.offset = 8;
    match frames.next().map_err(OpenError::io(&path))? {
        Frame::Record(_, Record::Header(header)) => Ok((header, frames.offset)),
        _ => Err(damaged(frames.offset)),
    }
}

/// Visits the commits and facts of a segment from an offset on, each with its end.
pub(super) fn scan(
    dir: &Path,
    segment: u32,
    offset: u32,
    visit: &mut dyn FnMut(Entry, End) -> ControlFlow<()>,
) -> Result<Ending, OpenError> {
    let mut frames = Frames::open(dir, segment, offset, SCAN_AHEAD)?;
    let path = path(dir, segment);
    let mut open = OpenBatch::default();
    loop {
        let offset = frames.offset;
        let torn = |entry| Ending::Torn { offset, entry };
        let (place, record) = match frames.next().map_err(OpenError::io(&path))? {
            Frame::Record(place, record) => (place, record),
            Frame::End if open.leaves.is_empty() => return Ok(Ending::Clean),
            Frame::End | Frame::Invalid(DamagedEntry(None)) => {
                return Ok(torn(DamagedEntry(open.next)));
            }
            Frame::Invalid(entry) => return Ok(torn(entry)),
        };
        let end = End {
            segment,
            offset: frames.offset,
        };
        let Ok(entry) = open.add(record, place, end) else {
            return Ok(torn(DamagedEntry(open.next)));
        };
        if entry.is_some_and(|entry| visit(entry, end).is_break()) {
            return Ok(Ending::Stopped);
        }
    }
}

/// The leaves of a batch whose commit was not read yet.
#[derive(Default)]
struct OpenBatch {
    /// The entry that the next record must contain, if a batch is open.
    next: Option<(LogId, u64)>,
    leaves: Vec<Leaf>,
    positions: Vec<Position>,
}

/// The record must not follow the one before it.
struct Misplaced;

impl OpenBatch {
    /// Adds a record. Returns the commit or the fact that it completes.
    fn add(&mut self, record: Record, place: Place, end: End) -> Result<Option<Entry>, Misplaced> {
        let follows = |entry| self.next.is_none_or(|next| next == entry);
        match record {
            Record::Leaf { log, index, leaf } if follows((log, index)) => {
                self.next = Some((log, index.checked_add(1).ok_or(Misplaced)?));
                self.leaves.push(leaf);
                self.positions.push(place.into());
                Ok(None)
            }
            Record::Commit { log, head } if follows((log, head.size.get())) => {
                let Self {
                    leaves, positions, ..
                } = std::mem::take(self);
                let end = end.into();
                let committed = Committed { positions, end };
                Ok(Some(Entry::Batch(log, Batch { leaves, head }, committed)))
            }
            Record::Fact(fact) if self.next.is_none() => Ok(Some(Entry::Fact(fact, end.into()))),
            _ => Err(Misplaced),
        }
    }
}
