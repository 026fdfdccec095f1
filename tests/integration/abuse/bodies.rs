//! Bodies that are too large, have a wrong length, or do not arrive.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use super::{ENTRIES, SIGNING_CERT, TIMESTAMP, VERIFY};
use crate::support::http::{Reply, Request, connect, exchange, read_to_end, send};
use crate::support::server::{Plan, TestServer};

/// The paths that accept a body.
const BODY_PATHS: [&str; 5] = [SIGNING_CERT, ENTRIES, TIMESTAMP, VERIFY, "/oauth2/token"];
const LIMIT: usize = 65_536;

/// A server with small bodies and the default times, so that a slow test machine meets no timeout.
fn small_server() -> TestServer {
    let limits = format!("limits.body_bytes = {LIMIT}\nlimits.verify_body_bytes = {LIMIT}\n");
    Plan::new().toml(&limits).start()
}

/// A server that waits one second for a header and for a body.
fn impatient_server() -> TestServer {
    let times = "server.header_timeout_seconds = 1\nserver.body_timeout_seconds = 1\n";
    Plan::new().toml(times).start()
}

fn head(path: &str, more: &str) -> Vec<u8> {
    let kind = "content-type: application/json";
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{kind}\r\n{more}\r\n\r\n").into()
}

/// The only reply to these bytes; the server closes the connection after it.
fn one_reply(server: &TestServer, bytes: &[u8]) -> Reply {
    let reply = exchange(connect(server.address()), bytes);
    let replies = String::from_utf8_lossy(&reply).matches("HTTP/1.1 ").count();
    assert_eq!(replies, 1, "{}", String::from_utf8_lossy(&reply));
    Reply::parse(&reply).unwrap()
}

#[test]
fn a_body_over_the_limit_is_413_in_the_error_format_of_each_api() {
    let server = small_server();
    for (path, pointer, value) in [
        (SIGNING_CERT, "/code", "8"),
        (ENTRIES, "/code", "8"),
        (TIMESTAMP, "/code", "413"),
        (VERIFY, "/type", "\"urn:signet:problem:body-too-large\""),
        ("/oauth2/token", "/error", "\"invalid_request\""),
    ] {
        // With a correct length, a wrong one, and none.
        let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
        let chunked = [
            head(path, "transfer-encoding: chunked"),
            chunk.repeat(20).into(),
        ]
        .concat();
        let full = head(path, &format!("content-length: {}", LIMIT + 1));
        for bytes in [
            [full, vec![b' '; LIMIT + 1]].concat(),
            [head(path, "content-length: 1073741824"), b"{".to_vec()].concat(),
            chunked,
        ] {
            let reply = one_reply(&server, &bytes);
            assert_eq!(reply.status, 413, "{path}: {}", reply.text());
            let error = reply.json();
            assert_eq!(
                error.pointer(pointer).unwrap().to_string(),
                value,
                "{path}: {error}"
            );
            assert_eq!(server.get("/healthz").status, 200);
        }
    }
}

#[test]
fn endless_chunks_are_cut_off() {
    let server = small_server();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    for path in BODY_PATHS.iter().chain(&["/nowhere", "/checkpoint"]) {
        let mut stream = connect(server.address());
        send(&mut stream, &head(path, "transfer-encoding: chunked"));
        let begun = Instant::now();
        while stream.write_all(chunk.as_bytes()).is_ok() {
            let elapsed = begun.elapsed();
            assert!(elapsed < Duration::from_secs(20), "{path} reads on");
        }
    }
}

#[test]
fn a_header_or_a_body_that_does_not_arrive_ends_the_connection() {
    let server = impatient_server();
    for begun in [
        "",
        "G",
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
    ] {
        let mut stream = connect(server.address());
        send(&mut stream, begun.as_bytes());
        let reply = read_to_end(stream);
        assert!(
            reply.is_empty() || reply.starts_with(b"HTTP/1.1 408"),
            "{reply:?}"
        );
    }
    for path in BODY_PATHS {
        for more in ["content-length: 10", "transfer-encoding: chunked"] {
            let reply = one_reply(&server, &head(path, more));
            assert_eq!(reply.status, 408, "{path}: {}", reply.text());
        }
    }
}

#[test]
fn many_silent_clients_do_not_block_an_active_one() {
    // The silent connections must end, but not while they are opened and the active client is served.
    let server = Plan::new()
        .toml("server.header_timeout_seconds = 5")
        .start();
    let silent: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = connect(server.address());
            send(
                &mut stream,
                b"POST /signet/v1/verify HTTP/1.1\r\nhost: a\r\n",
            );
            stream
        })
        .collect();

    assert_eq!(server.get("/readyz").status, 200);

    for mut stream in silent {
        let mut reply = vec![];
        // Closed or reset: either way the connection has ended.
        let _ = stream.read_to_end(&mut reply);
        assert!(
            reply.is_empty() || reply.starts_with(b"HTTP/1.1 408"),
            "{reply:?}"
        );
    }
}

#[test]
fn heads_that_are_too_long_or_not_http_are_refused() {
    let server = small_server();
    let long = "a".repeat(200_000);
    for bytes in [
        format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1000)),
        "GET / HTTP/9.9\r\nhost: a\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}".repeat(100),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost a\r\n\r\n".to_owned(),
        "GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
    ] {
        let reply = exchange(connect(server.address()), bytes.as_bytes());
        let refused = Reply::parse(&reply).is_none_or(|reply| (400..500).contains(&reply.status));
        assert!(refused, "{}", String::from_utf8_lossy(&reply));
    }
    assert_eq!(server.send(&Request::get("/healthz")).status, 200);
}
