//! The timestamp authority: `POST /api/v1/timestamp` in DER and in JSON, and its certificates.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde_json::json;

use super::body::{Body, ErrorForm, with_limit};
use crate::protocol::tsp::TimestampRequest;
use crate::services::ledger::LedgerError;
use crate::services::timestamp::{FloorError, StampError, TimestampAuthority};

/// The longest timestamp request, in bytes: a digest, a nonce and a policy.
const MAX_REQUEST_LENGTH: usize = 16 * 1024;

/// Registers the routes; the service is taken from the application's data.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    for path in [
        "/api/v1/timestamp",
        // Some clients append the path to a URL that has it already.
        "/api/v1/timestamp/api/v1/timestamp",
    ] {
        let path = with_limit(web::resource(path), MAX_REQUEST_LENGTH);
        cfg.service(path.route(web::post().to(stamp)));
    }
    cfg.service(web::resource("/api/v1/timestamp/certchain").get(certificate_chain));
}

async fn stamp(
    authority: web::Data<TimestampAuthority>,
    request: HttpRequest,
    body: Body<TimestampApi>,
) -> Result<HttpResponse, TimestampProblem> {
    let form = Form::of(request.headers())?;
    let answer = match form.parse(body.bytes()) {
        Ok(wanted) => authority.stamp(&wanted).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &answer
        && classify(error).0.is_server_error()
    {
        tracing::warn!(%error, "no timestamp was issued");
    }
    match answer {
        Ok(response) => Ok(HttpResponse::Ok().content_type(REPLY).body(response)),
        Err(error) if form == Form::Der && wants_reply(request.headers()) => {
            Ok(HttpResponse::build(classify(&error).0)
                .content_type(REPLY)
                .body(error.to_response()))
        }
        Err(error) => Err(error.into()),
    }
}

async fn certificate_chain(authority: web::Data<TimestampAuthority>) -> HttpResponse {
    let pem: String = authority
        .chain()
        .iter()
        .map(crate::protocol::x509::Certificate::to_pem)
        .collect();
    HttpResponse::Ok()
        .content_type("application/pem-certificate-chain")
        .body(pem)
}

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";

/// In which form the request is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Der,
    Json,
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, TimestampProblem> {
        let essence = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .map(str::trim);
        match essence {
            Some(name) if name.eq_ignore_ascii_case(QUERY) => Ok(Self::Der),
            Some(name) if name.eq_ignore_ascii_case("application/json") => Ok(Self::Json),
            _ => Err(TimestampProblem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("the content type must be {QUERY} or application/json"),
            )),
        }
    }

    fn parse(self, body: &[u8]) -> Result<TimestampRequest, StampError> {
        Ok(match self {
            Self::Der => TimestampRequest::from_der(body)?,
            Self::Json => TimestampRequest::from_json(body)?,
        })
    }
}

/// Whether the client asks for RFC 3161's own replies by name, as openssl's `tsget` does: its
/// refusals are in that form then.
fn wants_reply(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value.split(',').any(|range| {
                let essence = range.split(';').next().unwrap_or_default();
                essence.trim().eq_ignore_ascii_case(REPLY)
            })
        })
}

/// The status of a refusal, and after how many seconds another try is worthwhile.
const fn classify(error: &StampError) -> (StatusCode, Option<u32>) {
    match error {
        StampError::Request(_) | StampError::Policy => (StatusCode::BAD_REQUEST, None),
        // An operator must act first, so no moment to come back can be named.
        StampError::Time(FloorError::Ledger(LedgerError::ReadOnly)) => {
            (StatusCode::SERVICE_UNAVAILABLE, None)
        }
        StampError::Time(
            FloorError::Backwards { .. } | FloorError::Ledger(_) | FloorError::Stopped,
        ) => (StatusCode::SERVICE_UNAVAILABLE, Some(1)),
        StampError::CertificateNotValid(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
        StampError::NoRandomness => (StatusCode::INTERNAL_SERVER_ERROR, None),
    }
}

/// How this API says that a body cannot be read.
struct TimestampApi;

impl ErrorForm for TimestampApi {
    type Error = TimestampProblem;

    fn error(status: StatusCode, _slug: &'static str, detail: String) -> TimestampProblem {
        TimestampProblem::new(status, detail)
    }
}

/// A refusal as Sigstore's authority words it: `{"code":<HTTP status>,"message":"…"}`.
#[derive(Debug)]
pub(crate) struct TimestampProblem {
    status: StatusCode,
    message: String,
    retry_after: Option<u32>,
}

impl TimestampProblem {
    const fn new(status: StatusCode, message: String) -> Self {
        Self {
            status,
            message,
            retry_after: None,
        }
    }
}

impl From<StampError> for TimestampProblem {
    fn from(error: StampError) -> Self {
        let (status, retry_after) = classify(&error);
        Self {
            status,
            message: error.to_string(),
            retry_after,
        }
    }
}

impl fmt::Display for TimestampProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for TimestampProblem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let body = json!({ "code": self.status.as_u16(), "message": self.message });
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response
            .content_type("application/json")
            .body(body.to_string())
    }
}

#[cfg(test)]
mod tests;
