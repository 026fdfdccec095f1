//! Verification requests: bundles, an artifact, and who must have signed it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::protocol::bundle::{Artifact, Bundle, Expectation};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::keys::{KeyError, PublicKey};
use crate::protocol::policy::{EmptyPolicy, IdentityMatcher, Policy, PolicyError};

/// Maximum number of bundles in a request.
pub(super) const MAX_BUNDLES: usize = 64;

/// Policies by name.
pub(crate) type NamedPolicies = BTreeMap<String, Arc<Policy>>;

#[derive(Clone, Debug)]
pub(crate) struct VerificationRequest {
    bundles: Vec<Bundle>,
    artifact: Artifact,
    requirement: SignerRequirement,
}

/// Who must have signed.
#[derive(Clone, Debug)]
pub(crate) enum SignerRequirement {
    /// The expected signer, in the only bundle
    Expected(Expectation),
    /// As many signers as the policy asks for, over all bundles
    Policy(PolicyRequirement),
}

#[derive(Clone, Debug)]
pub(crate) struct PolicyRequirement {
    pub policy: Arc<Policy>,
    /// The policy's name, if the caller named it.
    pub name: Option<String>,
    /// The key of the bundles without a certificate.
    pub key: Option<PublicKey>,
}

/// The required signer as text, from the fields of a request or the options of a command.
#[derive(Default)]
pub(crate) struct SignerRequirementInput {
    pub identities: Vec<ExpectedIdentity>,
    /// PEM.
    pub key: Option<String>,
    /// TOML or JSON.
    pub policy: Option<String>,
    pub policy_name: Option<String>,
}

/// An identity that a certificate must contain, byte for byte.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedIdentity {
    pub issuer: String,
    pub subject: String,
}

/// Error in a signer requirement. Callers render it with the names of their fields or options.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignerRequirementError {
    #[error(
        "every identity needs an issuer: {identities} identities and {issuers} issuers were given"
    )]
    Unpaired { identities: usize, issuers: usize },
    #[error("give either identities or a key, not both")]
    IdentitiesAndKey,
    #[error("give one of identities, a policy and the name of a policy")]
    IdentitiesAndPolicy,
    #[error(transparent)]
    Identities(#[from] EmptyPolicy),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("no policy has this name")]
    UnknownPolicy,
}

/// Error in the number of bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BundleCountError {
    #[error("at least one bundle is required")]
    None,
    #[error("there are {0} bundles; the limit is {MAX_BUNDLES}")]
    TooMany(usize),
    #[error("several bundles require a policy")]
    SeveralWithoutPolicy,
}

impl VerificationRequest {
    pub(crate) fn new(
        bundles: Vec<Bundle>,
        artifact: Artifact,
        requirement: SignerRequirement,
    ) -> Result<Self, BundleCountError> {
        requirement.check_count(bundles.len())?;
        Ok(Self {
            bundles,
            artifact,
            requirement,
        })
    }

    /// The bundles: at least one, and exactly one without a policy.
    pub(super) fn bundles(&self) -> &[Bundle] {
        &self.bundles
    }

    pub(super) const fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    pub(super) const fn requirement(&self) -> &SignerRequirement {
        &self.requirement
    }
}

impl SignerRequirementInput {
    /// Pairs subjects and issuers from two lists by position.
    ///
    /// # Errors
    /// The lists have different lengths.
    pub(crate) fn pair_identities(
        &mut self,
        subjects: impl IntoIterator<Item = String, IntoIter: ExactSizeIterator>,
        issuers: impl IntoIterator<Item = String, IntoIter: ExactSizeIterator>,
    ) -> Result<(), SignerRequirementError> {
        let (subjects, issuers) = (subjects.into_iter(), issuers.into_iter());
        let (identities, count) = (subjects.len(), issuers.len());
        if identities != count {
            return Err(SignerRequirementError::Unpaired {
                identities,
                issuers: count,
            });
        }
        let pairs = subjects.zip(issuers);
        let pairs = pairs.map(|(subject, issuer)| ExpectedIdentity { issuer, subject });
        self.identities.extend(pairs);
        Ok(())
    }

    /// Checks the combination of fields and reads each of them.
    ///
    /// # Errors
    /// See [`SignerRequirementError`].
    pub(crate) fn read(
        &self,
        policies: &NamedPolicies,
    ) -> Result<SignerRequirement, SignerRequirementError> {
        if self.key.is_some() && !self.identities.is_empty() {
            return Err(SignerRequirementError::IdentitiesAndKey);
        }
        let key = self.key.as_deref().map(PublicKey::from_pem).transpose()?;
        let policy = match (&self.policy, &self.policy_name) {
            (None, None) => None,
            (Some(text), None) => Some(Arc::new(Policy::parse(text)?)),
            (None, Some(name)) => Some(
                policies
                    .get(name)
                    .cloned()
                    .ok_or(SignerRequirementError::UnknownPolicy)?,
            ),
            (Some(_), Some(_)) => return Err(SignerRequirementError::IdentitiesAndPolicy),
        };
        match (policy, key) {
            (Some(_), _) if !self.identities.is_empty() => {
                Err(SignerRequirementError::IdentitiesAndPolicy)
            }
            (Some(policy), key) => Ok(SignerRequirement::Policy(PolicyRequirement {
                policy,
                name: self.policy_name.clone(),
                key,
            })),
            (None, Some(key)) => Ok(SignerRequirement::Expected(Expectation::Key(key))),
            (None, None) => {
                let matchers = self.identities.iter().map(|expected| {
                    IdentityMatcher::exact(expected.issuer.as_str(), expected.subject.as_str())
                });
                let policy = Policy::any_of(matchers.collect::<Result<Vec<_>, _>>()?)?;
                Ok(SignerRequirement::Expected(Expectation::Identity(policy)))
            }
        }
    }
}

impl SignerRequirement {
    /// Whether this many bundles can be verified; callers check it before they read the bundles.
    pub(crate) const fn check_count(&self, bundles: usize) -> Result<(), BundleCountError> {
        match (bundles, self) {
            (0, _) => Err(BundleCountError::None),
            (1, _) => Ok(()),
            (_, Self::Expected(_)) => Err(BundleCountError::SeveralWithoutPolicy),
            (..=MAX_BUNDLES, Self::Policy(_)) => Ok(()),
            (_, Self::Policy(_)) => Err(BundleCountError::TooMany(bundles)),
        }
    }

    /// The functions under which the artifact must be hashed for these bundles.
    pub(crate) fn hash_algorithms(&self, bundles: &[Bundle]) -> Vec<HashAlgorithm> {
        let key = match self {
            Self::Expected(Expectation::Key(key)) => Some(key),
            Self::Expected(Expectation::Identity(_)) => None,
            // A policy may deny an artifact by its digest under any function.
            Self::Policy(_) => {
                return vec![
                    HashAlgorithm::Sha256,
                    HashAlgorithm::Sha384,
                    HashAlgorithm::Sha512,
                ];
            }
        };
        let needed = bundles
            .iter()
            .flat_map(|bundle| bundle.hash_algorithms(key));
        needed.collect()
    }
}
