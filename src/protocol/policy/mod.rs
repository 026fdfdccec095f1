//! Who may sign what. Silence means denial. Pure: no I/O, no clock.
//!
//! A [`Policy`] is read from a [`PolicyDocument`], or made of identities by [`Policy::any_of`]. One
//! that can never be met is refused then. It looks at the [`Evidence`] of all verified bundles of one
//! artifact, and [`Policy::decide`] is the only way to an [`Accepted`].

mod assign;
pub(crate) mod condition;
mod decision;
mod deny;
mod document;
mod error;
mod evidence;
mod identity;
mod load;
mod pattern;
mod requirements;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use decision::{BundleOutcome, NotCounted, Signer, ThresholdOutcome};
pub use document::PolicyDocument;
pub(crate) use error::PolicyError;
pub(crate) use evidence::claim_names;
pub use evidence::{
    ArtifactDigest, CertificateEvidence, EntryEvidence, Evidence, KeyEvidence, SctEvidence,
    StatementEvidence, TimeEvidence, TimeKind,
};
pub(crate) use identity::TextMatcher;
pub use identity::{Identity, IdentityMatcher};

use crate::protocol::bytes::Sha256;
use deny::DenyRule;
use requirements::Requirements;

/// The most bundles that one decision takes, and so the largest threshold.
pub const MAX_BUNDLES: usize = 256;

/// What must be proved about an artifact for it to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    description: Option<String>,
    members: Vec<Member>,
    /// Sets of thresholds; each set is enough by itself.
    alternatives: Vec<Vec<Threshold>>,
    require: Requirements,
    deny: Vec<DenyRule>,
}

/// One entry of the list of accepted signers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: Option<String>,
    who: Who,
    claims: Vec<(&'static str, TextMatcher)>,
    /// All whom the entry accepts count as one signer.
    counts_once: bool,
}

/// Whom an entry accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    /// Those whom a certificate names so
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
    /// The members of the group, by their index.
    members: Vec<usize>,
}

/// Evidence that a policy lets an identity sign. [`Policy::permit`] is the only constructor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    identity: Identity,
}

/// A policy that nobody can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a policy must name an identity, with issuer and subject")]
pub struct EmptyPolicy;

/// The policy does not name this identity, or asks for more than an identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not an accepted identity")]
pub struct Denied(pub Identity);

impl Policy {
    /// Reads a policy, in JSON where the first character is `{`, else in TOML.
    ///
    /// # Errors
    /// What is wrong, with the path of the key; also that it can never be met.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        PolicyDocument::parse(text)?.check()
    }

    /// Accepts what any one of the identities signed.
    ///
    /// # Errors
    /// No identity at all.
    pub fn any_of(
        identities: impl IntoIterator<Item = IdentityMatcher>,
    ) -> Result<Self, EmptyPolicy> {
        let members: Vec<_> = identities.into_iter().map(Member::from).collect();
        if members.is_empty() {
            return Err(EmptyPolicy);
        }
        Ok(Self {
            description: None,
            alternatives: vec![vec![Threshold::any(members.len())]],
            members,
            require: Requirements::default(),
            deny: Vec::new(),
        })
    }

    /// Whether the identity by itself is enough: it is named, and the policy asks for nothing else.
    /// A policy that asks for more is answered by [`Policy::decide`] alone.
    ///
    /// # Errors
    /// The policy does not name the identity, or asks for more.
    pub fn permit(&self, identity: Identity) -> Result<Permit, Denied> {
        let asks_for_no_more = self.alternatives == [[Threshold::any(self.members.len())]]
            && self.require == Requirements::default()
            && self.deny.is_empty();
        let named = self
            .members
            .iter()
            .any(|member| member.claims.is_empty() && member.who.is(&identity));
        if asks_for_no_more && named {
            Ok(Permit { identity })
        } else {
            Err(Denied(identity))
        }
    }
}

impl Permit {
    /// Who may sign.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Threshold {
    /// One of all members.
    fn any(members: usize) -> Self {
        Self {
            group: None,
            needed: 1,
            members: (0..members).collect(),
        }
    }
}

impl Who {
    fn is(&self, identity: &Identity) -> bool {
        match self {
            Self::Identity(matcher) => matcher.matches(identity),
            Self::Key(_) => false,
        }
    }
}

impl From<IdentityMatcher> for Member {
    fn from(matcher: IdentityMatcher) -> Self {
        Self {
            name: None,
            who: Who::Identity(matcher),
            claims: Vec::new(),
            counts_once: false,
        }
    }
}
