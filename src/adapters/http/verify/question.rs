//! What a client asks, in the one form that JSON bodies and forms are brought into.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::form::FormError;
use crate::adapters::http::refusal::Refusal;
use crate::protocol::bundle::{Artifact, Bundle, BundleError, Expectation};
use crate::protocol::bytes::from_base64_lenient;
use crate::protocol::hash::{Digest, HashAlgorithm};
use crate::protocol::json;
use crate::protocol::keys::{KeyError, PublicKey};
use crate::protocol::policy::{EmptyPolicy, IdentityMatcher, Policy, PolicyError};
use crate::services::verify::{Demand, PolicyDemand, Question, QuestionError, Verifier};

/// A question before any of it was understood.
#[derive(Default)]
pub(super) struct RawQuestion {
    /// Kept as they were sent, so that the bundle's own rules on repeated members apply
    pub(super) bundles: Vec<Vec<u8>>,
    pub(super) artifact: Option<Artifact>,
    pub(super) identities: Vec<IdentityClaim>,
    /// PEM
    pub(super) key: Option<String>,
    /// TOML or JSON
    pub(super) policy: Option<String>,
    pub(super) policy_name: Option<String>,
}

/// The JSON form of a question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyRequest {
    bundle: Option<Box<RawValue>>,
    #[serde(default)]
    bundles: Vec<Box<RawValue>>,
    artifact: ArtifactClaim,
    #[serde(default)]
    identities: Vec<IdentityClaim>,
    /// PEM, for bundles that were signed with a bare key.
    key: Option<String>,
    /// A text in TOML or JSON, or the policy itself.
    policy: Option<Box<RawValue>>,
    policy_name: Option<String>,
}

/// The artifact itself in `base64`, or a digest of it in hexadecimal under its function's name.
#[derive(Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
enum ArtifactClaim {
    Digest(HashAlgorithm, String),
    Content(Vec<u8>),
}

impl TryFrom<BTreeMap<String, String>> for ArtifactClaim {
    type Error = String;

    fn try_from(mut members: BTreeMap<String, String>) -> Result<Self, String> {
        let (Some((name, value)), true) = (members.pop_first(), members.is_empty()) else {
            return Err("artifact must have exactly one member".to_owned());
        };
        if name == "base64" {
            let content = from_base64_lenient(&value);
            return content
                .map(Self::Content)
                .map_err(|error| error.to_string());
        }
        let algorithm = HashAlgorithm::from_name(&name).ok_or_else(|| {
            let names = HashAlgorithm::ALL.map(HashAlgorithm::name).join(", ");
            format!("unknown member {name:?} of artifact, expected one of base64, {names}")
        })?;
        Ok(Self::Digest(algorithm, value))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityClaim {
    pub(super) issuer: String,
    pub(super) subject: String,
}

/// Why a request is not understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// The body is no JSON of the form
    #[error("the body is not as expected: {0}")]
    Json(#[source] serde_json::Error),
    /// The body is no form of the kind
    #[error(transparent)]
    Form(#[from] FormError),
    /// No bundle, or more than can be asked about
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// Not a bundle
    #[error("bundle {number}: {reason}")]
    Bundle {
        /// Which one, from 1
        number: usize,
        #[source]
        reason: BundleError,
    },
    /// Nothing that was signed
    #[error("give the artifact or its digest")]
    NoArtifact,
    /// Not a digest
    #[error("artifact.{name} must be {} bytes in hexadecimal", .algorithm.size())]
    Digest {
        name: &'static str,
        algorithm: HashAlgorithm,
    },
    /// Nobody is expected
    #[error("identities: {0}")]
    Identities(#[from] EmptyPolicy),
    /// Not a key
    #[error("key: {0}")]
    Key(#[from] KeyError),
    /// Two answers to who is expected
    #[error("give either identities or key, not both")]
    IdentitiesAndKey,
    /// Two answers to who is expected
    #[error("give one of identities, policy and policy_name")]
    IdentitiesAndPolicy,
    /// Not a policy, or one that nobody can meet
    #[error("policy: {0}")]
    Policy(#[from] PolicyError),
    /// Not configured
    #[error("policy_name: there is no policy of this name; GET /signet/v1/policies lists them")]
    UnknownPolicy,
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        let slug = match &error {
            RequestError::Json(_) => "malformed-json",
            RequestError::Form(error) => return error.into(),
            RequestError::Question(QuestionError::NoBundle) => "no-bundle",
            RequestError::Question(QuestionError::TooManyBundles(_)) => "too-many-bundles",
            RequestError::Question(QuestionError::SeveralBundles) => "several-bundles",
            RequestError::Bundle { .. } => "not-a-bundle",
            RequestError::NoArtifact => "no-artifact",
            RequestError::Digest { .. } => "malformed-digest",
            RequestError::Identities(_) => "no-identity",
            RequestError::Key(_) => "malformed-key",
            RequestError::IdentitiesAndKey => "identities-and-key",
            RequestError::IdentitiesAndPolicy => "identities-and-policy",
            RequestError::Policy(_) => "malformed-policy",
            RequestError::UnknownPolicy => "unknown-policy",
        };
        Self::invalid(slug, error)
    }
}

impl RawQuestion {
    /// A question in JSON.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, RequestError> {
        let request: VerifyRequest = json::from_slice(body).map_err(RequestError::Json)?;
        let bundles = request.bundle.into_iter().chain(request.bundles);
        Ok(Self {
            bundles: bundles
                .map(|bundle| Box::<str>::from(bundle).into_string().into_bytes())
                .collect(),
            artifact: Some(request.artifact.try_into()?),
            identities: request.identities,
            key: request.key,
            policy: request.policy.map(|policy| text_of(&policy)),
            policy_name: request.policy_name,
        })
    }

    /// Understands the question; reading bundles and policies is work for the processor.
    pub(super) fn read(self, verifier: &Verifier) -> Result<Question, RequestError> {
        let demand = self.demand(verifier)?;
        demand.check_count(self.bundles.len())?;
        let bundles = self.bundles.iter().enumerate().map(|(position, json)| {
            let number = position.saturating_add(1);
            Bundle::from_json(json).map_err(|reason| RequestError::Bundle { number, reason })
        });
        let bundles = bundles.collect::<Result<_, _>>()?;
        let artifact = self.artifact.ok_or(RequestError::NoArtifact)?;
        Ok(Question::new(bundles, artifact, demand)?)
    }

    fn demand(&self, verifier: &Verifier) -> Result<Demand, RequestError> {
        if self.key.is_some() && !self.identities.is_empty() {
            return Err(RequestError::IdentitiesAndKey);
        }
        let key = self.key.as_deref().map(PublicKey::from_pem).transpose()?;
        let policy = match (&self.policy, &self.policy_name) {
            (None, None) => None,
            (Some(text), None) => Some(Arc::new(Policy::parse(text)?)),
            (None, Some(name)) => Some(verifier.policy(name).ok_or(RequestError::UnknownPolicy)?),
            (Some(_), Some(_)) => return Err(RequestError::IdentitiesAndPolicy),
        };
        match (policy, key, self.identities.is_empty()) {
            (Some(policy), key, true) => Ok(Demand::Policy(PolicyDemand {
                policy,
                name: self.policy_name.clone(),
                key,
            })),
            (Some(_), _, false) => Err(RequestError::IdentitiesAndPolicy),
            (None, Some(key), _) => Ok(Demand::Signer(Expectation::Key(key))),
            (None, None, _) => {
                let matchers = self.identities.iter().map(|claim| {
                    IdentityMatcher::exact(claim.issuer.as_str(), claim.subject.as_str())
                });
                let matchers = matchers.collect::<Result<Vec<_>, _>>()?;
                let policy = Policy::any_of(matchers)?;
                Ok(Demand::Signer(Expectation::Identity(policy)))
            }
        }
    }
}

/// A policy that is written as a JSON value, or that stands in a JSON string.
fn text_of(policy: &RawValue) -> String {
    serde_json::from_str(policy.get()).unwrap_or_else(|_| policy.get().to_owned())
}

impl TryFrom<ArtifactClaim> for Artifact {
    type Error = RequestError;

    fn try_from(claim: ArtifactClaim) -> Result<Self, RequestError> {
        let (algorithm, text) = match claim {
            ArtifactClaim::Content(content) => return Ok(Self::from_bytes(&content)),
            ArtifactClaim::Digest(algorithm, text) => (algorithm, text),
        };
        let name = algorithm.name();
        hex::decode(text)
            .ok()
            .and_then(|bytes| Digest::new(algorithm, bytes).ok())
            .map(Self::from)
            .ok_or(RequestError::Digest { name, algorithm })
    }
}
