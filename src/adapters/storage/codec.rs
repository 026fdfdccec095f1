//! How numbers and heads are written in stored records: big-endian, lengths before bytes.

use crate::log::SignedHead;
use crate::log::port::JournalEnd;
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::TreeSize;
use crate::protocol::time::UnixTime;

/// Reads fields off the front of a record. Every method answers none where the record is too short.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

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

    /// Bytes behind their length in 32 bits.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.u32()?).ok()?;
        self.bytes(count)
    }

    pub(super) fn end(&mut self) -> Option<JournalEnd> {
        Some(JournalEnd {
            segment: self.u32()?,
            offset: self.u32()?,
        })
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

/// Writes bytes behind their length in 32 bits. Nothing that is stored is longer.
pub(super) fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    let count = u32::try_from(bytes.len()).expect("stored fields have less than 4 GiB");
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(bytes);
}

pub(super) fn put_end(out: &mut Vec<u8>, end: JournalEnd) {
    out.extend_from_slice(&end.segment.to_be_bytes());
    out.extend_from_slice(&end.offset.to_be_bytes());
}

pub(super) fn put_head(out: &mut Vec<u8>, head: &SignedHead) {
    out.extend_from_slice(&head.size.get().to_be_bytes());
    out.extend_from_slice(head.root.as_bytes());
    out.extend_from_slice(&head.time.millis().to_be_bytes());
    put_counted(out, head.note.as_bytes());
}
