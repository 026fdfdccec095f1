//! Certificates as raw DER fields: a certificate is taken apart and put together again without changing
//! a byte (RFC 5280 §4.1).

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use der::{Decode, Encode, Sequence};

#[derive(Sequence)]
pub(super) struct RawCertificate<'a> {
    pub(super) tbs: AnyRef<'a>,
    pub(super) signature_algorithm: AnyRef<'a>,
    pub(super) signature: BitStringRef<'a>,
}

/// TBSCertificate of version 3: the version, which is optional in RFC 5280, is required here.
#[derive(Sequence)]
pub(super) struct RawTbs<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) version: u8,
    pub(super) serial: AnyRef<'a>,
    pub(super) signature_algorithm: AnyRef<'a>,
    pub(super) issuer: AnyRef<'a>,
    pub(super) validity: AnyRef<'a>,
    pub(super) subject: AnyRef<'a>,
    pub(super) public_key: AnyRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) issuer_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) subject_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Vec<AnyRef<'a>>>,
}

#[derive(Sequence)]
pub(super) struct RawExtension<'a> {
    pub(super) id: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    pub(super) critical: bool,
    pub(super) value: OctetStringRef<'a>,
}

impl<'a> RawTbs<'a> {
    /// The encoded value of X.509 version 3.
    pub(super) const V3: u8 = 2;

    pub(super) fn extensions(&self) -> &[AnyRef<'a>] {
        self.extensions.as_deref().unwrap_or_default()
    }
}

/// Removes an extension from a TBSCertificate and changes no other byte. None if the extension is not
/// there exactly once, or if the bytes are not a TBSCertificate.
pub(super) fn without_extension(tbs: &[u8], id: ObjectIdentifier) -> Option<Vec<u8>> {
    let mut raw = RawTbs::from_der(tbs).ok()?;
    let extensions = raw.extensions.as_mut()?;
    let before = extensions.len();
    extensions.retain(|extension| extension_id(extension) != Some(id));
    let removed = before.checked_sub(extensions.len())?;
    // RFC 5280 §4.1: Extensions is SIZE (1..MAX), so an empty list is omitted.
    if extensions.is_empty() {
        raw.extensions = None;
    }
    (removed == 1).then(|| raw.to_der().ok())?
}

/// Appends an extension to a TBSCertificate.
pub(super) fn with_extension(tbs: &[u8], extension: &RawExtension<'_>) -> der::Result<Vec<u8>> {
    let mut raw = RawTbs::from_der(tbs)?;
    let encoded = extension.to_der()?;
    let mut extensions = raw.extensions.take().unwrap_or_default();
    extensions.push(AnyRef::from_der(&encoded)?);
    raw.extensions = Some(extensions);
    raw.to_der()
}

fn extension_id(extension: &AnyRef<'_>) -> Option<ObjectIdentifier> {
    extension
        .decode_as::<RawExtension<'_>>()
        .ok()
        .map(|extension| extension.id)
}
