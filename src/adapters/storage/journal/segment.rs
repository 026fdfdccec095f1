//! Segment files: their names, their creation, and reading them from end to end.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::record::{Draft, FRAME, Fact, Header, Record, claimed_entry, parse, payload_length};
use crate::adapters::storage::error::{DamagedEntry, OpenError};
use crate::adapters::storage::files;
use crate::log::port::{JournalEnd, Place};
use crate::log::{Leaf, LogId, SignedHead};

/// The first bytes of every segment.
pub(super) const MAGIC: &[u8; 8] = b"SIGNETJ\n";

/// So many bytes are read at once where a segment is read from end to end.
const SCAN_AHEAD: usize = 256 << 10;

/// So many where only its header is, which a start does with every segment there is.
const HEADER_AHEAD: usize = 4 << 10;

/// The path of a segment.
pub(super) fn path(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08}.seg"))
}

/// The numbers of the segments that are there, in order. Leftovers of a creation are removed.
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

/// Whether there is a segment. Nothing is touched, so this needs no lock.
pub(super) fn any(dir: &Path) -> bool {
    let is_segment = |path: PathBuf| path.extension().is_some_and(|extension| extension == "seg");
    std::fs::read_dir(dir)
        .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|e| is_segment(e.path()))))
}

/// Makes a segment with its header; it appears whole or not at all. Returns the file and its
/// length.
pub(super) fn create(dir: &Path, header: &Header) -> std::io::Result<(File, u32)> {
    use std::io::Write as _;
    let mut draft = Draft::default();
    draft.header(header);
    let start = u32::try_from(MAGIC.len()).map_err(std::io::Error::other)?;
    let record = draft
        .finish(header.segment, start)
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

/// A commit or a fact, complete.
pub(super) enum Unit {
    /// Leaves with their places, and the head that makes them part of the log.
    Commit {
        log: LogId,
        leaves: Vec<Leaf>,
        places: Vec<Place>,
        head: SignedHead,
    },
    /// A change of the ledger.
    Fact(Fact),
}

/// How reading a segment ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// At its end, right behind a commit.
    Clean,
    /// The visitor had seen enough.
    Stopped,
    /// At something that is no record, or in the middle of a batch.
    Torn {
        /// Where the record begins.
        offset: u32,
        /// The entry in it.
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
    Record(u32, Record),
    End,
    Bad(DamagedEntry),
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
        self.take(&mut record, FRAME)?;
        if record.is_empty() {
            return Ok(Frame::End);
        }
        let Some(length) = payload_length(&record) else {
            return Ok(Frame::Bad(DamagedEntry(None)));
        };
        self.take(&mut record, usize::try_from(length).unwrap_or(usize::MAX))?;
        let place = self.offset;
        let Some(parsed) = parse(self.segment, place, &record) else {
            return Ok(Frame::Bad(DamagedEntry(claimed_entry(&record))));
        };
        let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
        self.offset = self.offset.saturating_add(length);
        Ok(Frame::Record(length, parsed))
    }

    fn take(&mut self, record: &mut Vec<u8>, count: usize) -> std::io::Result<()> {
        let limit = u64::try_from(count).unwrap_or(u64::MAX);
        self.reader.by_ref().take(limit).read_to_end(record)?;
        Ok(())
    }
}

/// Reads a segment's magic and header, and returns where the records behind it begin.
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
        .take(&mut magic, MAGIC.len())
        .map_err(OpenError::io(&path))?;
    if magic != MAGIC {
        return Err(damaged(0));
    }
    frames.offset = u32::try_from(MAGIC.len()).unwrap_or(u32::MAX);
    match frames.next().map_err(OpenError::io(&path))? {
        Frame::Record(_, Record::Header(header)) => Ok((header, frames.offset)),
        _ => Err(damaged(frames.offset)),
    }
}

/// Shows the units of a segment from an offset on, each with its end.
pub(super) fn scan(
    dir: &Path,
    segment: u32,
    offset: u32,
    visit: &mut dyn FnMut(Unit, JournalEnd) -> ControlFlow<()>,
) -> Result<Ending, OpenError> {
    let mut frames = Frames::open(dir, segment, offset, SCAN_AHEAD)?;
    let path = path(dir, segment);
    let mut open = OpenBatch::default();
    loop {
        let offset = frames.offset;
        let torn = |entry| Ending::Torn { offset, entry };
        let (length, record) = match frames.next().map_err(OpenError::io(&path))? {
            Frame::Record(length, record) => (length, record),
            Frame::End if open.leaves.is_empty() => return Ok(Ending::Clean),
            Frame::End => return Ok(torn(open.next_entry())),
            Frame::Bad(DamagedEntry(None)) => return Ok(torn(open.next_entry())),
            Frame::Bad(entry) => return Ok(torn(entry)),
        };
        let place = Place {
            segment,
            offset,
            length,
        };
        let unit = match open.take(record, place) {
            Taken::Unit(unit) => unit,
            Taken::Leaf => continue,
            Taken::Misplaced => return Ok(torn(open.next_entry())),
        };
        let end = JournalEnd {
            segment,
            offset: frames.offset,
        };
        if visit(unit, end).is_break() {
            return Ok(Ending::Stopped);
        }
    }
}

/// The leaves of a batch whose commit has not come yet.
#[derive(Default)]
struct OpenBatch {
    log: Option<(LogId, u64)>,
    leaves: Vec<Leaf>,
    places: Vec<Place>,
}

enum Taken {
    Leaf,
    Unit(Unit),
    Misplaced,
}

impl OpenBatch {
    /// The entry that would come next, if a batch is open.
    const fn next_entry(&self) -> DamagedEntry {
        DamagedEntry(self.log)
    }

    fn take(&mut self, record: Record, place: Place) -> Taken {
        match record {
            Record::Leaf { log, index, leaf } => {
                if self.log.is_some_and(|expected| expected != (log, index)) {
                    return Taken::Misplaced;
                }
                self.log = Some((log, index.saturating_add(1)));
                self.leaves.push(leaf);
                self.places.push(place);
                Taken::Leaf
            }
            Record::Commit { log, head } => {
                if self.log.is_some_and(|open| open != (log, head.size.get())) {
                    return Taken::Misplaced;
                }
                let open = std::mem::take(self);
                Taken::Unit(Unit::Commit {
                    log,
                    leaves: open.leaves,
                    places: open.places,
                    head,
                })
            }
            Record::Fact(fact) if self.log.is_none() => Taken::Unit(Unit::Fact(fact)),
            Record::Fact(_) | Record::Header(_) => Taken::Misplaced,
        }
    }
}
