//! `POST /signet/v1/verify`: is this a signature over this artifact, by those who must have signed?
//! The question comes as JSON or as a form; the answer is a report, or one line.

mod form;
mod gate;
mod question;
#[cfg(test)]
mod tests;

use actix_web::http::StatusCode;
use actix_web::http::header::{Accept, CONTENT_LENGTH, ContentType, Header as _};
use actix_web::web::{self, Bytes, BytesMut, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use serde_json::json;

use super::multipart::{self, Multipart};
use super::problem::Problem;
use crate::services::verify::{Report, Verifier};
use form::FormError;
use gate::Gate;
use question::RawQuestion;

/// Mounts the endpoint. Needs `Data<Verifier>` and `Data<Intake>`.
pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/signet/v1/verify").route(web::post().to(verify)))
        .service(web::resource("/signet/v1/policies").route(web::get().to(list_policies)));
}

/// What the endpoint takes in, and how much at a time.
pub(crate) struct Intake {
    gate: Gate,
    limits: Limits,
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
    /// Takes questions within these limits; so many verifications run at one time.
    pub(crate) fn new(limits: Limits, concurrent: usize) -> Self {
        Self {
            gate: Gate::new(concurrent),
            limits,
        }
    }

    /// Reads a body whole, for questions in JSON.
    async fn collect(&self, request: &HttpRequest, mut body: Payload) -> Result<Bytes, Problem> {
        let limit = self.limits.body_bytes;
        if announced(request).is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| {
                let detail = format!("the body could not be read: {error}");
                Problem::new(StatusCode::BAD_REQUEST, "unreadable-body", detail)
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
    verifier: Data<Verifier>,
    intake: Data<Intake>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Problem> {
    let gate = &intake.gate;
    let report = match multipart::boundary(&request) {
        Some(boundary) => {
            let form = Multipart::new(&boundary?, body);
            let question = form::read(form, gate, intake.limits).await?;
            gate.run(move || answer(question, &verifier)).await??
        }
        None => {
            let body = intake.collect(&request, body).await?;
            let work = move || answer(RawQuestion::from_json(&body)?, &verifier);
            gate.run(work).await??
        }
    };
    Ok(respond(&request, &report))
}

fn answer(question: RawQuestion, verifier: &Verifier) -> Result<Report, Problem> {
    Ok(verifier.answer(&question.read(verifier)?))
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

async fn list_policies(verifier: Data<Verifier>) -> HttpResponse {
    let names: Vec<_> = verifier.policy_names().collect();
    HttpResponse::Ok().json(json!({ "policies": names }))
}

/// The length that the client announces.
fn announced(request: &HttpRequest) -> Option<usize> {
    let length = request.headers().get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Problem {
    FormError::TooLarge(limit).to_problem()
}
