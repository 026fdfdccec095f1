//! Checks that a whole message is DER, including the parts that are otherwise ignored (X.690 §8, §10 and
//! §11). This rejects messages that a lenient parser would read differently.

use crate::protocol::der::{self, DerReader, MalformedDer};

/// Maximum depth of nesting. A token has about a dozen levels.
const MAX_DEPTH: usize = 32;

/// Checks that the message is one DER element, and everything inside it too.
pub(super) fn check(message: &[u8]) -> Result<(), MalformedDer> {
    let mut outermost = DerReader::of(message);
    let element = outermost.next()?;
    outermost.finish()?;
    check_content(element.tag, element.content, MAX_DEPTH)
}

fn check_content(tag: u8, content: &[u8], depth: usize) -> Result<(), MalformedDer> {
    const CONSTRUCTED: u8 = 0x20;
    if tag & CONSTRUCTED == 0 {
        return check_primitive(tag, content);
    }
    // A constructed string is BER (X.690 §10.2); SEQUENCE and SET are the only constructed universal types
    // that messages use.
    let is_universal = tag & 0xc0 == 0;
    if is_universal && tag != der::SEQUENCE && tag != der::SET {
        return Err(MalformedDer);
    }
    let depth = depth.checked_sub(1).ok_or(MalformedDer)?;
    let mut fields = DerReader::of(content);
    while !fields.is_finished() {
        let element = fields.next()?;
        check_content(element.tag, element.content, depth)?;
    }
    Ok(())
}

fn check_primitive(tag: u8, content: &[u8]) -> Result<(), MalformedDer> {
    let is_valid = match tag {
        der::BOOLEAN => matches!(content, [0x00 | 0xff]),
        der::INTEGER => return der::shortest_integer(content).map(drop),
        der::NULL => content.is_empty(),
        der::OBJECT_IDENTIFIER => is_object_identifier(content),
        der::BIT_STRING => is_bit_string(content),
        // SEQUENCE and SET are always constructed (X.690 §8.9.1, §8.11.1).
        0x10 | 0x11 => false,
        _ => true,
    };
    if is_valid { Ok(()) } else { Err(MalformedDer) }
}

/// Whether each arc is in its shortest form and the last one is complete (X.690 §8.19.2).
fn is_object_identifier(content: &[u8]) -> bool {
    const MORE: u8 = 0x80;
    let mut starts = true;
    for byte in content {
        if starts && *byte == MORE {
            return false;
        }
        starts = byte & MORE == 0;
    }
    !content.is_empty() && starts
}

/// Whether there are at most seven unused bits, all zero (X.690 §8.6.2, §11.2).
fn is_bit_string(content: &[u8]) -> bool {
    match content {
        [0] => true,
        [unused @ 0..=7, .., last] => last.trailing_zeros() >= u32::from(*unused),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_is_accepted() {
        for message in [
            &[0x30, 0x00][..],
            &[0x30, 0x03, 0x01, 0x01, 0xff],
            &[0x30, 0x04, 0x03, 0x02, 0x07, 0x80],
            &[0x31, 0x05, 0x06, 0x03, 0x55, 0x1d, 0x11],
            &[0xa0, 0x03, 0x02, 0x01, 0x80],
        ] {
            assert_eq!(check(message), Ok(()), "{message:02x?}");
        }
    }

    #[test]
    fn non_canonical_encodings_are_rejected_at_any_depth() {
        let deep = (0..200).fold(vec![0x05, 0x00], |inner, _| {
            der::element(der::SEQUENCE, &[&inner])
        });
        for message in [
            &deep[..],
            &[0x30, 0x00, 0x00],                         // trailing byte
            &[0x30, 0x03, 0x01, 0x01, 0x01],             // TRUE as 0x01
            &[0x30, 0x04, 0x01, 0x02, 0xff, 0xff],       // BOOLEAN of two bytes
            &[0x30, 0x04, 0x30, 0x81, 0x01, 0x00],       // length not minimal
            &[0x30, 0x80, 0x00, 0x00],                   // indefinite length
            &[0x30, 0x04, 0x02, 0x02, 0x00, 0x01],       // leading zero
            &[0x30, 0x04, 0x03, 0x02, 0x08, 0x57],       // eight unused bits
            &[0x30, 0x04, 0x03, 0x02, 0x01, 0x01],       // unused bit set
            &[0x30, 0x02, 0x03, 0x00],                   // BIT STRING without unused bits
            &[0x30, 0x03, 0x05, 0x01, 0x00],             // NULL with content
            &[0x30, 0x04, 0x06, 0x02, 0x80, 0x01],       // arc with a leading zero
            &[0x30, 0x03, 0x06, 0x01, 0x80],             // arc not terminated
            &[0x30, 0x02, 0x10, 0x00],                   // primitive SEQUENCE
            &[0x30, 0x05, 0x24, 0x03, 0x04, 0x01, 0x07], // constructed OCTET STRING
        ] {
            assert_eq!(check(message), Err(MalformedDer), "{message:02x?}");
        }
    }
}
