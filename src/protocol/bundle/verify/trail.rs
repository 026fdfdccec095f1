//! What was checked, in order, for people and machines.

use super::{EstablishedTime, LoggedEntry, Refusal};
use crate::protocol::bundle::BundleVersion;
use crate::protocol::bytes::{Digest, Sha256};
use crate::protocol::keys::KeyDetails;
use crate::protocol::policy::Identity;
use crate::protocol::x509::VerifiedSct;

/// A step of verification; the order here is the order of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckName {
    /// The bundle keeps its version's rules
    Form,
    /// It is about the caller's artifact
    Artifact,
    /// A moment of signing is established
    SigningTime,
    /// The certificate chains to a trusted authority
    CertificatePath,
    /// The certificate was published
    CertificateTransparency,
    /// The signature was published
    LogEntry,
    /// The signature holds
    Signature,
    /// The signer is the expected one
    Identity,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds
    Passed,
    /// It does not; verification ended here
    Failed,
    /// It was not needed, or not reached
    Skipped,
}

/// One check: a step may have several, one for each timestamp or log entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The step.
    pub name: CheckName,
    /// How it ended.
    pub outcome: Outcome,
    /// The stable machine code: `ok` where it holds, else the reason.
    pub code: &'static str,
    /// The evidence, or the reason, in one sentence.
    pub detail: String,
    /// The evidence for machines; none where the check did not pass.
    pub evidence: Option<CheckEvidence>,
}

/// What a check that passed is founded on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckEvidence {
    /// [`CheckName::Form`]
    Form {
        /// The bundle format's version.
        version: BundleVersion,
        /// How many log entries the bundle claims.
        entries: usize,
        /// How many timestamps it carries.
        timestamps: usize,
    },
    /// [`CheckName::Artifact`], for a message signature
    Artifact(Digest),
    /// [`CheckName::Artifact`], for an attestation
    Statement {
        /// What kind of predicate the statement carries.
        predicate_type: String,
        /// The digest by which the statement names the artifact.
        digest: Digest,
    },
    /// [`CheckName::SigningTime`]
    Time(EstablishedTime),
    /// [`CheckName::CertificatePath`]
    Path {
        /// The authority's URI, as the trust root says.
        authority: String,
        /// SHA-256 of the trust anchor's DER.
        anchor: Sha256,
        /// SHA-256 of the signing certificate's DER.
        certificate: Sha256,
    },
    /// [`CheckName::CertificateTransparency`]
    Published(VerifiedSct),
    /// [`CheckName::LogEntry`]
    Entry(LoggedEntry),
    /// [`CheckName::Signature`]
    Signature {
        /// SHA-256 of the signing key's SubjectPublicKeyInfo.
        key: Sha256,
        /// How it signed.
        details: KeyDetails,
    },
    /// [`CheckName::Identity`], by a certificate
    Identity(Identity),
    /// [`CheckName::Identity`], by the caller's key: SHA-256 of its SubjectPublicKeyInfo
    Key(Sha256),
}

impl CheckName {
    /// Every step, in order.
    pub const ALL: [Self; 8] = [
        Self::Form,
        Self::Artifact,
        Self::SigningTime,
        Self::CertificatePath,
        Self::CertificateTransparency,
        Self::LogEntry,
        Self::Signature,
        Self::Identity,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "bundle-form",
            Self::Artifact => "artifact",
            Self::SigningTime => "signing-time",
            Self::CertificatePath => "certificate-path",
            Self::CertificateTransparency => "certificate-transparency",
            Self::LogEntry => "log-entry",
            Self::Signature => "signature",
            Self::Identity => "identity",
        }
    }
}

impl Outcome {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Why a check was skipped.
#[derive(Clone, Copy)]
pub(super) enum Skip {
    /// The caller's own key takes a certificate's place
    OwnKey,
    /// The evidence is by someone whom the trust root does not list
    Unknown,
    /// An earlier check failed
    NotReached,
}

impl Skip {
    const fn code(self) -> &'static str {
        match self {
            Self::OwnKey => "own-key",
            Self::Unknown => "unknown-log",
            Self::NotReached => "not-reached",
        }
    }
}

/// The record that the steps write to.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    checks: Vec<Check>,
}

impl Trail {
    pub(super) fn passed(
        &mut self,
        name: CheckName,
        evidence: CheckEvidence,
        detail: impl Into<String>,
    ) {
        self.checks.push(Check {
            name,
            outcome: Outcome::Passed,
            code: "ok",
            detail: detail.into(),
            evidence: Some(evidence),
        });
    }

    pub(super) fn skipped(&mut self, name: CheckName, why: Skip, detail: impl Into<String>) {
        self.checks.push(Check {
            name,
            outcome: Outcome::Skipped,
            code: why.code(),
            detail: detail.into(),
            evidence: None,
        });
    }

    pub(super) fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Ends with the failure, and with every later step as skipped.
    pub(super) fn finish_refused(mut self, reason: &Refusal) -> Vec<Check> {
        let failed = reason.check();
        self.checks.push(Check {
            name: failed,
            outcome: Outcome::Failed,
            code: reason.code(),
            detail: reason.to_string(),
            evidence: None,
        });
        for name in CheckName::ALL.into_iter().filter(|name| *name > failed) {
            let reached = self.checks.iter().any(|check| check.name == name);
            if !reached {
                self.skipped(name, Skip::NotReached, "not reached");
            }
        }
        self.checks
    }
}
