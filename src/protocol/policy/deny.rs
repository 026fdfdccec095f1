//! The deny list: what is refused whoever signed it, for good or for a window of time.

use std::fmt;

use super::identity::{Identity, TextMatcher};
use super::{ArtifactDigest, Evidence};
use crate::protocol::bytes::Sha256;
use crate::protocol::time::{UnixTime, Validity};

/// One entry of the deny list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DenyRule {
    pub(super) what: Denied,
    /// When; both ends belong to it.
    pub(super) window: Validity,
    /// Why, for people.
    pub(super) reason: Option<String>,
}

/// What an entry of the deny list is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    Identity {
        issuer: Option<String>,
        subject: Option<TextMatcher>,
    },
    /// The magnitude's bytes without leading zeros.
    CertificateSerial(Vec<u8>),
    Key(Sha256),
    Artifact(ArtifactDigest),
}

impl DenyRule {
    /// Whether the entry takes a bundle away: it is about it, and at least one established time lies
    /// within the window.
    pub(super) fn hits(&self, evidence: &Evidence) -> bool {
        let about = match &self.what {
            Denied::Identity { .. } => evidence
                .certificate
                .as_ref()
                .is_some_and(|certificate| self.names(&certificate.identity)),
            Denied::CertificateSerial(serial) => evidence
                .certificate
                .as_ref()
                .is_some_and(|certificate| significant(&certificate.serial) == serial),
            Denied::Key(key) => evidence.key.fingerprint == *key,
            Denied::Artifact(digest) => evidence.artifact.contains(digest),
        };
        about && self.hits_time(evidence)
    }

    /// Whether the entry is about an identity, in either of its forms: to deny too much is safe.
    pub(super) fn names(&self, identity: &Identity) -> bool {
        let Denied::Identity { issuer, subject } = &self.what else {
            return false;
        };
        let canonical = identity.canonical();
        let subject_hits = subject.as_ref().is_none_or(|subject| match subject {
            TextMatcher::Exact(text) => {
                let denied = Identity {
                    issuer: identity.issuer.clone(),
                    subject: text.clone(),
                };
                denied.canonical() == canonical
            }
            TextMatcher::Pattern(pattern) => {
                pattern.matches(&identity.subject) || pattern.matches(&canonical.subject)
            }
        });
        subject_hits
            && issuer
                .as_ref()
                .is_none_or(|issuer| *issuer == identity.issuer)
    }

    /// Whether the entry is about this key.
    pub(super) fn is_about_key(&self, key: &Sha256) -> bool {
        matches!(&self.what, Denied::Key(denied) if denied == key)
    }

    /// Whether the entry is about an artifact whose digest under that function nobody told.
    pub(super) fn asks_for_digest(&self, evidence: &Evidence) -> bool {
        match &self.what {
            Denied::Artifact(denied) => evidence
                .artifact
                .iter()
                .all(|digest| digest.algorithm != denied.algorithm),
            _ => false,
        }
    }

    /// Whether the entry holds at every time.
    pub(super) fn is_for_good(&self) -> bool {
        self.window.start == UnixTime::from_millis(0) && self.window.end.is_none()
    }

    fn hits_time(&self, evidence: &Evidence) -> bool {
        let mut times = evidence.times.iter();
        self.is_for_good() || times.any(|established| self.window.contains(established.time))
    }
}

/// A serial number's magnitude without leading zeros, however it was written.
pub(super) fn significant(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    serial.get(zeros..).unwrap_or_default()
}

impl fmt::Display for DenyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Denied::Identity { issuer, subject } => {
                match subject {
                    Some(subject) => write!(f, "{subject}")?,
                    None => f.write_str("anyone")?,
                }
                if let Some(issuer) = issuer {
                    write!(f, " (issuer {issuer})")?;
                }
            }
            Denied::CertificateSerial(serial) => {
                write!(
                    f,
                    "the certificate with serial number {}",
                    hex::encode(serial)
                )?;
            }
            Denied::Key(key) => write!(f, "the key {key}")?,
            Denied::Artifact(digest) => write!(f, "the artifact {digest}")?,
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
