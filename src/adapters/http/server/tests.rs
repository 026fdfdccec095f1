use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, Responder, web};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::adapters::http::body::Body;
use crate::adapters::http::refusal::ErrorFormat;
use crate::adapters::http::route::{Api, Route};
use crate::adapters::http::{health, metrics};
use crate::config::{Settings, Sources, load};

const PATIENCE: Duration = Duration::from_secs(10);

fn settings() -> Settings {
    let mut settings = load(&Sources::default()).unwrap();
    settings.server.listen = "127.0.0.1:0".parse().unwrap();
    settings.server.workers = Some(1);
    settings.limits.body_bytes = 65_536;
    settings
}

/// Handlers that expose the server's behaviour.
const SHOWN: Api = Api {
    name: "shown",
    errors: ErrorFormat::Problem,
    owns: &[],
    cors: false,
    routes: &[
        Route::get("/panic", || web::to(panics)),
        Route::post("/length", || web::to(length)),
        Route::get("/item/{number}", || web::to(item)),
        Route::get("/held", || web::to(held)),
    ],
};

async fn start_with(settings: Settings) -> (Running, Arc<Held>) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let held = Arc::new(Held::default());
    let data = (
        web::Data::from(Arc::clone(&metrics)),
        web::Data::new(health::Readiness::new()),
        web::Data::from(Arc::clone(&held)),
    );
    let bound = Bound::bind(settings.server.listen).unwrap();
    let config = HttpServerConfig {
        server: settings.server,
        limits: settings.limits,
        tls: None,
        metrics,
        mounts: [&health::API, &metrics::API, &SHOWN]
            .map(Mount::new)
            .to_vec(),
        data: Arc::new(move |cfg| {
            let (metrics, readiness, held) = data.clone();
            cfg.app_data(metrics).app_data(readiness).app_data(held);
        }),
        grpc: Vec::new(),
    };
    (start(bound, config).await.unwrap(), held)
}

async fn started() -> Running {
    start_with(settings()).await.0
}

/// A request whose handler waits.
#[derive(Default)]
struct Held {
    entered: Notify,
    leave: Notify,
    is_finished: AtomicBool,
}

async fn held(held: web::Data<Held>) -> &'static str {
    held.entered.notify_one();
    held.leave.notified().await;
    held.is_finished.store(true, Ordering::SeqCst);
    "done"
}

async fn panics() -> HttpResponse {
    panic!("a handler panics in a test")
}

async fn length(body: Body) -> impl Responder {
    body.bytes().len().to_string()
}

async fn item(number: web::Path<u32>) -> impl Responder {
    number.to_string()
}

/// Sends bytes and reads until the server closes.
async fn exchange(server: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    // A server that refuses early may close before all is written.
    let _ = stream.write_all(bytes).await;
    read_to_end(&mut stream).await
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    let closed = timeout(PATIENCE, stream.read_to_end(&mut reply)).await;
    let reply = String::from_utf8_lossy(&reply).into_owned();
    assert!(
        closed.is_ok(),
        "the server kept the connection open: {reply}"
    );
    reply
}

async fn ask(server: &Running, line: &str) -> String {
    let request = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    exchange(server, request.as_bytes()).await
}

#[tokio::test]
async fn a_started_server_answers() {
    let server = started().await;

    let reply = ask(&server, "GET /healthz").await;

    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(reply.ends_with("ok"), "{reply}");
    assert_ne!(server.address().port(), 0);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_slash_at_the_end_of_a_path_is_ignored() {
    let server = started().await;

    let reply = ask(&server, "GET /healthz/").await;

    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}

#[tokio::test]
async fn the_frameworks_own_errors_are_problem_documents() {
    let server = started().await;
    for (line, status, slug) in [
        ("GET /nowhere", "404", "not-found"),
        ("DELETE /length", "405", "method-not-allowed"),
        ("GET /item/x", "404", "not-found"),
        ("BREW /healthz", "405", "method-not-allowed"),
    ] {
        let reply = ask(&server, line).await;

        assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{reply}");
        assert!(reply.contains("application/problem+json"), "{reply}");
        assert!(
            reply.contains(&format!("urn:signet:problem:{slug}")),
            "{reply}"
        );
    }
}

#[tokio::test]
async fn a_method_that_is_not_allowed_gets_405_with_the_allowed_ones() {
    let server = started().await;

    let reply = ask(&server, "DELETE /length").await;

    assert!(
        reply.to_ascii_lowercase().contains("allow: post"),
        "{reply}"
    );
}

#[tokio::test]
async fn a_panic_is_a_counted_500_and_does_not_stop_the_server() {
    let server = started().await;

    let reply = ask(&server, "GET /panic").await;

    assert!(reply.starts_with("HTTP/1.1 500"), "{reply}");
    assert!(reply.contains("urn:signet:problem:internal"), "{reply}");
    assert!(!reply.contains("panics in a test"), "{reply}");
    assert!(reply.contains("x-request-id"), "{reply}");
    let counters = ask(&server, "GET /metrics").await;
    assert!(counters.contains("signet_panics_total 1"), "{counters}");
}

#[tokio::test]
async fn requests_are_counted_by_pattern_and_never_by_path() {
    let server = started().await;
    for number in 0..3 {
        let _ = ask(&server, &format!("GET /item/{number}")).await;
        let _ = ask(&server, &format!("GET /wander/{number}")).await;
    }

    let counters = ask(&server, "GET /metrics").await;

    for line in [
        "route=\"/item/{number}\",status=\"2xx\"} 3",
        "route=\"unmatched\",status=\"4xx\"} 3",
    ] {
        assert!(counters.contains(line), "{counters}");
    }
    assert!(!counters.contains("wander"), "{counters}");
}

#[tokio::test]
async fn a_safe_request_identifier_is_kept_and_others_are_replaced() {
    let server = started().await;
    let with_id = |id: &str| {
        format!("GET /ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-request-id: {id}\r\n\r\n")
    };

    let reply = exchange(&server, with_id("build-42_a").as_bytes()).await;
    assert!(reply.contains("x-request-id: build-42_a\r\n"), "{reply}");

    let long = "a".repeat(65);
    for id in ["a b", "a;b", "a\"b", long.as_str()] {
        let reply = exchange(&server, with_id(id).as_bytes()).await;
        let given = reply
            .lines()
            .find_map(|line| line.strip_prefix("x-request-id: "));
        let given = given.unwrap_or_default();
        assert!(given.len() == 16 && given != id, "{reply}");
    }
}

#[tokio::test]
async fn an_oversized_body_is_refused_unread_and_the_connection_is_closed() {
    let server = started().await;
    let head = "POST /length HTTP/1.1\r\nhost: a\r\n";

    for rest in [
        "content-length: 65537\r\n\r\n".to_owned(),
        "content-length: 1073741824\r\n\r\nabc".to_owned(),
        format!(
            "transfer-encoding: chunked\r\n\r\n{}",
            format!("1000\r\n{}\r\n", "a".repeat(4096)).repeat(17)
        ),
    ] {
        // Bytes of the body that look like another request must not be answered.
        let reply = exchange(&server, format!("{head}{rest}").as_bytes()).await;

        assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
        assert!(
            reply.contains("urn:signet:problem:body-too-large"),
            "{reply}"
        );
        assert_eq!(reply.matches("HTTP/1.1").count(), 1, "{reply}");
    }
}

#[tokio::test]
async fn an_unread_body_does_not_keep_the_connection_open() {
    let server = started().await;
    for rest in [
        "content-length: 10\r\n\r\nabc",
        "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let request = format!("POST /nowhere HTTP/1.1\r\nhost: a\r\n{rest}");

        let reply = exchange(&server, request.as_bytes()).await;

        assert!(reply.starts_with("HTTP/1.1 404"), "{reply}");
    }
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_accepted_and_the_connection_is_kept() {
    let server = started().await;
    let one = format!(
        "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 65536\r\n\r\n{}",
        "a".repeat(65_536)
    );
    let last = "GET /ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    let reply = exchange(&server, format!("{one}{last}").as_bytes()).await;

    assert_eq!(reply.matches("HTTP/1.1 200").count(), 2, "{reply}");
    assert!(reply.contains("65536"), "{reply}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_gets_408_and_the_connection_is_closed() {
    let mut settings = settings();
    settings.server.body_timeout = Duration::from_millis(200);
    let (server, _) = start_with(settings).await;

    let request = "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc";
    let reply = exchange(&server, request.as_bytes()).await;

    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
    assert!(
        reply.contains("urn:signet:problem:body-too-slow"),
        "{reply}"
    );
}

#[tokio::test]
async fn an_unfinished_header_closes_the_connection() {
    let mut settings = settings();
    settings.server.header_timeout = Duration::from_secs(1);
    let (server, _) = start_with(settings).await;

    let reply = exchange(&server, b"GET /ping HTTP/1.1\r\nhost: a\r\nx-slow: ").await;

    assert!(
        reply.is_empty() || reply.starts_with("HTTP/1.1 408"),
        "{reply}"
    );
}

#[tokio::test]
async fn requests_that_a_proxy_might_read_differently_are_refused() {
    let server = started().await;
    for smuggled in [
        "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
        "POST /length HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /length HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: +3\r\n\r\nabc",
    ] {
        let smuggled = format!("{smuggled}GET /ping HTTP/1.1\r\nhost: a\r\n\r\n");

        let reply = exchange(&server, smuggled.as_bytes()).await;

        assert!(reply.starts_with("HTTP/1.1 400"), "{smuggled}: {reply}");
        assert_eq!(reply.matches("HTTP/1.1").count(), 1, "{smuggled}: {reply}");
    }
}

#[tokio::test]
async fn shutdown_waits_for_requests_in_flight() {
    let (server, held) = start_with(settings()).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream
        .write_all(b"GET /held HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    held.entered.notified().await;

    let stopped = tokio::spawn(server.stop());
    held.leave.notify_one();
    let reply = read_to_end(&mut stream).await;

    assert!(reply.ends_with("done"), "{reply}");
    timeout(PATIENCE, stopped).await.unwrap().unwrap().unwrap();
    assert!(held.is_finished.load(Ordering::SeqCst));
}

#[tokio::test]
async fn the_server_runs_until_it_is_stopped() {
    let server = started().await;
    let address = server.address();
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(server.serve_until(async {
        let _ = stopped.await;
    }));

    stop.send(()).unwrap();

    timeout(PATIENCE, serving).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[test]
fn the_error_for_an_address_in_use_contains_the_address() {
    let first = Bound::bind("127.0.0.1:0".parse().unwrap()).unwrap();

    let error = Bound::bind(first.address()).err().unwrap();

    assert!(error.to_string().contains(&first.address().to_string()));
}
