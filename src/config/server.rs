//! `[server]`: where the server listens and what it is called.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::error::{Refusal, count_within, within};
use crate::protocol::origin::Origin;

/// `[server]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerTable {
    data_dir: String,
    listen: String,
    public_url: String,
    insecure_http: bool,
    workers: u64,
    max_connections: u64,
    header_timeout_seconds: u64,
    body_timeout_seconds: u64,
    keep_alive_seconds: u64,
    shutdown_seconds: u64,
}

/// Where the server listens, what it is called, and how patient it is.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The directory that holds everything
    pub data_dir: PathBuf,
    /// The address to listen on; port 0 lets the system choose
    pub listen: SocketAddr,
    /// What clients call this server
    pub public_url: PublicUrl,
    /// How many worker threads, if not one for each processor
    pub workers: Option<usize>,
    /// Connections open at one time
    pub max_connections: usize,
    /// How long a request's header may take
    pub header_timeout: Duration,
    /// How long a request's body may take
    pub body_timeout: Duration,
    /// How long an idle connection is kept
    pub keep_alive: Duration,
    /// How long requests in flight may take to end when the server stops
    pub shutdown: Duration,
}

impl ServerSettings {
    /// Whether other machines reach the server, and nobody said what they call it: the trust
    /// documents then send them to themselves.
    pub fn is_unnamed(&self) -> bool {
        !self.public_url.chosen && !self.listen.ip().is_loopback()
    }
}

impl ServerTable {
    /// Checks the table; `encrypted` tells whether the server itself speaks TLS.
    pub(super) fn check(self, encrypted: bool) -> Result<ServerSettings, Refusal> {
        if self.data_dir.is_empty() {
            let allowed = "the path of a directory";
            return Err(Refusal::not_accepted("server.data_dir", "", allowed));
        }
        let listen = self.check_listen(encrypted)?;
        let workers = count_within("server.workers", self.workers, 0..=512)?;
        let seconds = |key, value, range| within(key, value, range).map(Duration::from_secs);
        Ok(ServerSettings {
            public_url: self.check_public_url(listen, encrypted)?,
            listen,
            workers: (workers > 0).then_some(workers),
            max_connections: count_within(
                "server.max_connections",
                self.max_connections,
                16..=1_000_000,
            )?,
            header_timeout: seconds(
                "server.header_timeout_seconds",
                self.header_timeout_seconds,
                1..=60,
            )?,
            body_timeout: seconds(
                "server.body_timeout_seconds",
                self.body_timeout_seconds,
                1..=300,
            )?,
            keep_alive: seconds(
                "server.keep_alive_seconds",
                self.keep_alive_seconds,
                1..=300,
            )?,
            shutdown: seconds("server.shutdown_seconds", self.shutdown_seconds, 0..=10)?,
            data_dir: self.data_dir.into(),
        })
    }

    fn check_listen(&self, encrypted: bool) -> Result<SocketAddr, Refusal> {
        let listen: SocketAddr = self.listen.parse().map_err(|_| {
            Refusal::not_accepted(
                "server.listen",
                &self.listen,
                "an IP address and a port, such as 127.0.0.1:8477 or [::1]:8477",
            )
        })?;
        if encrypted && self.insecure_http {
            return Err(Refusal::contradiction(
                "server.insecure_http",
                "TLS is configured, so nothing is served over plain HTTP; leave it false",
            ));
        }
        if !encrypted && !self.insecure_http && !listen.ip().is_loopback() {
            return Err(Refusal::contradiction(
                "server.listen",
                "other machines reach this address, so set tls.certificate_file and tls.key_file, \
                 or server.insecure_http = true if a TLS proxy stands in front",
            ));
        }
        Ok(listen)
    }

    fn check_public_url(&self, listen: SocketAddr, encrypted: bool) -> Result<PublicUrl, Refusal> {
        const KEY: &str = "server.public_url";
        if self.public_url.is_empty() {
            let scheme = if encrypted { "https" } else { "http" };
            let local = format!("{scheme}://localhost:{}", listen.port());
            return Ok(PublicUrl {
                origin: Origin::of(&local).expect("a scheme, a host and a port are an origin"),
                chosen: false,
            });
        }
        let origin = Origin::parse(&self.public_url).ok_or_else(|| {
            Refusal::not_accepted(
                KEY,
                &self.public_url,
                "http:// or https:// and a host in lower case, perhaps a port; no path, \
                 no slash at the end, no user name",
            )
        })?;
        if encrypted && !origin.is_https() {
            return Err(Refusal::contradiction(
                KEY,
                "TLS is configured, so it must begin with https://",
            ));
        }
        if !origin.is_https() && !origin.is_loopback() && !self.insecure_http {
            return Err(Refusal::contradiction(
                KEY,
                "plain http:// is for localhost, unless server.insecure_http = true",
            ));
        }
        Ok(PublicUrl {
            origin,
            chosen: true,
        })
    }
}

/// What clients call this server, and whether anyone chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: Origin,
    chosen: bool,
}

impl PublicUrl {
    /// The URL as an origin.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The URL, without a slash at the end.
    pub fn as_str(&self) -> &str {
        self.origin.as_str()
    }

    /// The host alone, without port; an IPv6 address has its brackets.
    pub fn host(&self) -> &str {
        self.origin.host()
    }

    /// The URL of an absolute path on this server.
    pub fn join(&self, path: &str) -> String {
        self.origin.join(path)
    }

    /// Takes the port that the system chose, where nobody named a public URL and port 0 was asked
    /// for.
    pub fn adopt_port(&mut self, port: u16) {
        let text = self.as_str().strip_suffix(":0").filter(|_| !self.chosen);
        if let Some(origin) = text.and_then(|bare| Origin::of(&format!("{bare}:{port}"))) {
            self.origin = origin;
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}
