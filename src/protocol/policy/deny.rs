//! The deny list: what is refused no matter who signed it, always or in a window of time.

use std::fmt;

use super::document::{DenyTable, MAX_ENTRIES, check_text, parse_fingerprint, text_matcher};
use super::error::{PolicyError, PolicyFault};
use super::matcher::TextMatcher;
use crate::protocol::attestation::artifact::Artifact;
use crate::protocol::evidence::{Evidence, SignerIdentity};
use crate::protocol::hash::{Digest, Sha256};
use crate::protocol::identity::CertificateIdentity;
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::integer_magnitude;

/// Maximum length of a certificate's serial number (RFC 5280 §4.1.2.2), in bytes.
const MAX_SERIAL: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DenyRule {
    target: DenyTarget,
    window: Validity,
    /// Why, for people.
    reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum DenyTarget {
    Identity {
        issuer: Option<String>,
        subject: Option<TextMatcher>,
    },
    /// The magnitude, without leading zeros.
    CertificateSerial(Vec<u8>),
    Key(Sha256),
    Artifact(Digest),
}

impl DenyRule {
    pub(super) fn read_all(tables: &[DenyTable]) -> Result<Vec<Self>, PolicyError> {
        if tables.len() > MAX_ENTRIES {
            return Err(PolicyError::new("deny", PolicyFault::Count(0, MAX_ENTRIES)));
        }
        let rules = tables.iter().enumerate();
        rules
            .map(|(index, table)| Self::read(&format!("deny[{index}]"), table))
            .collect()
    }

    fn read(at: &str, table: &DenyTable) -> Result<Self, PolicyError> {
        if let Some(reason) = &table.reason {
            check_text(&format!("{at}.reason"), reason)?;
        }
        let window = Validity {
            start: table.from.unwrap_or(Validity::ALWAYS.start),
            end: table.until,
        };
        if window.is_empty() {
            return Err(PolicyError::new(at, PolicyFault::EmptyWindow));
        }
        Ok(Self {
            target: DenyTarget::read(at, table)?,
            window,
            reason: table.reason.clone(),
        })
    }

    /// Whether the rule denies a bundle: it is about the bundle, and at least one established time is
    /// in the window.
    pub(super) fn denies(&self, evidence: &Evidence) -> bool {
        let certificate = evidence.certificate.as_ref();
        let is_about = match &self.target {
            DenyTarget::Identity { issuer, subject } => {
                certificate.is_some_and(|one| is_named(issuer, subject, &one.identity))
            }
            DenyTarget::CertificateSerial(serial) => {
                certificate.is_some_and(|one| integer_magnitude(&one.serial) == serial)
            }
            DenyTarget::Key(key) => evidence.key.fingerprint == *key,
            DenyTarget::Artifact(digest) => evidence.artifact.digests().contains(digest),
        };
        let mut times = evidence.times.iter();
        is_about && (self.is_permanent() || times.any(|signed| self.window.contains(signed.time)))
    }

    /// Whether the rule denies everything that this signer signs, at every time.
    pub(super) fn always_denies(&self, signer: &SignerIdentity) -> bool {
        self.is_permanent()
            && match (&self.target, signer) {
                (
                    DenyTarget::Identity { issuer, subject },
                    SignerIdentity::Certificate(identity),
                ) => is_named(issuer, subject, identity),
                (DenyTarget::Key(key), SignerIdentity::Key { fingerprint }) => key == fingerprint,
                _ => false,
            }
    }

    /// Whether the rule is about an artifact's digest under a function that the caller did not use.
    pub(super) fn lacks_digest(&self, evidence: &Evidence) -> bool {
        match &self.target {
            DenyTarget::Artifact(denied) => evidence.artifact.digest(denied.algorithm()).is_none(),
            _ => false,
        }
    }

    fn is_permanent(&self) -> bool {
        self.window == Validity::ALWAYS
    }
}

/// Whether the rule names the identity, as it is written or in its canonical form: denying too much
/// is safe.
fn is_named(
    issuer: &Option<String>,
    subject: &Option<TextMatcher>,
    identity: &CertificateIdentity,
) -> bool {
    let canonical = identity.canonical();
    let names_subject = subject.as_ref().is_none_or(|subject| match subject {
        TextMatcher::Exact(text) => {
            let denied = CertificateIdentity {
                issuer: identity.issuer.clone(),
                subject: text.clone(),
            };
            denied.canonical() == canonical
        }
        TextMatcher::Pattern(pattern) => {
            pattern.matches(&identity.subject) || pattern.matches(&canonical.subject)
        }
    });
    names_subject
        && issuer
            .as_ref()
            .is_none_or(|issuer| *issuer == identity.issuer)
}

impl DenyTarget {
    fn read(at: &str, table: &DenyTable) -> Result<Self, PolicyError> {
        let names_identity =
            table.issuer.is_some() || table.subject.is_some() || table.subject_pattern.is_some();
        match (
            names_identity,
            &table.certificate_serial,
            &table.key,
            &table.artifact,
        ) {
            (true, None, None, None) => {
                if let Some(issuer) = &table.issuer {
                    check_text(&format!("{at}.issuer"), issuer)?;
                }
                let keys = ["subject", "subject_pattern"];
                Ok(Self::Identity {
                    issuer: table.issuer.clone(),
                    subject: text_matcher(at, keys, &table.subject, &table.subject_pattern)?,
                })
            }
            (false, Some(serial), None, None) => {
                parse_serial(&format!("{at}.certificate_serial"), serial)
                    .map(Self::CertificateSerial)
            }
            (false, None, Some(key), None) => {
                parse_fingerprint(&format!("{at}.key"), key).map(Self::Key)
            }
            (false, None, None, Some(digest)) => {
                parse_digest(&format!("{at}.artifact"), digest).map(Self::Artifact)
            }
            _ => {
                let keys = "an identity (issuer, subject or subject_pattern), certificate_serial, key and artifact";
                Err(PolicyError::new(at, PolicyFault::ExactlyOne(keys)))
            }
        }
    }
}

/// Hexadecimal as certificate viewers show it: either case, with or without colons.
fn parse_serial(at: &str, written: &str) -> Result<Vec<u8>, PolicyError> {
    let bytes = hex::decode(written.replace(':', "")).unwrap_or_default();
    let serial = integer_magnitude(&bytes);
    if serial.is_empty() || serial.len() > MAX_SERIAL {
        let form = "a serial number of 1 to 20 bytes in hexadecimal";
        return Err(PolicyError::new(at, PolicyFault::Form(form)));
    }
    Ok(serial.to_vec())
}

fn parse_digest(at: &str, written: &str) -> Result<Digest, PolicyError> {
    let artifact: Option<Artifact> = written.parse().ok();
    artifact
        .and_then(|artifact| artifact.digests().first().cloned())
        .ok_or_else(|| {
            let form = "sha256:, sha384: or sha512: and the digest in hexadecimal";
            PolicyError::new(at, PolicyFault::Form(form))
        })
}

impl fmt::Display for DenyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            DenyTarget::Identity { issuer, subject } => {
                match subject {
                    Some(subject) => write!(f, "{subject}")?,
                    None => f.write_str("anyone")?,
                }
                if let Some(issuer) = issuer {
                    write!(f, " (issuer {issuer})")?;
                }
            }
            DenyTarget::CertificateSerial(serial) => {
                let serial = hex::encode(serial);
                write!(f, "the certificate with serial number {serial}")?;
            }
            DenyTarget::Key(key) => write!(f, "the key {key}")?,
            DenyTarget::Artifact(digest) => write!(f, "the artifact {digest}")?,
        }
        if self.window.start != UnixTime::from_millis(0) {
            write!(f, ", from {}", self.window.start)?;
        }
        if let Some(end) = self.window.end {
            write!(f, ", until {end}")?;
        }
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}
