//! ASCII armor (RFC 9580 §6).

use crate::protocol::bytes::{from_base64, to_base64};

/// The label of keys.
pub(super) const PUBLIC_KEY: &str = "PGP PUBLIC KEY BLOCK";
/// The label of detached signatures.
pub(super) const SIGNATURE: &str = "PGP SIGNATURE";

/// Whether the bytes claim to be armored.
pub(super) fn is_armored(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP")
}

/// What the one armored block with this label holds; nothing but white space may be around it. A
/// checksum that is there must be right.
pub(super) fn decode(bytes: &[u8], label: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let rest = text.strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let content = rest.strip_suffix(&format!("-----END {label}-----"))?;
    let mut lines = content.lines().map(str::trim_end);
    // The rest of the first line, then headers up to an empty line.
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
    let fits = checksum.is_none_or(|sum| sum == crc24(&content));
    fits.then_some(content)
}

/// Armor without headers: 64 columns, a checksum, and no newline behind it.
pub(super) fn encode(content: &[u8], label: &str) -> Vec<u8> {
    let mut text = format!("-----BEGIN {label}-----\n\n");
    for (place, character) in to_base64(content).chars().enumerate() {
        if place > 0 && place.is_multiple_of(64) {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n=");
    text.push_str(&to_base64(&crc24(content)));
    text.push_str(&format!("\n-----END {label}-----"));
    text.into_bytes()
}

/// The checksum (RFC 9580 §6.1.1).
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
    fn what_was_armored_comes_back() {
        for length in [1, 47, 48, 49, 96, 1000] {
            let content = vec![0xa5; length];
            let armored = encode(&content, SIGNATURE);
            assert_eq!(decode(&armored, SIGNATURE), Some(content));
            assert_eq!(decode(&armored, PUBLIC_KEY), None);
        }
    }

    #[test]
    fn a_wrong_checksum_is_noticed_and_none_is_needed() {
        let armor = |sum: &str| {
            format!(
                "-----BEGIN {SIGNATURE}-----\nComment: x\n\nYQ==\n{sum}-----END {SIGNATURE}-----\n"
            )
        };
        let sum = to_base64(&crc24(b"a"));

        assert_eq!(decode(armor("").as_bytes(), SIGNATURE).unwrap(), b"a");
        let right = armor(&format!("={sum}\n"));
        assert_eq!(decode(right.as_bytes(), SIGNATURE).unwrap(), b"a");
        assert_eq!(decode(armor("=AAAA\n").as_bytes(), SIGNATURE), None);
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        // CRC-24/OPENPGP over the usual check string.
        assert_eq!(crc24(b"123456789"), [0x21, 0xcf, 0x02]);
    }
}
