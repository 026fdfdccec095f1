//! Who may sign what. Silence means denial. Pure: no I/O, no clock.

mod decision;
mod evidence;

use std::fmt;

pub use decision::{
    Accepted, BundleOutcome, Denial, DenialReason, NotCounted, Signer, ThresholdOutcome,
};
pub use evidence::{
    ArtifactDigest, CertificateEvidence, EntryEvidence, Evidence, KeyEvidence, SctEvidence,
    StatementEvidence, TimeEvidence, TimeKind, claim_name, claim_names,
};

/// Whose signatures are accepted: any of a list of identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    identities: Vec<IdentityMatcher>,
}

/// One accepted identity: exactly this issuer and exactly this subject, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityMatcher {
    issuer: String,
    subject: String,
}

/// Who signed, as the certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The OpenID Connect issuer that vouched for the subject.
    pub issuer: String,
    /// The certificate's subject alternative name.
    pub subject: String,
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

/// The policy does not name this identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not an accepted identity")]
pub struct Denied(pub Identity);

impl IdentityMatcher {
    /// Accepts exactly this subject from exactly this issuer. No character is a pattern.
    ///
    /// # Errors
    /// An empty issuer or subject, which no certificate has.
    pub fn exact(
        issuer: impl Into<String>,
        subject: impl Into<String>,
    ) -> Result<Self, EmptyPolicy> {
        let (issuer, subject) = (issuer.into(), subject.into());
        if issuer.is_empty() || subject.is_empty() {
            return Err(EmptyPolicy);
        }
        Ok(Self { issuer, subject })
    }

    fn matches(&self, identity: &Identity) -> bool {
        self.issuer == identity.issuer && self.subject == identity.subject
    }
}

impl Policy {
    /// Accepts any of the identities.
    ///
    /// # Errors
    /// No identity at all.
    pub fn any_of(
        identities: impl IntoIterator<Item = IdentityMatcher>,
    ) -> Result<Self, EmptyPolicy> {
        let identities: Vec<_> = identities.into_iter().collect();
        if identities.is_empty() {
            return Err(EmptyPolicy);
        }
        Ok(Self { identities })
    }

    /// Whether the identity may sign.
    ///
    /// # Errors
    /// The policy does not name it.
    pub fn permit(&self, identity: Identity) -> Result<Permit, Denied> {
        if self.names(&identity) {
            Ok(Permit { identity })
        } else {
            Err(Denied(identity))
        }
    }

    fn names(&self, identity: &Identity) -> bool {
        self.identities.iter().any(|one| one.matches(identity))
    }
}

impl Permit {
    /// Who may sign.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (issuer {})", self.subject, self.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.example";

    fn identity(subject: &str) -> Identity {
        Identity {
            issuer: ISSUER.to_owned(),
            subject: subject.to_owned(),
        }
    }

    fn policy(subjects: &[&str]) -> Policy {
        let matchers = subjects
            .iter()
            .map(|subject| IdentityMatcher::exact(ISSUER, *subject).unwrap());
        Policy::any_of(matchers).unwrap()
    }

    #[test]
    fn any_of_the_list_may_sign_and_nobody_else() {
        let policy = policy(&["a@x", "b@x"]);

        assert_eq!(
            policy.permit(identity("b@x")).unwrap().identity(),
            &identity("b@x")
        );
        assert!(policy.permit(identity("c@x")).is_err());
        assert!(policy.permit(identity("A@x")).is_err());
        assert!(policy.permit(identity("a@x ")).is_err());
    }

    #[test]
    fn an_exact_subject_is_no_pattern() {
        // sigstore-js a031055b: `a.b@x` must not match `aXb@x`.
        assert!(policy(&["a.b@x"]).permit(identity("aXb@x")).is_err());
        assert!(policy(&[".*"]).permit(identity("a@x")).is_err());
    }

    #[test]
    fn the_issuer_decides_as_much_as_the_subject() {
        let other = Identity {
            issuer: "https://idp.example/".to_owned(),
            subject: "a@x".to_owned(),
        };

        assert!(policy(&["a@x"]).permit(other).is_err());
    }

    #[test]
    fn silence_means_denial() {
        assert_eq!(Policy::any_of([]), Err(EmptyPolicy));
        assert!(IdentityMatcher::exact("", "a@x").is_err());
        assert!(IdentityMatcher::exact(ISSUER, "").is_err());
    }
}
