//! `POST /signet/v1/verify`: verifies bundles for an artifact against the signers that the caller requires.
//! The request is JSON or a form; the reply is a report in JSON or one line of text.

mod form;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::http::header::{Accept, CONTENT_LENGTH, ContentType, Header as _};
use actix_web::web::{self, Bytes, BytesMut, Data, Payload};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use serde_json::json;

use super::blocking::WorkLimit;
use super::refusal::{ErrorFormat, Refusal};
use super::route::{Api, Route};
use crate::services::verify::{Report, VerificationService};
use form::FormError;
use request::{RawVerifyRequest, VerifyRequestError};

/// Needs `web::Data` of [`Verifier`] and [`VerifyEndpoint`].
pub(crate) const API: Api = Api {
    name: "Signet",
    errors: ErrorFormat::Problem,
    owns: &[],
    cors: false,
    routes: &[
        Route::post("/signet/v1/verify", || web::to(verify)),
        Route::get("/signet/v1/policies", || web::to(list_policies)),
    ],
};

/// The endpoint's limits and counters.
pub(crate) struct VerifyEndpoint {
    work: WorkLimit,
    limits: VerifyLimits,
    outcomes: Outcomes,
}

/// Number of requests by outcome since the start.
#[derive(Clone, Default)]
pub(crate) struct Outcomes {
    pub verified: Arc<AtomicU64>,
    /// The bundle does not verify, or the policy does not accept it
    pub refused: Arc<AtomicU64>,
    /// 400: the request could not be parsed
    pub malformed: Arc<AtomicU64>,
}

/// Size limits of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct VerifyLimits {
    /// Maximum size of the body in bytes, without the artifact of a form
    pub body_bytes: usize,
    /// Maximum size of the artifact of a form, in bytes
    pub artifact_bytes: u64,
}

impl VerifyEndpoint {
    /// At most `concurrent` verifications run at a time.
    pub(crate) fn new(limits: VerifyLimits, concurrent: usize, outcomes: Outcomes) -> Self {
        Self {
            work: WorkLimit::new(concurrent),
            limits,
            outcomes,
        }
    }

    /// Reads the body of a JSON request.
    async fn collect(&self, request: &HttpRequest, mut body: Payload) -> Result<Bytes, Refusal> {
        let limit = self.limits.body_bytes;
        if content_length(request).is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| {
                let detail = format!("the body could not be read: {error}");
                Refusal::invalid("unreadable-body", detail)
            })?;
            if whole.len() + piece.len() > limit {
                return Err(too_large(limit));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

async fn verify(
    verifier: Data<VerificationService>,
    endpoint: Data<VerifyEndpoint>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Refusal> {
    let result = verify_within_limits(verifier, &endpoint, &request, body).await;
    let counter = match &result {
        Ok(report) if report.verified => &endpoint.outcomes.verified,
        Ok(_) => &endpoint.outcomes.refused,
        Err(refusal) if refusal.status() == StatusCode::BAD_REQUEST => &endpoint.outcomes.malformed,
        Err(_) => return result.map(|report| respond(&request, &report)),
    };
    counter.fetch_add(1, Ordering::Relaxed);
    result.map(|report| respond(&request, &report))
}

async fn verify_within_limits(
    verifier: Data<VerificationService>,
    endpoint: &VerifyEndpoint,
    request: &HttpRequest,
    body: Payload,
) -> Result<Report, Refusal> {
    let is_form = request
        .mime_type()
        .ok()
        .flatten()
        .is_some_and(|kind| kind.essence_str() == "multipart/form-data");
    if is_form {
        let form = Multipart::new(request.headers(), body);
        let raw = form::read(form, &endpoint.work, endpoint.limits).await?;
        let work =
            move || Ok::<_, VerifyRequestError>(verifier.verify(&raw.read(verifier.policies())?));
        return Ok(endpoint.work.run(work).await??);
    }
    let body = endpoint.collect(request, body).await?;
    let work = move || {
        let raw = RawVerifyRequest::from_json(&body)?.read(verifier.policies())?;
        Ok::<_, VerifyRequestError>(verifier.verify(&raw))
    };
    Ok(endpoint.work.run(work).await??)
}

/// 200 for an accepted signature and 422 for a refused one, so that `curl -f` needs no parsing.
fn respond(request: &HttpRequest, report: &Report) -> HttpResponse {
    let status = if report.verified {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let mut response = HttpResponse::build(status);
    if wants_text(request) {
        let line = format!("{}\n", one_line(report));
        return response.content_type(ContentType::plaintext()).body(line);
    }
    response.json(report)
}

fn wants_text(request: &HttpRequest) -> bool {
    Accept::parse(request).is_ok_and(|accept| accept.preference() == "text/plain")
}

/// The verdict with control characters replaced, because names in certificates can contain line breaks.
fn one_line(report: &Report) -> String {
    let line = report.to_string();
    line.replace(|character: char| character.is_control(), "\u{fffd}")
}

async fn list_policies(verifier: Data<VerificationService>) -> HttpResponse {
    let names: Vec<_> = verifier.policies().keys().collect();
    HttpResponse::Ok().json(json!({ "policies": names }))
}

fn content_length(request: &HttpRequest) -> Option<usize> {
    let length = request.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Refusal {
    FormError::TooLarge(limit).into()
}
