//! What happens to every request, whatever its route: an identifier, a time limit on its body, a
//! net under its handler, one event when it ends, and errors in a form of ours.

use std::cell::Cell;
use std::future::Future as _;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::{InternalError, PayloadError};
use actix_web::http::header::{
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError as _, web};
use futures_util::{FutureExt as _, Stream};
use tokio::time::{Sleep, sleep};
use tracing::Instrument as _;

use super::metrics::Metrics;
use super::problem::{GatewayError, Problem};
use crate::adapters::system::random_bytes;

/// What the server does around every handler; `web::Data` of each application.
pub struct Surroundings {
    /// Where requests are counted
    pub metrics: Arc<Metrics>,
    /// How long a body may take
    pub body_timeout: Duration,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest identifier that is taken over from a proxy, in bytes.
const MAX_REQUEST_ID: usize = 64;

/// The middleware around every handler. Needs `web::Data<Surroundings>`.
///
/// # Errors
/// The handler panicked; the error answers for it.
pub async fn surround<B: MessageBody + 'static>(
    surroundings: web::Data<Surroundings>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let late = limit_body(&mut request, surroundings.body_timeout);
    let counted = InFlight::begin(&surroundings.metrics);

    let span = tracing::info_span!("request", request.id = %id);
    let handler = async move { next.call(request).await }.instrument(span.clone());
    let outcome = AssertUnwindSafe(handler).catch_unwind().await;

    let mut outcome = match outcome {
        Ok(Ok(response)) => Ok(in_our_form(response.map_into_boxed_body(), late.get())),
        Ok(Err(error)) => Err(error.as_response_error().error_response()),
        Err(_) => {
            surroundings.metrics.panicked();
            Err(panicked().error_response())
        }
    };
    drop(counted);
    let (route, response) = match &mut outcome {
        Ok(response) => (response.request().match_pattern(), response.response_mut()),
        Err(response) => (None, response),
    };
    complete(response, &id);
    let status = response.status();
    let elapsed = begun.elapsed();
    span.in_scope(|| report(route.as_deref(), &method, status, elapsed));
    surroundings
        .metrics
        .request_answered(route.as_deref(), &method, status, elapsed);
    outcome.map_err(|response| InternalError::from_response("no response", response).into())
}

fn report(route: Option<&str>, method: &Method, status: StatusCode, elapsed: Duration) {
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        http.route = route.unwrap_or("unmatched"),
        http.method = %method,
        http.status = status.as_u16(),
        elapsed_ms,
        "request answered"
    );
}

/// The identifier a proxy gave, if it is harmless in a log, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let harmless = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    match given.filter(harmless) {
        Some(id) => id.to_owned(),
        // Without randomness nothing is signed either, so a name that repeats is the least trouble.
        None => random_bytes::<8>().map_or_else(|_| "none".to_owned(), hex::encode),
    }
}

fn complete(response: &mut HttpResponse, id: &str) {
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        close(response);
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

/// What is left of the body must not be taken for the next request.
fn close(response: &mut HttpResponse) {
    // The type is not exported by the framework's front, but a value of it can be had.
    let close = HttpResponse::Ok().force_close().finish();
    let close = close.head().connection_type();
    response.head_mut().set_connection_type(close);
}

fn panicked() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the server met an error of its own; its log has the place",
    )
}

/// Gives the framework's own errors the form of a problem document, and tells a client whose body
/// never came that it was too slow.
fn in_our_form(response: ServiceResponse, late: bool) -> ServiceResponse {
    let status = response.status();
    let problem = if late && status.is_client_error() {
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body-too-slow",
            "the body did not come within server.body_timeout_seconds",
        )
    } else if is_the_frameworks(&response) {
        let (slug, detail) = slug_of(status);
        Problem::new(status, slug, detail)
    } else {
        return response;
    };
    let mut ours = problem.error_response();
    for (name, value) in response.headers() {
        if name != CONTENT_TYPE {
            ours.headers_mut().append(name.clone(), value.clone());
        }
    }
    if late {
        close(&mut ours);
    }
    response.into_response(ours)
}

fn is_the_frameworks(response: &ServiceResponse) -> bool {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return false;
    }
    match response.response().error() {
        Some(error) => {
            error.as_error::<Problem>().is_none()
                && error.as_error::<GatewayError>().is_none()
                && is_plain_or_none(response.headers())
        }
        None => {
            matches!(
                response.response().body().size(),
                BodySize::None | BodySize::Sized(0)
            ) && !response.headers().contains_key(CONTENT_TYPE)
        }
    }
}

fn is_plain_or_none(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

fn slug_of(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => ("not-found", "there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => (
            "method-not-allowed",
            "this path is there, but not for this method",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => (
            "body-too-large",
            "the body is larger than limits.body_bytes allows",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "unsupported-media-type",
            "the content type is not one that this path takes",
        ),
        _ if status.is_client_error() => ("bad-request", "the request could not be read"),
        _ => ("internal", "the server met an error of its own"),
    }
}

/// A request in flight, counted until it is dropped: clients that leave drop their handlers.
struct InFlight(Arc<Metrics>);

impl InFlight {
    fn begin(metrics: &Arc<Metrics>) -> Self {
        metrics.request_began();
        Self(Arc::clone(metrics))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

/// Puts the time limit around the body; the returned cell turns true when it strikes.
fn limit_body(request: &mut ServiceRequest, limit: Duration) -> Rc<Cell<bool>> {
    let late = Rc::new(Cell::new(false));
    match request.take_payload() {
        Payload::None => {}
        body => request.set_payload(Payload::Stream {
            payload: Box::pin(TimedBody {
                body,
                limit,
                alarm: None,
                late: Rc::clone(&late),
            }),
        }),
    }
    late
}

/// A body that fails when it has not come whole within its limit.
struct TimedBody {
    body: Payload,
    limit: Duration,
    // Set at the first wait: most bodies are there before anyone asks.
    alarm: Option<Pin<Box<Sleep>>>,
    late: Rc<Cell<bool>>,
}

impl Stream for TimedBody {
    type Item = Result<web::Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.late.get() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(piece) = Pin::new(&mut self.body).poll_next(cx) {
            return Poll::Ready(piece);
        }
        let limit = self.limit;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(limit)));
        match alarm.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.late.set(true);
                let slow = std::io::Error::from(std::io::ErrorKind::TimedOut);
                Poll::Ready(Some(Err(PayloadError::Io(slow))))
            }
        }
    }
}
