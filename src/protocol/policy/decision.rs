//! The answer of a policy over all bundles of one artifact.

use std::fmt;

use super::{Evidence, Identity, Policy};
use crate::protocol::bytes::Sha256;

/// Evidence that a policy accepts an artifact. [`Policy::decide`] is the only constructor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    thresholds: Vec<ThresholdOutcome>,
    bundles: Vec<BundleOutcome>,
}

/// The policy does not accept the artifact: the first reason, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denial {
    /// The first reason.
    pub reason: DenialReason,
    /// Every threshold of the policy in its order, the met ones too.
    pub thresholds: Vec<ThresholdOutcome>,
    /// Every bundle in the caller's order, the ones that count too.
    pub bundles: Vec<BundleOutcome>,
}

/// Why a policy does not accept an artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenialReason {
    /// No bundle was given
    #[error("there is no verified bundle to decide about")]
    NoBundle,
    /// The bundles are not about one artifact
    #[error("bundle {number} is about another artifact than the first")]
    OtherArtifact {
        /// Which bundle, from 1.
        number: usize,
    },
    /// Too few signers
    #[error("{0}")]
    Threshold(ThresholdOutcome),
}

/// How far a threshold is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThresholdOutcome {
    /// The group that the threshold counts in; none where it counts in all identities.
    pub group: Option<String>,
    /// How many distinct signers it asks for.
    pub needed: usize,
    /// Who counts, without repetition, in canonical form.
    pub counted: Vec<Signer>,
    /// Who is named in the group and does not count, as the policy describes them.
    pub missing: Vec<String>,
}

/// One who signed, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signer {
    /// Someone whom a certificate names
    Identity(Identity),
    /// The holder of a key, by the SHA-256 of its SubjectPublicKeyInfo
    Key(Sha256),
}

/// What became of one bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleOutcome {
    /// Who signed it, in canonical form.
    pub signer: Signer,
    /// Why it does not count; empty where it does.
    pub reasons: Vec<NotCounted>,
}

/// Why a bundle does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    /// The policy does not name the signer
    #[error("{0} is not an accepted signer")]
    NotNamed(Signer),
}

impl Policy {
    /// Decides about one artifact from everything that was proved about its bundles.
    ///
    /// # Errors
    /// What is missing: silence means denial.
    pub fn decide(&self, evidence: &[Evidence]) -> Result<Accepted, Box<Denial>> {
        let bundles: Vec<_> = evidence.iter().map(|one| self.examine(one)).collect();
        let counted: Vec<Signer> = bundles
            .iter()
            .filter(|bundle| bundle.reasons.is_empty())
            .map(|bundle| bundle.signer.clone())
            .collect();
        let threshold = ThresholdOutcome {
            group: None,
            needed: 1,
            missing: Vec::new(),
            counted,
        };
        if threshold.is_met() {
            return Ok(Accepted {
                thresholds: vec![threshold],
                bundles,
            });
        }
        let reason = if evidence.is_empty() {
            DenialReason::NoBundle
        } else {
            DenialReason::Threshold(threshold.clone())
        };
        Err(Box::new(Denial {
            reason,
            thresholds: vec![threshold],
            bundles,
        }))
    }

    fn examine(&self, evidence: &Evidence) -> BundleOutcome {
        let signer = Signer::of(evidence);
        let named = evidence
            .certificate
            .as_ref()
            .is_some_and(|certificate| self.names(&certificate.identity));
        let reasons = if named {
            Vec::new()
        } else {
            vec![NotCounted::NotNamed(signer.clone())]
        };
        BundleOutcome { signer, reasons }
    }
}

impl Accepted {
    /// Every threshold of the policy in its order.
    pub fn thresholds(&self) -> &[ThresholdOutcome] {
        &self.thresholds
    }

    /// Every bundle in the caller's order; some may not have counted.
    pub fn bundles(&self) -> &[BundleOutcome] {
        &self.bundles
    }
}

impl Denial {
    /// The stable machine code of the first reason.
    pub const fn code(&self) -> &'static str {
        self.reason.code()
    }
}

impl DenialReason {
    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoBundle => "no-bundle",
            Self::OtherArtifact { .. } => "other-artifact",
            Self::Threshold(_) => "threshold-not-met",
        }
    }
}

impl NotCounted {
    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotNamed(_) => "identity-denied",
        }
    }
}

impl ThresholdOutcome {
    /// Whether enough distinct signers count.
    pub fn is_met(&self) -> bool {
        self.counted.len() >= self.needed
    }
}

impl Signer {
    /// Who signed, in canonical form.
    pub fn of(evidence: &Evidence) -> Self {
        match &evidence.certificate {
            Some(certificate) => Self::Identity(certificate.identity.clone()),
            None => Self::Key(evidence.key.fingerprint),
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(identity) => identity.fmt(f),
            Self::Key(fingerprint) => write!(f, "the key {fingerprint}"),
        }
    }
}

impl fmt::Display for ThresholdOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.counted.len(), self.needed)?;
        match &self.group {
            Some(group) => write!(f, " needed signers of {group}"),
            None => write!(f, " needed signers"),
        }
    }
}
