//! The journal's one writer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tokio::sync::watch;

use super::heads::{self, HeadFile, Heads};
use super::record::{Draft, FORMAT, Header, Laid};
use super::segment;
use crate::adapters::storage::files;
use crate::log::port::{JournalEnd, JournalError, Place};
use crate::log::{LogId, SignedHead};

/// So many bytes of the disk are left to the state and to whatever else has to go on.
const RESERVED: u64 = 16 << 20;

/// So many bytes are written again at once.
const PIECE: usize = 256 << 10;

/// Where the journal ends and what it ends with. There is one of these, behind a lock.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) instance: [u8; 16],
    /// The last segment.
    pub(super) file: File,
    /// The last segment's format, which an earlier release may have begun.
    pub(super) format: u32,
    pub(super) end: JournalEnd,
    /// Where the last segment's first record behind its header begins.
    pub(super) first_record: u32,
    /// The last bytes before the end, within the last segment.
    pub(super) tail: Vec<u8>,
    pub(super) heads: BTreeMap<LogId, (SignedHead, JournalEnd)>,
    pub(super) facts: u64,
    pub(super) sequence: u64,
    /// None where the journal is read-only.
    pub(super) head_file: Option<HeadFile>,
    /// How many entries each log lacks, where the journal is behind.
    pub(super) read_only: Option<BTreeMap<LogId, u64>>,
    /// A write failed in a way that only a restart can clear up.
    pub(super) in_doubt: watch::Sender<bool>,
    /// A segment is closed when the next batch would make it longer.
    pub(super) segment_bytes: u32,
}

impl Writer {
    /// Whether a commit would be accepted at all.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        if self.read_only.is_some() {
            return Err(JournalError::ReadOnly);
        }
        if *self.in_doubt.borrow() {
            return Err(JournalError::InDoubt);
        }
        Ok(())
    }

    /// Appends a batch and makes it survive. `note` records in memory what the batch has changed,
    /// given its end, before the head file is written.
    pub(super) fn append(
        &mut self,
        draft: Draft,
        note: impl FnOnce(&mut Self, JournalEnd),
    ) -> Result<(Vec<Place>, JournalEnd), JournalError> {
        self.check()?;
        let length = u32::try_from(draft.len()).map_err(|_| JournalError::NoRoom)?;
        self.check_room(length)?;
        let longer = self.end.offset.checked_add(length);
        let full = longer.is_none_or(|longer| longer > self.segment_bytes);
        // An earlier release must find out by the header that it cannot read on.
        let outdated = self.format < FORMAT;
        if outdated || (full && self.end.offset > self.first_record) {
            self.begin_segment()?;
        }
        let Laid { bytes, places } = draft
            .finish(self.end.segment, self.end.offset)
            .ok_or(JournalError::NoRoom)?;
        self.write(&bytes)?;
        self.end.offset = places.last().map_or(self.end.offset, |last| {
            last.offset.saturating_add(last.length)
        });
        self.remember_tail(&bytes);
        note(self, self.end);
        // CRASH: the journal has the batch; if the heads are not written, start-up finds the
        // journal ahead of them and keeps the batch, of which nobody was told.
        self.write_heads().map_err(|error| self.doubt(&error))?;
        Ok((places, self.end))
    }

    /// Stops before the disk is full, while a refusal is still clean: the state, which grows on a
    /// thread of sled's own, would fail in the middle of a commit.
    fn check_room(&self, length: u32) -> Result<(), JournalError> {
        let Ok(disk) = rustix::fs::fstatvfs(&self.file) else {
            return Ok(());
        };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < RESERVED.saturating_add(u64::from(length)) {
            tracing::warn!(free, "journal.no_room");
            return Err(JournalError::NoRoom);
        }
        Ok(())
    }

    /// One write and one fdatasync. A write that failed and could be taken back has not happened; a
    /// sync that failed may have happened, and trying it again would prove nothing.
    fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let at = u64::from(self.end.offset);
        if let Err(error) = self.file.write_all_at(bytes, at) {
            tracing::warn!(%error, "journal.write_failed");
            return match self.file.set_len(at) {
                Ok(()) => Err(JournalError::NoRoom),
                Err(error) => Err(self.doubt(&error)),
            };
        }
        self.file.sync_data().map_err(|error| self.doubt(&error))
    }

    fn doubt(&mut self, error: &io::Error) -> JournalError {
        tracing::error!(%error, "journal.in_doubt");
        self.in_doubt.send_replace(true);
        JournalError::InDoubt
    }

    fn remember_tail(&mut self, bytes: &[u8]) {
        let kept = bytes.get(bytes.len().saturating_sub(heads::TAIL)..);
        self.tail.extend_from_slice(kept.unwrap_or_default());
        let surplus = self.tail.len().saturating_sub(heads::TAIL);
        self.tail.drain(..surplus);
    }

    /// Makes what start-up has found survive, before anybody is told of it. Behind `told`, the end
    /// of what was acknowledged, lies what a killed process, or one whose sync failed, has written:
    /// it may be in memory only, and after a failed sync the system takes it for written. So it is
    /// written once more. The names of the files may be in memory only as well.
    pub(super) fn settle(&self, told: JournalEnd) -> io::Result<()> {
        let same = told.segment == self.end.segment;
        let mut at = u64::from(if same { told.offset } else { 0 });
        let end = u64::from(self.end.offset);
        let mut bytes = vec![0; PIECE];
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            let piece = bytes.get_mut(..length).unwrap_or_default();
            self.file.read_exact_at(piece, at)?;
            self.file.write_all_at(piece, at)?;
            at = at.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
        self.file.sync_all()?;
        files::sync_dir(&self.dir)
    }

    /// Closes the last segment and begins the next.
    fn begin_segment(&mut self) -> Result<(), JournalError> {
        let number = self
            .end
            .segment
            .checked_add(1)
            .ok_or(JournalError::NoRoom)?;
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
                self.end = JournalEnd {
                    segment: number,
                    offset: length,
                };
                self.tail.clear();
                Ok(())
            }
            // CRASH: if the new name is there already, only a restart can say whether it stays.
            Err(error) if segment::path(&self.dir, number).exists() => Err(self.doubt(&error)),
            Err(error) => {
                tracing::warn!(%error, "journal.segment_failed");
                Err(JournalError::NoRoom)
            }
        }
    }

    /// Writes the last heads, the journal's end and its last bytes into the next slot.
    pub(super) fn write_heads(&mut self) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
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
