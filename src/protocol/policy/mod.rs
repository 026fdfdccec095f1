//! Policies: who may sign what. An artifact is denied unless a policy accepts it. Pure: no I/O, no
//! clock.
//!
//! A [`Policy`] is read from a [`PolicyDocument`], or made of identities by [`Policy::any_of`]; one
//! that can never be met is refused at that point. It decides about the evidence of all verified
//! bundles of one artifact, and only [`Policy::decide`] returns an [`Accepted`].

mod assign;
mod condition;
mod decision;
mod deny;
mod display;
mod document;
mod error;
mod load;
mod matcher;
mod requirements;
mod satisfiable;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use decision::{BundleOutcome, NotCounted, ThresholdOutcome};
pub use document::PolicyDocument;
pub(crate) use error::PolicyError;
pub use matcher::IdentityMatcher;
pub(crate) use matcher::TextMatcher;

use crate::protocol::hash::Sha256;
use crate::protocol::identity::CertificateIdentity;
use deny::DenyRule;
use requirements::Requirements;

/// Maximum number of bundles in one decision, and so the largest threshold.
pub const MAX_BUNDLES: usize = 256;

/// What must be proved about an artifact for it to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    description: Option<String>,
    members: Vec<Member>,
    /// Sets of thresholds; one set that is met is enough.
    alternatives: Vec<Vec<Threshold>>,
    require: Requirements,
    deny: Vec<DenyRule>,
}

/// One item of the list of accepted signers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: Option<String>,
    who: Who,
    claims: Vec<(&'static str, TextMatcher)>,
    /// All signers that the item accepts are counted as one.
    counts_once: bool,
}

/// The signers that a member accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Identity(IdentityMatcher),
    /// The holder of this key, in bundles without a certificate
    Key(Sha256),
}

/// How many distinct signers of a group are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Threshold {
    /// None for all members.
    group: Option<String>,
    needed: usize,
    /// Indices of the group's members.
    members: Vec<usize>,
}

/// Evidence that a policy permits an identity to sign. [`Policy::permit`] is the only constructor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    identity: CertificateIdentity,
}

/// A policy that no signer can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a policy must name an identity, with issuer and subject")]
pub struct EmptyPolicy;

/// The policy does not name this identity, or asks for more than an identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not an accepted identity")]
pub struct IdentityDenied(pub CertificateIdentity);

impl Policy {
    /// Reads a policy, in JSON if the first character is `{`, else in TOML.
    ///
    /// # Errors
    /// What is wrong, with the path of the key; also that the policy can never be met.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        PolicyDocument::parse(text)?.check()
    }

    /// Accepts what any one of the identities signed.
    ///
    /// # Errors
    /// There is no identity.
    pub fn any_of(
        identities: impl IntoIterator<Item = IdentityMatcher>,
    ) -> Result<Self, EmptyPolicy> {
        let members: Vec<_> = identities
            .into_iter()
            .map(|matcher| Member {
                name: None,
                who: Who::Identity(matcher),
                claims: Vec::new(),
                counts_once: false,
            })
            .collect();
        if members.is_empty() {
            return Err(EmptyPolicy);
        }
        Ok(Self {
            description: None,
            alternatives: vec![vec![Threshold::one_of_all(members.len())]],
            members,
            require: Requirements::default(),
            deny: Vec::new(),
        })
    }

    /// Permits an identity that the policy names, if the policy asks for nothing else. Only
    /// [`Policy::decide`] answers for a policy that asks for more.
    ///
    /// # Errors
    /// The policy does not name the identity, or asks for more.
    pub fn permit(&self, identity: CertificateIdentity) -> Result<Permit, IdentityDenied> {
        let asks_for_no_more = self.alternatives == [[Threshold::one_of_all(self.members.len())]]
            && self.require == Requirements::default()
            && self.deny.is_empty();
        let is_named = self.members.iter().any(|member| {
            matches!(&member.who, Who::Identity(matcher) if matcher.matches(&identity))
                && member.claims.is_empty()
        });
        if asks_for_no_more && is_named {
            Ok(Permit { identity })
        } else {
            Err(IdentityDenied(identity))
        }
    }
}

impl Permit {
    pub(crate) fn into_identity(self) -> CertificateIdentity {
        self.identity
    }
}

impl Threshold {
    fn one_of_all(members: usize) -> Self {
        Self {
            group: None,
            needed: 1,
            members: (0..members).collect(),
        }
    }
}
