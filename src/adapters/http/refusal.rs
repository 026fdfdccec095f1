//! HTTP error responses in the format of each API.
//!
//! Handlers return a [`Refusal`], whatever API they belong to. The middleware renders it, and the
//! framework's own errors, in the [`ErrorFormat`] of the API whose route matched.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use crate::classify::{Classify, ErrorClass};

/// Format of an API's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// Our own APIs: problem documents (RFC 9457)
    Problem,
    /// Fulcio's and Rekor v2's APIs: grpc-gateway, `{"code":<grpc>,"message":"…","details":[]}`
    Gateway,
    /// Rekor v1's and the timestamp authority's APIs: go-openapi, `{"code":<number>,"message":"…"}`
    OpenApi,
    /// The token endpoint: `{"error":"…","error_description":"…"}` (RFC 6749 §5.2)
    OAuth,
    /// Plain text, for static files
    Text,
}

/// `Retry-After` of a busy server, in seconds.
const RETRY_SECONDS: u32 = 1;

/// A refused request: the HTTP status, a stable code for programs, and one sentence for people.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The error number of the API's format, if the status does not imply it.
    number: Option<u16>,
}

/// The members of a request that go-openapi's validation refuses, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SchemaFault {
    Type = 601,
    Required = 602,
    TooLong = 603,
    Pattern = 605,
    Enum = 606,
    Minimum = 609,
    MaxItems = 611,
}

/// Canonical gRPC codes (`google.rpc.Code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcCode {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

impl Refusal {
    /// Media type of a problem document.
    pub(crate) const PROBLEM: &str = "application/problem+json";

    /// `code` is the last part of a problem document's `type`, or RFC 6749's `error`.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl fmt::Display) -> Self {
        Self {
            status,
            code,
            detail: detail.to_string(),
            headers: Vec::new(),
            number: None,
        }
    }

    /// 400 with this code.
    pub(crate) fn invalid(code: &'static str, detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 422 with go-openapi's number for a request that breaks its schema.
    pub(crate) fn schema(fault: SchemaFault, detail: impl fmt::Display) -> Self {
        Self {
            number: Some(fault as u16),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "schema", detail)
        }
    }

    /// A refusal of this class. Busy refusals have `Retry-After`.
    pub(crate) fn of_class(
        class: ErrorClass,
        code: &'static str,
        detail: impl fmt::Display,
    ) -> Self {
        let refusal = Self::new(status_of(class), code, detail);
        match class {
            ErrorClass::Busy => refusal.header(header::RETRY_AFTER, RETRY_SECONDS),
            _ => refusal,
        }
    }

    /// 503 with `Retry-After`, for a request that the stopping server can no longer finish.
    pub(crate) fn shutting_down() -> Self {
        Self::of_class(
            ErrorClass::Busy,
            "shutting-down",
            "the server is shutting down",
        )
    }

    /// 500 for an error that was logged where it happened.
    pub(crate) fn internal(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    #[must_use]
    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets the gRPC code where it differs from the one that the status implies.
    #[must_use]
    pub(crate) const fn grpc(mut self, code: GrpcCode) -> Self {
        self.number = Some(code as u16);
        self
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The canonical gRPC code.
    pub(crate) fn grpc_code(&self) -> u16 {
        let implied = match self.status {
            StatusCode::NOT_FOUND => GrpcCode::NotFound,
            StatusCode::CONFLICT => GrpcCode::AlreadyExists,
            StatusCode::PAYLOAD_TOO_LARGE => GrpcCode::ResourceExhausted,
            StatusCode::INTERNAL_SERVER_ERROR => GrpcCode::Internal,
            StatusCode::SERVICE_UNAVAILABLE => GrpcCode::Unavailable,
            _ => GrpcCode::InvalidArgument,
        };
        self.number.unwrap_or(implied as u16)
    }

    /// The problem document in JSON.
    pub(crate) fn problem(&self) -> Value {
        json!({
            "type": format!("urn:signet:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        })
    }

    /// The response in an API's format.
    pub(crate) fn render(&self, format: ErrorFormat) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        let (content_type, body) = match format {
            ErrorFormat::Problem => (Self::PROBLEM, self.problem()),
            ErrorFormat::Gateway => (
                "application/json",
                json!({ "code": self.grpc_code(), "message": self.detail, "details": [] }),
            ),
            // Rekor's 404 for a missing entry has no body.
            ErrorFormat::OpenApi if self.detail.is_empty() => return response.finish(),
            ErrorFormat::OpenApi => {
                let number = self.number.unwrap_or(self.status.as_u16());
                (
                    "application/json",
                    json!({ "code": number, "message": self.detail }),
                )
            }
            ErrorFormat::OAuth => {
                // RFC 6749 §5.2: responses of the token endpoint must not be cached.
                response
                    .insert_header((header::CACHE_CONTROL, "no-store"))
                    .insert_header((header::PRAGMA, "no-cache"));
                // RFC 6749's codes have underscores; the codes of other APIs have hyphens.
                let error = match self.code {
                    code if !code.contains('-') => code,
                    _ if self.status.is_server_error() => "server_error",
                    _ => "invalid_request",
                };
                (
                    "application/json",
                    json!({ "error": error, "error_description": self.detail }),
                )
            }
            ErrorFormat::Text => {
                return response
                    .content_type("text/plain; charset=utf-8")
                    .body(format!("{}\n", self.detail));
            }
        };
        response.content_type(content_type).body(body.to_string())
    }
}

const fn status_of(class: ErrorClass) -> StatusCode {
    match class {
        ErrorClass::Invalid => StatusCode::BAD_REQUEST,
        ErrorClass::Forbidden => StatusCode::FORBIDDEN,
        ErrorClass::NotFound => StatusCode::NOT_FOUND,
        ErrorClass::Conflict => StatusCode::CONFLICT,
        ErrorClass::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorClass::Busy | ErrorClass::OperatorNeeded => StatusCode::SERVICE_UNAVAILABLE,
        ErrorClass::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl<E: Classify> From<E> for Refusal {
    fn from(error: E) -> Self {
        let class = error.class();
        if class == ErrorClass::Internal {
            tracing::error!(cause = ?error, "request.failed");
        }
        Self::of_class(class, error.code(), error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.render(ErrorFormat::Problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::AppendError;
    use crate::protocol::merkle::LeafIndex;

    #[test]
    fn only_temporary_refusals_have_retry_after() {
        for (error, status, retry) in [
            (AppendError::TooLarge(70_000), 400, None),
            (AppendError::Duplicate(LeafIndex::new(7)), 409, None),
            (AppendError::Overloaded, 503, Some("1")),
            (AppendError::Stopped, 503, Some("1")),
            (AppendError::ReadOnly { missing: 3 }, 503, None),
            (AppendError::Full, 503, None),
        ] {
            let refusal = Refusal::from(error);
            for format in [
                ErrorFormat::Problem,
                ErrorFormat::Gateway,
                ErrorFormat::OpenApi,
                ErrorFormat::OAuth,
                ErrorFormat::Text,
            ] {
                let response = refusal.render(format);
                let headers = response.headers();
                let after = headers.get(header::RETRY_AFTER);

                assert_eq!(response.status().as_u16(), status, "{refusal}");
                assert_eq!(
                    after.map(|value| value.to_str().unwrap()),
                    retry,
                    "{refusal}"
                );
            }
        }
    }
}
