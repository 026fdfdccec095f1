//! The deny list: rules that override all others, permanently or within a time window.

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
    /// Shown in messages.
    reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum DenyTarget {
    Identity {
        issuer: Option<String>,
        subject: Option<TextMatcher>,
    },
    /// Big-endian magnitude without leading zeros.
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

    /// Whether the rule denies a bundle: the bundle matches the target, and at least one established
    /// time is in the window.
    pub(super) fn denies(&self, evidence: &Evidence) -> bool {
        let certificate = evidence.certificate.as_ref();
        let matches_target = match &self.target {
            DenyTarget::Identity { issuer, subject } => {
                certificate.is_some_and(|one| matches_identity(issuer, subject, &one.identity))
            }
            DenyTarget::CertificateSerial(serial) => {
                certificate.is_some_and(|one| integer_magnitude(&one.serial) == serial)
            }
            DenyTarget::Key(key) => evidence.key.fingerprint == *key,
            DenyTarget::Artifact(digest) => evidence.artifact.digests().contains(digest),
        };
        let mut times = evidence.times.iter();
        matches_target
            && (self.is_permanent() || times.any(|signed| self.window.contains(signed.time)))
    }

    /// Whether the rule denies all signatures of this signer, regardless of time.
    pub(super) fn always_denies(&self, signer: &SignerIdentity) -> bool {
        self.is_permanent()
            && match (&self.target, signer) {
                (
                    DenyTarget::Identity { issuer, subject },
                    SignerIdentity::Certificate(identity),
                ) => matches_identity(issuer, subject, identity),
                (DenyTarget::Key(key), SignerIdentity::Key { fingerprint }) => key == fingerprint,
                _ => false,
            }
    }

    /// Whether the rule names a digest under an algorithm that the caller did not provide.
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

/// Whether the rule matches the identity, either unchanged or in canonical form. Comparing both denies
/// too much rather than too little.
fn matches_identity(
    issuer: &Option<String>,
    subject: &Option<TextMatcher>,
    identity: &CertificateIdentity,
) -> bool {
    let canonical = identity.canonical();
    let matches_subject = subject.as_ref().is_none_or(|subject| match subject {
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
    matches_subject
        && issuer
            .as_ref()
            .is_none_or(|issuer| *issuer == identity.issuer)
}

impl DenyTarget {
    fn read(at: &str, table: &DenyTable) -> Result<Self, PolicyError> {
        let has_identity =
            table.issuer.is_some() || table.subject.is_some() || table.subject_pattern.is_some();
        match (
            has_identity,
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
                let keys = "identity (issuer, subject or subject_pattern), certificate_serial, key, artifact";
                Err(PolicyError::new(at, PolicyFault::ExactlyOne(keys)))
            }
        }
    }
}

/// Parses hexadecimal as certificate viewers print it: in either case, with or without colons.
fn parse_serial(at: &str, text: &str) -> Result<Vec<u8>, PolicyError> {
    let bytes = hex::decode(text.replace(':', "")).unwrap_or_default();
    let serial = integer_magnitude(&bytes);
    if serial.is_empty() || serial.len() > MAX_SERIAL {
        let form = "a serial number of 1 to 20 bytes in hexadecimal";
        return Err(PolicyError::new(at, PolicyFault::Form(form)));
    }
    Ok(serial.to_vec())
}

fn parse_digest(at: &str, text: &str) -> Result<Digest, PolicyError> {
    let artifact: Option<Artifact> = text.parse().ok();
    artifact
        .and_then(|artifact| artifact.digests().first().cloned())
        .ok_or_else(|| {
            let form = "sha256:, sha384: or sha512: followed by the digest in hexadecimal";
            PolicyError::new(at, PolicyFault::Form(form))
        })
}

impl fmt::Display for DenyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            DenyTarget::Identity { issuer, subject } => {
                match subject {
                    Some(subject) => write!(f, "{subject}")?,
                    None => f.write_str("any subject")?,
                }
                if let Some(issuer) = issuer {
                    write!(f, " (issuer {issuer})")?;
                }
            }
            DenyTarget::CertificateSerial(serial) => {
                let serial = hex::encode(serial);
                write!(f, "certificate serial number {serial}")?;
            }
            DenyTarget::Key(key) => write!(f, "key {key}")?,
            DenyTarget::Artifact(digest) => write!(f, "artifact {digest}")?,
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
