//! Certificate extensions (RFC 5280 §4.2), those of RFC 6962, and Fulcio's own arc.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912};
use der::asn1::{OctetStringRef, Utf8StringRef};
use der::{Decode, Encode};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use super::certificate::CertificateError;
use super::names::{parse_authority_key_id, parse_one_name};
use super::tbs::{RawExtension, RawTbs};
use crate::protocol::identity::SubjectName;
use crate::protocol::oid;

/// The precertificate poison (RFC 6962 §3.1)
pub(crate) const POISON: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.3");
/// The list of signed certificate timestamps (RFC 6962 §3.3)
pub(crate) const SCT_LIST: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
/// The arc of Fulcio's extensions
pub(crate) const FULCIO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1");

/// How many extensions a certificate may have; real ones have some thirty at most.
const MAX_EXTENSIONS: usize = 128;

/// One extension, its value as it stands inside the octet string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Which extension it is.
    pub id: ObjectIdentifier,
    /// Whether a reader that does not know it must refuse the certificate.
    pub critical: bool,
    /// What the octet string holds.
    pub value: Vec<u8>,
}

/// The purposes a key is for (RFC 5280 §4.2.1.12); never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedKeyUsages {
    /// Whether the extension is critical.
    pub critical: bool,
    /// The purposes, in their order.
    pub purposes: Vec<ObjectIdentifier>,
}

/// The extensions of one certificate, no kind twice, the known ones read.
#[derive(Clone, Debug, Default)]
pub struct Extensions {
    all: Vec<Extension>,
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Option<ExtendedKeyUsages>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    subject_name: Option<SubjectName>,
}

impl Extensions {
    pub(super) fn of(tbs: &RawTbs<'_>) -> Result<Self, CertificateError> {
        if tbs.extensions().len() > MAX_EXTENSIONS {
            return Err(CertificateError::TooManyExtensions);
        }
        let mut extensions = Self::default();
        for raw in tbs.extensions() {
            let raw: RawExtension<'_> = raw.decode_as().map_err(|_| CertificateError::Malformed)?;
            // An identifier in a second form would be a way around the comparison below.
            let id = oid::parse_content(raw.id.as_bytes()).ok_or(CertificateError::Malformed)?;
            if extensions.find(id).is_some() {
                return Err(CertificateError::DuplicateExtension(id));
            }
            let extension = Extension {
                id,
                critical: raw.critical,
                value: raw.value.as_bytes().to_vec(),
            };
            extensions
                .read(&extension)
                .ok_or(CertificateError::Extension(id))?;
            extensions.all.push(extension);
        }
        Ok(extensions)
    }

    /// Reads an extension of a known kind; none if its value is not what its kind demands.
    fn read(&mut self, extension: &Extension) -> Option<()> {
        let value = &extension.value;
        match extension.id {
            rfc5280::ID_CE_BASIC_CONSTRAINTS => {
                self.basic_constraints = Some(BasicConstraints::from_der(value).ok()?);
            }
            rfc5280::ID_CE_KEY_USAGE => self.key_usage = Some(KeyUsage::from_der(value).ok()?),
            rfc5280::ID_CE_EXT_KEY_USAGE => {
                let purposes = ExtendedKeyUsage::from_der(value).ok()?.0;
                // SPEC RFC 5280 §4.2.1.12: SIZE (1..MAX).
                if purposes.is_empty() {
                    return None;
                }
                self.extended_key_usage = Some(ExtendedKeyUsages {
                    critical: extension.critical,
                    purposes,
                });
            }
            rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER => {
                let id = OctetStringRef::from_der(value).ok()?;
                self.subject_key_id = Some(id.as_bytes().to_vec());
            }
            rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER => {
                self.authority_key_id = parse_authority_key_id(value)?;
            }
            rfc5280::ID_CE_SUBJECT_ALT_NAME => {
                self.subject_name = parse_one_name(value)?;
            }
            _ => {}
        }
        Some(())
    }

    /// Every extension, in the certificate's order.
    pub fn all(&self) -> &[Extension] {
        &self.all
    }

    /// The extension of this kind.
    pub fn find(&self, id: ObjectIdentifier) -> Option<&Extension> {
        self.all.iter().find(|extension| extension.id == id)
    }

    /// Whether the certificate is one of an authority (RFC 5280 §4.2.1.9).
    pub fn is_ca(&self) -> bool {
        self.basic_constraints
            .as_ref()
            .is_some_and(|constraints| constraints.ca)
    }

    /// How many intermediates may follow below this authority; none if there is no limit.
    pub fn path_length(&self) -> Option<u8> {
        self.basic_constraints
            .as_ref()
            .and_then(|constraints| constraints.path_len_constraint)
    }

    /// What the key may do, if that is limited (RFC 5280 §4.2.1.3).
    pub const fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// What the key is for, if that is limited.
    pub const fn extended_key_usage(&self) -> Option<&ExtendedKeyUsages> {
        self.extended_key_usage.as_ref()
    }

    /// subjectKeyIdentifier (RFC 5280 §4.2.1.2)
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.subject_key_id.as_deref()
    }

    /// The keyIdentifier of authorityKeyIdentifier (RFC 5280 §4.2.1.1)
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.authority_key_id.as_deref()
    }

    /// The one subjectAltName, if there is exactly one and its form is known.
    pub const fn subject_name(&self) -> Option<&SubjectName> {
        self.subject_name.as_ref()
    }

    /// The text of Fulcio's extension `57264.1.<number>`; none if it is absent or malformed.
    pub fn fulcio(&self, number: u8) -> Option<&str> {
        fulcio_text(number, &self.find(fulcio_id(number)?)?.value)
    }

    /// Fulcio's extensions that are claims and well-formed, by the names in [`FULCIO_CLAIMS`].
    pub fn claims(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.all.iter().filter_map(|extension| {
            let number = extension.id.as_bytes().strip_prefix(FULCIO.as_bytes())?;
            let (number, name) = FULCIO_CLAIMS
                .iter()
                .find(|(known, _)| [*known] == *number)?;
            Some((*name, fulcio_text(*number, &extension.value)?))
        })
    }

    /// The OpenID Connect issuer: extension .8; the older .1 only where there is no .8 at all.
    pub fn oidc_issuer(&self) -> Option<&str> {
        let current = fulcio_id(8).and_then(|id| self.find(id));
        self.fulcio(if current.is_some() { 8 } else { 1 })
    }

    /// The first extension that path validation must refuse: a critical one that nothing here
    /// processes, or name constraints, which may not be passed over however they are marked.
    pub fn unprocessed(&self) -> Option<ObjectIdentifier> {
        self.all
            .iter()
            .find(|extension| {
                extension.id == rfc5280::ID_CE_NAME_CONSTRAINTS
                    || (extension.critical && !PROCESSED.contains(&extension.id))
            })
            .map(|extension| extension.id)
    }
}

/// What path validation looks at, and may therefore be critical.
const PROCESSED: [ObjectIdentifier; 4] = [
    rfc5280::ID_CE_BASIC_CONSTRAINTS,
    rfc5280::ID_CE_KEY_USAGE,
    rfc5280::ID_CE_EXT_KEY_USAGE,
    rfc5280::ID_CE_SUBJECT_ALT_NAME,
];

/// id-kp-codeSigning
pub(crate) const CODE_SIGNING: ObjectIdentifier = rfc5912::ID_KP_CODE_SIGNING;
/// id-kp-timeStamping
pub(crate) const TIME_STAMPING: ObjectIdentifier = rfc5912::ID_KP_TIME_STAMPING;

/// The names of Fulcio's claims and the numbers of their extensions, in ascending order: the names
/// of Fulcio's docs/oid-info.md in snake case. Number 7 is the otherName of a subject, not a claim.
pub(crate) const FULCIO_CLAIMS: [(u8, &str); 23] = [
    (1, "issuer_v1"),
    (2, "github_workflow_trigger"),
    (3, "github_workflow_sha"),
    (4, "github_workflow_name"),
    (5, "github_workflow_repository"),
    (6, "github_workflow_ref"),
    (8, "issuer"),
    (9, "build_signer_uri"),
    (10, "build_signer_digest"),
    (11, "runner_environment"),
    (12, "source_repository_uri"),
    (13, "source_repository_digest"),
    (14, "source_repository_ref"),
    (15, "source_repository_identifier"),
    (16, "source_repository_owner_uri"),
    (17, "source_repository_owner_identifier"),
    (18, "build_config_uri"),
    (19, "build_config_digest"),
    (20, "build_trigger"),
    (21, "run_invocation_uri"),
    (22, "source_repository_visibility_at_signing"),
    (23, "deployment_environment"),
    (24, "token_subject"),
];

/// The text of Fulcio's extension with this number: bare text up to number 6, a DER UTF8String from
/// number 8.
fn fulcio_text(number: u8, value: &[u8]) -> Option<&str> {
    match number {
        1..=6 => std::str::from_utf8(value).ok(),
        8.. => Utf8StringRef::from_der(value)
            .ok()
            .map(|text| text.as_str()),
        _ => None,
    }
}

/// The identifier of Fulcio's extension with this number.
pub(super) fn fulcio_id(number: u8) -> Option<ObjectIdentifier> {
    FULCIO.push_arc(u32::from(number)).ok()
}

/// A DER UTF8String.
pub(super) fn utf8_string(text: &str) -> der::Result<Vec<u8>> {
    Utf8StringRef::new(text)?.to_der()
}
