//! Object identifiers in untrusted input, in DER and as text (X.690 §8.19).
//!
//! const-oid's own readers are for identifiers in a program's source: they accept a number in more than
//! one form, drop the high bits of a number that is too large, and panic on some texts.

use const_oid::ObjectIdentifier;

/// Maximum length of a number, in bytes of seven bits. const-oid has 32 bits for a number, but accepts only
/// some numbers of more than 28.
const MAX_NUMBER_LENGTH: usize = 4;

/// Reads the content of a DER OBJECT IDENTIFIER. Each number must be in its shortest form and have at most
/// 28 bits.
pub(super) fn parse_content(content: &[u8]) -> Option<ObjectIdentifier> {
    let is_number = |bytes: &[u8]| bytes.len() <= MAX_NUMBER_LENGTH && bytes.first() != Some(&0x80);
    // X.690 §8.19.2: the last byte of each number is the one without the highest bit.
    content
        .split_inclusive(|byte| *byte < 0x80)
        .all(is_number)
        .then(|| ObjectIdentifier::from_bytes(content).ok())?
}

/// Reads `1.3.6.1.4.1`: numbers without signs or leading zeros, of at most 28 bits, with at least three
/// bytes in DER.
pub(super) fn parse_text(text: &str) -> Option<ObjectIdentifier> {
    let mut numbers = text.split('.').map(parse_number);
    let (first, second) = (numbers.next()??, numbers.next()??);
    // X.690 §8.19.4: both are in one byte. Larger numbers under the joint root are not supported.
    if first > 2 || second > 39 {
        return None;
    }
    let mut content = vec![u8::try_from(first.checked_mul(40)?.checked_add(second)?).ok()?];
    for number in numbers {
        push_number(&mut content, number?);
    }
    parse_content(&content)
}

fn parse_number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (text.len() == 1 || !text.starts_with('0'));
    plain.then(|| text.parse().ok())?
}

/// Appends a number in groups of seven bits, the highest first (X.690 §8.19.2).
fn push_number(out: &mut Vec<u8>, number: u32) {
    for shift in [28, 21, 14, 7] {
        let rest = number >> shift;
        if rest > 0 {
            let [.., low] = rest.to_be_bytes();
            out.push(low | 0x80);
        }
    }
    let [.., low] = number.to_be_bytes();
    out.push(low & 0x7f);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_content_are_the_same_identifier() {
        for (text, content) in [
            ("1.3.6.1.4.1.57264.2", "2b0601040183bf3002"),
            ("1.2.840.113549.1.7.2", "2a864886f70d010702"),
            ("2.39.0.0", "770000"),
            // const-oid 0.9.6 writes these numbers wrongly.
            ("1.3.128", "2b8100"),
            ("1.3.16384", "2b818000"),
            ("1.3.268435455", "2bffffff7f"),
        ] {
            let content = hex::decode(content).unwrap();
            let parsed = parse_text(text);

            assert_eq!(parsed, parse_content(&content), "{text}");
            assert_eq!(parsed.map(|oid| oid.as_bytes().to_vec()), Some(content));
            assert_eq!(parsed.unwrap().to_string(), text);
        }
    }

    #[test]
    fn numbers_in_another_form_or_with_more_bits_are_refused() {
        for content in [
            "",
            "80",
            "2b80",
            "2b8001",
            "2b81",
            "2b8180808000",
            // 2³⁵ + 10, which const-oid reads as 10.
            "2b81808080800a",
        ] {
            assert_eq!(
                parse_content(&hex::decode(content).unwrap()),
                None,
                "{content}"
            );
        }
        let long = format!("1.3{}", ".1".repeat(500));
        for text in [
            "",
            "1",
            "1.",
            ".1",
            "1..2",
            "1.3.",
            "01.3",
            "1.03",
            "1.3",
            "1.40.1",
            "3.1.1",
            "1.3.+1",
            "1.3.-1",
            "1.3.268435456",
            "1.3.4294967296",
            "1.3.99999999999999999999",
            "1.3. 1",
            "one.two",
            &long,
        ] {
            assert_eq!(parse_text(text), None, "{text}");
        }
    }
}
