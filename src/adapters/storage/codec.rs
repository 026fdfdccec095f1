//! Numbers and heads in stored records: integers are big-endian, a length precedes its bytes.

use crate::log::SignedHead;
use crate::log::port::JournalCursor;
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::TreeSize;
use crate::protocol::time::UnixTime;

/// Reads fields from the front of a record. Every method returns none if the record is too short.
pub(super) struct FieldReader<'a>(pub(super) &'a [u8]);

impl<'a> FieldReader<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Bytes after their length in 32 bits.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.u32()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn cursor(&mut self) -> Option<JournalCursor> {
        self.array().map(JournalCursor)
    }

    pub(super) fn head(&mut self) -> Option<SignedHead> {
        Some(SignedHead {
            size: TreeSize::new(self.u64()?),
            root: Sha256::from_bytes(self.array()?),
            time: UnixTime::from_millis(self.u64()?),
            note: std::str::from_utf8(self.counted()?).ok()?.to_owned(),
        })
    }

    /// Whether everything was read.
    pub(super) const fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes bytes after their length in 32 bits. No stored field is longer.
pub(super) fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    let count = u32::try_from(bytes.len()).expect("stored fields have less than 4 GiB");
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(bytes);
}

pub(super) fn put_head(out: &mut Vec<u8>, head: &SignedHead) {
    out.extend_from_slice(&head.size.get().to_be_bytes());
    out.extend_from_slice(head.root.as_bytes());
    out.extend_from_slice(&head.time.millis().to_be_bytes());
    put_counted(out, head.note.as_bytes());
}
