//! What a decision says: who counted, who did not and why, and who is missing.

use std::fmt;

use crate::protocol::bytes::Sha256;
use crate::protocol::keys::KeyDetails;
use crate::protocol::policy::condition::ConditionFailure;
use crate::protocol::policy::{Evidence, Identity, MAX_BUNDLES};
use crate::protocol::time::UnixTime;

/// How many of the missing are named in a sentence.
const NAMED_MISSING: usize = 12;

/// Evidence that a policy accepts an artifact. `Policy::decide` is the only constructor.
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
    /// Every threshold of the policy in its order, the met ones too; empty where it came to none.
    pub thresholds: Vec<ThresholdOutcome>,
    /// Every bundle in the caller's order, the ones that count too; empty where it came to none.
    pub bundles: Vec<BundleOutcome>,
}

/// Why a policy does not accept an artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenialReason {
    /// No bundle was given
    #[error("there is no verified bundle to decide about")]
    NoBundle,
    /// Over the limit
    #[error("{0} bundles are too many to decide about; at most {MAX_BUNDLES} are taken")]
    TooManyBundles(usize),
    /// The bundles are not about one artifact
    #[error("bundle {number} is not known to be about the same artifact as the first")]
    OtherArtifact {
        /// Which bundle, from 1.
        number: usize,
    },
    /// Evidence that is no evidence
    #[error("nothing says when bundle {number} was signed")]
    NoTime {
        /// Which bundle, from 1.
        number: usize,
    },
    /// The deny list cannot be applied
    #[error(
        "the deny list cannot be applied without the artifact itself, or its other digest: {0}"
    )]
    DigestNeeded(String),
    /// The only bundle does not count
    #[error("{reason}")]
    NotCounted {
        /// Which bundle, from 1.
        number: usize,
        /// Why.
        #[source]
        reason: NotCounted,
    },
    /// Too few signers
    #[error("{0}")]
    Threshold(ThresholdOutcome),
    /// Enough for each threshold, and too few for all of them
    #[error("each signer counts for one threshold only, and there are too few for all of them")]
    SharedSigners,
}

/// How far a threshold is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThresholdOutcome {
    /// Which set of thresholds it belongs to, from 1, where the policy has several.
    pub alternative: Option<usize>,
    /// The group that the threshold counts in; none where it counts in all identities.
    pub group: Option<String>,
    /// How many distinct signers it asks for.
    pub needed: usize,
    /// Who counts, without repetition, in canonical form.
    pub counted: Vec<Signer>,
    /// Who is named in the group and did not come, by the policy's names.
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
    /// A claim that is absent or another
    #[error("the certificate's claim {0} is not as the policy asks")]
    Claim(&'static str),
    /// Too few independent parties
    #[error("{found} of {needed} needed {what}")]
    TooFew {
        /// What kind of party.
        what: &'static str,
        /// How many distinct ones there are.
        found: usize,
        /// How many are asked for.
        needed: usize,
    },
    /// Another authority than those accepted, or none
    #[error("the certificate is of no accepted authority")]
    Authority(Option<Sha256>),
    /// Another kind of key than those accepted
    #[error("{0} is not an accepted key algorithm")]
    KeyAlgorithm(KeyDetails),
    /// Another predicate than those accepted, or no attestation
    #[error("{}", predicate_type(.0.as_deref()))]
    PredicateType(Option<String>),
    /// Signed outside the window
    #[error("it was signed at {0}, which is outside the policy's window")]
    SignedAt(UnixTime),
    /// The condition does not hold
    #[error("{0}")]
    Condition(#[source] ConditionFailure),
    /// On the deny list
    #[error("the deny list names {0}")]
    Denied(String),
    /// The same again
    #[error("it has the same {what} as bundle {number}, and counts once with it")]
    Repeated {
        /// What is the same.
        what: &'static str,
        /// As which bundle, from 1.
        number: usize,
    },
}

fn predicate_type(found: Option<&str>) -> String {
    match found {
        Some(found) => format!("the attestation is of another type than asked for, {found}"),
        None => "it is no attestation".to_owned(),
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

    /// Every threshold of the policy in its order; where there are alternatives, one is met.
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
    /// Whether enough distinct signers count.
    pub fn is_met(&self) -> bool {
        self.counted.len() >= self.needed
    }
}

impl BundleOutcome {
    /// Whether the bundle counts.
    pub fn counts(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl Signer {
    /// Who signed, in canonical form.
    pub fn of(evidence: &Evidence) -> Self {
        match &evidence.certificate {
            Some(certificate) => Self::Identity(certificate.identity.canonical()),
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
        match self.missing.len().saturating_sub(NAMED_MISSING) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
