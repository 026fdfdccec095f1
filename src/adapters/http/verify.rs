//! `POST /signet/v1/verify`: is this bundle a signature over this artifact, by one of these?

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::{Body, Ours};
use super::problem::Problem;
use crate::protocol::bundle::{Artifact, Bundle, BundleError, Expectation};
use crate::protocol::bytes::{Digest, HashAlgorithm, ProtoBytes};
use crate::protocol::keys::{KeyError, PublicKey};
use crate::protocol::policy::{EmptyPolicy, IdentityMatcher, Policy};
use crate::services::verify::{Report, Verifier};

/// Mounts the endpoint.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/signet/v1/verify").route(web::post().to(verify)));
}

async fn verify(verifier: Data<Verifier>, body: Body<Ours>) -> Result<HttpResponse, Problem> {
    let work = move || -> Result<Report, Problem> {
        let question = Question::try_from(body.json::<VerifyRequest>()?)?;
        Ok(verifier.verify(&question.bundle, &question.artifact, &question.expectation))
    };
    // Hashing and signatures are work for the processor; the async threads stay free.
    let report = web::block(work).await.map_err(|_| interrupted())??;
    let status = if report.verified {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok(HttpResponse::build(status).json(report))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyRequest {
    /// Kept as it was sent, so that the bundle's own rules on repeated members apply.
    bundle: Box<RawValue>,
    artifact: ArtifactClaim,
    #[serde(default)]
    identities: Vec<IdentityClaim>,
    /// PEM, for bundles that were signed with a bare key.
    key: Option<String>,
}

/// The artifact itself or one of its digests in hexadecimal.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ArtifactClaim {
    Sha256(String),
    Sha384(String),
    Sha512(String),
    Base64(ProtoBytes),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityClaim {
    issuer: String,
    subject: String,
}

struct Question {
    bundle: Bundle,
    artifact: Artifact,
    expectation: Expectation,
}

/// Why a request is not understood.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error("bundle: {0}")]
    Bundle(#[from] BundleError),
    #[error("artifact.{name} must be {} bytes in hexadecimal", .algorithm.size())]
    Digest {
        name: &'static str,
        algorithm: HashAlgorithm,
    },
    #[error("identities: {0}")]
    Identities(#[from] EmptyPolicy),
    #[error("key: {0}")]
    Key(#[from] KeyError),
    #[error("give either identities or key, not both")]
    IdentitiesAndKey,
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let slug = match &error {
            RequestError::Bundle(_) => "not-a-bundle",
            RequestError::Digest { .. } => "malformed-digest",
            RequestError::Identities(_) => "no-identity",
            RequestError::Key(_) => "malformed-key",
            RequestError::IdentitiesAndKey => "identities-and-key",
        };
        Self::new(StatusCode::BAD_REQUEST, slug, error)
    }
}

impl TryFrom<VerifyRequest> for Question {
    type Error = RequestError;

    fn try_from(request: VerifyRequest) -> Result<Self, RequestError> {
        Ok(Self {
            artifact: request.artifact.try_into()?,
            expectation: expectation(request.identities, request.key)?,
            bundle: Bundle::from_json(request.bundle.get().as_bytes())?,
        })
    }
}

impl TryFrom<ArtifactClaim> for Artifact {
    type Error = RequestError;

    fn try_from(claim: ArtifactClaim) -> Result<Self, RequestError> {
        let (name, algorithm, text) = match claim {
            ArtifactClaim::Base64(content) => return Ok(Self::from_bytes(&content.0)),
            ArtifactClaim::Sha256(text) => ("sha256", HashAlgorithm::Sha256, text),
            ArtifactClaim::Sha384(text) => ("sha384", HashAlgorithm::Sha384, text),
            ArtifactClaim::Sha512(text) => ("sha512", HashAlgorithm::Sha512, text),
        };
        hex::decode(text)
            .ok()
            .and_then(|bytes| Digest::new(algorithm, bytes).ok())
            .map(Self::from)
            .ok_or(RequestError::Digest { name, algorithm })
    }
}

fn expectation(
    identities: Vec<IdentityClaim>,
    key: Option<String>,
) -> Result<Expectation, RequestError> {
    if let Some(pem) = key {
        if !identities.is_empty() {
            return Err(RequestError::IdentitiesAndKey);
        }
        return Ok(Expectation::Key(PublicKey::from_pem(&pem)?));
    }
    let matchers = identities
        .into_iter()
        .map(|claim| IdentityMatcher::exact(claim.issuer, claim.subject))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Expectation::Identity(Policy::any_of(matchers)?))
}

/// A panic or a shutdown in the middle is never a verdict.
fn interrupted() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "verification-interrupted",
        "verification did not come to an end",
    )
}
