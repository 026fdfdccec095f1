//! HTTP/1.1 requests and replies as bytes, without the checks and corrections of a client library.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Maximum time for a reply before the test fails. It is generous, because a machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A request that was not sent yet.
pub struct Request {
    method: String,
    path: String,
    headers: String,
    body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: String::new(),
            body: Vec::new(),
        }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub fn post(path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", path)
            .header("content-type", content_type)
            .body(body)
    }

    pub fn json(path: &str, body: &Value) -> Self {
        Self::post(path, "application/json", body.to_string())
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The request as it is sent. The connection closes after the reply.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self {
            method,
            path,
            headers,
            body,
        } = self;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        [head.as_bytes(), body].concat()
    }

    /// Sends it over a connection of its own.
    pub fn send(&self, address: SocketAddr) -> Reply {
        let reply = exchange(connect(address), &self.to_bytes());
        Reply::parse(&reply).unwrap_or_else(|| panic!("no reply to {} {}", self.method, self.path))
    }
}

/// A connection with timeouts.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Writes to a server that may answer and close the connection before it has read everything. Whether
/// the last bytes reach it is a race, so a closed connection is not a failure here; tests check the reply.
pub fn send(stream: &mut impl Write, bytes: &[u8]) {
    if let Err(error) = stream.write_all(bytes).and_then(|()| stream.flush()) {
        assert!(peer_has_closed(&error), "{error}");
    }
}

/// Whether an I/O error means that the peer closed the connection.
pub fn peer_has_closed(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::NotConnected
            // TLS: closed in the middle of a handshake or a record
            | ErrorKind::UnexpectedEof
    )
}

/// Sends bytes and reads until the peer closes.
pub fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> Vec<u8> {
    send(&mut stream, bytes);
    read_to_end(stream)
}

/// Reads until the peer closes; fails if it does not.
pub fn read_to_end(mut stream: impl Read) -> Vec<u8> {
    let mut reply = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return reply,
            Ok(length) => reply.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("kept open: {}", String::from_utf8_lossy(&reply))
            }
            // A reset after the reply, because the server did not read everything.
            Err(_) => return reply,
        }
    }
}

/// A reply of a server.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// Parses one reply that ends with its connection; none if there is no complete head.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let reply = Self {
            status,
            head,
            body: bytes[end + 4..].to_vec(),
        };
        assert_eq!(
            reply.header("transfer-encoding"),
            None,
            "the body is not decoded here"
        );
        Some(reply)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The JSON of a reply that must be a success.
    pub fn success(self) -> Value {
        assert!(
            matches!(self.status, 200 | 201),
            "{} {}",
            self.status,
            self.text()
        );
        self.json()
    }
}
