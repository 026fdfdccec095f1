//! Every name of a certificate by which people search (RFC 5280 §4.2.1.6).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use der::asn1::{AnyRef, Utf8StringRef};
use der::{Decode, Reader, SliceReader, Tag, Tagged};

use crate::protocol::x509::Certificate;

/// Fulcio's otherName for a user name
const USERNAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");

/// The subjectAltNames of a known form: hosts, e-mail addresses, URIs, IP addresses and Fulcio's
/// user names. Others are passed over.
pub(super) fn subject_names(certificate: &Certificate) -> Vec<String> {
    let extension = certificate.extensions().find(ID_CE_SUBJECT_ALT_NAME);
    let names = extension.and_then(|names| Vec::<AnyRef<'_>>::from_der(&names.value).ok());
    names.iter().flatten().filter_map(read).collect()
}

fn read(name: &AnyRef<'_>) -> Option<String> {
    let Tag::ContextSpecific {
        constructed,
        number,
    } = name.tag()
    else {
        return None;
    };
    match (number.value(), constructed) {
        // rfc822Name, dNSName, uniformResourceIdentifier
        (1 | 2 | 6, false) => std::str::from_utf8(name.value()).ok().map(str::to_owned),
        (7, false) => address(name.value()).map(|address| address.to_canonical().to_string()),
        (0, true) => username(name.value()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).into());
    let v6 = <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).into());
    v4.or(v6).ok()
}

/// OtherName: an identifier, and under `[0]` the value.
fn username(content: &[u8]) -> Option<String> {
    let mut fields = SliceReader::new(content).ok()?;
    let id = ObjectIdentifier::decode(&mut fields).ok()?;
    let value = AnyRef::decode(&mut fields).ok()?;
    let text = Utf8StringRef::from_der(value.value()).ok()?;
    (id == USERNAME && value.tag().is_context_specific() && fields.is_finished())
        .then(|| text.as_str().to_owned())
}
