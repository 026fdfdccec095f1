//! What is asked: these bundles, this artifact, and who must have signed it.

use std::sync::Arc;

use crate::protocol::bundle::{Artifact, Bundle, Expectation};
use crate::protocol::bytes::HashAlgorithm;
use crate::protocol::keys::PublicKey;
use crate::protocol::policy::Policy;

/// The most bundles that one question may have.
pub(super) const MAX_BUNDLES: usize = 64;

/// A question that has an answer.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    bundles: Vec<Bundle>,
    artifact: Artifact,
    demand: Demand,
}

/// Who must have signed.
#[derive(Clone, Debug)]
pub(crate) enum Demand {
    /// One whom the caller expects, in the only bundle
    Signer(Expectation),
    /// As many of those as the policy says, over all bundles
    Policy(PolicyDemand),
}

/// A policy to be met.
#[derive(Clone, Debug)]
pub(crate) struct PolicyDemand {
    /// What must be met.
    pub policy: Arc<Policy>,
    /// Its name, where it was asked for by name.
    pub name: Option<String>,
    /// The key of bundles that name no certificate.
    pub key: Option<PublicKey>,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuestionError {
    /// Nothing to verify
    #[error("there must be a bundle")]
    NoBundle,
    /// More than are looked at
    #[error("there are {0} bundles; the limit is {MAX_BUNDLES}")]
    TooManyBundles(usize),
    /// Several bundles, and nothing that says how many are enough
    #[error("several bundles need a policy, which says how many of whom must have signed")]
    SeveralBundles,
}

impl Question {
    /// A question about an artifact.
    ///
    /// # Errors
    /// No bundle, too many, or several without a policy.
    pub(crate) fn new(
        bundles: Vec<Bundle>,
        artifact: Artifact,
        demand: Demand,
    ) -> Result<Self, QuestionError> {
        demand.check_count(bundles.len())?;
        Ok(Self {
            bundles,
            artifact,
            demand,
        })
    }

    /// The bundles, at least one.
    pub(crate) fn bundles(&self) -> impl Iterator<Item = &Bundle> {
        self.bundles.iter()
    }

    /// What was signed.
    pub(crate) const fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// Who must have signed.
    pub(crate) const fn demand(&self) -> &Demand {
        &self.demand
    }
}

impl Demand {
    /// Whether so many bundles can be asked about, before any of them is read.
    ///
    /// # Errors
    /// No bundle, too many, or several without a policy.
    pub(crate) const fn check_count(&self, bundles: usize) -> Result<(), QuestionError> {
        match (bundles, self) {
            (0, _) => Err(QuestionError::NoBundle),
            (1, _) => Ok(()),
            (_, Self::Signer(_)) => Err(QuestionError::SeveralBundles),
            (MAX_BUNDLES.., Self::Policy(_)) if bundles > MAX_BUNDLES => {
                Err(QuestionError::TooManyBundles(bundles))
            }
            (_, Self::Policy(_)) => Ok(()),
        }
    }

    /// The functions under which the artifact must be hashed for these bundles.
    pub(crate) fn hash_algorithms(&self, bundles: &[Bundle]) -> Vec<HashAlgorithm> {
        let key = match self {
            Self::Signer(Expectation::Key(key)) => Some(key),
            Self::Signer(Expectation::Identity(_)) => None,
            // A policy may deny an artifact by its digest under any function.
            Self::Policy(_) => return HashAlgorithm::ALL.to_vec(),
        };
        let needed = bundles
            .iter()
            .flat_map(|bundle| bundle.hash_algorithms(key));
        needed.collect()
    }
}
