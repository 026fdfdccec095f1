//! Every HTTP error that Signet answers with, in the three forms that clients know: RFC 9457 problem
//! documents on our own API, the grpc-gateway envelope on Fulcio's and Rekor v2's, and go-openapi's
//! on Rekor v1's.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

/// A problem document (RFC 9457). Its `type` is `urn:signet:problem:<slug>` and stays stable.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    slug: &'static str,
    detail: String,
    retry_after: Option<u32>,
}

impl Problem {
    /// What a problem document is sent as.
    pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

    /// A problem with its HTTP status, stable slug, and one sentence for a person.
    pub(crate) fn new(status: StatusCode, slug: &'static str, detail: impl fmt::Display) -> Self {
        Self {
            status,
            slug,
            detail: detail.to_string(),
            retry_after: None,
        }
    }

    /// Tells the client after how many seconds another try is worthwhile.
    #[must_use]
    pub(crate) const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl Problem {
    /// The document itself, in JSON.
    pub(crate) fn document(&self) -> String {
        let document = json!({
            "type": format!("urn:signet:problem:{}", self.slug),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        document.to_string()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.slug, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response
            .content_type(Self::MEDIA_TYPE)
            .body(self.document())
    }
}

/// The canonical gRPC codes that the foreign APIs answer with (`google.rpc.Code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcCode {
    /// 3
    InvalidArgument = 3,
    /// 4
    DeadlineExceeded = 4,
    /// 5
    NotFound = 5,
    /// 6
    AlreadyExists = 6,
    /// 8
    ResourceExhausted = 8,
    /// 12
    Unimplemented = 12,
    /// 13
    Internal = 13,
    /// 14
    Unavailable = 14,
}

/// An error on a foreign API: `{"code":<grpc>,"message":"…","details":[]}`.
#[derive(Debug)]
pub(crate) struct GatewayError {
    status: StatusCode,
    code: GrpcCode,
    message: String,
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

impl GatewayError {
    /// An error with its HTTP status, gRPC code and message.
    pub(crate) fn new(status: StatusCode, code: GrpcCode, message: impl fmt::Display) -> Self {
        Self {
            status,
            code,
            message: message.to_string(),
            headers: Vec::new(),
        }
    }

    /// What gRPC calls it.
    pub(crate) const fn code(&self) -> GrpcCode {
        self.code
    }

    /// The sentence for a person.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Adds a response header, `x-log-index` or `retry-after` for example.
    #[must_use]
    pub(crate) fn header(
        mut self,
        name: header::HeaderName,
        value: impl Into<HeaderValue>,
    ) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)
    }
}

impl ResponseError for GatewayError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let code = self.code as i32;
        let body = json!({ "code": code, "message": self.message, "details": [] });
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response
            .content_type("application/json")
            .body(body.to_string())
    }
}

/// An error on Rekor v1's API: `{"code":<number>,"message":"…"}`, or no body at all.
#[derive(Debug)]
pub(crate) struct OpenApiError {
    status: StatusCode,
    code: u16,
    message: Option<String>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

/// What a request has that its schema does not allow, by go-openapi's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SchemaFault {
    /// Not of the type, or not of its format
    Type = 601,
    /// Missing
    Required = 602,
    /// Too long a text
    TooLong = 603,
    /// Not of the pattern
    Pattern = 605,
    /// Not one of the values
    Enum = 606,
    /// Below the least value
    Minimum = 609,
    /// More than the most elements
    MaxItems = 611,
}

impl OpenApiError {
    /// An error whose code is its HTTP status.
    pub(crate) fn new(status: StatusCode, message: impl fmt::Display) -> Self {
        Self {
            status,
            code: status.as_u16(),
            message: Some(message.to_string()),
            headers: Vec::new(),
        }
    }

    /// 422: the request breaks its schema.
    pub(crate) fn schema(fault: SchemaFault, message: impl fmt::Display) -> Self {
        Self {
            code: fault as u16,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
        }
    }

    /// 404, without a body as Rekor answers it.
    pub(crate) const fn not_found() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: 404,
            message: None,
            headers: Vec::new(),
        }
    }

    /// Adds a response header, `location` or `retry-after` for example.
    #[must_use]
    pub(crate) fn header(
        mut self,
        name: header::HeaderName,
        value: impl Into<HeaderValue>,
    ) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl fmt::Display for OpenApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.as_deref().unwrap_or("not found");
        write!(f, "{}: {message}", self.code)
    }
}

impl ResponseError for OpenApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        let Some(message) = &self.message else {
            return response.finish();
        };
        let body = json!({ "code": self.code, "message": message });
        response
            .content_type("application/json")
            .body(body.to_string())
    }
}
