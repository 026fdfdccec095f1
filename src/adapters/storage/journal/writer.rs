//! The journal's only writer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tokio::sync::watch;

use super::heads::{self, HeadFile, Heads};
use super::record::{End, FORMAT, Header, Place, PlacedRecords, RecordBatch};
use super::segment;
use crate::adapters::storage::files;
use crate::log::port::{CommitError, JournalCursor};
use crate::log::{LogId, SignedHead};

/// Disk space that the journal leaves to the state and to other users, in bytes.
const RESERVED: u64 = 16 << 20;

/// Number of bytes that are rewritten at once.
const PIECE: usize = 256 << 10;

/// Where the journal ends, and what was true there.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) instance: [u8; 16],
    /// The last segment.
    pub(super) file: File,
    /// The last segment's format, which is older if an earlier release created the segment.
    pub(super) format: u32,
    pub(super) end: End,
    /// Where the first record after the last segment's header begins.
    pub(super) first_record: u32,
    /// The last bytes before the end, within the last segment.
    pub(super) tail: Vec<u8>,
    /// The last head of each log, and where its batch ends.
    pub(super) heads: BTreeMap<LogId, (SignedHead, JournalCursor)>,
    pub(super) facts: u64,
    /// Number of writes of the head file.
    pub(super) sequence: u64,
    /// None if the journal is read-only.
    pub(super) head_file: Option<HeadFile>,
    /// Set if the journal lacks what was once acknowledged: the number of missing entries of each log.
    pub(super) read_only: Option<BTreeMap<LogId, u64>>,
    /// Whether a write failed in a way that only a restart can resolve.
    pub(super) in_doubt: watch::Sender<bool>,
    /// Length beyond which a segment is not extended.
    pub(super) segment_bytes: u32,
}

impl Writer {
    /// Whether the journal accepts commits.
    pub(super) fn check(&self) -> Result<(), CommitError> {
        if self.read_only.is_some() {
            return Err(CommitError::ReadOnly);
        }
        if *self.in_doubt.borrow() {
            return Err(CommitError::InDoubt);
        }
        Ok(())
    }

    /// Appends a batch and makes it durable. `note` updates this value with what the batch changes,
    /// given its end, before the head file is written.
    pub(super) fn append(
        &mut self,
        records: RecordBatch,
        note: impl FnOnce(&mut Self, End),
    ) -> Result<(Vec<Place>, End), CommitError> {
        self.check()?;
        let length = u32::try_from(records.len()).map_err(|_| CommitError::NoRoom)?;
        self.check_room(length)?;
        let longer = self.end.offset.checked_add(length);
        let is_full = longer.is_none_or(|longer| longer > self.segment_bytes);
        // The header of a new segment lets an earlier release see that it cannot read the records.
        let is_outdated = self.format < FORMAT;
        if is_outdated || (is_full && self.end.offset > self.first_record) {
            self.begin_segment()?;
        }
        let PlacedRecords { bytes, places } = records
            .place_at(self.end.segment, self.end.offset)
            .ok_or(CommitError::NoRoom)?;
        self.write(&bytes)?;
        if let Some(last) = places.last() {
            self.end.offset = last.offset + last.length;
        }
        self.remember_tail(&bytes);
        note(self, self.end);
        // CRASH: the journal has the batch; if the heads are not written, the next start finds the
        // journal ahead of them and keeps the batch, although it was never acknowledged.
        self.write_heads().map_err(|error| self.doubt(&error))?;
        Ok((places, self.end))
    }

    /// Refuses a batch before the disk is full, while refusal has no consequences: the state, which
    /// sled writes on a thread of its own, would fail in the middle of a commit.
    fn check_room(&self, length: u32) -> Result<(), CommitError> {
        let Ok(disk) = rustix::fs::fstatvfs(&self.file) else {
            return Ok(());
        };
        // A disk whose size exceeds 64 bits has room.
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < RESERVED + u64::from(length) {
            tracing::warn!(free, "journal.no_room");
            return Err(CommitError::NoRoom);
        }
        Ok(())
    }

    /// One write and one fdatasync. A write that failed and could be undone did not happen. A sync that
    /// failed may have happened, and repeating it would prove nothing.
    fn write(&mut self, bytes: &[u8]) -> Result<(), CommitError> {
        let at = u64::from(self.end.offset);
        if let Err(error) = self.file.write_all_at(bytes, at) {
            tracing::warn!(%error, "journal.write_failed");
            return match self.file.set_len(at) {
                Ok(()) => Err(CommitError::NoRoom),
                Err(error) => Err(self.doubt(&error)),
            };
        }
        self.file.sync_data().map_err(|error| self.doubt(&error))
    }

    fn doubt(&mut self, error: &io::Error) -> CommitError {
        tracing::error!(%error, "journal.in_doubt");
        self.in_doubt.send_replace(true);
        CommitError::InDoubt
    }

    fn remember_tail(&mut self, bytes: &[u8]) {
        let kept = bytes.get(bytes.len().saturating_sub(heads::TAIL)..);
        self.tail.extend_from_slice(kept.unwrap_or_default());
        let surplus = self.tail.len().saturating_sub(heads::TAIL);
        self.tail.drain(..surplus);
    }

    /// Makes durable what start-up has found, before any client sees it. The bytes after
    /// `acknowledged` were written by a process that was killed or whose sync failed. They may be only in
    /// the page cache, where a failed sync marks them as clean, so they are written again. The directory
    /// entries of the files may be only in the page cache, too.
    pub(super) fn settle(&self, acknowledged: End) -> io::Result<()> {
        let in_last = acknowledged.segment == self.end.segment;
        let mut at = u64::from(if in_last { acknowledged.offset } else { 0 });
        let end = u64::from(self.end.offset);
        let mut bytes = vec![0; PIECE];
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            let piece = bytes.get_mut(..length).unwrap_or_default();
            self.file.read_exact_at(piece, at)?;
            self.file.write_all_at(piece, at)?;
            at += length as u64;
        }
        self.file.sync_all()?;
        files::sync_dir(&self.dir)
    }

    /// Closes the last segment and creates the next.
    fn begin_segment(&mut self) -> Result<(), CommitError> {
        let number = self.end.segment.checked_add(1).ok_or(CommitError::NoRoom)?;
        let header = Header {
            format: FORMAT,
            instance: self.instance,
            segment: number,
            previous_length: self.end.offset,
            facts: self.facts,
            heads: self
                .heads
                .iter()
                .map(|(log, (head, end))| (*log, head.clone(), *end))
                .collect(),
        };
        match segment::create(&self.dir, &header) {
            Ok((file, length)) => {
                self.file = file;
                self.format = FORMAT;
                self.first_record = length;
                self.end = End {
                    segment: number,
                    offset: length,
                };
                self.tail.clear();
                Ok(())
            }
            // CRASH: if the new name exists already, only a restart can tell whether it stays.
            Err(error) if segment::path(&self.dir, number).exists() => Err(self.doubt(&error)),
            Err(error) => {
                tracing::warn!(%error, "journal.segment_failed");
                Err(CommitError::NoRoom)
            }
        }
    }

    /// Writes the last heads, the journal's end and its last bytes into the next slot.
    pub(super) fn write_heads(&mut self) -> io::Result<()> {
        self.sequence += 1;
        let heads = Heads {
            instance: self.instance,
            sequence: self.sequence,
            end: self.end,
            facts: self.facts,
            heads: self
                .heads
                .iter()
                .map(|(log, (head, _))| (*log, head.clone()))
                .collect(),
            tail: self.tail.clone(),
        };
        match &self.head_file {
            Some(file) => file.write(&heads),
            None => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}
