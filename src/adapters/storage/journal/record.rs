//! The journal's records.
//!
//! ```text
//! u32 length of payload | u32 CRC-32C | u8 kind | payload
//! ```
//!
//! The checksum covers the record's segment and offset, its length, kind and payload, so that a valid
//! record at a wrong place is an invalid record.

use std::fmt;

use crate::adapters::storage::codec::{FieldReader, put_counted, put_head};
use crate::log::port::{JournalCursor, Position};
use crate::log::{Leaf, LogId, SignedHead};
use crate::protocol::hash::Sha256;
use crate::services::ledger::Table;

/// Length of what precedes a record's payload.
pub(super) const FRAME: usize = 9;

/// Maximum length of a payload. A frame with a greater length is damaged, and nothing is allocated.
pub(super) const MAX_PAYLOAD: u32 = 1 << 20;

/// The version of the format that this release writes. Format 1 has no leaves with search keys.
pub(super) const FORMAT: u32 = 2;

/// What a record contains, as `migrations/SCHEMA.md` numbers it.
mod kind {
    pub(super) const HEADER: u8 = 1;
    pub(super) const LEAF: u8 = 2;
    pub(super) const COMMIT: u8 = 3;
    pub(super) const FACT: u8 = 4;
    pub(super) const LEAF_WITH_KEYS: u8 = 5;
}

/// Where a record is: a [`Position`], in this journal's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// From one.
    pub(super) segment: u32,
    pub(super) offset: u32,
    /// Length of the whole record.
    pub(super) length: u32,
}

impl From<Place> for Position {
    fn from(place: Place) -> Self {
        let [a, b, c, d] = place.segment.to_be_bytes();
        let [e, f, g, h] = place.offset.to_be_bytes();
        let [i, j, k, l] = place.length.to_be_bytes();
        Self([a, b, c, d, e, f, g, h, i, j, k, l])
    }
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = position.0;
        Self {
            segment: u32::from_be_bytes([a, b, c, d]),
            offset: u32::from_be_bytes([e, f, g, h]),
            length: u32::from_be_bytes([i, j, k, l]),
        }
    }
}

/// Where a batch ends: a [`JournalCursor`], in this journal's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::adapters::storage) struct End {
    /// From one; zero is before every batch.
    pub(in crate::adapters::storage) segment: u32,
    /// The first byte after the batch.
    pub(in crate::adapters::storage) offset: u32,
}

impl From<End> for JournalCursor {
    fn from(end: End) -> Self {
        let [a, b, c, d] = end.segment.to_be_bytes();
        let [e, f, g, h] = end.offset.to_be_bytes();
        Self([a, b, c, d, e, f, g, h])
    }
}

impl From<JournalCursor> for End {
    fn from(cursor: JournalCursor) -> Self {
        let [a, b, c, d, e, f, g, h] = cursor.0;
        Self {
            segment: u32::from_be_bytes([a, b, c, d]),
            offset: u32::from_be_bytes([e, f, g, h]),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {}, byte {}", self.segment, self.offset)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The first record of a segment.
    Header(Header),
    /// A leaf, which becomes part of the log with the commit that follows.
    Leaf { log: LogId, index: u64, leaf: Leaf },
    /// Ends the batch of the leaves before it.
    Commit { log: LogId, head: SignedHead },
    /// A change of the ledger, a batch by itself.
    Fact(Fact),
}

/// What a segment begins with: its place in the journal, and the state of the journal at that place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: u32,
    /// Random number of the journal.
    pub(super) instance: [u8; 16],
    pub(super) segment: u32,
    /// Length with which the previous segment was closed.
    pub(super) previous_length: u32,
    /// Number of facts before this segment.
    pub(super) facts: u64,
    /// The last head of each log before this segment, and where its batch ends.
    pub(super) heads: Vec<(LogId, SignedHead, JournalCursor)>,
}

/// A change of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    /// Its number among all facts, from one.
    pub number: u64,
    pub table: Table,
    pub key: Vec<u8>,
    /// None if the fact was removed.
    pub value: Option<Vec<u8>>,
}

/// Records of one write, before their place in the journal is known.
#[derive(Default)]
pub(super) struct RecordBatch {
    /// The records, without checksums.
    bytes: Vec<u8>,
    /// Where each record begins.
    starts: Vec<usize>,
}

/// Records of one write, as they go into the file.
pub(super) struct PlacedRecords {
    pub(super) bytes: Vec<u8>,
    /// One for each record.
    pub(super) places: Vec<Place>,
}

impl RecordBatch {
    pub(super) fn header(&mut self, header: &Header) {
        self.record(kind::HEADER, |out| {
            out.extend_from_slice(&header.format.to_be_bytes());
            out.extend_from_slice(&header.instance);
            out.extend_from_slice(&header.segment.to_be_bytes());
            out.extend_from_slice(&header.previous_length.to_be_bytes());
            out.extend_from_slice(&header.facts.to_be_bytes());
            out.push(u8::try_from(header.heads.len()).expect("there are fewer than 256 logs"));
            for (log, head, end) in &header.heads {
                out.push(log.number());
                put_head(out, head);
                out.extend_from_slice(&end.0);
            }
        });
    }

    pub(super) fn leaf(&mut self, log: LogId, index: u64, leaf: &Leaf) {
        let kind = match leaf.keys.is_empty() {
            true => kind::LEAF,
            false => kind::LEAF_WITH_KEYS,
        };
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
        self.record(kind::COMMIT, |out| {
            out.push(log.number());
            put_head(out, head);
        });
    }

    pub(super) fn fact(&mut self, fact: &Fact) {
        self.record(kind::FACT, |out| {
            out.extend_from_slice(&fact.number.to_be_bytes());
            out.push(fact.table.number());
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
        let length = self.bytes.len() - start - FRAME;
        let length = u32::try_from(length).expect("a record has less than 4 GiB");
        if let Some(frame) = self.bytes.get_mut(start..start + FRAME) {
            let (size, rest) = frame.split_at_mut(4);
            size.copy_from_slice(&length.to_be_bytes());
            if let Some(last) = rest.last_mut() {
                *last = kind;
            }
        }
    }

    /// Length of all records together.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds the checksums for a place in the journal. None if an offset does not fit 32 bits.
    pub(super) fn place_at(mut self, segment: u32, offset: u32) -> Option<PlacedRecords> {
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
        Some(PlacedRecords {
            bytes: self.bytes,
            places,
        })
    }
}

/// The checksum of a whole record, except for its own four bytes.
fn checksum(segment: u32, offset: u32, record: &[u8]) -> Option<u32> {
    let mut sum = crc32c::crc32c(&segment.to_be_bytes());
    sum = crc32c::crc32c_append(sum, &offset.to_be_bytes());
    sum = crc32c::crc32c_append(sum, record.get(..4)?);
    Some(crc32c::crc32c_append(sum, record.get(8..)?))
}

/// The length of the payload that a frame announces, unless it exceeds the limit.
pub(super) fn payload_length(frame: &[u8]) -> Option<u32> {
    let length = FieldReader(frame).u32();
    length.filter(|length| *length <= MAX_PAYLOAD)
}

/// Reads a whole record. None if checksum or content are not valid for this place.
pub(super) fn parse(segment: u32, offset: u32, record: &[u8]) -> Option<Record> {
    let mut fields = FieldReader(record);
    let (length, sum, kind) = (fields.u32()?, fields.u32()?, fields.u8()?);
    if usize::try_from(length).ok()? != fields.0.len() || sum != checksum(segment, offset, record)?
    {
        return None;
    }
    let record = match kind {
        kind::HEADER => Record::Header(parse_header(&mut fields)?),
        kind::LEAF | kind::LEAF_WITH_KEYS => Record::Leaf {
            log: LogId::from_number(fields.u8()?),
            index: fields.u64()?,
            leaf: Leaf {
                data: fields.counted()?.to_vec(),
                extra: fields.counted()?.to_vec(),
                keys: match kind {
                    kind::LEAF_WITH_KEYS => parse_keys(&mut fields)?,
                    _ => Vec::new(),
                },
            },
        },
        kind::COMMIT => Record::Commit {
            log: LogId::from_number(fields.u8()?),
            head: fields.head()?,
        },
        kind::FACT => Record::Fact(parse_fact(&mut fields)?),
        _ => return None,
    };
    fields.is_done().then_some(record)
}

/// Reads search keys up to the record's end.
fn parse_keys(fields: &mut FieldReader<'_>) -> Option<Vec<Sha256>> {
    let mut keys = Vec::with_capacity(fields.0.len() / 32);
    while !fields.is_done() {
        keys.push(Sha256::from_bytes(fields.array()?));
    }
    Some(keys)
}

fn parse_header(fields: &mut FieldReader<'_>) -> Option<Header> {
    let mut header = Header {
        format: fields.u32()?,
        instance: fields.array()?,
        segment: fields.u32()?,
        previous_length: fields.u32()?,
        facts: fields.u64()?,
        heads: Vec::new(),
    };
    if header.format > FORMAT {
        // Only the release that defines the format can read the rest; its number suffices to refuse.
        fields.0 = &[];
        return Some(header);
    }
    for _ in 0..fields.u8()? {
        let log = LogId::from_number(fields.u8()?);
        header.heads.push((log, fields.head()?, fields.cursor()?));
    }
    Some(header)
}

fn parse_fact(fields: &mut FieldReader<'_>) -> Option<Fact> {
    Some(Fact {
        number: fields.u64()?,
        table: Table::from_number(fields.u8()?)?,
        key: fields.counted()?.to_vec(),
        value: match fields.u8()? {
            0 => None,
            1 => Some(fields.counted()?.to_vec()),
            _ => return None,
        },
    })
}

/// The entry that a damaged record claims to contain. The claim may itself be damaged.
pub(super) fn claimed_entry(record: &[u8]) -> Option<(LogId, u64)> {
    let mut fields = FieldReader(record);
    let _length_and_checksum = fields.u64()?;
    if !matches!(fields.u8()?, kind::LEAF | kind::LEAF_WITH_KEYS) {
        return None;
    }
    Some((LogId::from_number(fields.u8()?), fields.u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf_record() -> Vec<u8> {
        leaf_record_with(Vec::new())
    }

    fn leaf_record_with(keys: Vec<Sha256>) -> Vec<u8> {
        let mut records = RecordBatch::default();
        let leaf = Leaf {
            data: b"data".to_vec(),
            extra: b"extra".to_vec(),
            keys,
        };
        records.leaf(LogId::REKOR_V2, 7, &leaf);
        records.place_at(1, 100).unwrap().bytes
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_only_at_its_place() {
        let bytes = leaf_record();

        let Some(Record::Leaf { log, index, leaf }) = parse(1, 100, &bytes) else {
            panic!("not a leaf");
        };
        assert_eq!((log, index), (LogId::REKOR_V2, 7));
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
        assert_eq!(claimed_entry(&bytes), Some((LogId::REKOR_V2, 7)));
    }

    #[test]
    fn every_flipped_bit_and_every_wrong_length_is_detected() {
        for bytes in [leaf_record(), leaf_record_with(vec![Sha256::of(b"key")])] {
            detects_every_change(bytes);
        }
    }

    fn detects_every_change(bytes: Vec<u8>) {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(1, 100, &flipped), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(parse(1, 100, &bytes[..length]), None);
        }
        assert_eq!(parse(1, 100, &[&bytes[..], b"\0"].concat()), None);
        assert_eq!(claimed_entry(&bytes), Some((LogId::REKOR_V2, 7)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_in_a_segment_are_read_without_panic(
            kind in 0_u8..7, payload in proptest::collection::vec(0_u8.., 0..200),
        ) {
            // With a valid checksum, so that the payload is read.
            let mut records = RecordBatch::default();
            records.record(kind, |out| out.extend_from_slice(&payload));
            let bytes = records.place_at(1, 8).unwrap().bytes;
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
            let mut records = RecordBatch::default();
            records.fact(&fact);
            let PlacedRecords { bytes, places } = records.place_at(9, 8).unwrap();

            assert_eq!(parse(9, 8, &bytes), Some(Record::Fact(fact)));
            assert_eq!((places[0].segment, places[0].offset), (9, 8));
            assert_eq!(usize::try_from(places[0].length).unwrap(), bytes.len());
        }
    }

    #[test]
    fn places_and_ends_have_the_order_and_the_bytes_of_segment_offset_and_length() {
        let place = Place {
            segment: 1,
            offset: 2,
            length: 0x0304,
        };
        assert_eq!(
            Position::from(place).0,
            [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 3, 4]
        );
        assert_eq!(Place::from(Position::from(place)), place);

        let end = |segment, offset| End { segment, offset };
        let ends = [
            end(0, 0),
            end(1, 0x1ff),
            end(1, 0x200),
            end(2, 0),
            end(256, 0),
        ];
        let cursors = ends.map(JournalCursor::from);
        assert!(cursors.is_sorted() && cursors.map(|cursor| cursor.0).is_sorted());
        assert_eq!(cursors[1].0, [0, 0, 0, 1, 0, 0, 1, 0xff]);
        assert_eq!(cursors.map(End::from), ends);
        assert_eq!(cursors[0], JournalCursor::default());
    }
}
