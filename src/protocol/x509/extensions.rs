//! Certificate extensions (RFC 5280 §4.2), those of RFC 6962, and Fulcio's own arc.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912};
use der::asn1::{OctetStringRef, Utf8StringRef};
use der::{Decode, Encode};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use super::names::{parse_authority_key_id, parse_one_name};
use super::tbs::{RawExtension, RawTbs};
use crate::protocol::identity::SubjectName;
use crate::protocol::oid;

/// The precertificate poison (RFC 6962 §3.1).
pub(crate) const POISON: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.3");
/// The list of signed certificate timestamps (RFC 6962 §3.3).
pub(crate) const SCT_LIST: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
/// The arc of Fulcio's extensions (Fulcio docs/oid-info.md).
pub(crate) const FULCIO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1");

/// Maximum number of extensions in a certificate; real ones have thirty at most.
const MAX_EXTENSIONS: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub id: ObjectIdentifier,
    /// Whether a reader that does not know the extension must refuse the certificate.
    pub critical: bool,
    /// The content of the octet string.
    pub value: Vec<u8>,
}

/// The purposes of a key (RFC 5280 §4.2.1.12), at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedKeyUsages {
    /// Whether the extension is critical.
    pub critical: bool,
    pub purposes: Vec<ObjectIdentifier>,
}

/// Why a certificate's extensions are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError {
    #[error("the certificate has more than {MAX_EXTENSIONS} extensions")]
    TooMany,
    #[error("an extension of the certificate is malformed")]
    Malformed,
    /// RFC 5280 §4.2 forbids it
    #[error("the certificate has extension {0} twice")]
    Duplicate(ObjectIdentifier),
    #[error("the value of certificate extension {0} is malformed")]
    Value(ObjectIdentifier),
}

/// The extensions of one certificate, none of them twice. Those that are known here are parsed.
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
    pub(super) fn of(tbs: &RawTbs<'_>) -> Result<Self, ExtensionError> {
        if tbs.extensions().len() > MAX_EXTENSIONS {
            return Err(ExtensionError::TooMany);
        }
        let mut extensions = Self::default();
        for raw in tbs.extensions() {
            let raw: RawExtension<'_> = raw.decode_as().map_err(|_| ExtensionError::Malformed)?;
            // An identifier in another encoding would evade the comparison below.
            let id = oid::parse_content(raw.id.as_bytes()).ok_or(ExtensionError::Malformed)?;
            if extensions.find(id).is_some() {
                return Err(ExtensionError::Duplicate(id));
            }
            let extension = Extension {
                id,
                critical: raw.critical,
                value: raw.value.as_bytes().to_vec(),
            };
            extensions
                .read(&extension)
                .ok_or(ExtensionError::Value(id))?;
            extensions.all.push(extension);
        }
        Ok(extensions)
    }

    /// Parses an extension of a known kind; none if its value is malformed.
    fn read(&mut self, extension: &Extension) -> Option<()> {
        let value = &extension.value;
        match extension.id {
            rfc5280::ID_CE_BASIC_CONSTRAINTS => {
                self.basic_constraints = Some(BasicConstraints::from_der(value).ok()?);
            }
            rfc5280::ID_CE_KEY_USAGE => self.key_usage = Some(KeyUsage::from_der(value).ok()?),
            rfc5280::ID_CE_EXT_KEY_USAGE => {
                let purposes = ExtendedKeyUsage::from_der(value).ok()?.0;
                // RFC 5280 §4.2.1.12: SIZE (1..MAX).
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

    /// In the certificate's order.
    pub fn all(&self) -> &[Extension] {
        &self.all
    }

    pub fn find(&self, id: ObjectIdentifier) -> Option<&Extension> {
        self.all.iter().find(|extension| extension.id == id)
    }

    /// Whether the certificate is an authority's (RFC 5280 §4.2.1.9).
    pub fn is_ca(&self) -> bool {
        self.basic_constraints
            .as_ref()
            .is_some_and(|constraints| constraints.ca)
    }

    /// How many intermediates may be below this authority; none if there is no limit.
    pub fn path_length(&self) -> Option<u8> {
        self.basic_constraints
            .as_ref()
            .and_then(|constraints| constraints.path_len_constraint)
    }

    /// RFC 5280 §4.2.1.3; none if the key's usage is not limited.
    pub const fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// RFC 5280 §4.2.1.12; none if the key's purposes are not limited.
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

    /// The first extension for which path validation must refuse the certificate: a critical one that
    /// Signet does not process, or name constraints, which must not be ignored even if they are not
    /// critical.
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

/// The extensions that path validation processes and that may therefore be critical.
const PROCESSED: [ObjectIdentifier; 4] = [
    rfc5280::ID_CE_BASIC_CONSTRAINTS,
    rfc5280::ID_CE_KEY_USAGE,
    rfc5280::ID_CE_EXT_KEY_USAGE,
    rfc5280::ID_CE_SUBJECT_ALT_NAME,
];

pub(crate) const CODE_SIGNING: ObjectIdentifier = rfc5912::ID_KP_CODE_SIGNING;
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

pub(super) fn fulcio_id(number: u8) -> Option<ObjectIdentifier> {
    FULCIO.push_arc(u32::from(number)).ok()
}

pub(super) fn utf8_string(text: &str) -> der::Result<Vec<u8>> {
    Utf8StringRef::new(text)?.to_der()
}
