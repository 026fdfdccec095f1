//! The DER that tokens are read from and written in (X.690 §8 and §10), element by element.
//!
//! Requests and tokens are small and of fixed shape, and most of a token never changes: writing it
//! from prepared parts is what makes the authority fast. Reading keeps to slices of the input, so
//! that what was signed is hashed as it came, and no set is sorted that a stranger sent.

use const_oid::ObjectIdentifier;

use crate::protocol::oid;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0]`, primitive
pub(super) const CONTEXT_0_PRIMITIVE: u8 = 0x80;
/// `[1]`, primitive
pub(super) const CONTEXT_1_PRIMITIVE: u8 = 0x81;
/// `[0]`, constructed
pub(super) const CONTEXT_0: u8 = 0xa0;
/// `[1]`, constructed
pub(super) const CONTEXT_1: u8 = 0xa1;
/// `[4]`, constructed
pub(super) const CONTEXT_4: u8 = 0xa4;

/// The bytes are not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// One element: its content, and the whole of it with tag and length.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// The elements of a constructed value, read in order.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The elements inside `content`.
    pub(super) const fn of(content: &'a [u8]) -> Self {
        Self { rest: content }
    }

    /// The elements inside the one element that `input` is.
    pub(super) fn inside(input: &'a [u8], tag: u8) -> Result<Self, Malformed> {
        let mut outer = Self::of(input);
        let content = outer.take(tag)?;
        outer.finish()?;
        Ok(Self::of(content))
    }

    /// The next element, whatever it is.
    pub(super) fn next(&mut self) -> Result<Element<'a>, Malformed> {
        let (element, rest) = split_element(self.rest).ok_or(Malformed)?;
        self.rest = rest;
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub(super) fn element(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        let element = self.next()?;
        (element.tag == tag).then_some(element).ok_or(Malformed)
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        self.element(tag).map(|element| element.content)
    }

    /// The content of the next element if it has this tag; else nothing is read.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.rest.first() == Some(&tag) {
            self.take(tag).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The next element, an INTEGER's content in its shortest form (X.690 §8.3.2).
    pub(super) fn integer(&mut self) -> Result<&'a [u8], Malformed> {
        shortest_integer(self.take(INTEGER)?)
    }

    /// The next element if it is an INTEGER.
    pub(super) fn optional_integer(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        self.optional(INTEGER)?.map(shortest_integer).transpose()
    }

    /// The next element, an OBJECT IDENTIFIER.
    pub(super) fn oid(&mut self) -> Result<ObjectIdentifier, Malformed> {
        oid::parse_content(self.take(OBJECT_IDENTIFIER)?).ok_or(Malformed)
    }

    /// A BOOLEAN DEFAULT FALSE: absent or TRUE, for DER leaves defaults out (X.690 §11.5).
    pub(super) fn default_false(&mut self) -> Result<bool, Malformed> {
        match self.optional(BOOLEAN)? {
            None => Ok(false),
            Some([0xff]) => Ok(true),
            Some(_) => Err(Malformed),
        }
    }

    /// An AlgorithmIdentifier: its OID, and whether its parameters are absent or NULL.
    pub(super) fn plain_algorithm(&mut self) -> Result<ObjectIdentifier, Malformed> {
        let mut fields = Self::of(self.take(SEQUENCE)?);
        let oid = fields.oid()?;
        if fields
            .optional(NULL)?
            .is_some_and(|content| !content.is_empty())
        {
            return Err(Malformed);
        }
        fields.finish()?;
        Ok(oid)
    }

    /// Whether every element was read.
    pub(super) const fn is_finished(&self) -> bool {
        self.rest.is_empty()
    }

    /// Insists that every element was read.
    pub(super) const fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

fn split_element(input: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = input.split_first()?;
    // Tag numbers above 30 take further bytes (X.690 §8.1.2.4); nothing here has one.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (length, rest) = split_length(rest)?;
    let (content, after) = rest.split_at_checked(length)?;
    let whole = input.get(..input.len().checked_sub(after.len())?)?;
    Some((
        Element {
            tag,
            content,
            whole,
        },
        after,
    ))
}

/// A definite length in its shortest form (X.690 §10.1).
fn split_length(input: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = input.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let length = digits
        .iter()
        .fold(0usize, |sum, digit| (sum << 8) | usize::from(*digit));
    let shortest = digits.first() != Some(&0) && length >= 0x80;
    shortest.then_some((length, rest))
}

/// An INTEGER's content, if it is in its shortest form (X.690 §8.3.2).
pub(super) fn shortest_integer(content: &[u8]) -> Result<&[u8], Malformed> {
    match content {
        [] => Err(Malformed),
        [0x00, next, ..] if *next < 0x80 => Err(Malformed),
        [0xff, next, ..] if *next >= 0x80 => Err(Malformed),
        _ => Ok(content),
    }
}

/// Writes one element whose content is the parts, one after the other.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts
        .iter()
        .fold(0usize, |sum, part| sum.saturating_add(part.len()));
    let mut out = Vec::with_capacity(length.saturating_add(6));
    out.push(tag);
    push_length(&mut out, length);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let digits = bytes.get(zeros..).unwrap_or_default();
            let count = u8::try_from(digits.len()).expect("a usize has at most 8 bytes");
            out.push(0x80 | count);
            out.extend_from_slice(digits);
        }
    }
}

/// Writes an OBJECT IDENTIFIER.
pub(super) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    element(OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// Writes a SET OF: the elements in ascending order (X.690 §11.6).
pub(super) fn set_of(tag: u8, mut elements: Vec<&[u8]>) -> Vec<u8> {
    elements.sort_unstable();
    element(tag, &elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_their_shortest_form_and_read_back() {
        for length in [0usize, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let written = element(OCTET_STRING, &[&content]);

            let mut fields = Fields::of(&written);
            assert_eq!(fields.take(OCTET_STRING).unwrap(), content);
            fields.finish().unwrap();
        }
        assert_eq!(element(NULL, &[])[..], [5, 0]);
        assert_eq!(element(OCTET_STRING, &[&[7; 128]])[..3], [4, 0x81, 0x80]);
    }

    #[test]
    fn what_is_not_der_is_refused() {
        let cases: [&[u8]; 9] = [
            &[],
            &[0x30],
            &[0x30, 0x81, 0x01, 0x00],    // not the shortest length
            &[0x30, 0x82, 0x00, 0x80],    // a leading zero
            &[0x30, 0x80, 0x00, 0x00],    // indefinite
            &[0x30, 0x85, 1, 0, 0, 0, 0], // beyond any message
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], // beyond the input
            &[0x3f, 0x81, 0x01, 0x00],    // a tag of more bytes
            &[0x04, 0x02, 0x00],          // cut
        ];
        for case in cases {
            assert!(Fields::of(case).next().is_err(), "{case:02x?}");
        }
    }

    #[test]
    fn booleans_and_integers_have_one_form_only() {
        assert_eq!(Fields::of(&[1, 1, 0xff]).default_false(), Ok(true));
        assert_eq!(Fields::of(&[1, 1, 0x01]).default_false(), Err(Malformed));
        assert_eq!(Fields::of(&[1, 1, 0x00]).default_false(), Err(Malformed));
        assert_eq!(Fields::of(&[2, 2, 0, 0x80]).integer(), Ok(&[0, 0x80][..]));
        assert_eq!(Fields::of(&[2, 2, 0, 0x7f]).integer(), Err(Malformed));
        assert_eq!(Fields::of(&[2, 2, 0xff, 0x80]).integer(), Err(Malformed));
        assert_eq!(Fields::of(&[2, 0]).integer(), Err(Malformed));
    }
}
