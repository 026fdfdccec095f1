//! The middleware of every route: it gives the request an identifier, limits the time of its body,
//! catches panics, logs and counts the response, and renders errors in the format of the API.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError as _, web};
use futures_util::FutureExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::metrics::{Metrics, method_label};
use super::refusal::{ErrorFormat, Refusal};
use super::route::UnmatchedFormats;
use super::timed_body::{BodyWithRequest, SharedBody};
use crate::adapters::system::random_bytes;

/// The configuration of the middleware; `web::Data` of each application.
pub(crate) struct RequestContext {
    pub metrics: Arc<Metrics>,
    /// Time limit of a body, which grows with the bytes received; see [`SharedBody`]
    pub body_timeout: Duration,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Maximum length of an identifier from a proxy, in bytes.
const MAX_REQUEST_ID: usize = 64;

/// The middleware around every handler. Needs `web::Data<RequestContext>`.
///
/// # Errors
/// The handler panicked; the error carries the response.
pub(crate) async fn handle_request<B: MessageBody + 'static>(
    context: web::Data<RequestContext>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let begun = Instant::now();
    let sent_id = request.headers().get(REQUEST_ID);
    let id = request_id(sent_id.and_then(|id| id.to_str().ok()));
    let method = request.method().clone();
    let body = SharedBody::limit(&mut request, context.body_timeout);
    let in_flight = InFlight::begin(&context.metrics);

    let span = tracing::info_span!("request", request.id = %id);
    let handler = async move { next.call(request).await }.instrument(span.clone());
    let outcome = AssertUnwindSafe(handler).catch_unwind().await;

    let late = body.is_late();
    let finish = |head: &mut ResponseHead, sent: BoxBody| complete(head, sent, &id, body);
    let outcome = match outcome {
        Ok(Ok(response)) => Ok(render_error(response.map_into_boxed_body(), late).map_body(finish)),
        Ok(Err(error)) => Err(error.error_response().map_body(finish)),
        Err(_) => {
            context.metrics.panicked();
            Err(panicked().error_response().map_body(finish))
        }
    };
    drop(in_flight);
    let (route, status) = match &outcome {
        Ok(response) => (response.request().match_pattern(), response.status()),
        Err(response) => (None, response.status()),
    };
    let elapsed = begun.elapsed();
    span.in_scope(|| record_response(&context.metrics, route.as_deref(), &method, status, elapsed));
    outcome.map_err(|response| InternalError::from_response("no response", response).into())
}

/// Logs and counts a response.
pub(super) fn record_response(
    metrics: &Metrics,
    route: Option<&str>,
    method: &Method,
    status: StatusCode,
    elapsed: Duration,
) {
    tracing::info!(
        http.route = route.unwrap_or("unmatched"),
        http.method = method_label(method),
        http.status = status.as_u16(),
        elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        "request.answered"
    );
    metrics.request_answered(route, method, status, elapsed);
}

/// The identifier from a proxy if it is safe to log, else a new one.
pub(super) fn request_id(sent: Option<&str>) -> String {
    let is_harmless = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    match sent.filter(is_harmless) {
        Some(id) => id.to_owned(),
        // Without randomness the server signs nothing, so a repeated identifier is harmless.
        None => random_bytes::<8>().map_or_else(|_| "none".to_owned(), hex::encode),
    }
}

fn complete(head: &mut ResponseHead, sent: BoxBody, id: &str, received: Rc<SharedBody>) -> BoxBody {
    let headers = head.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    if received.is_finished() {
        return sent;
    }
    // The unread rest of the body must not be read as the next request. The framework does not export
    // the type of `Close`, but a response with `force_close` has a value of it.
    let close = HttpResponse::Ok().force_close().finish();
    head.set_connection_type(close.head().connection_type());
    BoxBody::new(BodyWithRequest {
        sent,
        _received: received,
    })
}

pub(super) fn panicked() -> Refusal {
    Refusal::internal("the server met an internal error; its log has the details")
}

/// Renders refusals, and errors of the framework, in the format of the request's API. With `late`, the
/// error is that the request's body did not arrive in time.
pub(super) fn render_error(response: ServiceResponse, late: bool) -> ServiceResponse {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = response.response().error();
    let format = format_of(response.request());
    let refused = error.and_then(|error| error.as_error::<Refusal>());
    let rendered = if late && status.is_client_error() {
        let detail = "the body did not arrive within server.body_timeout_seconds and a second for \
                      each 64 KiB";
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail).render(format)
    } else if let Some(refusal) = refused {
        if format == ErrorFormat::Problem {
            return response;
        }
        refusal.render(format)
    } else if is_of_the_framework(&response) {
        framework_refusal(status).render(format)
    } else {
        return response;
    };
    let mut rendered = rendered;
    for (name, value) in response.headers() {
        if !rendered.headers().contains_key(name) {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
    }
    if rendered.body().size() == BodySize::None || rendered.body().size() == BodySize::Sized(0) {
        rendered.headers_mut().remove(CONTENT_TYPE);
    }
    response.into_response(rendered)
}

fn format_of(request: &HttpRequest) -> ErrorFormat {
    if let Some(format) = request.app_data::<ErrorFormat>() {
        return *format;
    }
    let unmatched = request.app_data::<UnmatchedFormats>();
    unmatched.map_or(ErrorFormat::Problem, |formats| formats.find(request.path()))
}

fn is_of_the_framework(response: &ServiceResponse) -> bool {
    match response.response().error() {
        Some(_) => is_plain_or_none(response.headers()),
        None => {
            let size = response.response().body().size();
            matches!(size, BodySize::None | BodySize::Sized(0))
                && !response.headers().contains_key(CONTENT_TYPE)
        }
    }
}

fn is_plain_or_none(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

fn framework_refusal(status: StatusCode) -> Refusal {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not-found", "there is nothing at this path"),
        StatusCode::PAYLOAD_TOO_LARGE => (
            "body-too-large",
            "the body is larger than limits.body_bytes allows",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "unsupported-media-type",
            "this path does not accept the content type",
        ),
        _ if status.is_client_error() => ("bad-request", "the request could not be read"),
        _ => ("internal", "the server met an internal error"),
    };
    Refusal::new(status, code, detail)
}

/// A request in flight. Counts until dropped, because a disconnect drops the handler.
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
