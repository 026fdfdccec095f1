//! Unary gRPC methods over HTTP/2, with the errors of the JSON APIs. Other HTTP/2 requests are refused,
//! because everything else is served over HTTP/1.1.
//!
//! ```text
//! request   HEADERS  POST /<service>/<method>, content-type: application/grpc
//!           DATA     0, length in four bytes, message
//! reply     HEADERS  200
//!           DATA     0, length in four bytes, message
//!           HEADERS  grpc-status: 0
//! refusal   HEADERS  200, grpc-status, grpc-message
//! ```

pub(super) mod connection;

use std::convert::Infallible;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use actix_web::http::{Method as HttpMethod, StatusCode};
use actix_web::web::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method as Verb, Request, Response};
use tracing::Instrument as _;

use super::middleware::{InFlight, RequestContext, panicked, record_response, request_id};
use super::refusal::{GrpcCode, Refusal};

/// Maximum length of a message, in bytes: that of the longest JSON request.
const MAX_MESSAGE_LENGTH: usize = 64 * 1024;

/// Length of a message's prefix: the compressed flag and the message length, in bytes.
const PREFIX_LENGTH: usize = 5;

const GRPC: &str = "application/grpc";

pub(crate) type Reply = BoxFuture<'static, Result<Vec<u8>, Refusal>>;

/// A unary method on encoded Protobuf messages.
pub(crate) struct Method {
    path: &'static str,
    call: Box<dyn Fn(Bytes) -> Reply + Send + Sync>,
}

impl Method {
    /// `path` is `/<package>.<service>/<method>`.
    pub(crate) fn new(
        path: &'static str,
        call: impl Fn(Bytes) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let call = Box::new(call);
        Self { path, call }
    }
}

/// The refusal of a message that cannot be decoded.
pub(super) fn unreadable(error: &prost::DecodeError) -> Refusal {
    refused(format_args!("the message cannot be read: {error}"))
}

/// The served methods, and the context of every request.
pub(super) struct Grpc {
    methods: Vec<Method>,
    context: Arc<RequestContext>,
}

/// A request's body: of a connection, or of a test.
trait RequestBody: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> {}

impl<B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>> RequestBody for B {}

type ReplyBody = UnsyncBoxBody<Bytes, Infallible>;

/// A refused request.
enum NoReply {
    /// The request is not a gRPC call: the HTTP status
    NotACall(Refusal),
    /// The gRPC error
    Refused(Refusal),
}

impl From<Refusal> for NoReply {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Grpc {
    pub(super) const fn new(methods: Vec<Method>, context: Arc<RequestContext>) -> Self {
        Self { methods, context }
    }

    /// Answers one request. As for every route, it has an identifier, panics are caught, and the answer
    /// is logged and counted.
    async fn answer(&self, request: Request<impl RequestBody>) -> Response<ReplyBody> {
        let begun = Instant::now();
        let metrics = &self.context.metrics;
        let id = request_id(text(request.headers(), "x-request-id"));
        let verb = HttpMethod::from_bytes(request.method().as_str().as_bytes());
        let method = self.find(request.uri().path());
        let counted = InFlight::begin(metrics);

        let span = tracing::info_span!("request", request.id = %id);
        let call = self.call(request, method).instrument(span.clone());
        let outcome = AssertUnwindSafe(call).catch_unwind().await;

        drop(counted);
        let outcome = outcome.unwrap_or_else(|_| {
            metrics.panicked();
            Err(panicked().into())
        });
        let status = match &outcome {
            Ok(_) => StatusCode::OK,
            Err(NoReply::NotACall(refusal) | NoReply::Refused(refusal)) => refusal.status(),
        };
        let route = match &outcome {
            Err(NoReply::NotACall(_)) => None,
            _ => method.map(|method| method.path),
        };
        let verb = verb.unwrap_or(HttpMethod::POST);
        span.in_scope(|| record_response(metrics, route, &verb, status, begun.elapsed()));
        let mut response = match outcome {
            Ok(message) => reply(&message),
            Err(NoReply::Refused(error)) => trailers_only(&error),
            Err(NoReply::NotACall(refusal)) => not_a_call(&refusal),
        };
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert("x-request-id", id);
        }
        response
    }

    fn find(&self, path: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.path == path)
    }

    async fn call(
        &self,
        request: Request<impl RequestBody>,
        method: Option<&Method>,
    ) -> Result<Vec<u8>, NoReply> {
        check_form(&request).map_err(NoReply::NotACall)?;
        let method = method.ok_or_else(unimplemented)?;
        let body = self.read(request.into_body()).await?;
        let reply = (method.call)(message_in(body)?);
        Ok(reply.await?)
    }

    /// Reads a body to its end, within the limits of time and length.
    async fn read(&self, body: impl RequestBody) -> Result<Bytes, Refusal> {
        let body = Limited::new(body, MAX_MESSAGE_LENGTH + PREFIX_LENGTH).collect();
        match tokio::time::timeout(self.context.body_timeout, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "message-too-large",
                format_args!("the message is larger than {MAX_MESSAGE_LENGTH} bytes"),
            )),
            Ok(Err(error)) => Err(refused(format_args!(
                "the message could not be read: {error}"
            ))),
            Err(_) => Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "message-too-slow",
                "the message did not arrive within server.body_timeout_seconds",
            )
            .grpc(GrpcCode::DeadlineExceeded)),
        }
    }
}

/// gRPC over HTTP/2, Requests: POST, and a content type that begins with `application/grpc`.
/// Other requests are refused with 415 or 405.
fn check_form<B>(request: &Request<B>) -> Result<(), Refusal> {
    let kind = text(request.headers(), "content-type").unwrap_or_default();
    let codec = kind
        .strip_prefix(GRPC)
        .map(|rest| rest.strip_prefix("+proto").unwrap_or(rest));
    if codec.is_none_or(|rest| !rest.is_empty() && !rest.starts_with(';')) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "http-2-is-for-grpc",
            "over HTTP/2 this server speaks gRPC alone (content type application/grpc or \
             application/grpc+proto); ask over HTTP/1.1 for everything else",
        ));
    }
    if request.method() != Verb::POST {
        return Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "gRPC methods require POST",
        ));
    }
    Ok(())
}

/// Reads the only message of a body.
fn message_in(body: Bytes) -> Result<Bytes, Refusal> {
    let Some((&[compressed, a, b, c, d], message)) = body.split_first_chunk::<PREFIX_LENGTH>()
    else {
        return Err(refused("the body is shorter than a message prefix"));
    };
    if compressed != 0 {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "message-compressed",
            "the message is compressed, which is not supported",
        )
        .grpc(GrpcCode::Unimplemented));
    }
    if usize::try_from(u32::from_be_bytes([a, b, c, d])) != Ok(message.len()) {
        return Err(refused(
            "the body is not exactly one message of the length in its prefix",
        ));
    }
    Ok(body.slice_ref(message))
}

fn refused(message: impl fmt::Display) -> Refusal {
    Refusal::invalid("malformed-message", message)
}

fn unimplemented() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "unknown-method",
        "unknown method; this server implements dev.sigstore.fulcio.v2.CA",
    )
    .grpc(GrpcCode::Unimplemented)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn reply(message: &[u8]) -> Response<ReplyBody> {
    let Ok(length) = u32::try_from(message.len()) else {
        return trailers_only(&panicked());
    };
    let framed = [&[0], &length.to_be_bytes()[..], message].concat();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let trailers = std::future::ready(Some(Ok(trailers)));
    call_reply(Full::from(framed).with_trailers(trailers))
}

/// gRPC over HTTP/2, Responses: an error without a message before it needs no body.
fn trailers_only(error: &Refusal) -> Response<ReplyBody> {
    let mut response = call_reply(Empty::new());
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(error.grpc_code()));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(error.detail())) {
        headers.insert("grpc-message", message);
    }
    response
}

fn call_reply(
    body: impl Body<Data = Bytes, Error = Infallible> + Send + 'static,
) -> Response<ReplyBody> {
    let mut response = Response::new(body.boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    response
}

fn not_a_call(refusal: &Refusal) -> Response<ReplyBody> {
    let mut response = Response::new(Full::from(refusal.problem().to_string()).boxed_unsync());
    let status = refusal.status();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let post = HeaderValue::from_static("POST");
        response.headers_mut().insert(ALLOW, post);
    }
    *response.status_mut() = hyper::StatusCode::from_u16(status.as_u16())
        .unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(Refusal::PROBLEM);
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// gRPC over HTTP/2, Responses: percent-encodes `%` and all but printable ASCII.
fn percent_encoded(message: &str) -> String {
    message.bytes().fold(String::new(), |mut encoded, byte| {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::adapters::http::metrics::Metrics;

    #[test]
    fn a_body_is_exactly_one_message() {
        let read = |bytes: &'static [u8]| message_in(Bytes::from_static(bytes));

        assert_eq!(read(b"\0\0\0\0\x03abc").unwrap(), "abc");
        assert_eq!(read(b"\0\0\0\0\0").unwrap(), "");
        for (body, code) in [
            (&b""[..], GrpcCode::InvalidArgument),
            (b"\0\0\0\0", GrpcCode::InvalidArgument),
            (b"\0\0\0\0\x03ab", GrpcCode::InvalidArgument),
            (b"\0\0\0\0\x03abcd", GrpcCode::InvalidArgument),
            (b"\0\0\0\0\0\0\0\0\0\0", GrpcCode::InvalidArgument),
            (b"\0\xff\xff\xff\xff", GrpcCode::InvalidArgument),
            (b"\x01\0\0\0\x03abc", GrpcCode::Unimplemented),
        ] {
            assert_eq!(read(body).unwrap_err().grpc_code(), code as u16, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn a_message_is_its_body_without_the_prefix(
            body in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            if let Ok(message) = message_in(Bytes::from(body.clone())) {
                let length = u32::try_from(message.len()).unwrap().to_be_bytes();
                prop_assert_eq!([&[0], &length[..], &message].concat(), body);
            }
        }
    }

    #[test]
    fn an_error_message_is_percent_encoded() {
        assert_eq!(
            percent_encoded("100 % of \"Zürich\"\n"),
            "100 %25 of \"Z%C3%BCrich\"%0A"
        );
    }

    fn grpc() -> Grpc {
        let panics = Method::new("/service/Panic", |_| panic!("a method panics in a test"));
        let echoes = Method::new("/service/Echo", |message| {
            Box::pin(std::future::ready(Ok(message.to_vec())))
        });
        let context = RequestContext {
            metrics: Arc::new(Metrics::new().unwrap()),
            body_timeout: Duration::from_secs(1),
        };
        Grpc::new(vec![panics, echoes], Arc::new(context))
    }

    async fn call(grpc: &Grpc, path: &str, body: &'static [u8]) -> Response<ReplyBody> {
        let request = Request::post(path)
            .header("content-type", "application/grpc")
            .header("x-request-id", "build-42")
            .body(Full::from(body))
            .unwrap();
        grpc.answer(request).await
    }

    fn counters(grpc: &Grpc) -> String {
        String::from_utf8(grpc.context.metrics.render().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_method_that_panics_is_an_internal_error_and_counted() {
        let grpc = grpc();

        let response = call(&grpc, "/service/Panic", b"\0\0\0\0\0").await;

        assert_eq!(response.headers()["grpc-status"], "13");
        let counters = counters(&grpc);
        for line in [
            "signet_panics_total 1",
            "route=\"/service/Panic\",status=\"5xx\"} 1",
            "signet_http_requests_in_flight 0",
        ] {
            assert!(counters.contains(line), "{counters}");
        }
    }

    #[tokio::test]
    async fn calls_are_counted_by_method_and_never_by_path() {
        let grpc = grpc();

        let echo = call(&grpc, "/service/Echo", b"\0\0\0\0\x03abc").await;
        for path in ["/service/A", "/service/B"] {
            let response = call(&grpc, path, b"").await;
            assert_eq!(response.headers()["grpc-status"], "12");
        }

        assert_eq!(echo.headers()["x-request-id"], "build-42");
        let counters = counters(&grpc);
        for line in [
            "method=\"POST\",route=\"/service/Echo\",status=\"2xx\"} 1",
            "method=\"POST\",route=\"unmatched\",status=\"4xx\"} 2",
        ] {
            assert!(counters.contains(line), "{counters}");
        }
        assert!(!counters.contains("/service/A"), "{counters}");
    }

    #[test]
    fn a_refusal_is_one_header_block_and_a_reply_ends_with_its_status() {
        let refusal = trailers_only(&refused("no"));
        assert_eq!(refusal.status(), 200);
        assert_eq!(refusal.headers()["grpc-status"], "3");
        assert_eq!(refusal.headers()["grpc-message"], "no");
        assert!(refusal.body().is_end_stream());

        let body = reply(b"abc").into_body().collect().now_or_never();
        let body = body.unwrap().unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(body.to_bytes(), &b"\0\0\0\0\x03abc"[..]);
    }
}
