//! The timestamp authority: `POST /api/v1/timestamp` in DER and in JSON, and its certificate chain.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};

use super::body::Body;
use super::refusal::{ErrorFormat, Refusal};
use super::route::{Api, Route};
use crate::protocol::tsp::TimestampRequest;
use crate::protocol::x509::Certificate;
use crate::services::timestamp::{StampError, TimestampAuthority};

/// Maximum size of a timestamp request, in bytes: a digest, a nonce and a policy.
const MAX_REQUEST: usize = 16 * 1024;

/// Needs `web::Data<TimestampAuthority>`.
pub(crate) const API: Api = Api {
    name: "RFC 3161",
    errors: ErrorFormat::OpenApi,
    owns: &["/api/v1/timestamp"],
    cors: false,
    routes: &[
        Route::post("/api/v1/timestamp", || web::to(stamp)).max_body(MAX_REQUEST),
        // Some clients append the path to a URL that already contains it.
        Route::post("/api/v1/timestamp/api/v1/timestamp", || web::to(stamp))
            .max_body(MAX_REQUEST)
            .listed_as(&[]),
        Route::get("/api/v1/timestamp/certchain", || web::to(certificate_chain)),
    ],
};

async fn stamp(
    authority: web::Data<TimestampAuthority>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Refusal> {
    let form = Form::of(request.headers())?;
    let stamped = match form.parse(body.bytes()) {
        Ok(wanted) => authority.stamp(&wanted).await,
        Err(error) => Err(error),
    };
    match stamped {
        Ok(response) => Ok(HttpResponse::Ok().content_type(REPLY).body(response)),
        Err(error) => {
            let response =
                (form == Form::Der && wants_reply(request.headers())).then(|| error.to_response());
            let refusal = Refusal::from(error);
            if refusal.status_code().is_server_error() {
                tracing::warn!(reason = refusal.detail(), "timestamp.failed");
            }
            match response {
                Some(der) => Ok(HttpResponse::build(refusal.status_code())
                    .content_type(REPLY)
                    .body(der)),
                None => Err(refusal),
            }
        }
    }
}

async fn certificate_chain(authority: web::Data<TimestampAuthority>) -> HttpResponse {
    let pem: String = authority.chain().iter().map(Certificate::to_pem).collect();
    HttpResponse::Ok()
        .content_type("application/pem-certificate-chain")
        .body(pem)
}

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";

/// Encoding of the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Der,
    Json,
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let essence = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .map(str::trim);
        match essence {
            Some(name) if name.eq_ignore_ascii_case(QUERY) => Ok(Self::Der),
            Some(name) if name.eq_ignore_ascii_case("application/json") => Ok(Self::Json),
            _ => Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                format_args!("the content type must be {QUERY} or application/json"),
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

/// Whether the client accepts RFC 3161 replies, as OpenSSL's `tsget` does. Refusals are then in that
/// format.
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

#[cfg(test)]
mod tests;
