//! An OpenID Connect issuer on a real port that misbehaves on request, as broken issuers and attackers do.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// What the issuer does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers correctly
    Good,
    /// Answers discovery with this status and location
    RedirectDiscovery(u16, String),
    /// Answers the request for keys with this status and location
    RedirectKeys(u16, String),
    /// Answers everything with this status
    Status(u16),
    /// Reads the request and never answers
    Silent,
    /// Sends the head and half of a body, then stops
    HalfBody,
    /// Sends an endless body
    EndlessBody,
    /// Uses this as `issuer` in the document
    OtherIssuer(String),
    /// Uses this as `jwks_uri` in the document
    KeysAt(String),
    /// Answers with a web page
    WebPage,
    /// Sends the keys with this content type
    KeysOfType(&'static str),
}

/// The issuer. It stops on drop.
pub struct FakeIssuer {
    url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    behaviour: Mutex<Behaviour>,
    keys: Mutex<Vec<Value>>,
    requests: Mutex<Vec<String>>,
    stopped: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

impl FakeIssuer {
    /// Starts on plain HTTP with these keys.
    pub fn start(keys: &[&Value]) -> Self {
        Self::start_with(keys, "http", "127.0.0.1", None)
    }

    /// Starts on HTTPS with a certificate for `name`, and returns the certificate as PEM. The issuer's URL
    /// has the host `localhost`, whatever the certificate says.
    pub fn start_tls(keys: &[&Value], name: &str) -> (Self, Vec<u8>) {
        let certified = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certified.cert.der().clone()],
                PrivateKeyDer::Pkcs8(key),
            )
            .unwrap();
        let issuer = Self::start_with(keys, "https", "localhost", Some(Arc::new(config)));
        (issuer, certified.cert.pem().into_bytes())
    }

    fn start_with(
        keys: &[&Value],
        scheme: &str,
        host: &str,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("{scheme}://{host}:{}", address.port());
        let shared = Arc::new(Shared {
            url: url.clone(),
            behaviour: Mutex::new(Behaviour::Good),
            keys: Mutex::new(keys.iter().copied().cloned().collect()),
            requests: Mutex::new(Vec::new()),
            stopped: AtomicBool::new(false),
            tls,
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(&listener));
        Self {
            url,
            address,
            shared,
        }
    }

    /// The issuer URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets the behaviour from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
    }

    /// Replaces the published keys.
    pub fn publish(&self, keys: &[&Value]) {
        *self.shared.keys.lock().unwrap() = keys.iter().copied().cloned().collect();
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The number of requests for the keys.
    pub fn key_requests(&self) -> usize {
        let is_for_keys = |head: &&String| head.starts_with("GET /keys ");
        self.requests().iter().filter(is_for_keys).count()
    }
}

impl Drop for FakeIssuer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, if it still runs.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let shared = Arc::clone(&self);
            thread::spawn(move || {
                // Clients may hang up at any time.
                let _ = stream.and_then(|stream| shared.serve(stream));
            });
        }
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        match &self.tls {
            None => self.converse(stream),
            Some(config) => {
                let session =
                    ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                self.converse(StreamOwned::new(session, stream))
            }
        }
    }

    fn converse(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let is_for_keys = head.starts_with("GET /keys ");
        self.requests.lock().unwrap().push(head);
        let behaviour = self.behaviour.lock().unwrap().clone();
        let stream = reader.get_mut();
        match &behaviour {
            Behaviour::RedirectDiscovery(status, location) if !is_for_keys => {
                redirect(stream, *status, location)
            }
            Behaviour::RedirectKeys(status, location) if is_for_keys => {
                redirect(stream, *status, location)
            }
            Behaviour::Status(status) => reply(stream, *status, "", "{}"),
            Behaviour::Silent => hold_open(stream),
            Behaviour::HalfBody => {
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"issuer\":";
                stream.write_all(head.as_bytes())?;
                hold_open(stream)
            }
            Behaviour::EndlessBody => endless(stream),
            Behaviour::WebPage => reply(stream, 200, "content-type: text/html\r\n", "<html>"),
            Behaviour::KeysOfType(kind) if is_for_keys => {
                let header = format!("content-type: {kind}\r\n");
                reply(stream, 200, &header, &self.document(true, &behaviour))
            }
            other => reply(stream, 200, JSON, &self.document(is_for_keys, other)),
        }
    }

    fn document(&self, is_for_keys: bool, behaviour: &Behaviour) -> String {
        if is_for_keys {
            return json!({ "keys": *self.keys.lock().unwrap() }).to_string();
        }
        let mut document = json!({
            "issuer": self.url,
            "jwks_uri": format!("{}/keys", self.url),
        });
        match behaviour {
            Behaviour::OtherIssuer(issuer) => document["issuer"] = json!(issuer),
            Behaviour::KeysAt(address) => document["jwks_uri"] = json!(address),
            _ => {}
        }
        document.to_string()
    }
}

const JSON: &str = "content-type: application/json\r\n";

fn redirect(stream: &mut impl Write, status: u16, location: &str) -> io::Result<()> {
    reply(stream, status, &format!("location: {location}\r\n"), "")
}

fn reply(stream: &mut impl Write, status: u16, headers: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )?;
    stream.flush()
}

/// Returns when the client closes the connection.
fn hold_open(stream: &mut (impl Read + Write)) -> io::Result<()> {
    stream.flush()?;
    io::copy(stream, &mut io::sink()).map(drop)
}

/// Returns when the client closes the connection.
fn endless(stream: &mut impl Write) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    loop {
        write!(stream, "1000\r\n{}\r\n", " ".repeat(0x1000))?;
    }
}
