//! DER (X.690 §8 and §10), read and written element by element.
//!
//! Reading returns slices of the input: what was signed is hashed as it came, and no SET that a client
//! sent is sorted. Writing joins prepared parts, because most of a timestamp token never changes.

use const_oid::ObjectIdentifier;

use crate::protocol::oid;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, primitive
pub(crate) const CONTEXT_0_PRIMITIVE: u8 = 0x80;
/// `[1]`, primitive
pub(crate) const CONTEXT_1_PRIMITIVE: u8 = 0x81;
/// `[0]`, constructed
pub(crate) const CONTEXT_0: u8 = 0xa0;
/// `[1]`, constructed
pub(crate) const CONTEXT_1: u8 = 0xa1;
/// `[4]`, constructed
pub(crate) const CONTEXT_4: u8 = 0xa4;

/// The bytes are not DER, or not the elements that were expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedDer;

/// One element. `whole` is the content with its tag and length.
#[derive(Clone, Copy)]
pub(crate) struct DerElement<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// The elements of a constructed value, read in order.
#[derive(Clone, Copy)]
pub(crate) struct DerReader<'a> {
    rest: &'a [u8],
}

impl<'a> DerReader<'a> {
    /// The elements inside `content`.
    pub(crate) const fn of(content: &'a [u8]) -> Self {
        Self { rest: content }
    }

    /// The elements inside the one element that `input` is.
    pub(crate) fn inside(input: &'a [u8], tag: u8) -> Result<Self, MalformedDer> {
        let mut outer = Self::of(input);
        let content = outer.take(tag)?;
        outer.finish()?;
        Ok(Self::of(content))
    }

    /// The next element, whatever it is.
    pub(crate) fn next(&mut self) -> Result<DerElement<'a>, MalformedDer> {
        let (element, rest) = split_element(self.rest).ok_or(MalformedDer)?;
        self.rest = rest;
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub(crate) fn element(&mut self, tag: u8) -> Result<DerElement<'a>, MalformedDer> {
        let element = self.next()?;
        (element.tag == tag).then_some(element).ok_or(MalformedDer)
    }

    /// The content of the next element, which must have this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Result<&'a [u8], MalformedDer> {
        self.element(tag).map(|element| element.content)
    }

    /// The content of the next element if it has this tag; else nothing is read.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, MalformedDer> {
        if self.rest.first() == Some(&tag) {
            self.take(tag).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The next element, an INTEGER's content in its shortest form (X.690 §8.3.2).
    pub(crate) fn integer(&mut self) -> Result<&'a [u8], MalformedDer> {
        shortest_integer(self.take(INTEGER)?)
    }

    /// The next element if it is an INTEGER.
    pub(crate) fn optional_integer(&mut self) -> Result<Option<&'a [u8]>, MalformedDer> {
        self.optional(INTEGER)?.map(shortest_integer).transpose()
    }

    /// The next element, an OBJECT IDENTIFIER.
    pub(crate) fn oid(&mut self) -> Result<ObjectIdentifier, MalformedDer> {
        oid::parse_content(self.take(OBJECT_IDENTIFIER)?).ok_or(MalformedDer)
    }

    /// A BOOLEAN DEFAULT FALSE: absent or TRUE, for DER leaves defaults out (X.690 §11.5).
    pub(crate) fn default_false(&mut self) -> Result<bool, MalformedDer> {
        match self.optional(BOOLEAN)? {
            None => Ok(false),
            Some([0xff]) => Ok(true),
            Some(_) => Err(MalformedDer),
        }
    }

    /// An AlgorithmIdentifier: its OID, and whether its parameters are absent or NULL.
    pub(crate) fn plain_algorithm(&mut self) -> Result<ObjectIdentifier, MalformedDer> {
        let mut fields = Self::of(self.take(SEQUENCE)?);
        let oid = fields.oid()?;
        if fields
            .optional(NULL)?
            .is_some_and(|content| !content.is_empty())
        {
            return Err(MalformedDer);
        }
        fields.finish()?;
        Ok(oid)
    }

    pub(crate) const fn is_finished(&self) -> bool {
        self.rest.is_empty()
    }

    /// An error unless every element was read.
    pub(crate) const fn finish(self) -> Result<(), MalformedDer> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(MalformedDer)
        }
    }
}

fn split_element(input: &[u8]) -> Option<(DerElement<'_>, &[u8])> {
    let (&tag, rest) = input.split_first()?;
    // Tag numbers above 30 take further bytes (X.690 §8.1.2.4); nothing here has one.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (length, rest) = split_length(rest)?;
    let (content, after) = rest.split_at_checked(length)?;
    let whole = input.get(..input.len().checked_sub(after.len())?)?;
    Some((
        DerElement {
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
pub(crate) fn shortest_integer(content: &[u8]) -> Result<&[u8], MalformedDer> {
    match content {
        [] => Err(MalformedDer),
        [0x00, next, ..] if *next < 0x80 => Err(MalformedDer),
        [0xff, next, ..] if *next >= 0x80 => Err(MalformedDer),
        _ => Ok(content),
    }
}

/// Writes one element; its content is the parts in order.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
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
pub(crate) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    element(OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// Writes a SET OF: the elements in ascending order (X.690 §11.6).
pub(crate) fn set_of(tag: u8, mut elements: Vec<&[u8]>) -> Vec<u8> {
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

            let mut fields = DerReader::of(&written);
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
            assert!(DerReader::of(case).next().is_err(), "{case:02x?}");
        }
    }

    #[test]
    fn booleans_and_integers_have_one_form_only() {
        assert_eq!(DerReader::of(&[1, 1, 0xff]).default_false(), Ok(true));
        assert_eq!(
            DerReader::of(&[1, 1, 0x01]).default_false(),
            Err(MalformedDer)
        );
        assert_eq!(
            DerReader::of(&[1, 1, 0x00]).default_false(),
            Err(MalformedDer)
        );
        assert_eq!(
            DerReader::of(&[2, 2, 0, 0x80]).integer(),
            Ok(&[0, 0x80][..])
        );
        assert_eq!(DerReader::of(&[2, 2, 0, 0x7f]).integer(), Err(MalformedDer));
        assert_eq!(
            DerReader::of(&[2, 2, 0xff, 0x80]).integer(),
            Err(MalformedDer)
        );
        assert_eq!(DerReader::of(&[2, 0]).integer(), Err(MalformedDer));
    }
}
