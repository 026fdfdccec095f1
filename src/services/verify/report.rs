//! A verdict that explains itself, in the JSON form that the endpoint and `--json` share.

use std::fmt;

use serde::Serialize;

use super::contents::version_number;
use super::decision::{BundleReport, PolicyReport};
use crate::protocol::bundle::verify::{
    AuthenticSigner, EstablishedTime, LoggedEntry, TimeSource, VerifiedSigner,
};
use crate::protocol::bundle::{Authentic, Check, CheckEvidence, Outcome, Refused, Verified};
use crate::protocol::bytes::to_base64;
use crate::protocol::policy::Identity;
use crate::protocol::x509::VerifiedSct;

/// A verdict. `reason` and `code` are there exactly when `verified` is false.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// Whether every step passed.
    pub verified: bool,
    /// The first reason for refusal, one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason's stable machine code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// How far the policy is met, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyReport>,
    /// What was found in the only bundle; empty where there were several.
    #[serde(flatten)]
    pub findings: Findings,
    /// Each bundle in the caller's order, where there were several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<BundleReport>,
}

/// What was found in one bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Findings {
    /// Who signed, once everything is proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<SignerReport>,
    /// When, according to whom.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<TimeReport>,
    /// Where the signature is published.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log_entries: Vec<LogEntryReport>,
    /// Every check in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckReport>,
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum SignerReport {
    /// By a certificate
    Identity {
        /// The OpenID Connect issuer.
        issuer: String,
        /// The certificate's subject.
        subject: String,
    },
    /// By the caller's key
    Key {
        /// `sha256:` and the fingerprint of the SubjectPublicKeyInfo.
        key: String,
    },
}

/// An established moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TimeReport {
    /// RFC 3339, UTC.
    pub time: String,
    /// `rfc3161-timestamp` or `log-promise`.
    pub source: &'static str,
    /// The authority's or log's URL in the trust root.
    pub authority: String,
    /// The fingerprint of the key with which they say so.
    pub key: String,
}

/// A verified log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LogEntryReport {
    /// The log's URL in the trust root.
    pub log: String,
    /// The log's ID in base64.
    pub log_id: String,
    /// The fingerprint of the log's key.
    pub key: String,
    /// The entry's index.
    pub index: u64,
    /// The size of the tree that was proved to contain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_size: Option<u64>,
    /// The entry's kind.
    pub kind: String,
    /// The kind's version.
    pub version: String,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CheckReport {
    /// The step's stable name.
    pub name: &'static str,
    /// `passed`, `failed` or `skipped`.
    pub outcome: &'static str,
    /// The stable machine code: `ok` where it passed, else the reason.
    pub code: &'static str,
    /// The evidence, or the reason, in one sentence.
    pub detail: String,
    /// The evidence for machines, where the check passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceReport>,
}

/// What a check is founded on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum EvidenceReport {
    /// `bundle-form`
    Form {
        /// The version of the bundle format.
        bundle_version: &'static str,
        /// How many log entries the bundle claims.
        log_entries: usize,
        /// How many timestamps it carries.
        timestamps: usize,
    },
    /// `artifact`
    Artifact {
        /// Such as `sha256:` and the digest in hexadecimal.
        digest: String,
        /// What kind of predicate the statement carries, where it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        predicate_type: Option<String>,
    },
    /// `signing-time`
    Time(TimeReport),
    /// `certificate-path`
    Path {
        /// The authority's URI in the trust root.
        authority: String,
        /// SHA-256 of the trust anchor's DER.
        anchor: String,
        /// SHA-256 of the signing certificate's DER.
        certificate: String,
    },
    /// `certificate-transparency`
    Published {
        /// The certificate log's URL in the trust root.
        log: String,
        /// Its ID in base64.
        log_id: String,
        /// When it promised to publish the certificate, RFC 3339.
        time: String,
    },
    /// `log-entry`
    Entry(LogEntryReport),
    /// `signature`
    Signature {
        /// The fingerprint of the signing key.
        key: String,
        /// The registry's name of the key with its hash and padding.
        key_details: &'static str,
    },
    /// `identity`
    Signer(SignerReport),
}

impl From<Result<Verified, Box<Refused>>> for Report {
    fn from(verdict: Result<Verified, Box<Refused>>) -> Self {
        let mut report = Self {
            verified: verdict.is_ok(),
            reason: None,
            code: None,
            policy: None,
            findings: Findings::default(),
            bundles: Vec::new(),
        };
        match verdict {
            Ok(verified) => {
                report.findings = Findings::of(verified.authentic());
                report.findings.identity = Some(verified.signer().into());
            }
            Err(refused) => {
                report.reason = Some(refused.reason.to_string());
                report.code = Some(refused.reason.code());
                report.findings = Findings::of_refused(&refused);
            }
        }
        report
    }
}

impl Findings {
    /// What was proved about a bundle.
    pub(super) fn of(authentic: &Authentic) -> Self {
        Self {
            identity: Some(authentic.signer().into()),
            times: authentic.times().iter().map(Into::into).collect(),
            log_entries: authentic.entries().iter().map(Into::into).collect(),
            checks: authentic.checks().iter().map(Into::into).collect(),
        }
    }

    /// What was checked until a bundle was refused.
    pub(super) fn of_refused(refused: &Refused) -> Self {
        Self {
            checks: refused.checks.iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

impl fmt::Display for Report {
    /// The verdict on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.verified {
            let reason = self.reason.as_deref().unwrap_or_default();
            return write!(f, "refused: {reason} [{}]", self.code.unwrap_or_default());
        }
        f.write_str("verified:")?;
        if let Some(policy) = &self.policy {
            write!(f, " {policy}")?;
        }
        if let Some(signer) = &self.findings.identity {
            write!(f, " signed by {signer}")?;
        }
        match self.findings.times.first() {
            Some(time) => write!(f, " at {}", time.time),
            None => Ok(()),
        }
    }
}

impl fmt::Display for SignerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity { issuer, subject } => write!(f, "{subject} (issuer {issuer})"),
            Self::Key { key } => write!(f, "the key {key}"),
        }
    }
}

impl From<&VerifiedSigner> for SignerReport {
    fn from(signer: &VerifiedSigner) -> Self {
        match signer {
            VerifiedSigner::Identity(identity) => identity.into(),
            VerifiedSigner::Key(key) => Self::Key {
                key: key.fingerprint().to_string(),
            },
        }
    }
}

impl From<&AuthenticSigner> for SignerReport {
    fn from(signer: &AuthenticSigner) -> Self {
        match signer {
            AuthenticSigner::Certified(certified) => (&certified.identity).into(),
            AuthenticSigner::Key(key) => Self::Key {
                key: key.fingerprint().to_string(),
            },
        }
    }
}

impl From<&Identity> for SignerReport {
    fn from(identity: &Identity) -> Self {
        Self::Identity {
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
        }
    }
}

impl From<&EstablishedTime> for TimeReport {
    fn from(established: &EstablishedTime) -> Self {
        let (source, authority) = match &established.source {
            TimeSource::Timestamp(uri) => ("rfc3161-timestamp", uri),
            TimeSource::Promise(log) => ("log-promise", log),
        };
        Self {
            time: established.time.to_rfc3339(),
            source,
            authority: authority.clone(),
            key: established.key.to_string(),
        }
    }
}

impl From<&LoggedEntry> for LogEntryReport {
    fn from(entry: &LoggedEntry) -> Self {
        Self {
            log: entry.log.clone(),
            log_id: to_base64(entry.log_id.as_bytes()),
            key: entry.key.to_string(),
            index: entry.index,
            tree_size: entry.tree_size,
            kind: entry.kind.clone(),
            version: entry.version.clone(),
        }
    }
}

impl From<&Check> for CheckReport {
    fn from(check: &Check) -> Self {
        Self {
            name: check.name.as_str(),
            outcome: check.outcome.as_str(),
            code: check.code,
            detail: check.detail.clone(),
            evidence: check.evidence.as_ref().map(Into::into),
        }
    }
}

impl CheckReport {
    /// The check that a policy adds to those of a bundle.
    pub(super) fn of_policy(outcome: Outcome, code: &'static str, detail: String) -> Self {
        Self {
            name: "policy",
            outcome: outcome.as_str(),
            code,
            detail,
            evidence: None,
        }
    }
}

impl From<&CheckEvidence> for EvidenceReport {
    fn from(evidence: &CheckEvidence) -> Self {
        match evidence {
            CheckEvidence::Form {
                version,
                entries,
                timestamps,
            } => Self::Form {
                bundle_version: version_number(*version),
                log_entries: *entries,
                timestamps: *timestamps,
            },
            CheckEvidence::Artifact(digest) => Self::Artifact {
                digest: digest.to_string(),
                predicate_type: None,
            },
            CheckEvidence::Statement {
                predicate_type,
                digest,
            } => Self::Artifact {
                digest: digest.to_string(),
                predicate_type: Some(predicate_type.clone()),
            },
            CheckEvidence::Time(time) => Self::Time(time.into()),
            CheckEvidence::Path {
                authority,
                anchor,
                certificate,
            } => Self::Path {
                authority: authority.clone(),
                anchor: anchor.to_string(),
                certificate: certificate.to_string(),
            },
            CheckEvidence::Published(sct) => published(sct),
            CheckEvidence::Entry(entry) => Self::Entry(entry.into()),
            CheckEvidence::Signature { key, details } => Self::Signature {
                key: key.to_string(),
                key_details: details.registry_name(),
            },
            CheckEvidence::Identity(identity) => Self::Signer(identity.into()),
            CheckEvidence::Key(key) => Self::Signer(SignerReport::Key {
                key: key.to_string(),
            }),
        }
    }
}

fn published(sct: &VerifiedSct) -> EvidenceReport {
    EvidenceReport::Published {
        log: sct.log.clone(),
        log_id: to_base64(sct.log_id.as_bytes()),
        time: sct.time.to_rfc3339(),
    }
}
