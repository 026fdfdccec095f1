//! Why a policy is refused when it is loaded.

use std::fmt;

use super::condition::ConditionError;
use super::document::MAX_POLICY_LENGTH;
use super::pattern::PatternError;

/// A policy that is refused: where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    at: String,
    fault: Box<PolicyFault>,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// Over the limit
    #[error("a policy must have at most {MAX_POLICY_LENGTH} bytes")]
    Length,
    /// Neither TOML nor JSON
    #[error("no TOML or JSON: {0}")]
    Syntax(String),
    /// Another key or another kind of value than belongs there
    #[error("{0}")]
    Shape(String),
    /// Fewer or more than allowed
    #[error("must have {0} to {1} entries")]
    Count(usize, usize),
    /// More regular expressions than are compiled for one policy
    #[error("a policy must have at most {0} patterns")]
    Patterns(usize),
    /// Empty, or over its limit
    #[error("must have 1 to {0} bytes")]
    TextLength(usize),
    /// None, or more than one, of several keys
    #[error("must have exactly one of {0}")]
    ExactlyOne(&'static str),
    /// Two keys that do not go together
    #[error("{0}")]
    Together(&'static str),
    /// A pattern that cannot be used
    #[error("{0}")]
    Pattern(#[source] PatternError),
    /// A name outside a list
    #[error("{name} is not known; allowed: {allowed}")]
    Unknown {
        /// What was written.
        name: String,
        /// What may be.
        allowed: String,
    },
    /// The same name for two identities
    #[error("the name {0} is taken by another identity")]
    SameName(String),
    /// The same entry again
    #[error("{0} comes twice")]
    Repeated(String),
    /// No digest, fingerprint or serial number
    #[error("must be {0}")]
    Form(&'static str),
    /// A threshold of nobody
    #[error("must be at least 1")]
    Zero,
    /// A threshold that its group cannot reach
    #[error(
        "can never be met: {needed} distinct signers are asked for, and there can be {possible}"
    )]
    TooFewSigners {
        /// How many are asked for.
        needed: usize,
        /// How many there can be.
        possible: usize,
    },
    /// Thresholds that each could be reached, but not together
    #[error("can never be met: each signer counts for one threshold only, and there are too few")]
    SharedSigners,
    /// More than are accepted
    #[error("can never be met: {needed} are required, and only {accepted} are accepted")]
    TooFewAccepted {
        /// How many are asked for.
        needed: usize,
        /// How many are accepted.
        accepted: usize,
    },
    /// No moment lies within
    #[error("can never be met: the end lies before the beginning")]
    EmptyWindow,
    /// Something that only a certificate has, where all signers are bare keys
    #[error("can never be met: no accepted identity has a certificate")]
    NoCertificate,
    /// A condition that cannot be used
    #[error("{0}")]
    Condition(#[source] ConditionError),
}

impl PolicyError {
    pub(super) fn new(at: impl Into<String>, fault: PolicyFault) -> Self {
        Self {
            at: at.into(),
            fault: Box::new(fault),
        }
    }

    pub(super) fn whole(fault: PolicyFault) -> Self {
        Self::new("", fault)
    }

    /// The path of the key, as in `identities[0].issuer`; empty for the policy as a whole.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// What is wrong there.
    pub const fn fault(&self) -> &PolicyFault {
        &self.fault
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        self.fault.fmt(f)
    }
}

impl std::error::Error for PolicyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.fault.as_ref())
    }
}
