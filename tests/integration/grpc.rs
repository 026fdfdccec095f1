//! gRPC over TLS, with messages that are encoded by hand.

use std::sync::Arc;
use std::time::Duration;

use h2::client::SendRequest;
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request as HttpRequest};
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use serde_json::{Value, json};
use signet::testing::{Certificate, EphemeralKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::{ask, client_config, new_token, serving};
use crate::support::account::EMAIL;
use crate::support::http::{PATIENCE, Reply, Request, peer_has_closed};
use crate::support::program::{Program, Server};

const CA: &str = "/dev.sigstore.fulcio.v2.CA";

/// A length-delimited field of a Protobuf message: text, bytes or a message.
fn field(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    field.extend_from_slice(content);
    field
}

/// The fields of a message, all of which must be length-delimited.
fn fields(mut message: &[u8]) -> Vec<(u8, &[u8])> {
    let mut fields = Vec::new();
    while let [tag, rest @ ..] = message {
        assert_eq!(tag & 7, 2, "field {} has no length", tag >> 3);
        let mut length = 0;
        let digits = 1 + rest.iter().take_while(|byte| **byte >= 0x80).count();
        for (place, byte) in rest[..digits].iter().enumerate() {
            length |= usize::from(byte & 0x7f) << (7 * place);
        }
        let (content, after) = rest[digits..].split_at(length);
        fields.push((tag >> 3, content));
        message = after;
    }
    fields
}

/// The content of a message's only field.
fn only(number: u8, message: &[u8]) -> &[u8] {
    match fields(message).as_slice() {
        [(found, content)] if *found == number => content,
        other => panic!("not field {number} alone: {other:?}"),
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// `CreateSigningCertificateRequest` with a key and a proof over this challenge.
fn key_request(token: &str, key: &EphemeralKey, challenge: &str) -> Vec<u8> {
    // The first field is an enum: ECDSA.
    let public_key = [&[1 << 3, 2][..], &field(2, key.public_key().to_pem())].concat();
    let proof = key.sign(challenge.as_bytes()).unwrap();
    let request = [field(1, public_key), field(2, proof)].concat();
    [field(1, field(1, token)), field(2, request)].concat()
}

fn csr_request(token: &str, key: &rcgen::KeyPair) -> Vec<u8> {
    let request = rcgen::CertificateParams::default()
        .serialize_request(key)
        .unwrap();
    [field(1, field(1, token)), field(3, request.pem().unwrap())].concat()
}

/// The certificates of a `SigningCertificate` with an embedded SCT.
fn certificates(message: &[u8]) -> Vec<String> {
    fields(only(1, only(2, message)))
        .into_iter()
        .map(|(number, pem)| {
            assert_eq!(number, 1);
            String::from_utf8(pem.to_vec()).unwrap()
        })
        .collect()
}

async fn handshake(
    program: &Program,
    server: &Server,
    protocols: &[&[u8]],
) -> TlsStream<TcpStream> {
    let mut config = client_config(program, &[&TLS13]);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let tcp = TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.unwrap()
}

/// A connection that offered HTTP/2 only.
struct Client {
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: HeaderMap,
}

impl Client {
    async fn connect(program: &Program, server: &Server) -> Self {
        let stream = handshake(program, server, &[b"h2"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        Self {
            requests,
            connection: tokio::spawn(connection),
        }
    }

    /// Sends a request with a body; without one, the request never ends.
    async fn send(&self, request: HttpRequest<()>, body: Option<Vec<u8>>) -> Answer {
        let mut requests = self.requests.clone().ready().await.unwrap();
        let (response, mut stream) = requests.send_request(request, false).unwrap();
        if let Some(body) = body {
            // A server that refuses early may close the stream before everything is sent.
            let _ = stream.send_data(Bytes::from(body), true);
        }
        let response = timeout(PATIENCE, response).await.unwrap().unwrap();
        let (head, mut reply) = response.into_parts();
        let mut body = Vec::new();
        while let Some(piece) = timeout(PATIENCE, reply.data()).await.unwrap() {
            body.extend_from_slice(&piece.unwrap());
        }
        let trailers = reply.trailers().await.unwrap().unwrap_or_default();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            trailers,
        }
    }

    /// Waits until the server closes the connection in order. This client's own GOAWAY may fail, because
    /// the server may have closed the socket already.
    async fn closed_within(self, limit: Duration) {
        let Self {
            requests,
            connection,
        } = self;
        let ended = timeout(limit, connection).await;
        if let Err(error) = ended.expect("the server keeps the connection").unwrap() {
            assert!(error.get_io().is_some_and(peer_has_closed), "{error}");
        }
        drop(requests);
    }

    async fn call(&self, method: &str, message: &[u8]) -> Answer {
        let request = call_request(Method::POST, &format!("{CA}/{method}"), "application/grpc");
        self.send(request, Some(framed(message))).await
    }
}

fn call_request(method: Method, path: &str, kind: &str) -> HttpRequest<()> {
    HttpRequest::builder()
        .method(method)
        .uri(format!("https://localhost{path}"))
        .header("content-type", kind)
        .header("te", "trailers")
        .body(())
        .unwrap()
}

impl Answer {
    /// The message of a reply that must be a success.
    fn message(&self) -> &[u8] {
        let status = self.trailers.get("grpc-status");
        assert!(
            status.is_some_and(|status| status == "0"),
            "{:?}",
            self.headers
        );
        assert_eq!(self.status, 200);
        assert_eq!(self.headers["content-type"], "application/grpc");
        let (prefix, message) = self.body.split_at(5);
        assert_eq!(prefix, &framed(message)[..5]);
        message
    }

    /// The status and the message of a reply that must be a refusal.
    fn refusal(&self) -> (&str, &str) {
        assert_eq!(self.status, 200);
        assert!(self.body.is_empty());
        let text = |name| self.headers[name].to_str().unwrap();
        (text("grpc-status"), text("grpc-message"))
    }
}

/// A server and a connection to it.
struct Session {
    program: Program,
    server: Server,
    client: Client,
}

impl Session {
    async fn start() -> Self {
        Self::with("").await
    }

    async fn with(toml: &str) -> Self {
        let (program, server) = serving(toml);
        let client = Client::connect(&program, &server).await;
        Self {
            program,
            server,
            client,
        }
    }

    /// Sends a request by HTTP/1.1.
    fn get(&self, path: &str) -> Reply {
        ask(&self.program, &self.server, &Request::get(path))
    }

    fn new_token(&self) -> String {
        new_token(&self.program, &self.server)
    }

    /// Checks that the server still answers calls on a new connection.
    async fn check_alive(&self) {
        let client = Client::connect(&self.program, &self.server).await;
        client.call("GetTrustBundle", b"").await.message();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_issued_and_counted_by_grpc_as_by_json() {
    let session = Session::start().await;
    let (client, token) = (&session.client, session.new_token());
    let key = EphemeralKey::generate().unwrap();
    let other = rcgen::KeyPair::generate().unwrap();

    let by_key = client
        .call(
            "CreateSigningCertificate",
            &key_request(&token, &key, EMAIL),
        )
        .await;
    let by_csr = client
        .call("CreateSigningCertificate", &csr_request(&token, &other))
        .await;

    let bundle = session.get("/api/v2/trustBundle").json();
    let above = bundle["chains"][0]["certificates"].as_array().unwrap();
    for (answer, raw) in [
        (&by_key, key.public_key().raw()),
        (&by_csr, other.public_key_raw()),
    ] {
        let chain = certificates(answer.message());
        let leaf = Certificate::from_pem(&chain[0]).unwrap();
        assert_eq!(leaf.public_key().raw(), raw);
        assert_eq!(leaf.subject_name().unwrap().as_str(), EMAIL);
        assert_eq!(&chain[1..], above);
    }
    let metrics = session.get("/metrics").text();
    for line in [
        "signet_certificates_issued_total 2",
        "signet_log_entries_appended_total{log=\"ct\"} 2",
        "route=\"/dev.sigstore.fulcio.v2.CA/CreateSigningCertificate\",status=\"2xx\"} 2",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trust_bundle_and_the_issuers_are_the_same_as_in_json() {
    let session = Session::start().await;
    let json = |path| session.get(path).json();

    let bundle = session.client.call("GetTrustBundle", b"").await;
    let configuration = session.client.call("GetConfiguration", b"").await;

    let chain: Vec<_> = fields(only(1, bundle.message()))
        .into_iter()
        .map(|(_, pem)| std::str::from_utf8(pem).unwrap())
        .collect();
    let expected = json("/api/v2/trustBundle");
    assert_eq!(json!({"chains": [{"certificates": chain}]}), expected);
    let expected = &json("/api/v2/configuration")["issuers"][0];
    for (number, text) in fields(only(1, configuration.message())) {
        let name = match number {
            1 => "issuerUrl",
            3 => "audience",
            4 => "challengeClaim",
            6 => "issuerType",
            7 => "subjectDomain",
            other => panic!("field {other}"),
        };
        let text = std::str::from_utf8(text).unwrap();
        assert_eq!(expected[name], text, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_fulcios_status_and_message_and_issue_nothing() {
    let session = Session::start().await;
    let (client, token) = (&session.client, session.new_token());
    let key = EphemeralKey::generate().unwrap();
    let good = key_request(&token, &key, EMAIL);
    let identity = "There was an error processing the identity token";
    for (method, message, status, text) in [
        (
            "CreateSigningCertificate",
            key_request("a.b.c", &key, EMAIL),
            "3",
            identity,
        ),
        ("CreateSigningCertificate", Vec::new(), "3", identity),
        (
            "CreateSigningCertificate",
            key_request(&token, &key, "mallory@example.com"),
            "3",
            "The signature supplied in the request could not be verified",
        ),
        (
            "CreateSigningCertificate",
            field(1, field(1, &token)),
            "3",
            "The public key supplied in the request could not be parsed",
        ),
        (
            "CreateSigningCertificate",
            good[..good.len() - 1].to_vec(),
            "3",
            "the message cannot be read",
        ),
        (
            "CreateSigningCertificate",
            field(1, field(1, "x".repeat(70_000))),
            "8",
            "the message is larger than 65536 bytes",
        ),
        ("DeleteEverything", Vec::new(), "12", "unknown method"),
    ] {
        let answer = client.call(method, &message).await;

        let (found, message) = answer.refusal();
        assert_eq!(found, status, "{message}");
        assert!(message.starts_with(text), "{message}");
        assert!(!message.contains(&token), "{message}");
    }
    // The connection is still usable.
    let answer = client.call("CreateSigningCertificate", &good).await;
    assert_eq!(certificates(answer.message()).len(), 3);
    let metrics = session.get("/metrics").text();
    assert!(metrics.contains("signet_certificates_issued_total 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_http_2_that_are_not_grpc_are_refused_as_problems() {
    let Session {
        client,
        program: _program,
        server: _server,
    } = Session::start().await;
    let create = &format!("{CA}/CreateSigningCertificate");
    for (method, path, kind, status) in [
        (Method::GET, "/healthz", "", 415),
        (Method::POST, "/api/v2/signingCert", "application/json", 415),
        (Method::POST, create, "application/grpc-web", 415),
        (Method::POST, create, "application/grpc+json", 415),
        (Method::GET, create, "application/grpc", 405),
    ] {
        let request = call_request(method, path, kind);

        let answer = client.send(request, Some(Vec::new())).await;

        assert_eq!(answer.status, status, "{path} {kind}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.headers.contains_key("allow"), status == 405);
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["status"], status);
    }
    let compressed = [&[1][..], &framed(b"")[1..]].concat();
    for (body, status) in [(compressed, "12"), (b"\0\0".to_vec(), "3")] {
        let request = call_request(Method::POST, create, "application/grpc+proto");
        assert_eq!(client.send(request, Some(body)).await.refusal().0, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_is_negotiated_with_clients_that_offer_it() {
    let (program, server) = serving("");
    for offered in [
        &[&b"h2"[..], b"http/1.1"][..],
        &[b"http/1.1", b"h2"],
        &[b"http/1.1"],
        &[],
    ] {
        let stream = handshake(&program, &server, offered).await;

        let agreed = stream.get_ref().1.alpn_protocol();
        let expected = offered.iter().find(|name| **name == b"http/1.1");
        assert_eq!(agreed, expected.copied());
        let (mut stream, request) = (stream, Request::get("/healthz").to_bytes());
        let mut reply = Vec::new();
        stream.write_all(&request).await.unwrap();
        let read = stream.read_to_end(&mut reply);
        timeout(PATIENCE, read).await.unwrap().unwrap();
        assert_eq!(Reply::parse(&reply).unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_arrive_is_refused_and_an_idle_connection_is_closed() {
    let limits = "[server]\nbody_timeout_seconds = 1\nkeep_alive_seconds = 1\n";
    let Session {
        client,
        program: _program,
        server: _server,
    } = Session::with(limits).await;
    let request = call_request(
        Method::POST,
        &format!("{CA}/GetTrustBundle"),
        "application/grpc",
    );

    let answer = client.send(request, None).await;

    assert_eq!(answer.refusal().0, "4");
    client.closed_within(Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_closes_its_connections_in_order() {
    // Connections are cut after this time, so the close below cannot be a cut.
    let Session {
        client,
        server,
        program: _program,
    } = Session::with("[server]\nshutdown_seconds = 10\n").await;
    client.call("GetTrustBundle", b"").await.message();

    server.signal("TERM");

    client.closed_within(Duration::from_secs(6)).await;
    let (status, log) = tokio::task::spawn_blocking(|| server.wait()).await.unwrap();
    assert_eq!(status, Some(0), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_eight_calls_are_accepted_at_the_same_time() {
    let session = Session::start().await;
    // The server's settings arrive before its first answer.
    session.client.call("GetTrustBundle", b"").await.message();

    assert_eq!(session.client.requests.current_max_send_streams(), 8);
}

/// Resident memory of a process, in kilobytes.
fn memory(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let size = line.unwrap().split_whitespace().nth(1).unwrap();
    size.parse().unwrap()
}

/// Maximum growth of a server's memory by a flood of frames, in kilobytes.
const ROOM: usize = 16 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_reset_at_once_use_no_memory() {
    let session = Session::start().await;
    let path = format!("{CA}/CreateSigningCertificate");
    let before = memory(&session.server);

    let mut made = 0;
    for _ in 0..20_000 {
        let request = call_request(Method::POST, &path, "application/grpc");
        let Ok(mut requests) = session.client.requests.clone().ready().await else {
            break;
        };
        let Ok((_, mut stream)) = requests.send_request(request, false) else {
            break;
        };
        stream.send_reset(h2::Reason::CANCEL);
        made += 1;
    }

    assert!(made > 0);
    let after = memory(&session.server);
    assert!(after < before + ROOM, "from {before} kB to {after} kB");
    session.check_alive().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_header_ends_the_connection() {
    let (program, server) = serving("");
    let mut stream = handshake(&program, &server, &[b"h2"]).await;
    let before = memory(&server);
    // A frame is its length in three bytes, its kind, its flags and its stream (RFC 9113 §4.1); a
    // field is written out without an index (RFC 7541 §6.2.2): `a: b`.
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let fields = b"\x00\x01a\x01b".repeat(3000);
    let settings = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &frame(4, 0, 0, &[]),
    ]
    .concat();
    let (headers, continuation) = (frame(1, 0, 1, &fields), frame(9, 0, 1, &fields));

    let flood = async {
        stream.write_all(&[settings, headers].concat()).await?;
        for _ in 0..5000 {
            stream.write_all(&continuation).await?;
        }
        stream.flush().await
    };
    let refused = timeout(PATIENCE, flood).await.unwrap();

    assert!(refused.is_err(), "75 MB of header were accepted");
    let after = memory(&server);
    assert!(after < before + ROOM, "from {before} kB to {after} kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_empty_pieces_is_refused() {
    let session = Session::with("[server]\nbody_timeout_seconds = 1\n").await;
    let before = memory(&session.server);
    let path = format!("{CA}/CreateSigningCertificate");
    let request = call_request(Method::POST, &path, "application/grpc");
    let mut requests = session.client.requests.clone().ready().await.unwrap();

    let (response, mut stream) = requests.send_request(request, false).unwrap();
    let flood = async {
        while stream.send_data(Bytes::new(), false).is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let ended = timeout(PATIENCE, async {
        tokio::select! {
            response = response => response.ok(),
            () = flood => None,
        }
    });

    if let Some(response) = ended.await.unwrap() {
        assert_eq!(response.headers()["grpc-status"], "4");
    }
    let after = memory(&session.server);
    assert!(after < before + ROOM, "from {before} kB to {after} kB");
}
