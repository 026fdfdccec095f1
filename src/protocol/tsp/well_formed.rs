//! Is all of a message DER, also the parts of it that nobody reads (X.690 §8, §10 and §11)? What a
//! lenient reader sees otherwise than a strict one is refused before it is looked into.

use crate::protocol::der::{self as der_form, DerReader as Fields, MalformedDer as Malformed};

/// Deeper nesting than any token has.
const MAX_DEPTH: usize = 32;

/// Insists that the message is one DER element and that so is everything inside it.
pub(super) fn check(message: &[u8]) -> Result<(), Malformed> {
    let mut outermost = Fields::of(message);
    let element = outermost.next()?;
    outermost.finish()?;
    check_content(element.tag, element.content, MAX_DEPTH)
}

fn check_content(tag: u8, content: &[u8], depth: usize) -> Result<(), Malformed> {
    const CONSTRUCTED: u8 = 0x20;
    if tag & CONSTRUCTED == 0 {
        return check_primitive(tag, content);
    }
    // A string in pieces is BER (X.690 §10.2); of the universal types only these two have parts.
    let is_universal = tag & 0xc0 == 0;
    if is_universal && tag != der_form::SEQUENCE && tag != der_form::SET {
        return Err(Malformed);
    }
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    let mut fields = Fields::of(content);
    while !fields.is_finished() {
        let element = fields.next()?;
        check_content(element.tag, element.content, depth)?;
    }
    Ok(())
}

fn check_primitive(tag: u8, content: &[u8]) -> Result<(), Malformed> {
    let good = match tag {
        der_form::BOOLEAN => matches!(content, [0x00 | 0xff]),
        der_form::INTEGER => return der_form::shortest_integer(content).map(drop),
        der_form::NULL => content.is_empty(),
        der_form::OBJECT_IDENTIFIER => is_object_identifier(content),
        der_form::BIT_STRING => is_bit_string(content),
        // SEQUENCE and SET are always constructed (X.690 §8.9.1, §8.11.1).
        0x10 | 0x11 => false,
        _ => true,
    };
    if good { Ok(()) } else { Err(Malformed) }
}

/// Each arc in its shortest form, the last one complete (X.690 §8.19.2).
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

/// At most seven unused bits, all zero (X.690 §11.2).
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
    fn der_is_well_formed_to_its_depths() {
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
    fn what_only_a_lenient_reader_takes_is_refused_at_any_depth() {
        // M48, and its like.
        let deep = (0..200).fold(vec![0x05, 0x00], |inner, _| {
            der_form::element(der_form::SEQUENCE, &[&inner])
        });
        for message in [
            &deep[..],
            &[0x30, 0x00, 0x00],                         // a byte behind
            &[0x30, 0x03, 0x01, 0x01, 0x01],             // TRUE as one
            &[0x30, 0x04, 0x01, 0x02, 0xff, 0xff],       // two bytes of truth
            &[0x30, 0x04, 0x30, 0x81, 0x01, 0x00],       // a length that is not minimal
            &[0x30, 0x80, 0x00, 0x00],                   // indefinite
            &[0x30, 0x04, 0x02, 0x02, 0x00, 0x01],       // a leading zero
            &[0x30, 0x04, 0x03, 0x02, 0x08, 0x57],       // eight unused bits
            &[0x30, 0x04, 0x03, 0x02, 0x01, 0x01],       // an unused bit that is set
            &[0x30, 0x02, 0x03, 0x00],                   // a bit string without its count
            &[0x30, 0x03, 0x05, 0x01, 0x00],             // a NULL with content
            &[0x30, 0x04, 0x06, 0x02, 0x80, 0x01],       // an arc with a leading zero
            &[0x30, 0x03, 0x06, 0x01, 0x80],             // an arc without end
            &[0x30, 0x02, 0x10, 0x00],                   // a primitive SEQUENCE
            &[0x30, 0x05, 0x24, 0x03, 0x04, 0x01, 0x07], // an OCTET STRING in pieces
        ] {
            assert_eq!(check(message), Err(Malformed), "{message:02x?}");
        }
    }
}
