//! The outcome of a decision: which signers counted, which did not and why, and which are missing.

use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::protocol::evidence::SignerIdentity;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::KeyDetails;
use crate::protocol::policy::MAX_BUNDLES;
use crate::protocol::policy::condition::ConditionFailure;
use crate::protocol::time::UnixTime;

/// Maximum number of missing signers listed in a message.
const MAX_MISSING_IN_TEXT: usize = 12;

/// Proof that a policy accepts an artifact. `Policy::decide` is the only constructor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// All thresholds, in the order of the policy. If there are alternatives, at least one is met.
    thresholds: Vec<ThresholdOutcome>,
    /// All bundles, in the caller's order, including those that are not counted.
    bundles: Vec<BundleOutcome>,
}

/// The policy does not accept the artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denial {
    pub reason: DenialReason,
    /// All thresholds, in the order of the policy, including those that are met. Empty if the bundles
    /// cannot be evaluated together.
    pub thresholds: Vec<ThresholdOutcome>,
    /// All bundles, in the caller's order, including those that are counted. Empty if the bundles cannot
    /// be evaluated together.
    pub bundles: Vec<BundleOutcome>,
}

/// The first reason why a policy denies an artifact. `number` is a bundle's position, starting at 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenialReason {
    #[error("there is no verified bundle")]
    NoBundle,
    #[error("too many bundles: {0}; the limit is {MAX_BUNDLES}")]
    TooManyBundles(usize),
    #[error(
        "bundle {number} may be about another artifact than bundle 1: their digests differ or cannot be compared"
    )]
    DifferentArtifact { number: usize },
    #[error("the time of signing of bundle {number} is not established")]
    NoTime { number: usize },
    #[error(
        "a deny rule names an artifact by a digest that was not given: {0}; give the artifact itself"
    )]
    DigestNeeded(String),
    /// The only bundle is not counted.
    #[error("{reason}")]
    NotCounted {
        number: usize,
        #[source]
        reason: NotCounted,
    },
    #[error("{0}")]
    Threshold(ThresholdOutcome),
    /// Each threshold has enough signers, but not all thresholds at the same time.
    #[error("too few signers for all thresholds: each signer counts for one threshold only")]
    SharedSigners,
}

/// Outcome of one threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThresholdOutcome {
    /// Number of the threshold's alternative, starting at 1; `None` if the policy has only one.
    pub alternative: Option<usize>,
    /// The group whose signers count; `None` if all members count.
    pub group: Option<String>,
    /// Required number of distinct signers.
    pub needed: usize,
    /// Distinct signers that count, in canonical form.
    pub counted: Vec<SignerIdentity>,
    /// Labels of the group's members that have not signed.
    pub missing: Vec<String>,
}

/// Outcome of one bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleOutcome {
    /// In canonical form.
    pub signer: SignerIdentity,
    /// Why the bundle does not count; empty if it does.
    pub reasons: Vec<NotCounted>,
}

/// Why a bundle does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    #[error("{0} is not an accepted signer")]
    NotListed(SignerIdentity),
    #[error("the certificate's claim {0} is absent or does not match the policy")]
    Claim(&'static str),
    #[error("{found} of {needed} required {what}")]
    TooFew {
        what: &'static str,
        found: usize,
        needed: usize,
    },
    /// The trust anchor of the certificate, if there is a certificate.
    #[error("the certificate was not issued by an accepted authority")]
    Authority(Option<Sha256>),
    #[error("{0} is not an accepted key algorithm")]
    KeyAlgorithm(KeyDetails),
    /// The predicate type, if the bundle is an attestation.
    #[error("{}", predicate_type(.0.as_deref()))]
    PredicateType(Option<String>),
    #[error("it was signed at {0}, outside the policy's time window")]
    SignedAt(UnixTime),
    #[error("{0}")]
    Condition(#[source] ConditionFailure),
    #[error("denied by the deny list: {0}")]
    Denied(String),
    #[error("it has the same {what} as bundle {number}; both count as one signer")]
    Repeated { what: &'static str, number: usize },
}

fn predicate_type(found: Option<&str>) -> String {
    match found {
        Some(found) => format!("the predicate type {found} is not accepted"),
        None => "it is not an attestation".to_owned(),
    }
}

impl Accepted {
    pub(super) const fn new(
        thresholds: Vec<ThresholdOutcome>,
        bundles: Vec<BundleOutcome>,
    ) -> Self {
        Self {
            thresholds,
            bundles,
        }
    }

    pub(crate) fn into_parts(self) -> (Vec<ThresholdOutcome>, Vec<BundleOutcome>) {
        (self.thresholds, self.bundles)
    }
}

impl Denial {
    /// Stable machine-readable code of the first reason.
    pub const fn code(&self) -> &'static str {
        self.reason.code()
    }
}

impl DenialReason {
    /// Stable machine-readable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoBundle => "no-bundle",
            Self::TooManyBundles(_) => "too-many-bundles",
            Self::DifferentArtifact { .. } => "other-artifact",
            Self::NoTime { .. } => "no-time",
            Self::DigestNeeded(_) => "digest-needed",
            Self::NotCounted { reason, .. } => reason.code(),
            Self::Threshold(_) => "threshold-not-met",
            Self::SharedSigners => "signers-shared",
        }
    }
}

impl NotCounted {
    /// Stable machine-readable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotListed(_) => "identity-denied",
            Self::Claim(_) => "claim-mismatch",
            Self::TooFew { .. } => "too-few-witnesses",
            Self::Authority(_) => "authority-denied",
            Self::KeyAlgorithm(_) => "key-algorithm-denied",
            Self::PredicateType(_) => "predicate-type",
            Self::SignedAt(_) => "outside-window",
            Self::Condition(_) => "condition-failed",
            Self::Denied(_) => "deny-listed",
            Self::Repeated { .. } => "signer-repeated",
        }
    }
}

impl ThresholdOutcome {
    pub(crate) fn is_met(&self) -> bool {
        self.counted.len() >= self.needed
    }
}

/// Adds `met`, and the text of the outcome as `summary`.
impl Serialize for ThresholdOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("ThresholdOutcome", 7)?;
        if let Some(alternative) = self.alternative {
            fields.serialize_field("alternative", &alternative)?;
        }
        if let Some(group) = &self.group {
            fields.serialize_field("group", group)?;
        }
        fields.serialize_field("met", &self.is_met())?;
        fields.serialize_field("needed", &self.needed)?;
        fields.serialize_field("counted", &self.counted)?;
        if !self.missing.is_empty() {
            fields.serialize_field("missing", &self.missing)?;
        }
        fields.serialize_field("summary", &self.to_string())?;
        fields.end()
    }
}

impl fmt::Display for ThresholdOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} required signers",
            self.counted.len(),
            self.needed
        )?;
        if let Some(group) = &self.group {
            write!(f, " of {group}")?;
        }
        if self.is_met() || self.missing.is_empty() {
            return Ok(());
        }
        let named: Vec<_> = self
            .missing
            .iter()
            .take(MAX_MISSING_IN_TEXT)
            .map(String::as_str)
            .collect();
        write!(f, "; missing: {}", named.join(", "))?;
        match self.missing.len() {
            0..=MAX_MISSING_IN_TEXT => Ok(()),
            all => write!(f, " and {} more", all - MAX_MISSING_IN_TEXT),
        }
    }
}
