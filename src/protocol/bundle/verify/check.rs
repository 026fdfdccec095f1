//! The checks of a verification and their outcomes, readable by people and by programs.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::protocol::bundle::BundleVersion;
use crate::protocol::evidence::{
    EntryEvidence, KeyEvidence, PathEvidence, SignerIdentity, TimeEvidence,
};
use crate::protocol::hash::Digest;
use crate::protocol::x509::VerifiedSct;

/// Subject of a check, in the order of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckName {
    /// The bundle conforms to the rules of its version
    BundleForm,
    /// The signed content is or names the caller's artifact
    Artifact,
    /// A trusted third party established the signing time
    SigningTime,
    /// The certificate chains to a trusted authority
    CertificatePath,
    /// A trusted log promised to publish the certificate
    CertificateTransparency,
    /// A trusted log contains the signature
    LogEntry,
    /// The signature is valid
    Signature,
    /// The caller accepts the signer
    Identity,
    /// A policy over several bundles counts this one; not a step of [`super::verify`]
    Policy,
}

/// Outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The check succeeded
    Passed,
    /// The check failed, which ended the verification
    Failed,
    /// The check was not needed or not reached
    Skipped,
}

/// One check. A step can have several: for instance, one for each timestamp or log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which step the check belongs to.
    pub name: CheckName,
    /// Whether it passed.
    pub outcome: Outcome,
    /// Stable machine-readable code: `ok` if the check passed, otherwise the reason.
    pub code: &'static str,
    /// Human-readable summary of the evidence or the reason.
    pub detail: String,
    /// Structured evidence; `None` unless the check passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<CheckEvidence>,
}

/// Evidence on which a passed check is based.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CheckEvidence {
    /// [`CheckName::BundleForm`]
    BundleForm {
        /// Version of the bundle format.
        bundle_version: BundleVersion,
        /// Number of log entries in the bundle, including those of unknown logs.
        log_entries: usize,
        /// Number of timestamps in the bundle.
        timestamps: usize,
    },
    /// [`CheckName::Artifact`]
    Artifact {
        /// The signed digest, or the digest by which the statement names the artifact.
        #[serde(serialize_with = "digest_as_text")]
        digest: Digest,
        /// Predicate type of the statement; `None` for a message signature.
        #[serde(skip_serializing_if = "Option::is_none")]
        predicate_type: Option<String>,
    },
    /// [`CheckName::SigningTime`]
    Time(TimeEvidence),
    /// [`CheckName::CertificatePath`]
    Path(PathEvidence),
    /// [`CheckName::CertificateTransparency`]
    Sct(VerifiedSct),
    /// [`CheckName::LogEntry`]
    Entry(EntryEvidence),
    /// [`CheckName::Signature`]
    Signature(KeyEvidence),
    /// [`CheckName::Identity`]
    Signer(SignerIdentity),
}

fn digest_as_text<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

impl CheckName {
    /// The steps of [`super::verify`] in order.
    pub const STEPS: [Self; 8] = [
        Self::BundleForm,
        Self::Artifact,
        Self::SigningTime,
        Self::CertificatePath,
        Self::CertificateTransparency,
        Self::LogEntry,
        Self::Signature,
        Self::Identity,
    ];

    /// Stable machine-readable name, such as `bundle-form`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BundleForm => "bundle-form",
            Self::Artifact => "artifact",
            Self::SigningTime => "signing-time",
            Self::CertificatePath => "certificate-path",
            Self::CertificateTransparency => "certificate-transparency",
            Self::LogEntry => "log-entry",
            Self::Signature => "signature",
            Self::Identity => "identity",
            Self::Policy => "policy",
        }
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for CheckName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Outcome {
    /// Stable machine-readable name, such as `passed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Check {
    pub(crate) fn new(
        name: CheckName,
        outcome: Outcome,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            name,
            outcome,
            code,
            detail: detail.into(),
            evidence: None,
        }
    }

    pub(crate) fn not_reached(name: CheckName) -> Self {
        Self::new(name, Outcome::Skipped, "not-reached", "not reached")
    }
}
