//! A verdict that explains itself, in the JSON form that the endpoint and `--json` share.

use serde::Serialize;

use crate::protocol::bundle::verify::{EstablishedTime, LoggedEntry, TimeSource, VerifiedSigner};
use crate::protocol::bundle::{Check, Refused, Verified};
use crate::protocol::bytes::to_base64;

/// A verdict. `reason` and `code` are there exactly when `verified` is false.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every step passed.
    pub verified: bool,
    /// The first reason for refusal, one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason's stable machine code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
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
    pub checks: Vec<CheckReport>,
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SignerReport {
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
pub struct TimeReport {
    /// RFC 3339, UTC.
    pub time: String,
    /// `rfc3161-timestamp` or `log-promise`.
    pub source: &'static str,
    /// The authority's or log's URL in the trust root.
    pub authority: String,
}

/// A verified log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntryReport {
    /// The log's URL in the trust root.
    pub log: String,
    /// The log's ID in base64.
    pub log_id: String,
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
pub struct CheckReport {
    /// The step's stable name.
    pub name: &'static str,
    /// `passed`, `failed` or `skipped`.
    pub outcome: &'static str,
    /// The evidence, or the reason.
    pub detail: String,
}

impl From<Result<Verified, Box<Refused>>> for Report {
    fn from(verdict: Result<Verified, Box<Refused>>) -> Self {
        match verdict {
            Ok(verified) => Self {
                verified: true,
                reason: None,
                code: None,
                identity: Some(verified.signer().into()),
                times: verified.times().iter().map(Into::into).collect(),
                log_entries: verified.entries().iter().map(Into::into).collect(),
                checks: verified.checks().iter().map(Into::into).collect(),
            },
            Err(refused) => Self {
                verified: false,
                reason: Some(refused.reason.to_string()),
                code: Some(refused.reason.code()),
                identity: None,
                times: Vec::new(),
                log_entries: Vec::new(),
                checks: refused.checks.iter().map(Into::into).collect(),
            },
        }
    }
}

impl From<&VerifiedSigner> for SignerReport {
    fn from(signer: &VerifiedSigner) -> Self {
        match signer {
            VerifiedSigner::Identity(identity) => Self::Identity {
                issuer: identity.issuer.clone(),
                subject: identity.subject.clone(),
            },
            VerifiedSigner::Key(key) => Self::Key {
                key: key.fingerprint().to_string(),
            },
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
        }
    }
}

impl From<&LoggedEntry> for LogEntryReport {
    fn from(entry: &LoggedEntry) -> Self {
        Self {
            log: entry.log.clone(),
            log_id: to_base64(entry.log_id.as_bytes()),
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
            detail: check.detail.clone(),
        }
    }
}
