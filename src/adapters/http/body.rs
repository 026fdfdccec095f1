//! Request bodies, read whole under the server's limit, whose failures have the API's own form.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, Resource, ResponseError, web};
use serde::de::DeserializeOwned;

use super::problem::{GatewayError, GrpcCode, OpenApiError, Problem};

/// How an API says that a body cannot be read.
pub(crate) trait ErrorForm: 'static {
    /// The error type of the API.
    type Error: ResponseError + Into<actix_web::Error> + 'static;

    /// An error with this status, stable slug and sentence.
    fn error(status: StatusCode, slug: &'static str, detail: String) -> Self::Error;
}

/// Our own APIs: problem documents.
pub(crate) struct Ours;

/// Fulcio's and Rekor v2's APIs: the grpc-gateway envelope.
pub(crate) struct Gateway;

/// Rekor v1's API: go-openapi's form.
pub(crate) struct OpenApi;

impl ErrorForm for Ours {
    type Error = Problem;

    fn error(status: StatusCode, slug: &'static str, detail: String) -> Problem {
        Problem::new(status, slug, detail)
    }
}

impl ErrorForm for Gateway {
    type Error = GatewayError;

    fn error(status: StatusCode, _slug: &'static str, detail: String) -> GatewayError {
        let code = match status {
            StatusCode::PAYLOAD_TOO_LARGE => GrpcCode::ResourceExhausted,
            StatusCode::NOT_FOUND => GrpcCode::NotFound,
            _ => GrpcCode::InvalidArgument,
        };
        GatewayError::new(status, code, detail)
    }
}

impl ErrorForm for OpenApi {
    type Error = OpenApiError;

    fn error(status: StatusCode, _slug: &'static str, detail: String) -> OpenApiError {
        OpenApiError::new(status, detail)
    }
}

/// The largest body that a path takes, in bytes.
#[derive(Clone, Copy)]
struct PathLimit(usize);

/// The largest body that the server takes anywhere, in bytes: `limits.body_bytes`.
#[derive(Clone, Copy)]
pub(crate) struct ServerLimit(pub usize);

/// Gives a path a smaller limit than `limits.body_bytes`: whoever may ask for it unknown and
/// unproven should not fill the memory with what no honest request is as long as.
pub(crate) fn with_limit(path: Resource, bytes: usize) -> Resource {
    path.app_data(web::PayloadConfig::new(bytes))
        .app_data(PathLimit(bytes))
}

/// A request's body. The content type is not looked at: clients disagree about it.
pub(crate) struct Body<F> {
    bytes: web::Bytes,
    form: PhantomData<F>,
}

impl<F: ErrorForm> Body<F> {
    /// The bytes as they came.
    pub(crate) const fn bytes(&self) -> &web::Bytes {
        &self.bytes
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// 400 with the place and the reason.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, F::Error> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            F::error(
                StatusCode::BAD_REQUEST,
                "malformed-json",
                format!("the body is not as expected: {error}"),
            )
        })
    }
}

impl<F: ErrorForm> FromRequest for Body<F> {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = web::Bytes::from_request(request, payload);
        let limits = Limits::of(request);
        Box::pin(async move {
            let bytes = bytes
                .await
                .map_err(|error| unreadable::<F>(&error, &limits))?;
            Ok(Self {
                bytes,
                form: PhantomData,
            })
        })
    }
}

/// What a request's length is held against.
struct Limits {
    path: Option<PathLimit>,
    /// Whether the server would have taken a body of the length that was announced.
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

    /// Longer than the server takes: 413. Longer only than any request of this path can be: that is
    /// no such request, 400.
    const fn status(&self) -> StatusCode {
        if self.path.is_some() && self.fits_the_server {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::PAYLOAD_TOO_LARGE
        }
    }
}

fn unreadable<F: ErrorForm>(error: &actix_web::Error, limits: &Limits) -> actix_web::Error {
    let too_large = matches!(error.as_error(), Some(PayloadError::Overflow))
        || error.as_response_error().status_code() == StatusCode::PAYLOAD_TOO_LARGE;
    let error = if too_large {
        F::error(
            limits.status(),
            "body-too-large",
            match limits.path {
                Some(PathLimit(bytes)) => format!("the body is larger than {bytes} bytes"),
                None => "the body is larger than limits.body_bytes allows".to_owned(),
            },
        )
    } else {
        F::error(
            StatusCode::BAD_REQUEST,
            "unreadable-body",
            format!("the body could not be read: {error}"),
        )
    };
    error.into()
}
