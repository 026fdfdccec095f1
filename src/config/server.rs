//! `[server]`: where the server listens and what it is called.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::{Host, Url};

use super::error::{Refusal, count_within, within};

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
            return Ok(PublicUrl {
                text: format!("{scheme}://localhost:{}", listen.port()),
                chosen: false,
            });
        }
        let url = PublicUrl::parse(&self.public_url).ok_or_else(|| {
            Refusal::not_accepted(
                KEY,
                &self.public_url,
                "http:// or https:// and a host in lower case, perhaps a port; no path, \
                 no slash at the end, no user name",
            )
        })?;
        if encrypted && !url.is_https() {
            return Err(Refusal::contradiction(
                KEY,
                "TLS is configured, so it must begin with https://",
            ));
        }
        if !url.is_https() && !url.is_loopback() && !self.insecure_http {
            return Err(Refusal::contradiction(
                KEY,
                "plain http:// is for localhost, unless server.insecure_http = true",
            ));
        }
        Ok(url)
    }
}

/// What clients call this server: `scheme://host[:port]`, never with a path or a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    chosen: bool,
}

impl PublicUrl {
    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let bare = matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            // Byte for byte the same: no path, no user, no default port, no upper case.
            && url.as_str().strip_suffix('/') == Some(text);
        let plain = url.username().is_empty() && url.password().is_none();
        (bare && plain && url.path() == "/" && url.query().is_none()).then(|| Self {
            text: text.to_owned(),
            chosen: true,
        })
    }

    /// The URL, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host alone, without port; an IPv6 address has its brackets.
    pub fn host(&self) -> String {
        self.url()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// The URL of an absolute path on this server.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Takes the port that the system chose, where nobody named a public URL and port 0 was asked
    /// for.
    pub fn adopt_port(&mut self, port: u16) {
        if !self.chosen
            && let Some(bare) = self.text.strip_suffix(":0")
        {
            self.text = format!("{bare}:{port}");
        }
    }

    fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    fn is_loopback(&self) -> bool {
        self.url().is_some_and(|url| is_loopback(&url))
    }

    fn url(&self) -> Option<Url> {
        Url::parse(&self.text).ok()
    }
}

/// Whether a URL's host is this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
