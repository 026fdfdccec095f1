//! Errors of loading a policy.

use std::fmt;

use super::condition::ConditionError;
use super::matcher::PatternError;

/// Maximum length of a policy, in bytes.
pub(super) const MAX_POLICY_LENGTH: usize = 256 * 1024;

/// Error loading a policy: the path of the invalid key, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// Empty if the error concerns the policy as a whole.
    at: String,
    fault: Box<PolicyFault>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PolicyFault {
    #[error("a policy must have at most {MAX_POLICY_LENGTH} bytes")]
    Length,
    #[error("not TOML or JSON: {0}")]
    Syntax(String),
    /// An unknown key, or a value of the wrong type.
    #[error("{0}")]
    Shape(String),
    #[error("must have {0} to {1} entries")]
    Count(usize, usize),
    #[error("a policy must have at most {0} patterns")]
    Patterns(usize),
    #[error("must have 1 to {0} bytes")]
    TextLength(usize),
    #[error("must have exactly one of {0}")]
    ExactlyOne(&'static str),
    #[error("{0}")]
    MutuallyExclusive(&'static str),
    #[error("{0}")]
    Pattern(#[source] PatternError),
    #[error("unknown name {name}; allowed: {allowed}")]
    Unknown { name: String, allowed: String },
    #[error("another identity already has the name {0}")]
    DuplicateName(String),
    #[error("{0} appears twice")]
    Duplicate(String),
    #[error("must be {0}")]
    Form(&'static str),
    #[error("must be at least 1")]
    Zero,
    #[error(
        "can never be met: requires {needed} distinct signers, but at most {possible} can exist"
    )]
    TooFewSigners { needed: usize, possible: usize },
    #[error("can never be met: too few signers, because each signer counts for one threshold only")]
    SharedSigners,
    #[error("can never be met: requires {needed}, but only {accepted} are accepted")]
    TooFewAccepted { needed: usize, accepted: usize },
    #[error("can never be met: the time window ends before it starts")]
    EmptyWindow,
    #[error("can never be met: no accepted identity has a certificate")]
    NoCertificate,
    #[error("{0}")]
    Condition(#[source] ConditionError),
}

impl PolicyError {
    /// `at` is the path of the invalid key, such as `identities[0].issuer`.
    pub(super) fn new(at: impl Into<String>, fault: PolicyFault) -> Self {
        Self {
            at: at.into(),
            fault: Box::new(fault),
        }
    }

    /// An error of the policy as a whole.
    pub(super) fn whole(fault: PolicyFault) -> Self {
        Self::new("", fault)
    }

    #[cfg(test)]
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    #[cfg(test)]
    pub(super) const fn fault(&self) -> &PolicyFault {
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
