//! Request bodies, read into memory within their limits.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, Resource, web};
use serde::de::DeserializeOwned;

use super::refusal::Refusal;
use crate::classify::ErrorClass;

/// Maximum body of a path, in bytes, if it is below the server's.
#[derive(Clone, Copy)]
struct PathLimit(usize);

/// Maximum body of any path, in bytes: `limits.body_bytes`.
#[derive(Clone, Copy)]
pub(crate) struct ServerLimit(pub usize);

/// Limits the body of a path.
pub(crate) fn with_limit(path: Resource, bytes: usize) -> Resource {
    path.app_data(web::PayloadConfig::new(bytes))
        .app_data(PathLimit(bytes))
}

/// A request's body. The content type is ignored, because clients send different ones.
pub(crate) struct Body(web::Bytes);

impl Body {
    pub(crate) const fn bytes(&self) -> &web::Bytes {
        &self.0
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// 400 with position and reason.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.0).map_err(|error| {
            Refusal::invalid(
                "malformed-json",
                format_args!("the body is not the expected JSON: {error}"),
            )
        })
    }
}

impl FromRequest for Body {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = web::Bytes::from_request(request, payload);
        let limits = Limits::of(request);
        Box::pin(async move {
            match bytes.await {
                Ok(bytes) => Ok(Self(bytes)),
                Err(error) => Err(limits.refuse(&error)),
            }
        })
    }
}

struct Limits {
    path: Option<PathLimit>,
    /// Whether `Content-Length` is within the server's limit
    fits_the_server: bool,
}

impl Limits {
    fn of(request: &HttpRequest) -> Self {
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let server = request.app_data::<ServerLimit>();
        Self {
            path: request.app_data::<PathLimit>().copied(),
            fits_the_server: announced
                .zip(server)
                .is_some_and(|(length, ServerLimit(limit))| length <= *limit),
        }
    }

    fn refuse(&self, error: &actix_web::Error) -> Refusal {
        let too_large = matches!(error.as_error(), Some(PayloadError::Overflow))
            || error.as_response_error().status_code() == StatusCode::PAYLOAD_TOO_LARGE;
        if !too_large {
            let detail = format_args!("the body could not be read: {error}");
            return Refusal::invalid("unreadable-body", detail);
        }
        // A body within the server's limit that is longer than any request of this path is a
        // malformed request: 400, as the reference servers answer.
        let class = match self.path {
            Some(_) if self.fits_the_server => ErrorClass::Invalid,
            _ => ErrorClass::TooLarge,
        };
        match self.path {
            Some(PathLimit(bytes)) => Refusal::of_class(
                class,
                "body-too-large",
                format_args!("the body is larger than {bytes} bytes"),
            ),
            None => Refusal::of_class(
                class,
                "body-too-large",
                "the body is larger than limits.body_bytes allows",
            ),
        }
    }
}
