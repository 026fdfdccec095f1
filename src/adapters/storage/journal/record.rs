//! The journal's records.
//!
//! ```text
//! u32 length of payload | u32 CRC-32C | u8 kind | payload
//! ```
//!
//! The checksum covers the record's segment and offset, its length, kind and payload, so that a
//! good record in a wrong place is a bad record.

use crate::adapters::storage::codec::{Fields, put_counted, put_end, put_head};
use crate::log::port::{JournalEnd, Place};
use crate::log::{Leaf, LogId, SignedHead};
use crate::protocol::bytes::Sha256;
use crate::services::ledger::Table;

/// The bytes before a record's payload.
pub(super) const FRAME: usize = 9;

/// No record has a longer payload; a length above it is damage, not a reason to allocate.
pub(super) const MAX_PAYLOAD: u32 = 1 << 20;

/// The version of the format that this release writes. Format 1 had no leaves with search keys.
pub(super) const FORMAT: u32 = 2;

/// A record's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The first record of a segment.
    Header(Header),
    /// A leaf; part of the log once a commit follows.
    Leaf { log: LogId, index: u64, leaf: Leaf },
    /// Ends the batch of the leaves before it.
    Commit { log: LogId, head: SignedHead },
    /// A fact, complete in itself.
    Fact(Fact),
}

/// What a segment says of itself, and what was true when it was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: u32,
    /// Drawn once for each journal.
    pub(super) instance: [u8; 16],
    pub(super) segment: u32,
    /// How many bytes the segment before was closed with.
    pub(super) previous_length: u32,
    pub(super) facts: u64,
    pub(super) heads: Vec<(LogId, SignedHead, JournalEnd)>,
}

/// A change of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Its number among all facts, from one.
    pub number: u64,
    /// The family it belongs to.
    pub table: Table,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value; none where the fact was removed.
    pub value: Option<Vec<u8>>,
}

/// The number of a table in stored records.
pub(in crate::adapters::storage) const fn table_number(table: Table) -> u8 {
    match table {
        Table::Account => 1,
        Table::TimestampFloor => 2,
        Table::TrustRepository => 3,
    }
}

fn table_from_number(number: u8) -> Option<Table> {
    [
        Table::Account,
        Table::TimestampFloor,
        Table::TrustRepository,
    ]
    .into_iter()
    .find(|table| table_number(*table) == number)
}

/// A batch's records on their way to the file, without their checksums.
#[derive(Default)]
pub(super) struct Draft {
    bytes: Vec<u8>,
    /// Where each record begins.
    starts: Vec<usize>,
}

/// A batch's records as they go into the file.
pub(super) struct Laid {
    pub(super) bytes: Vec<u8>,
    /// A place for each record.
    pub(super) places: Vec<Place>,
}

impl Draft {
    pub(super) fn header(&mut self, header: &Header) {
        self.record(1, |out| {
            out.extend_from_slice(&header.format.to_be_bytes());
            out.extend_from_slice(&header.instance);
            out.extend_from_slice(&header.segment.to_be_bytes());
            out.extend_from_slice(&header.previous_length.to_be_bytes());
            out.extend_from_slice(&header.facts.to_be_bytes());
            out.push(u8::try_from(header.heads.len()).expect("there are fewer than 256 logs"));
            for (log, head, end) in &header.heads {
                out.push(log.number());
                put_head(out, head);
                put_end(out, *end);
            }
        });
    }

    pub(super) fn leaf(&mut self, log: LogId, index: u64, leaf: &Leaf) {
        let kind = if leaf.keys.is_empty() { 2 } else { 5 };
        self.record(kind, |out| {
            out.push(log.number());
            out.extend_from_slice(&index.to_be_bytes());
            put_counted(out, &leaf.data);
            put_counted(out, &leaf.extra);
            for key in &leaf.keys {
                out.extend_from_slice(key.as_bytes());
            }
        });
    }

    pub(super) fn commit(&mut self, log: LogId, head: &SignedHead) {
        self.record(3, |out| {
            out.push(log.number());
            put_head(out, head);
        });
    }

    pub(super) fn fact(&mut self, fact: &Fact) {
        self.record(4, |out| {
            out.extend_from_slice(&fact.number.to_be_bytes());
            out.push(table_number(fact.table));
            put_counted(out, &fact.key);
            out.push(u8::from(fact.value.is_some()));
            if let Some(value) = &fact.value {
                put_counted(out, value);
            }
        });
    }

    fn record(&mut self, kind: u8, payload: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.starts.push(start);
        self.bytes.extend_from_slice(&[0; FRAME]);
        payload(&mut self.bytes);
        let length = self.bytes.len().saturating_sub(start.saturating_add(FRAME));
        let length = u32::try_from(length).expect("a record has less than 4 GiB");
        if let Some(frame) = self.bytes.get_mut(start..start.saturating_add(FRAME)) {
            let (size, rest) = frame.split_at_mut(4);
            size.copy_from_slice(&length.to_be_bytes());
            if let Some(last) = rest.last_mut() {
                *last = kind;
            }
        }
    }

    /// How many bytes the records have together.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Sets the checksums for a place in the journal. None where an offset does not fit 32 bits.
    pub(super) fn finish(mut self, segment: u32, offset: u32) -> Option<Laid> {
        let mut places = Vec::with_capacity(self.starts.len());
        let mut ends = self.starts.iter().skip(1).copied().collect::<Vec<_>>();
        ends.push(self.bytes.len());
        for (start, end) in self.starts.iter().zip(ends) {
            let at = offset.checked_add(u32::try_from(*start).ok()?)?;
            let record = self.bytes.get_mut(*start..end)?;
            let sum = checksum(segment, at, record)?;
            record.get_mut(4..8)?.copy_from_slice(&sum.to_be_bytes());
            places.push(Place {
                segment,
                offset: at,
                length: u32::try_from(record.len()).ok()?,
            });
        }
        offset.checked_add(u32::try_from(self.bytes.len()).ok()?)?;
        Some(Laid {
            bytes: self.bytes,
            places,
        })
    }
}

/// The checksum of a whole record, its own four bytes left out.
fn checksum(segment: u32, offset: u32, record: &[u8]) -> Option<u32> {
    let mut sum = crc32c::crc32c(&segment.to_be_bytes());
    sum = crc32c::crc32c_append(sum, &offset.to_be_bytes());
    sum = crc32c::crc32c_append(sum, record.get(..4)?);
    Some(crc32c::crc32c_append(sum, record.get(8..)?))
}

/// The length of the payload that a frame announces, if it can be true.
pub(super) fn payload_length(frame: &[u8]) -> Option<u32> {
    Fields(frame).u32().filter(|length| *length <= MAX_PAYLOAD)
}

/// Reads a whole record; none where checksum or content are not right for this place.
pub(super) fn parse(segment: u32, offset: u32, record: &[u8]) -> Option<Record> {
    let mut fields = Fields(record);
    let (length, sum, kind) = (fields.u32()?, fields.u32()?, fields.u8()?);
    if usize::try_from(length).ok()? != fields.0.len() || sum != checksum(segment, offset, record)?
    {
        return None;
    }
    let record = match kind {
        1 => Record::Header(parse_header(&mut fields)?),
        2 | 5 => Record::Leaf {
            log: LogId::from_number(fields.u8()?)?,
            index: fields.u64()?,
            leaf: Leaf {
                data: fields.counted()?.to_vec(),
                extra: fields.counted()?.to_vec(),
                keys: match kind {
                    5 => parse_keys(&mut fields)?,
                    _ => Vec::new(),
                },
            },
        },
        3 => Record::Commit {
            log: LogId::from_number(fields.u8()?)?,
            head: fields.head()?,
        },
        4 => Record::Fact(parse_fact(&mut fields)?),
        _ => return None,
    };
    fields.is_done().then_some(record)
}

/// Reads search keys up to the record's end.
fn parse_keys(fields: &mut Fields<'_>) -> Option<Vec<Sha256>> {
    let mut keys = Vec::with_capacity(fields.0.len() / 32);
    while !fields.is_done() {
        keys.push(Sha256::from_bytes(fields.array()?));
    }
    Some(keys)
}

fn parse_header(fields: &mut Fields<'_>) -> Option<Header> {
    let mut header = Header {
        format: fields.u32()?,
        instance: fields.array()?,
        segment: fields.u32()?,
        previous_length: fields.u32()?,
        facts: fields.u64()?,
        heads: Vec::new(),
    };
    if header.format > FORMAT {
        // What follows is another release's to read; the version alone is enough to refuse it.
        fields.0 = &[];
        return Some(header);
    }
    for _ in 0..fields.u8()? {
        let log = LogId::from_number(fields.u8()?)?;
        header.heads.push((log, fields.head()?, fields.end()?));
    }
    Some(header)
}

fn parse_fact(fields: &mut Fields<'_>) -> Option<Fact> {
    Some(Fact {
        number: fields.u64()?,
        table: table_from_number(fields.u8()?)?,
        key: fields.counted()?.to_vec(),
        value: match fields.u8()? {
            0 => None,
            1 => Some(fields.counted()?.to_vec()),
            _ => return None,
        },
    })
}

/// Which entry a damaged record claims to hold. The claim may be part of the damage.
pub(super) fn claimed_entry(record: &[u8]) -> Option<(LogId, u64)> {
    let mut fields = Fields(record);
    let _length_and_checksum = fields.u64()?;
    if !matches!(fields.u8()?, 2 | 5) {
        return None;
    }
    Some((LogId::from_number(fields.u8()?)?, fields.u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf_record() -> Vec<u8> {
        leaf_record_with(Vec::new())
    }

    fn leaf_record_with(keys: Vec<Sha256>) -> Vec<u8> {
        let mut draft = Draft::default();
        let leaf = Leaf {
            data: b"data".to_vec(),
            extra: b"extra".to_vec(),
            keys,
        };
        draft.leaf(LogId::RekorV2, 7, &leaf);
        draft.finish(1, 100).unwrap().bytes
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_only_in_its_place() {
        let bytes = leaf_record();

        let Some(Record::Leaf { log, index, leaf }) = parse(1, 100, &bytes) else {
            panic!("not a leaf");
        };
        assert_eq!((log, index), (LogId::RekorV2, 7));
        assert_eq!(
            (&leaf.data[..], &leaf.extra[..]),
            (&b"data"[..], &b"extra"[..])
        );
        assert_eq!(parse(2, 100, &bytes), None);
        assert_eq!(parse(1, 101, &bytes), None);
    }

    #[test]
    fn a_leaf_with_search_keys_has_a_record_of_another_kind() {
        let keys: Vec<_> = (0..8192_u16)
            .map(|i| Sha256::of(&i.to_be_bytes()))
            .collect();

        let bytes = leaf_record_with(keys.clone());

        assert_eq!((leaf_record()[8], bytes[8]), (2, 5));
        let Some(Record::Leaf { leaf, .. }) = parse(1, 100, &bytes) else {
            panic!("not a leaf");
        };
        assert_eq!(leaf.keys, keys);
        assert!(payload_length(&bytes).is_some());
        assert_eq!(claimed_entry(&bytes), Some((LogId::RekorV2, 7)));
    }

    #[test]
    fn every_flipped_bit_and_every_other_length_is_noticed() {
        for bytes in [leaf_record(), leaf_record_with(vec![Sha256::of(b"key")])] {
            notices_every_change(bytes);
        }
    }

    fn notices_every_change(bytes: Vec<u8>) {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(1, 100, &flipped), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(parse(1, 100, &bytes[..length]), None);
        }
        assert_eq!(parse(1, 100, &[&bytes[..], b"\0"].concat()), None);
        assert_eq!(claimed_entry(&bytes), Some((LogId::RekorV2, 7)));
    }

    proptest::proptest! {
        #[test]
        fn whatever_lies_in_a_segment_is_read_without_panic(
            kind in 0_u8..7, payload in proptest::collection::vec(0_u8.., 0..200),
        ) {
            // With a good checksum, so that the payload is really looked into.
            let mut draft = Draft::default();
            draft.record(kind, |out| out.extend_from_slice(&payload));
            let bytes = draft.finish(1, 8).unwrap().bytes;
            let _ = parse(1, 8, &bytes);
            let _ = claimed_entry(&bytes);
        }
    }

    #[test]
    fn facts_are_set_and_removed() {
        for value in [Some(b"value".to_vec()), Some(Vec::new()), None] {
            let fact = Fact {
                number: 3,
                table: Table::Account,
                key: b"key".to_vec(),
                value,
            };
            let mut draft = Draft::default();
            draft.fact(&fact);
            let Laid { bytes, places } = draft.finish(9, 8).unwrap();

            assert_eq!(parse(9, 8, &bytes), Some(Record::Fact(fact)));
            assert_eq!((places[0].segment, places[0].offset), (9, 8));
            assert_eq!(usize::try_from(places[0].length).unwrap(), bytes.len());
        }
    }
}
