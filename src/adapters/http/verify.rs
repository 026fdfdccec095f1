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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::App;
    use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
    use serde_json::{Value, json};

    use super::*;
    use crate::adapters::system::SystemClock;
    use crate::protocol::bundle::verify::testing::{ARTIFACT, ISSUER, SUBJECT, World};
    use crate::protocol::bytes::{Sha256, to_base64};

    async fn ask(world: World, question: String) -> (StatusCode, Value) {
        let verifier = Verifier::new(Arc::new(world.trust), Arc::new(SystemClock));
        let app = App::new()
            .app_data(Data::new(verifier))
            .configure(configure);
        let app = init_service(app).await;
        let request = TestRequest::post()
            .uri("/signet/v1/verify")
            .set_payload(question)
            .to_request();
        let response = call_service(&app, request).await;
        (response.status(), read_body_json(response).await)
    }

    fn question(bundle: &str, artifact: Value, who: Value) -> String {
        let mut question = json!({"artifact": artifact});
        question
            .as_object_mut()
            .unwrap()
            .extend(who.as_object().unwrap().clone());
        // The bundle goes in as it is, so that its own form is what is tested.
        question
            .to_string()
            .replacen('{', &format!(r#"{{"bundle":{bundle},"#), 1)
    }

    fn alice() -> Value {
        json!({"identities": [
            {"issuer": ISSUER, "subject": "bob@example.com"},
            {"issuer": ISSUER, "subject": SUBJECT}
        ]})
    }

    fn sha256(content: &[u8]) -> Value {
        json!({"sha256": Sha256::of(content).to_hex()})
    }

    #[actix_web::test]
    async fn a_good_bundle_is_verified_by_digest_and_by_content() {
        for artifact in [sha256(ARTIFACT), json!({"base64": to_base64(ARTIFACT)})] {
            let world = World::new();
            let question = question(&world.message().to_json(), artifact, alice());

            let (status, verdict) = ask(world, question).await;

            assert_eq!(status, StatusCode::OK, "{verdict}");
            assert_eq!(verdict["verified"], true);
            assert_eq!(verdict["identity"]["subject"], SUBJECT);
        }
    }

    #[actix_web::test]
    async fn a_bare_key_bundle_is_verified_with_the_callers_key() {
        let world = World::new();
        let key = json!({"key": world.signer.public_key().to_pem()});
        let question = question(&world.managed().to_json(), sha256(ARTIFACT), key);

        let (status, verdict) = ask(world, question).await;

        assert_eq!(status, StatusCode::OK, "{verdict}");
    }

    #[actix_web::test]
    async fn a_bundle_for_something_else_is_refused_with_its_reason() {
        let world = World::new();
        let question = question(&world.message().to_json(), sha256(b"other"), alice());

        let (status, verdict) = ask(world, question).await;

        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(verdict["verified"], false);
        assert_eq!(verdict["code"], "artifact-mismatch");
        assert_eq!(verdict["checks"].as_array().unwrap().len(), 8);
    }

    #[actix_web::test]
    async fn what_is_not_understood_is_a_problem_and_no_verdict() {
        let good = World::new().message().to_json();
        let twice = good.replacen('{', r#"{"mediaType":"x","#, 1);
        let digest = sha256(ARTIFACT);
        let both = json!({"identities": alice()["identities"], "key": "x"});
        let cases = [
            ("{".to_owned(), "malformed-json"),
            ("{}".to_owned(), "malformed-json"),
            (question("{}", digest.clone(), alice()), "not-a-bundle"),
            (question("null", digest.clone(), alice()), "not-a-bundle"),
            (question(&twice, digest.clone(), alice()), "not-a-bundle"),
            (
                question(&good, json!({"sha256": "00"}), alice()),
                "malformed-digest",
            ),
            (
                question(&good, json!({"md5": "00"}), alice()),
                "malformed-json",
            ),
            (
                question(&good, digest.clone(), json!({"extra": 1})),
                "malformed-json",
            ),
            (question(&good, digest.clone(), json!({})), "no-identity"),
            (
                question(&good, digest.clone(), json!({"identities": []})),
                "no-identity",
            ),
            (
                question(&good, digest.clone(), json!({"key": "x"})),
                "malformed-key",
            ),
            (question(&good, digest, both), "identities-and-key"),
        ];

        for (question, slug) in cases {
            let (status, problem) = ask(World::new(), question).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
            assert_eq!(problem["type"], format!("urn:signet:problem:{slug}"));
            assert!(problem.get("verified").is_none());
        }
    }
}
