//! The outcome of a decision: which signers were counted, which were not and why, and which are
//! missing.

use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::protocol::evidence::SignerIdentity;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::KeyDetails;
use crate::protocol::policy::MAX_BUNDLES;
use crate::protocol::policy::condition::ConditionFailure;
use crate::protocol::time::UnixTime;

/// How many missing signers a sentence names.
const NAMED_MISSING: usize = 12;

/// Evidence that a policy accepts an artifact. `Policy::decide` is the only constructor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Every threshold in the policy's order. If there are alternatives, one of them is met.
    thresholds: Vec<ThresholdOutcome>,
    /// Every bundle in the caller's order, including those that are not counted.
    bundles: Vec<BundleOutcome>,
}

/// The policy does not accept the artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denial {
    pub reason: DenialReason,
    /// Every threshold in the policy's order, including those that are met; empty if the bundles were
    /// refused as a whole.
    pub thresholds: Vec<ThresholdOutcome>,
    /// Every bundle in the caller's order, including those that are counted; empty if the bundles were
    /// refused as a whole.
    pub bundles: Vec<BundleOutcome>,
}

/// The first reason for which a policy denies an artifact. `number` is a bundle's position, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenialReason {
    #[error("there is no verified bundle to decide about")]
    NoBundle,
    #[error("{0} bundles are too many to decide about; the limit is {MAX_BUNDLES}")]
    TooManyBundles(usize),
    #[error("bundle {number} is not known to be about the same artifact as the first")]
    OtherArtifact { number: usize },
    #[error("no time of signing is established for bundle {number}")]
    NoTime { number: usize },
    #[error(
        "the deny list cannot be applied without the artifact itself, or its other digest: {0}"
    )]
    DigestNeeded(String),
    /// The only bundle is not counted
    #[error("{reason}")]
    NotCounted {
        number: usize,
        #[source]
        reason: NotCounted,
    },
    #[error("{0}")]
    Threshold(ThresholdOutcome),
    /// Enough signers for each threshold, but too few for all of them
    #[error("each signer counts for one threshold only, and there are too few for all of them")]
    SharedSigners,
}

/// How far a threshold is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThresholdOutcome {
    /// The set of thresholds that it belongs to, from 1; none if the policy has only one set.
    pub alternative: Option<usize>,
    /// The group whose signers it counts; none if it counts all members.
    pub group: Option<String>,
    /// How many distinct signers it needs.
    pub needed: usize,
    /// The distinct signers that are counted, in canonical form.
    pub counted: Vec<SignerIdentity>,
    /// The members of the group that did not sign, by the policy's names.
    pub missing: Vec<String>,
}

/// What the policy decided about one bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleOutcome {
    /// In canonical form.
    pub signer: SignerIdentity,
    /// Why the bundle is not counted; empty if it is.
    pub reasons: Vec<NotCounted>,
}

/// Why a bundle is not counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    #[error("{0} is not an accepted signer")]
    NotNamed(SignerIdentity),
    #[error("the certificate's claim {0} is not as the policy asks")]
    Claim(&'static str),
    #[error("{found} of {needed} needed {what}")]
    TooFew {
        what: &'static str,
        found: usize,
        needed: usize,
    },
    /// The trust anchor of the certificate, if it has one
    #[error("the certificate is not from an accepted authority")]
    Authority(Option<Sha256>),
    #[error("{0} is not an accepted key algorithm")]
    KeyAlgorithm(KeyDetails),
    /// The type of the predicate, if the bundle is an attestation
    #[error("{}", predicate_type(.0.as_deref()))]
    PredicateType(Option<String>),
    #[error("it was signed at {0}, which is outside the policy's window")]
    SignedAt(UnixTime),
    #[error("{0}")]
    Condition(#[source] ConditionFailure),
    #[error("the deny list names {0}")]
    Denied(String),
    #[error("it has the same {what} as bundle {number}, and counts once with it")]
    Repeated { what: &'static str, number: usize },
}

fn predicate_type(found: Option<&str>) -> String {
    match found {
        Some(found) => format!("the attestation is of another type than asked for, {found}"),
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

    /// The outcomes of the thresholds and of the bundles.
    pub(crate) fn into_parts(self) -> (Vec<ThresholdOutcome>, Vec<BundleOutcome>) {
        (self.thresholds, self.bundles)
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
            Self::TooManyBundles(_) => "too-many-bundles",
            Self::OtherArtifact { .. } => "other-artifact",
            Self::NoTime { .. } => "no-time",
            Self::DigestNeeded(_) => "digest-needed",
            Self::NotCounted { reason, .. } => reason.code(),
            Self::Threshold(_) => "threshold-not-met",
            Self::SharedSigners => "signers-shared",
        }
    }
}

impl NotCounted {
    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotNamed(_) => "identity-denied",
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

/// With `met`, and the counts in a few words as `summary`.
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
            "{} of {} needed signers",
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
            .take(NAMED_MISSING)
            .map(String::as_str)
            .collect();
        write!(f, "; not among them: {}", named.join(", "))?;
        match self.missing.len() {
            0..=NAMED_MISSING => Ok(()),
            all => write!(f, " and {} more", all - NAMED_MISSING),
        }
    }
}
