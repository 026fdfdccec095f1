//! Policies: which signers an artifact needs. An artifact is denied unless the policy accepts it.
//!
//! A [`Policy`] is parsed from a [`PolicyDocument`] or built from identities by [`Policy::any_of`]. A
//! policy that can never be met is rejected when it is loaded. [`Policy::decide`] takes the evidence
//! of all verified bundles of one artifact, and is the only constructor of [`decision::Accepted`].

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

/// Maximum number of bundles in one decision, and therefore the largest possible threshold.
pub const MAX_BUNDLES: usize = 256;

/// Rules that decide whether an artifact is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    description: Option<String>,
    members: Vec<Member>,
    /// Alternative sets of thresholds. One set must be met in full.
    alternatives: Vec<Vec<Threshold>>,
    require: Requirements,
    deny: Vec<DenyRule>,
}

/// One entry of `[[identities]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: Option<String>,
    signer: SignerMatcher,
    /// Claims that the certificate must contain, by name.
    claims: Vec<(&'static str, TextMatcher)>,
    /// All signers that match this entry count as one signer.
    counts_once: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SignerMatcher {
    Identity(IdentityMatcher),
    /// Fingerprint of a public key. Matches only bundles without a certificate.
    Key(Sha256),
}

/// Number of distinct signers that a group requires.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Threshold {
    /// `None` means all members of the policy.
    group: Option<String>,
    needed: usize,
    /// Indices of the group's members.
    members: Vec<usize>,
}

/// Proof that a policy permits an identity to sign. [`Policy::permit`] is the only constructor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    identity: CertificateIdentity,
}

/// The policy accepts no signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a policy must name an identity, with issuer and subject")]
pub struct EmptyPolicy;

/// The policy does not list this identity, or requires more than an identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not an accepted identity")]
pub struct IdentityDenied(pub CertificateIdentity);

impl Policy {
    /// Parses a policy. Text that starts with `{` is JSON; everything else is TOML.
    ///
    /// # Errors
    /// The policy is malformed or can never be met. The error contains the path of the key.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        PolicyDocument::parse(text)?.check()
    }

    /// Builds a policy that requires one signature by any of the identities.
    ///
    /// # Errors
    /// `identities` is empty.
    pub fn any_of(
        identities: impl IntoIterator<Item = IdentityMatcher>,
    ) -> Result<Self, EmptyPolicy> {
        let members: Vec<_> = identities
            .into_iter()
            .map(|matcher| Member {
                name: None,
                signer: SignerMatcher::Identity(matcher),
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

    /// Permits an identity that the policy lists, if the policy requires nothing else. Use
    /// [`Policy::decide`] for policies with claims, thresholds, requirements or deny rules.
    ///
    /// # Errors
    /// The policy does not list the identity, or requires more than an identity.
    pub fn permit(&self, identity: CertificateIdentity) -> Result<Permit, IdentityDenied> {
        let requires_only_an_identity = self.alternatives
            == [[Threshold::one_of_all(self.members.len())]]
            && self.require == Requirements::default()
            && self.deny.is_empty();
        let is_listed = self.members.iter().any(|member| {
            matches!(&member.signer, SignerMatcher::Identity(matcher) if matcher.matches(&identity))
                && member.claims.is_empty()
        });
        if requires_only_an_identity && is_listed {
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
