//! What a client asks, in the one form that JSON bodies and forms are brought into.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::adapters::http::refusal::Refusal;
use crate::protocol::bundle::{Artifact, Bundle, BundleError};
use crate::protocol::bytes::from_base64_lenient;
use crate::protocol::hash::{Digest, HashAlgorithm};
use crate::protocol::json;
use crate::services::verify::{
    BundleCountError, ExpectedIdentity, NamedPolicies, SignerRequirementError,
    SignerRequirementInput, VerificationRequest,
};

/// A question before any of it was understood.
#[derive(Default)]
pub(super) struct RawQuestion {
    /// Kept as they were sent, so that the bundle's own rules on repeated members apply
    pub(super) bundles: Vec<Vec<u8>>,
    pub(super) artifact: Option<Artifact>,
    pub(super) requirement: SignerRequirementInput,
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
struct IdentityClaim {
    issuer: String,
    subject: String,
}

/// Why a request is not understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// The body is no JSON of the form
    #[error("the body is not as expected: {0}")]
    Json(#[source] serde_json::Error),
    /// No bundle, or more than can be asked about
    #[error(transparent)]
    BundleCount(#[from] BundleCountError),
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
    /// Not one statement of who must have signed
    #[error("{}", requirement_text(.0))]
    Requirement(#[from] SignerRequirementError),
}

/// The error with the names that the fields have in requests.
fn requirement_text(error: &SignerRequirementError) -> String {
    match error {
        SignerRequirementError::Unpaired {
            identities,
            issuers,
        } => format!("every identity needs an issuer: the form has {identities} and {issuers}"),
        SignerRequirementError::IdentitiesAndKey => {
            "give either identities or key, not both".to_owned()
        }
        SignerRequirementError::IdentitiesAndPolicy => {
            "give one of identities, policy and policy_name".to_owned()
        }
        SignerRequirementError::Identities(reason) => format!("identities: {reason}"),
        SignerRequirementError::Key(reason) => format!("key: {reason}"),
        SignerRequirementError::Policy(reason) => format!("policy: {reason}"),
        SignerRequirementError::UnknownPolicy => {
            "policy_name: there is no policy of this name; GET /signet/v1/policies lists them"
                .to_owned()
        }
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        let slug = match &error {
            RequestError::Json(_) => "malformed-json",
            RequestError::BundleCount(BundleCountError::None) => "no-bundle",
            RequestError::BundleCount(BundleCountError::TooMany(_)) => "too-many-bundles",
            RequestError::BundleCount(BundleCountError::SeveralWithoutPolicy) => "several-bundles",
            RequestError::Bundle { .. } => "not-a-bundle",
            RequestError::NoArtifact => "no-artifact",
            RequestError::Digest { .. } => "malformed-digest",
            RequestError::Requirement(error) => match error {
                SignerRequirementError::Unpaired { .. } => "malformed-form",
                SignerRequirementError::Identities(_) => "no-identity",
                SignerRequirementError::Key(_) => "malformed-key",
                SignerRequirementError::IdentitiesAndKey => "identities-and-key",
                SignerRequirementError::IdentitiesAndPolicy => "identities-and-policy",
                SignerRequirementError::Policy(_) => "malformed-policy",
                SignerRequirementError::UnknownPolicy => "unknown-policy",
            },
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
            requirement: SignerRequirementInput {
                identities: request.identities.into_iter().map(Into::into).collect(),
                key: request.key,
                policy: request.policy.map(|policy| text_of(&policy)),
                policy_name: request.policy_name,
            },
        })
    }

    /// Understands the question; reading bundles and policies is work for the processor.
    pub(super) fn read(
        self,
        policies: &NamedPolicies,
    ) -> Result<VerificationRequest, RequestError> {
        let requirement = self.requirement.read(policies)?;
        requirement.check_count(self.bundles.len())?;
        let bundles = (1..).zip(&self.bundles).map(|(number, json)| {
            Bundle::from_json(json).map_err(|reason| RequestError::Bundle { number, reason })
        });
        let bundles = bundles.collect::<Result<_, _>>()?;
        let artifact = self.artifact.ok_or(RequestError::NoArtifact)?;
        Ok(VerificationRequest::new(bundles, artifact, requirement)?)
    }
}

impl From<IdentityClaim> for ExpectedIdentity {
    fn from(claim: IdentityClaim) -> Self {
        let IdentityClaim { issuer, subject } = claim;
        Self { issuer, subject }
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
