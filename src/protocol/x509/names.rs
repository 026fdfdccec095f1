//! Names in certificates, parsed at a bounded cost (RFC 5280 §4.1.2.4, §4.2.1.1, §4.2.1.6).
//!
//! x509-cert sorts every set that it parses by comparing each element with all greater ones: a
//! certificate of 64 KiB whose subject is one large set takes more than a second. So the attributes of
//! a name are counted before x509-cert parses them, and GeneralNames, any of which may contain such a
//! name, are parsed here.

use der::asn1::{AnyRef, Ia5StringRef, OctetStringRef};
use der::{Decode, Reader, SliceReader, Tag, Tagged};
use x509_cert::name::RdnSequence;

use crate::protocol::identity::{EmailAddress, SubjectName, SubjectUri};

/// Maximum number of attributes in a name; real ones have a dozen at most.
const MAX_ATTRIBUTES: usize = 64;

/// Parses a DER Name; none if it is malformed or has too many attributes.
pub(super) fn parse_name(der: &[u8]) -> Option<RdnSequence> {
    let mut count = 0_usize;
    for set in Vec::<AnyRef<'_>>::from_der(der).ok()? {
        let mut attributes = SliceReader::new(set.value()).ok()?;
        while !attributes.is_finished() {
            AnyRef::decode(&mut attributes).ok()?;
            count = count.checked_add(1).filter(|n| *n <= MAX_ATTRIBUTES)?;
        }
    }
    RdnSequence::from_der(der).ok()
}

/// Parses GeneralNames. Returns the only name if its form is known, `Some(None)` if it is not or there
/// are several, and none if the value is not a list of names.
pub(super) fn parse_one_name(der: &[u8]) -> Option<Option<SubjectName>> {
    let names = Vec::<AnyRef<'_>>::from_der(der).ok()?;
    // RFC 5280 §4.2.1.6: SIZE (1..MAX).
    if names.is_empty() || !names.iter().all(|name| name.tag().is_context_specific()) {
        return None;
    }
    let [name] = names.as_slice() else {
        return Some(None);
    };
    let text = || Ia5StringRef::new(name.value()).ok();
    Some(match number_of(name) {
        Some((RFC822_NAME, false)) => EmailAddress::new(text()?.as_str())
            .ok()
            .map(SubjectName::Email),
        Some((URI, false)) => SubjectUri::new(text()?.as_str()).ok().map(SubjectName::Uri),
        _ => None,
    })
}

/// Parses AuthorityKeyIdentifier. Returns the keyIdentifier, `Some(None)` if it is absent, and none if
/// the value is malformed.
pub(super) fn parse_authority_key_id(der: &[u8]) -> Option<Option<Vec<u8>>> {
    let fields = Vec::<AnyRef<'_>>::from_der(der).ok()?;
    let numbers: Vec<_> = fields.iter().map(number_of).collect::<Option<_>>()?;
    // Each field at most once and in order: keyIdentifier, authorityCertIssuer (a list), serial.
    let known = [
        (KEY_IDENTIFIER, false),
        (CERT_ISSUER, true),
        (CERT_SERIAL, false),
    ];
    if !numbers.is_sorted_by(|a, b| a < b) || !numbers.iter().all(|one| known.contains(one)) {
        return None;
    }
    let first = fields.first().filter(|_| numbers.first() == known.first());
    Some(match first {
        Some(id) => Some(OctetStringRef::new(id.value()).ok()?.as_bytes().to_vec()),
        None => None,
    })
}

const RFC822_NAME: u8 = 1;
const URI: u8 = 6;
const KEY_IDENTIFIER: u8 = 0;
const CERT_ISSUER: u8 = 1;
const CERT_SERIAL: u8 = 2;

/// The number of a context-specific tag, and whether it is constructed.
fn number_of(element: &AnyRef<'_>) -> Option<(u8, bool)> {
    match element.tag() {
        Tag::ContextSpecific {
            constructed,
            number,
        } => Some((number.value(), constructed)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::identity::EmailAddress;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        match content.len() {
            0..=0x7f => [&[tag, length[1]], content].concat(),
            0x80..=0xff => [&[tag, 0x81, length[1]], content].concat(),
            _ => [&[tag, 0x82, length[0], length[1]], content].concat(),
        }
    }

    /// A name with one set of common names, the greatest first.
    fn one_large_set(attributes: u16) -> Vec<u8> {
        let attribute = |number: u16| {
            let value = element(0x0c, format!("{number:04x}").as_bytes());
            element(0x30, &[&[6, 3, 0x55, 4, 3], &value[..]].concat())
        };
        let set: Vec<u8> = (0..attributes).rev().flat_map(attribute).collect();
        element(0x30, &element(0x31, &set))
    }

    #[test]
    fn the_number_of_attributes_in_a_name_is_limited() {
        assert_eq!(parse_name(&[0x30, 0]).unwrap().0.len(), 0);
        assert_eq!(parse_name(&one_large_set(64)).unwrap().0[0].0.len(), 64);
        for count in [65, 3000] {
            assert!(parse_name(&one_large_set(count)).is_none());
        }
    }

    #[test]
    fn a_large_set_inside_general_names_is_not_sorted() {
        let directory_name = element(0xa4, &one_large_set(3000));
        let names = element(0x30, &directory_name);
        let issuer = element(0x30, &element(0xa1, &directory_name));

        assert_eq!(parse_one_name(&names), Some(None));
        assert_eq!(parse_authority_key_id(&issuer), Some(None));
    }

    #[test]
    fn only_a_single_name_of_a_known_form_is_given() {
        let email = element(0x81, b"a@x");
        let host = element(0x82, b"x");
        let list = |names: &[&[u8]]| element(0x30, &names.concat());
        let expected = SubjectName::Email(EmailAddress::new("a@x").unwrap());

        assert_eq!(parse_one_name(&list(&[&email])), Some(Some(expected)));
        for several in [
            list(&[&email, &email]),
            list(&[&host]),
            list(&[&email, &host]),
        ] {
            assert_eq!(parse_one_name(&several), Some(None));
        }
        // A constructed string is BER, and an address with other characters is not an IA5String.
        assert_eq!(parse_one_name(&list(&[&element(0xa1, b"a@x")])), Some(None));
        assert_eq!(parse_one_name(&list(&[&element(0x81, b"\xff@x")])), None);
        for other in [
            list(&[]),
            list(&[&[5, 0]]),
            element(0x31, &email),
            vec![0x30, 1],
        ] {
            assert_eq!(parse_one_name(&other), None);
        }
    }

    #[test]
    fn the_key_identifier_is_the_first_field_or_absent() {
        let (id, serial) = (element(0x80, &[7; 20]), element(0x82, &[1]));
        let value = |fields: &[&[u8]]| element(0x30, &fields.concat());

        assert_eq!(
            parse_authority_key_id(&value(&[&id, &serial])),
            Some(Some(vec![7; 20]))
        );
        assert_eq!(parse_authority_key_id(&value(&[&serial])), Some(None));
        assert_eq!(parse_authority_key_id(&value(&[])), Some(None));
        for wrong in [
            value(&[&serial, &id]),
            value(&[&id, &id]),
            value(&[&[4, 1, 7]]),
            value(&[&element(0xa0, &[7])]),
            value(&[&element(0x83, &[7])]),
        ] {
            assert_eq!(parse_authority_key_id(&wrong), None);
        }
    }
}
