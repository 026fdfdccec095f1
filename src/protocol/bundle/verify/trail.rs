//! What was checked, in order, for people and machines.

use super::Refusal;

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
    /// The signer is the expected one
    Identity,
    /// The signature was published
    LogEntry,
    /// The signature holds
    Signature,
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
    /// The evidence, or the reason, in one sentence.
    pub detail: String,
}

impl CheckName {
    /// Every step, in order.
    pub const ALL: [Self; 8] = [
        Self::Form,
        Self::Artifact,
        Self::SigningTime,
        Self::CertificatePath,
        Self::CertificateTransparency,
        Self::Identity,
        Self::LogEntry,
        Self::Signature,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "bundle-form",
            Self::Artifact => "artifact",
            Self::SigningTime => "signing-time",
            Self::CertificatePath => "certificate-path",
            Self::CertificateTransparency => "certificate-transparency",
            Self::Identity => "identity",
            Self::LogEntry => "log-entry",
            Self::Signature => "signature",
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

/// The record that the steps write to.
#[derive(Default)]
pub(super) struct Trail {
    checks: Vec<Check>,
}

impl Trail {
    pub(super) fn passed(&mut self, name: CheckName, detail: impl Into<String>) {
        self.push(name, Outcome::Passed, detail.into());
    }

    pub(super) fn skipped(&mut self, name: CheckName, detail: impl Into<String>) {
        self.push(name, Outcome::Skipped, detail.into());
    }

    pub(super) fn finish(self) -> Vec<Check> {
        self.checks
    }

    /// Ends with the failure, and with every later step as skipped.
    pub(super) fn finish_refused(mut self, reason: &Refusal) -> Vec<Check> {
        let failed = reason.check();
        self.push(failed, Outcome::Failed, reason.to_string());
        for name in CheckName::ALL.into_iter().filter(|name| *name > failed) {
            let reached = self.checks.iter().any(|check| check.name == name);
            if !reached {
                self.skipped(name, "not reached");
            }
        }
        self.checks
    }

    fn push(&mut self, name: CheckName, outcome: Outcome, detail: String) {
        self.checks.push(Check {
            name,
            outcome,
            detail,
        });
    }
}
