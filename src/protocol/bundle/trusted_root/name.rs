//! An authority's name as its certificate has it, reduced to what a trust root can say.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use der::Decode;
use der::asn1::{Ia5StringRef, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::RdnSequence;

use super::wire::DistinguishedName;
use crate::protocol::x509::Certificate;

impl DistinguishedName {
    /// The subject's organisation and common name; empty where the certificate has none.
    pub fn of_subject(certificate: &Certificate) -> Self {
        let name = RdnSequence::from_der(certificate.subject_name_der()).unwrap_or_default();
        Self {
            organization: attribute(&name, rfc4519::ORGANIZATION_NAME),
            common_name: attribute(&name, rfc4519::COMMON_NAME),
        }
    }
}

fn attribute(name: &RdnSequence, wanted: ObjectIdentifier) -> String {
    name.0
        .iter()
        .flat_map(|rdn| rdn.0.iter())
        .find(|attribute| attribute.oid == wanted)
        .and_then(text)
        .unwrap_or_default()
}

/// DirectoryString (RFC 5280 §4.1.2.4), in the forms that are in use.
fn text(attribute: &AttributeTypeAndValue) -> Option<String> {
    let value = &attribute.value;
    let utf8 = value
        .decode_as::<Utf8StringRef<'_>>()
        .map(|s| s.to_string());
    utf8.or_else(|_| {
        value
            .decode_as::<PrintableStringRef<'_>>()
            .map(|s| s.to_string())
    })
    .or_else(|_| value.decode_as::<Ia5StringRef<'_>>().map(|s| s.to_string()))
    .or_else(|_| {
        value
            .decode_as::<TeletexStringRef<'_>>()
            .map(|s| s.to_string())
    })
    .ok()
}
