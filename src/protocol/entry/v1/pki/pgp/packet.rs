//! Packets, multiprecision integers and armor (RFC 9580 §4.2, §3.2, §6).

use crate::protocol::bytes::{from_base64, to_base64};
use crate::protocol::cursor::Cursor;

/// Maximum number of packets in a key or signature.
const MAX_PACKETS: usize = 256;

// Packet types (RFC 9580 §5).
pub(super) const SIGNATURE: u8 = 2;
pub(super) const SECRET_KEY: u8 = 5;
pub(super) const PUBLIC_KEY: u8 = 6;
pub(super) const SECRET_SUBKEY: u8 = 7;
pub(super) const MARKER: u8 = 10;
pub(super) const USER_ID: u8 = 13;
pub(super) const PUBLIC_SUBKEY: u8 = 14;

#[derive(Clone, Debug)]
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

impl Packet<'_> {
    /// Writes the packet in the current format, with the shortest encoding of its length.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(0xc0 | self.tag);
        let length = u32::try_from(self.body.len()).expect("a key has at most 64 KiB");
        let octets = length.to_be_bytes();
        match length {
            0..192 => out.extend(octets.last()),
            192..8384 => {
                let [.., high, low] = (length - 192).to_be_bytes();
                out.extend([high + 192, low]);
            }
            _ => {
                out.push(255);
                out.extend(octets);
            }
        }
        out.extend(self.body);
    }
}

/// Splits bytes into packets. Rejects partial and indeterminate lengths, which keys and signatures do not
/// use.
pub(super) fn split(bytes: &[u8]) -> Option<Vec<Packet<'_>>> {
    let mut cursor = Cursor::new(bytes);
    let mut packets = Vec::new();
    while !cursor.is_empty() {
        if packets.len() == MAX_PACKETS {
            return None;
        }
        let (tag, body) = match cursor.u8()? {
            0..0x80 => return None,
            legacy @ 0x80..0xc0 => {
                let body = match legacy & 3 {
                    0 => cursor.field::<1>()?,
                    1 => cursor.field::<2>()?,
                    2 => cursor.field::<4>()?,
                    _ => return None,
                };
                ((legacy >> 2) & 0x0f, body)
            }
            current => {
                let length = length(&mut cursor, 224)?;
                (current & 0x3f, cursor.take(length)?)
            }
        };
        packets.push(Packet { tag, body });
    }
    Some(packets)
}

/// Parses the length of a packet in the current format or of a subpacket (RFC 9580 §4.2.1, §5.2.3.7). A
/// first octet from 192 up to, but excluding, `limit` starts a length of two octets. In packets, higher
/// octets are partial lengths.
fn length(cursor: &mut Cursor<'_>, limit: u8) -> Option<usize> {
    match cursor.u8()? {
        short @ 0..192 => Some(usize::from(short)),
        255 => usize::try_from(cursor.u32()?).ok(),
        high if high < limit => {
            Some((usize::from(high) - 192) * 256 + usize::from(cursor.u8()?) + 192)
        }
        _ => None,
    }
}

pub(super) fn subpacket<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = length(cursor, 255)?;
    cursor.take(length)
}

/// Parses a multiprecision integer (RFC 9580 §3.2). Rejects leading zeros.
pub(super) fn number<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let bits = usize::from(cursor.u16()?);
    let number = cursor.take(bits.div_ceil(8))?;
    number.first().filter(|byte| **byte != 0)?;
    Some(number)
}

pub(super) const PUBLIC_KEY_LABEL: &str = "PGP PUBLIC KEY BLOCK";
pub(super) const SIGNATURE_LABEL: &str = "PGP SIGNATURE";

pub(super) fn is_armored(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP")
}

/// Decodes a single armored block with this label. Only white space may surround it. The checksum is
/// optional but must be correct.
pub(super) fn dearmor(bytes: &[u8], label: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let rest = text.strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let content = rest.strip_suffix(&format!("-----END {label}-----"))?;
    let mut lines = content.lines().map(str::trim_end);
    // The rest of the first line must be empty. Armor headers follow, up to an empty line.
    if !lines.next()?.is_empty() || !lines.by_ref().any(str::is_empty) {
        return None;
    }
    let mut body = String::with_capacity(content.len());
    let mut checksum = None;
    for line in lines {
        if line.contains('-') || checksum.is_some() && !line.is_empty() {
            return None;
        }
        match line.strip_prefix('=') {
            Some(sum) => checksum = Some(from_base64(sum).ok()?),
            None => body.push_str(line),
        }
    }
    let content = from_base64(&body).ok()?;
    let is_correct = checksum.is_none_or(|sum| sum == crc24(&content));
    is_correct.then_some(content)
}

/// Encodes armor without headers: 64 columns, a checksum, and no trailing newline.
pub(super) fn armor(content: &[u8], label: &str) -> Vec<u8> {
    let mut text = format!("-----BEGIN {label}-----\n\n");
    for (position, character) in to_base64(content).chars().enumerate() {
        if position > 0 && position.is_multiple_of(64) {
            text.push('\n');
        }
        text.push(character);
    }
    let sum = to_base64(&crc24(content));
    text.push_str(&format!("\n={sum}\n-----END {label}-----"));
    text.into_bytes()
}

/// CRC-24 (RFC 9580 §6.1.1).
fn crc24(content: &[u8]) -> [u8; 3] {
    let mut crc: u32 = 0x00b7_04ce;
    for byte in content {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    let [_, sum @ ..] = crc.to_be_bytes();
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_round_trip() {
        for length in [0, 191, 192, 8383, 8384, 40_000] {
            let packet = Packet {
                tag: USER_ID,
                body: &vec![7; length],
            };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);

            let read = split(&bytes).unwrap();
            assert_eq!((read[0].tag, read[0].body), (packet.tag, packet.body));
            assert_eq!(read.len(), 1);
        }
    }

    #[test]
    fn legacy_and_current_packet_headers_are_accepted_and_no_others() {
        for bytes in [
            &[0xb4, 1, b'a'][..],
            &[0xb5, 0, 1, b'a'],
            &[0xb6, 0, 0, 0, 1, b'a'],
            &[0xcd, 1, b'a'],
            &[0xcd, 255, 0, 0, 0, 1, b'a'],
        ] {
            let packets = split(bytes).unwrap();
            assert_eq!((packets[0].tag, packets[0].body), (USER_ID, &b"a"[..]));
        }
        for bytes in [
            &[0xb7, b'a'][..],
            &[0xcd, 224, b'a'],
            &[0x0d, 1, b'a'],
            &[0xcd, 2, b'a'],
        ] {
            assert!(split(bytes).is_none());
        }
        assert!(split(&[0xcd, 0].repeat(MAX_PACKETS + 1)).is_none());
    }

    #[test]
    fn armor_round_trips() {
        for length in [1, 47, 48, 49, 96, 1000] {
            let content = vec![0xa5; length];
            let armored = armor(&content, SIGNATURE_LABEL);
            assert_eq!(dearmor(&armored, SIGNATURE_LABEL), Some(content));
            assert_eq!(dearmor(&armored, PUBLIC_KEY_LABEL), None);
        }
    }

    #[test]
    fn the_checksum_is_optional_but_must_be_correct() {
        let with_sum = |sum: &str| {
            format!(
                "-----BEGIN {SIGNATURE_LABEL}-----\nComment: x\n\nYQ==\n{sum}-----END {SIGNATURE_LABEL}-----\n"
            )
        };
        let sum = to_base64(&crc24(b"a"));

        assert_eq!(
            dearmor(with_sum("").as_bytes(), SIGNATURE_LABEL).unwrap(),
            b"a"
        );
        let right = with_sum(&format!("={sum}\n"));
        assert_eq!(dearmor(right.as_bytes(), SIGNATURE_LABEL).unwrap(), b"a");
        assert_eq!(
            dearmor(with_sum("=AAAA\n").as_bytes(), SIGNATURE_LABEL),
            None
        );
    }

    #[test]
    fn the_checksum_matches_the_published_check_value() {
        // CRC-24/OPENPGP of the standard check input.
        assert_eq!(crc24(b"123456789"), [0x21, 0xcf, 0x02]);
    }
}
