//! `POST /signet/v1/verify`: is this a signature over this artifact, by those who must have signed?
//! The question comes as JSON or as a form; the answer is a report, or one line.

mod form;
mod question;
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
use question::{RawQuestion, RequestError};

/// Needs `web::Data` of [`Verifier`] and [`Intake`].
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
pub(crate) struct Intake {
    work: WorkLimit,
    limits: Limits,
    outcomes: Outcomes,
}

/// How many verifications ended in which way since the start.
#[derive(Clone, Default)]
pub(crate) struct Outcomes {
    pub verified: Arc<AtomicU64>,
    /// The bundle does not verify, or the policy does not accept it
    pub refused: Arc<AtomicU64>,
    /// The request was not understood
    pub malformed: Arc<AtomicU64>,
}

/// The largest question.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// In bytes, without an artifact that is a part of a form
    pub body_bytes: usize,
    /// The largest artifact that is a part of a form, in bytes
    pub artifact_bytes: u64,
}

impl Intake {
    /// At most `concurrent` verifications run at a time.
    pub(crate) fn new(limits: Limits, concurrent: usize, outcomes: Outcomes) -> Self {
        Self {
            work: WorkLimit::new(concurrent),
            limits,
            outcomes,
        }
    }

    /// Reads a body whole, for questions in JSON.
    async fn collect(&self, request: &HttpRequest, mut body: Payload) -> Result<Bytes, Refusal> {
        let limit = self.limits.body_bytes;
        if announced(request).is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| {
                let detail = format!("the body could not be read: {error}");
                Refusal::invalid("unreadable-body", detail)
            })?;
            if piece.len() > limit.saturating_sub(whole.len()) {
                return Err(too_large(limit));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

async fn verify(
    verifier: Data<VerificationService>,
    intake: Data<Intake>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Refusal> {
    let answered = answer(verifier, &intake, &request, body).await;
    let counter = match &answered {
        Ok(report) if report.verified => &intake.outcomes.verified,
        Ok(_) => &intake.outcomes.refused,
        Err(refusal) if refusal.status() == StatusCode::BAD_REQUEST => &intake.outcomes.malformed,
        Err(_) => return answered.map(|report| respond(&request, &report)),
    };
    counter.fetch_add(1, Ordering::Relaxed);
    answered.map(|report| respond(&request, &report))
}

async fn answer(
    verifier: Data<VerificationService>,
    intake: &Intake,
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
        let question = form::read(form, &intake.work, intake.limits).await?;
        let work =
            move || Ok::<_, RequestError>(verifier.verify(&question.read(verifier.policies())?));
        return Ok(intake.work.run(work).await??);
    }
    let body = intake.collect(request, body).await?;
    let work = move || {
        let question = RawQuestion::from_json(&body)?.read(verifier.policies())?;
        Ok::<_, RequestError>(verifier.verify(&question))
    };
    Ok(intake.work.run(work).await??)
}

/// 200 and 422 tell the verdict by themselves, so that `curl -f` is enough.
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

/// The verdict without anything that would make two lines of it.
fn one_line(report: &Report) -> String {
    let line = report.to_string();
    line.replace(|character: char| character.is_control(), "\u{fffd}")
}

async fn list_policies(verifier: Data<VerificationService>) -> HttpResponse {
    let names: Vec<_> = verifier.policies().keys().collect();
    HttpResponse::Ok().json(json!({ "policies": names }))
}

/// The length that the client announces.
fn announced(request: &HttpRequest) -> Option<usize> {
    let length = request.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Refusal {
    FormError::TooLarge(limit).into()
}
