//! Verification requests in JSON, and the common form of JSON and multipart requests.

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

/// A request with its bundles, policy and key still unparsed.
#[derive(Default)]
pub(super) struct RawVerifyRequest {
    /// The original bytes, so that the bundle parser sees and rejects repeated members
    pub(super) bundles: Vec<Vec<u8>>,
    pub(super) artifact: Option<Artifact>,
    pub(super) requirement: SignerRequirementInput,
}

/// The JSON body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyRequestBody {
    bundle: Option<Box<RawValue>>,
    #[serde(default)]
    bundles: Vec<Box<RawValue>>,
    artifact: ArtifactClaim,
    #[serde(default)]
    identities: Vec<IdentityClaim>,
    /// PEM, for bundles that were signed with a bare key.
    key: Option<String>,
    /// The policy as a JSON value, or as a string that contains TOML or JSON.
    policy: Option<Box<RawValue>>,
    policy_name: Option<String>,
}

/// `{"base64": <content>}`, or a digest in hexadecimal such as `{"sha256": <digest>}`.
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

/// Error parsing a verification request.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerifyRequestError {
    #[error("the body is not a verification request: {0}")]
    Json(#[source] serde_json::Error),
    #[error(transparent)]
    BundleCount(#[from] BundleCountError),
    #[error("bundle {number}: {reason}")]
    Bundle {
        /// Counted from 1
        number: usize,
        #[source]
        reason: BundleError,
    },
    #[error("the request has neither the artifact nor its digest")]
    NoArtifact,
    #[error("artifact.{name} must be {} bytes in hexadecimal", .algorithm.size())]
    Digest {
        name: &'static str,
        algorithm: HashAlgorithm,
    },
    #[error("{}", requirement_text(.0))]
    Requirement(#[from] SignerRequirementError),
}

/// The error message with the field names of requests.
fn requirement_text(error: &SignerRequirementError) -> String {
    match error {
        SignerRequirementError::Unpaired {
            identities,
            issuers,
        } => format!(
            "the form has {identities} identities and {issuers} issuers; give one issuer for each identity"
        ),
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
            "policy_name: the server has no such policy; GET /signet/v1/policies lists them"
                .to_owned()
        }
    }
}

impl From<VerifyRequestError> for Refusal {
    fn from(error: VerifyRequestError) -> Self {
        let slug = match &error {
            VerifyRequestError::Json(_) => "malformed-json",
            VerifyRequestError::BundleCount(BundleCountError::None) => "no-bundle",
            VerifyRequestError::BundleCount(BundleCountError::TooMany(_)) => "too-many-bundles",
            VerifyRequestError::BundleCount(BundleCountError::SeveralWithoutPolicy) => {
                "several-bundles"
            }
            VerifyRequestError::Bundle { .. } => "not-a-bundle",
            VerifyRequestError::NoArtifact => "no-artifact",
            VerifyRequestError::Digest { .. } => "malformed-digest",
            VerifyRequestError::Requirement(error) => match error {
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

impl RawVerifyRequest {
    /// Parses a JSON body, but not the bundles, policy and key in it.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, VerifyRequestError> {
        let request: VerifyRequestBody =
            json::from_slice(body).map_err(VerifyRequestError::Json)?;
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

    /// Parses bundles, policy and key. CPU-bound: run it within the work limit.
    pub(super) fn read(
        self,
        policies: &NamedPolicies,
    ) -> Result<VerificationRequest, VerifyRequestError> {
        let requirement = self.requirement.read(policies)?;
        requirement.check_count(self.bundles.len())?;
        let bundles = (1..).zip(&self.bundles).map(|(number, json)| {
            Bundle::from_json(json).map_err(|reason| VerifyRequestError::Bundle { number, reason })
        });
        let bundles = bundles.collect::<Result<_, _>>()?;
        let artifact = self.artifact.ok_or(VerifyRequestError::NoArtifact)?;
        Ok(VerificationRequest::new(bundles, artifact, requirement)?)
    }
}

impl From<IdentityClaim> for ExpectedIdentity {
    fn from(claim: IdentityClaim) -> Self {
        let IdentityClaim { issuer, subject } = claim;
        Self { issuer, subject }
    }
}

/// The text of a policy: the content of a JSON string, or the JSON value itself.
fn text_of(policy: &RawValue) -> String {
    serde_json::from_str(policy.get()).unwrap_or_else(|_| policy.get().to_owned())
}

impl TryFrom<ArtifactClaim> for Artifact {
    type Error = VerifyRequestError;

    fn try_from(claim: ArtifactClaim) -> Result<Self, VerifyRequestError> {
        let (algorithm, text) = match claim {
            ArtifactClaim::Content(content) => return Ok(Self::from_bytes(&content)),
            ArtifactClaim::Digest(algorithm, text) => (algorithm, text),
        };
        let name = algorithm.name();
        hex::decode(text)
            .ok()
            .and_then(|bytes| Digest::new(algorithm, bytes).ok())
            .map(Self::from)
            .ok_or(VerifyRequestError::Digest { name, algorithm })
    }
}
