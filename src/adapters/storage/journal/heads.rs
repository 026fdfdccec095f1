//! The head file: what was signed last, stored apart from the segments.
//!
//! Writes alternate between two slots, so that a torn write leaves the previous slot intact. A slot is
//! written after the journal is durable and before anything is published: whatever a client has seen,
//! the journal reaches at least as far as a valid slot says. In addition to the last note of every log a
//! slot has a copy of the journal's last bytes, which restores a journal whose end was torn.
//!
//! ```text
//! u32 CRC-32C of the rest | u32 length | payload
//! payload: u32 version | 16 bytes instance | u64 sequence | end | u64 facts
//!          | u8 logs, each: u8 log, head | u32 length, copy of the bytes before the end
//! ```

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::record::End;
use crate::adapters::storage::codec::{FieldReader, put_counted, put_head};
use crate::adapters::storage::files;
use crate::log::port::JournalCursor;
use crate::log::{LogId, SignedHead};

const SLOT: usize = 64 << 10;

/// Maximum length of the copy of the journal's last bytes.
pub(super) const TAIL: usize = 16 << 10;

const FORMAT: u32 = 1;

/// Content of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heads {
    pub(super) instance: [u8; 16],
    /// Number of writes of the head file; the slot with the higher one is newer.
    pub(super) sequence: u64,
    /// Where the journal ended when the slot was written.
    pub(super) end: End,
    pub(super) facts: u64,
    pub(super) heads: Vec<(LogId, SignedHead)>,
    /// The bytes of the segment immediately before `end`.
    pub(super) tail: Vec<u8>,
}

/// The head file, open for writing.
#[derive(Debug)]
pub(super) struct HeadFile {
    file: File,
}

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("heads")
}

/// The newest valid slot. None if there is no file or neither slot is valid.
pub(super) fn load(dir: &Path) -> io::Result<Option<Heads>> {
    let bytes = match std::fs::read(path(dir)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(bytes
        .chunks(SLOT)
        .filter_map(parse)
        .max_by_key(|heads| heads.sequence))
}

impl HeadFile {
    /// Opens the file. Creates it, with room for both slots, if it does not exist.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let file = files::open_private(&path(dir))?;
        // Bytes and not a hole: rewriting a slot must not fail for lack of disk space.
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if length < 2 * SLOT {
            file.write_all_at(
                &vec![0; 2 * SLOT - length],
                u64::try_from(length).unwrap_or(0),
            )?;
            file.sync_all()?;
            files::sync_dir(dir)?;
        }
        Ok(Self { file })
    }

    /// Writes a slot, which survives a power cut on return.
    pub(super) fn write(&self, heads: &Heads) -> io::Result<()> {
        let slot = encode(heads);
        let at = if heads.sequence.is_multiple_of(2) {
            0
        } else {
            SLOT
        };
        self.file
            .write_all_at(&slot, u64::try_from(at).unwrap_or(0))?;
        self.file.sync_data()
    }
}

fn encode(heads: &Heads) -> Vec<u8> {
    let mut payload = Vec::with_capacity(SLOT);
    payload.extend_from_slice(&FORMAT.to_be_bytes());
    payload.extend_from_slice(&heads.instance);
    payload.extend_from_slice(&heads.sequence.to_be_bytes());
    payload.extend_from_slice(&JournalCursor::from(heads.end).0);
    payload.extend_from_slice(&heads.facts.to_be_bytes());
    payload.push(u8::try_from(heads.heads.len()).expect("there are fewer than 256 logs"));
    for (log, head) in &heads.heads {
        payload.push(log.number());
        put_head(&mut payload, head);
    }
    // Long notes leave less room for the copy, or none. The slot is valid without it.
    let room = SLOT.saturating_sub(payload.len() + 12);
    let skip = heads.tail.len().saturating_sub(room.min(TAIL));
    put_counted(&mut payload, heads.tail.get(skip..).unwrap_or_default());
    let mut slot = vec![0; 4];
    put_counted(&mut slot, &payload);
    let sum = crc32c::crc32c(slot.get(4..).unwrap_or_default());
    if let Some(first) = slot.first_chunk_mut() {
        *first = sum.to_be_bytes();
    }
    slot
}

fn parse(slot: &[u8]) -> Option<Heads> {
    let mut fields = FieldReader(slot);
    let sum = fields.u32()?;
    let length = usize::try_from(FieldReader(fields.0).u32()?).ok()?;
    if crc32c::crc32c(fields.0.get(..length.checked_add(4)?)?) != sum {
        return None;
    }
    let mut fields = FieldReader(fields.counted()?);
    if fields.u32()? != FORMAT {
        return None;
    }
    let mut heads = Heads {
        instance: fields.array()?,
        sequence: fields.u64()?,
        end: fields.cursor()?.into(),
        facts: fields.u64()?,
        heads: Vec::new(),
        tail: Vec::new(),
    };
    for _ in 0..fields.u8()? {
        let log = LogId::from_number(fields.u8()?);
        heads.heads.push((log, fields.head()?));
    }
    heads.tail = fields.counted()?.to_vec();
    fields.is_done().then_some(heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(sequence: u64) -> Heads {
        Heads {
            instance: [7; 16],
            sequence,
            end: End {
                segment: 1,
                offset: 50_000,
            },
            facts: 3,
            heads: Vec::new(),
            tail: vec![1; TAIL],
        }
    }

    #[test]
    fn the_newer_slot_is_read_and_a_torn_one_leaves_the_previous_slot() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()).unwrap(), None);
        let file = HeadFile::open(dir.path()).unwrap();
        assert_eq!(load(dir.path()).unwrap(), None);

        file.write(&heads(1)).unwrap();
        file.write(&heads(2)).unwrap();
        assert_eq!(load(dir.path()).unwrap(), Some(heads(2)));

        file.file.write_all_at(&[0xff], 5_000).unwrap();
        assert_eq!(load(dir.path()).unwrap(), Some(heads(1)));
    }

    #[test]
    fn a_slot_has_room_for_a_note_of_any_permitted_size() {
        let mut heads = heads(2);
        let note = "x".repeat(60 << 10);
        heads.heads.push((
            LogId::CT,
            SignedHead {
                size: crate::protocol::merkle::TreeSize::new(1),
                root: crate::protocol::merkle::empty_root(),
                time: crate::protocol::time::UnixTime::from_millis(1),
                note,
            },
        ));

        let slot = encode(&heads);

        assert!(slot.len() <= SLOT);
        assert_eq!(parse(&slot).unwrap().heads, heads.heads);
    }
}
