//! What happens to every request, whatever its route: an identifier, a time limit on its body, a
//! net under its handler, one event when it ends, and errors in a form of ours.

use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::error::{InternalError, PayloadError};
use actix_web::http::header::{
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError as _, web};
use futures_util::{FutureExt as _, Stream};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Instrument as _;

use super::body::{ErrorForm as _, Gateway, OpenApi, Ours};
use super::metrics::{Metrics, method_label};
use super::problem::{GatewayError, OpenApiError, Problem};
use crate::adapters::system::random_bytes;

/// What the server does around every handler; `web::Data` of each application.
pub(crate) struct Surroundings {
    /// Where requests are counted
    pub metrics: Arc<Metrics>,
    /// How long a body may take, besides a second for each [`SLOWEST_BODY`] of it that has come
    pub body_timeout: Duration,
}

/// The bytes a second at which a body must come on average once its time is used up. A large
/// artifact may take hours at this pace; a client that trickles gains nothing by it.
const SLOWEST_BODY: u64 = 64 << 10;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest identifier that is taken over from a proxy, in bytes.
const MAX_REQUEST_ID: usize = 64;

/// The middleware around every handler. Needs `web::Data<Surroundings>`.
///
/// # Errors
/// The handler panicked; the error answers for it.
pub(crate) async fn surround<B: MessageBody + 'static>(
    surroundings: web::Data<Surroundings>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let begun = Instant::now();
    let given = request.headers().get(REQUEST_ID);
    let id = request_id(given.and_then(|id| id.to_str().ok()));
    let method = request.method().clone();
    let body = SharedBody::limit(&mut request, surroundings.body_timeout);
    let counted = InFlight::begin(&surroundings.metrics);

    let span = tracing::info_span!("request", request.id = %id);
    let handler = async move { next.call(request).await }.instrument(span.clone());
    let outcome = AssertUnwindSafe(handler).catch_unwind().await;

    let late = body.is_late();
    let finish = |head: &mut ResponseHead, sent: BoxBody| complete(head, sent, &id, body);
    let outcome = match outcome {
        Ok(Ok(response)) => {
            let response = in_our_form(response.map_into_boxed_body(), late);
            Ok(response.map_body(finish))
        }
        Ok(Err(error)) => Err(error.error_response().map_body(finish)),
        Err(_) => {
            surroundings.metrics.panicked();
            Err(panicked().error_response().map_body(finish))
        }
    };
    drop(counted);
    let (route, status) = match &outcome {
        Ok(response) => (response.request().match_pattern(), response.status()),
        Err(response) => (None, response.status()),
    };
    let elapsed = begun.elapsed();
    let (metrics, route) = (&surroundings.metrics, route.as_deref());
    span.in_scope(|| answered(metrics, route, &method, status, elapsed));
    outcome.map_err(|response| InternalError::from_response("no response", response).into())
}

/// The one event of a request that has ended, and its count.
pub(super) fn answered(
    metrics: &Metrics,
    route: Option<&str>,
    method: &Method,
    status: StatusCode,
    elapsed: Duration,
) {
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        http.route = route.unwrap_or("unmatched"),
        http.method = method_label(method),
        http.status = status.as_u16(),
        elapsed_ms,
        "request answered"
    );
    metrics.request_answered(route, method, status, elapsed);
}

/// The identifier a proxy gave, if it is harmless in a log, or a new one.
pub(super) fn request_id(given: Option<&str>) -> String {
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

fn complete(head: &mut ResponseHead, sent: BoxBody, id: &str, received: Rc<SharedBody>) -> BoxBody {
    let headers = head.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    if received.state.get() == BodyState::Finished {
        return sent;
    }
    // What is left of the body must not be taken for the next request. The type is not exported by
    // the framework's front, but a value of it can be had.
    let close = HttpResponse::Ok().force_close().finish();
    head.set_connection_type(close.head().connection_type());
    BoxBody::new(Holding {
        sent,
        _received: received,
    })
}

/// A response's body that keeps what is unread of the request's until it was sent.
struct Holding {
    sent: BoxBody,
    _received: Rc<SharedBody>,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.sent.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<web::Bytes, Self::Error>>> {
        Pin::new(&mut self.sent).poll_next(cx)
    }
}

fn panicked() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the server met an error of its own; its log has the place",
    )
}

/// Gives the framework's own errors the form that the path's clients know, and tells a client whose
/// body never came that it was too slow.
fn in_our_form(response: ServiceResponse, late: bool) -> ServiceResponse {
    let status = response.status();
    let (status, slug, detail) = if late && status.is_client_error() {
        (
            StatusCode::REQUEST_TIMEOUT,
            "body-too-slow",
            "the body did not come within server.body_timeout_seconds and a second for each 64 KiB",
        )
    } else if is_the_frameworks(&response) {
        let (slug, detail) = slug_of(status);
        (status, slug, detail)
    } else {
        return response;
    };
    let path = response.request().path();
    let mut ours = if REKOR_V1.iter().any(|base| path.starts_with(base)) {
        OpenApi::error(status, slug, detail.to_owned()).error_response()
    } else if path.starts_with(FOREIGN_APIS) {
        Gateway::error(status, slug, detail.to_owned()).error_response()
    } else {
        Ours::error(status, slug, detail.to_owned()).error_response()
    };
    for (name, value) in response.headers() {
        if name != CONTENT_TYPE {
            ours.headers_mut().append(name.clone(), value.clone());
        }
    }
    response.into_response(ours)
}

/// Where Fulcio's, Rekor's and the timestamp authority's clients ask.
const FOREIGN_APIS: &str = "/api/";

/// Where, of these, Rekor v1's ask.
const REKOR_V1: [&str; 2] = ["/api/v1/log", "/api/v1/index/"];

fn is_the_frameworks(response: &ServiceResponse) -> bool {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return false;
    }
    match response.response().error() {
        Some(error) => {
            error.as_error::<Problem>().is_none()
                && error.as_error::<GatewayError>().is_none()
                && error.as_error::<OpenApiError>().is_none()
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
pub(super) struct InFlight(Arc<Metrics>);

impl InFlight {
    pub(super) fn begin(metrics: &Arc<Metrics>) -> Self {
        metrics.request_began();
        Self(Arc::clone(metrics))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

/// A request's body, shared between the handler that reads it and the middleware that outlives it.
///
/// The framework reads on to the end of a chunked body that its reader dropped, for however long it
/// goes on. A body that is still held when the response is sent closes the connection instead.
struct SharedBody {
    payload: RefCell<Payload>,
    state: Cell<BodyState>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyState {
    /// There may be more
    Open,
    /// It was read to its end
    Finished,
    /// It did not come whole within its limit
    Late,
}

impl SharedBody {
    /// Puts the time limit around the body of a request.
    fn limit(request: &mut ServiceRequest, limit: Duration) -> Rc<Self> {
        let payload = request.take_payload();
        let empty = matches!(payload, Payload::None);
        let body = Rc::new(Self {
            payload: RefCell::new(payload),
            state: Cell::new(if empty {
                BodyState::Finished
            } else {
                BodyState::Open
            }),
        });
        if !empty {
            request.set_payload(Payload::Stream {
                payload: Box::pin(TimedBody {
                    body: Rc::clone(&body),
                    limit,
                    received: 0,
                    alarm: None,
                }),
            });
        }
        body
    }

    fn is_late(&self) -> bool {
        self.state.get() == BodyState::Late
    }
}

/// A body that fails when nothing of it comes for the length of its limit, or when it is not there
/// after its limit and the time that its size has earned.
struct TimedBody {
    body: Rc<SharedBody>,
    limit: Duration,
    /// Bytes so far
    received: u64,
    // Set at the first wait: most bodies are there before anyone asks.
    alarm: Option<Alarm>,
}

struct Alarm {
    begun: Instant,
    /// When the last piece came
    last: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Alarm {
    fn set(limit: Duration) -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            last: now,
            sleep: Box::pin(sleep_until(now + limit)),
        }
    }

    /// Waits on if what has come since has earned more time.
    fn poll(&mut self, limit: Duration, received: u64, cx: &mut Context<'_>) -> Poll<()> {
        let earned = Duration::from_secs(received / SLOWEST_BODY);
        let deadline = (self.begun + limit + earned).min(self.last + limit);
        while self.sleep.as_mut().poll(cx).is_ready() {
            if self.sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl TimedBody {
    fn advance(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
        if let Some(alarm) = &mut self.alarm {
            alarm.last = Instant::now();
        }
    }
}

impl Stream for TimedBody {
    type Item = Result<web::Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.body.state.get() != BodyState::Open {
            return Poll::Ready(None);
        }
        let piece = Pin::new(&mut *self.body.payload.borrow_mut()).poll_next(cx);
        if let Poll::Ready(piece) = piece {
            match &piece {
                Some(Ok(bytes)) => self.advance(bytes.len()),
                Some(Err(_)) => {}
                None => self.body.state.set(BodyState::Finished),
            }
            return Poll::Ready(piece);
        }
        let (limit, received) = (self.limit, self.received);
        let alarm = self.alarm.get_or_insert_with(|| Alarm::set(limit));
        match alarm.poll(limit, received, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.body.state.set(BodyState::Late);
                let slow = std::io::Error::from(std::io::ErrorKind::TimedOut);
                Poll::Ready(Some(Err(PayloadError::Io(slow))))
            }
        }
    }
}
