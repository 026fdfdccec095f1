//! The tables of the configuration, one struct each. Fields are checked while they are deserialized;
//! `check` methods check what depends on several fields or tables.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::error::{Problem, Refusal};
use super::value::{NAME, count, is_name, name, number, optional_file, seconds, text};
use crate::protocol::identity::{IssuerKind, IssuerUrl, SubjectDomain};
use crate::protocol::origin::Origin;

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// The directory of keys, journal and state
    #[serde(deserialize_with = "data_dir")]
    pub data_dir: PathBuf,
    /// The address to listen on; with port 0, the system chooses the port
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// Scheme and host by which clients reach this server
    #[serde(deserialize_with = "public_url")]
    pub public_url: PublicUrl,
    insecure_http: bool,
    /// The number of worker threads; none for one per processor
    #[serde(deserialize_with = "workers")]
    pub workers: Option<usize>,
    /// Maximum number of open connections
    #[serde(deserialize_with = "count::<16, 1_000_000, _>")]
    pub max_connections: usize,
    /// Maximum time for a request's header to arrive
    #[serde(
        rename = "header_timeout_seconds",
        deserialize_with = "seconds::<1, 60, _>"
    )]
    pub header_timeout: Duration,
    /// Maximum time for a request's body to arrive, without the time that its size adds
    #[serde(
        rename = "body_timeout_seconds",
        deserialize_with = "seconds::<1, 300, _>"
    )]
    pub body_timeout: Duration,
    /// Maximum time that an idle connection stays open
    #[serde(
        rename = "keep_alive_seconds",
        deserialize_with = "seconds::<1, 300, _>"
    )]
    pub keep_alive: Duration,
    /// Maximum time for requests in flight to finish after a signal to stop
    #[serde(rename = "shutdown_seconds", deserialize_with = "seconds::<0, 10, _>")]
    pub shutdown: Duration,
}

fn data_dir<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    text(deserializer, "the path of a directory", |text| {
        (!text.is_empty()).then(|| text.into())
    })
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let allowed = "an IP address and a port, such as 127.0.0.1:8477 or [::1]:8477";
    text(deserializer, allowed, |text| text.parse().ok())
}

fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PublicUrl, D::Error> {
    let allowed = "http:// or https://, a host in lower case and optionally a port, \
                   without a path, a slash at the end or a user name";
    text(deserializer, allowed, |text| {
        let chosen = !text.is_empty();
        let origin = if chosen {
            Origin::parse(text)
        } else {
            // Replaced by `ServerSettings::check`, which knows the port.
            Origin::parse("http://localhost")
        };
        origin.map(|origin| PublicUrl { origin, chosen })
    })
}

fn workers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let workers = count::<0, 512, D>(deserializer)?;
    Ok((workers > 0).then_some(workers))
}

impl ServerSettings {
    /// `encrypted` says whether the server itself terminates TLS.
    pub(super) fn check(&mut self, encrypted: bool) -> Result<(), Refusal> {
        if encrypted && self.insecure_http {
            return Err(Refusal::contradiction(
                "server.insecure_http",
                "TLS is configured, so plain HTTP is never served; leave it false",
            ));
        }
        if !encrypted && !self.insecure_http && !self.listen.ip().is_loopback() {
            return Err(Refusal::contradiction(
                "server.listen",
                "other machines can reach this address; set tls.certificate_file and tls.key_file, \
                 or server.insecure_http = true if a TLS proxy is in front",
            ));
        }
        let (url, key) = (&mut self.public_url, "server.public_url");
        if !url.chosen {
            let scheme = if encrypted { "https" } else { "http" };
            let local = format!("{scheme}://localhost:{}", self.listen.port());
            url.origin = Origin::of(&local).expect("a scheme, a host and a port are an origin");
        } else if encrypted && !url.origin.is_https() {
            return Err(Refusal::contradiction(
                key,
                "TLS is configured, so it must begin with https://",
            ));
        } else if !url.origin.is_https() && !url.origin.is_loopback() && !self.insecure_http {
            return Err(Refusal::contradiction(
                key,
                "plain http:// is allowed for localhost only, unless server.insecure_http = true",
            ));
        }
        Ok(())
    }

    /// Whether other machines can reach the server although no public URL is configured. Its trust
    /// documents then name `localhost`, which is each client's own machine.
    pub(crate) fn is_unnamed(&self) -> bool {
        !self.public_url.chosen && !self.listen.ip().is_loopback()
    }
}

/// The URL by which clients reach this server, and whether the operator chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: Origin,
    chosen: bool,
}

impl PublicUrl {
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The URL, without a slash at the end.
    pub fn as_str(&self) -> &str {
        self.origin.as_str()
    }

    /// The host without the port; an IPv6 address is in brackets.
    pub(crate) fn host(&self) -> &str {
        self.origin.host()
    }

    /// The URL of an absolute path on this server.
    pub(crate) fn join(&self, path: &str) -> String {
        self.origin.join(path)
    }

    /// Sets the port that the system chose, if no public URL and port 0 are configured.
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

/// `[tls]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsSettings {
    /// PEM: the server's certificate, then its intermediate certificates
    pub certificate_file: PathBuf,
    /// PEM: the private key
    pub key_file: PathBuf,
}

impl TlsSettings {
    /// None if neither file is set.
    pub(super) fn check(self) -> Result<Option<Self>, Refusal> {
        let files = [
            ("tls.certificate_file", &self.certificate_file),
            ("tls.key_file", &self.key_file),
        ];
        Ok(are_both_set(files)?.then_some(self))
    }
}

/// Whether two files are set that must be set together or not at all.
fn are_both_set(files: [(&str, &PathBuf); 2]) -> Result<bool, Refusal> {
    let is_set = |file: &PathBuf| !file.as_os_str().is_empty();
    let [(first_key, first), (second_key, second)] = files;
    let lonely = match (is_set(first), is_set(second)) {
        (true, true) => return Ok(true),
        (false, false) => return Ok(false),
        (true, false) => first_key,
        (false, true) => second_key,
    };
    Err(Refusal::contradiction(
        lonely,
        "the certificate file and the key file must be set together or not at all",
    ))
}

/// `[accounts]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsSettings {
    /// Whether the embedded issuer runs and is trusted
    pub enabled: bool,
}

/// `[ca]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaSettings {
    /// Lifetime of a signing certificate
    #[serde(
        rename = "lifetime_seconds",
        deserialize_with = "seconds::<60, 1200, _>"
    )]
    pub certificate_lifetime: Duration,
    /// The organisation in the CA's own certificates, if the CA generates them
    #[serde(deserialize_with = "name")]
    pub organisation: String,
    /// The common name in the CA's own certificates, if the CA generates them
    #[serde(deserialize_with = "name")]
    pub common_name: String,
    certificate_chain_file: PathBuf,
    key_file: PathBuf,
}

/// A certificate authority that the operator supplies.
pub(crate) struct OwnCa<'a> {
    /// PEM: the issuing certificate first, the root last
    pub certificate_chain_file: &'a PathBuf,
    /// PEM: the issuing certificate's private key
    pub key_file: &'a PathBuf,
}

impl CaSettings {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let files = [
            ("ca.certificate_chain_file", &self.certificate_chain_file),
            ("ca.key_file", &self.key_file),
        ];
        are_both_set(files).map(drop)
    }

    /// The operator's CA; none if the server generates its own.
    pub(crate) fn own(&self) -> Option<OwnCa<'_>> {
        let is_set = !self.key_file.as_os_str().is_empty();
        is_set.then_some(OwnCa {
            certificate_chain_file: &self.certificate_chain_file,
            key_file: &self.key_file,
        })
    }
}

/// `[ctlog]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CtLogSettings {
    /// Maximum number of certificates that wait for the log
    #[serde(deserialize_with = "count::<16, 1_000_000, _>")]
    pub pool_entries: usize,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// The first line of every checkpoint
    pub origin: String,
    /// Whether the Rekor v1 log accepts entries
    pub rekor_v1: bool,
    /// Whether the Rekor v2 log accepts entries
    pub rekor_v2: bool,
    /// Maximum number of entries that wait for a log
    #[serde(deserialize_with = "count::<16, 1_000_000, _>")]
    pub pool_entries: usize,
    /// Size at which the journal starts another segment, in bytes
    #[serde(deserialize_with = "number::<1_048_576, 4_294_967_296, _>")]
    pub segment_bytes: u64,
    /// Memory for the state's cache, in bytes
    #[serde(deserialize_with = "number::<1_048_576, 68_719_476_736, _>")]
    pub cache_bytes: u64,
}

impl LogSettings {
    /// `host` is that of the public URL.
    pub(super) fn check(&mut self, host: &str) -> Result<(), Refusal> {
        if self.origin.is_empty() {
            host.clone_into(&mut self.origin);
        }
        // SPEC C2SP signed-note: a key name is not empty and contains neither spaces nor plus signs.
        let is_key_name = |byte: u8| byte.is_ascii_graphic() && byte != b'+';
        if self.origin.len() > 255 || !self.origin.bytes().all(is_key_name) {
            return Err(Refusal::new(
                "log.origin",
                Problem::not_accepted(
                    &self.origin,
                    "1 to 255 printable ASCII characters without spaces and plus signs",
                ),
            ));
        }
        if !self.rekor_v1 && !self.rekor_v2 {
            return Err(Refusal::contradiction(
                "log.rekor_v2",
                "log.rekor_v1 is false as well, so nothing could be signed; set one of them to true",
            ));
        }
        Ok(())
    }
}

/// `[timestamp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimestampSettings {
    /// The organisation in the timestamp authority's certificates
    #[serde(deserialize_with = "name")]
    pub organisation: String,
}

/// `[trust]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustSettings {
    /// The operator of the services in the signing configuration
    pub operator: String,
}

impl TrustSettings {
    /// `host` is that of the public URL.
    pub(super) fn check(&mut self, host: &str) -> Result<(), Refusal> {
        if self.operator.is_empty() {
            self.operator = host.chars().take(64).collect();
        }
        if is_name(&self.operator) {
            return Ok(());
        }
        let problem = Problem::not_accepted(&self.operator, NAME);
        Err(Refusal::new("trust.operator", problem))
    }
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsSettings {
    /// Maximum size of a request body, in bytes
    #[serde(deserialize_with = "count::<65_536, 67_108_864, _>")]
    pub body_bytes: usize,
    /// Maximum size of a request to the verification endpoint without a streamed artifact, in bytes
    #[serde(deserialize_with = "count::<65_536, 67_108_864, _>")]
    pub verify_body_bytes: usize,
    /// Maximum size of an artifact that is streamed to the verification endpoint, in bytes
    #[serde(deserialize_with = "number::<1, 1_125_899_906_842_624, _>")]
    pub verify_artifact_bytes: u64,
    /// Maximum number of verifications at the same time
    #[serde(deserialize_with = "count::<1, 4096, _>")]
    pub concurrent_verifications: usize,
}

/// `[telemetry]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// The format of events
    #[serde(deserialize_with = "log_format")]
    pub format: LogFormat,
    /// A filter for events, which was parsed
    #[serde(deserialize_with = "level")]
    pub level: String,
    /// Whether `GET /metrics` is served
    pub metrics: bool,
}

/// The format of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line, for collectors
    Json,
}

fn log_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogFormat, D::Error> {
    text(deserializer, "\"text\" or \"json\"", |text| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    })
}

fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let allowed = "error, warn, info, debug, trace, or a filter such as \"info,signet=debug\"";
    text(deserializer, allowed, |text| {
        let is_filter = !text.is_empty() && EnvFilter::try_new(text).is_ok();
        is_filter.then(|| text.to_owned())
    })
}

/// `[[policies]]`: a policy that clients may name. The file is checked when the server starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySettings {
    /// The name by which clients ask for the policy
    #[serde(deserialize_with = "policy_name")]
    pub name: String,
    /// The policy, in TOML or JSON
    #[serde(deserialize_with = "policy_file")]
    pub file: PathBuf,
}

fn policy_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let allowed = "1 to 64 letters, digits, hyphens, underscores and dots";
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text(deserializer, allowed, |text| {
        let accepted = (1..=64).contains(&text.len()) && text.bytes().all(plain);
        accepted.then(|| text.to_owned())
    })
}

fn policy_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    text(
        deserializer,
        "a file with a policy in TOML or JSON",
        |text| (!text.is_empty()).then(|| text.into()),
    )
}

pub(super) fn check_policies(policies: &[PolicySettings]) -> Result<(), Refusal> {
    let mut names = HashSet::new();
    match policies
        .iter()
        .position(|policy| !names.insert(&policy.name))
    {
        None => Ok(()),
        Some(position) => Err(Refusal::contradiction(
            format!("policies[{position}].name"),
            "two policies have the same name",
        )),
    }
}

/// `[[issuers]]`: an issuer whose tokens are accepted.
#[derive(Clone, Debug)]
pub(crate) struct IssuerSettings {
    /// The token's `iss`, byte for byte
    pub url: IssuerUrl,
    /// The token's `aud`
    pub audience: String,
    /// The claim that becomes the subject of a certificate
    pub subject: IssuerKind,
    /// PEM of the only authorities trusted for this issuer's TLS; none for the system's
    pub ca_file: Option<PathBuf>,
    /// Hosts that may serve the issuer's keys in addition to its own: `host`, or `host:port`
    pub key_hosts: Vec<String>,
}

/// `[[issuers]]` as it is written: `type` and `subject_domain` are two keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerTable {
    #[serde(deserialize_with = "issuer_url")]
    url: IssuerUrl,
    #[serde(deserialize_with = "audience")]
    audience: String,
    #[serde(rename = "type", deserialize_with = "subject_type")]
    subject_type: SubjectType,
    subject_domain: String,
    #[serde(deserialize_with = "optional_file")]
    ca_file: Option<PathBuf>,
    #[serde(deserialize_with = "key_hosts")]
    key_hosts: Vec<String>,
}

#[derive(Clone, Copy)]
enum SubjectType {
    Email,
    Uri,
}

fn issuer_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IssuerUrl, D::Error> {
    let allowed = "an https:// URL without user name, query and fragment; \
                   http:// for localhost only";
    text(deserializer, allowed, |text| {
        let issuer = IssuerUrl::new(text).ok()?;
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let origin = Origin::of(text)?;
        (plain && (origin.is_https() || origin.is_loopback())).then_some(issuer)
    })
}

fn audience<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let allowed = "1 to 256 printable ASCII characters without spaces";
    text(deserializer, allowed, |text| {
        let accepted =
            (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        accepted.then(|| text.to_owned())
    })
}

fn subject_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SubjectType, D::Error> {
    text(deserializer, "\"email\" or \"uri\"", |text| match text {
        "email" => Some(SubjectType::Email),
        "uri" => Some(SubjectType::Uri),
        _ => None,
    })
}

fn key_hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    use serde::de::Error as _;

    let hosts = Vec::<String>::deserialize(deserializer)?;
    // A host as a URL contains it, so that it can be compared with that of a key address.
    let is_host = |text: &&String| {
        let url = format!("https://{text}/");
        Url::parse(&url).is_ok_and(|parsed| parsed.as_str() == url)
    };
    match hosts.iter().find(|text| !is_host(text)) {
        None => Ok(hosts),
        Some(text) => Err(D::Error::custom(Problem::not_accepted(
            text,
            "hosts in lower case, such as keys.example.com, or with a port other than 443 \
             keys.example.com:8443",
        ))),
    }
}

impl IssuerTable {
    fn subject(&self) -> Result<IssuerKind, Problem> {
        let domain = self.subject_domain.as_str();
        match self.subject_type {
            SubjectType::Email if domain.is_empty() => Ok(IssuerKind::Email),
            SubjectType::Email => Err(Problem::Contradiction("it requires type = \"uri\"")),
            SubjectType::Uri => SubjectDomain::new(domain)
                .and_then(|domain| domain.check_issuer(&self.url).map(|()| domain))
                .map(IssuerKind::Uri)
                .map_err(|_| {
                    Problem::not_accepted(
                        domain,
                        "scheme and host alone in lower case, such as https://ci.example.com, with \
                         the last two labels of the issuer's host",
                    )
                }),
        }
    }
}

/// Checks all issuers; `embedded` is the URL of the embedded issuer, if it is enabled.
pub(super) fn check_issuers(
    tables: Vec<IssuerTable>,
    embedded: Option<&str>,
) -> Result<Vec<IssuerSettings>, Refusal> {
    if embedded.is_none() && tables.is_empty() {
        return Err(Refusal::contradiction(
            "accounts.enabled",
            "without an issuer nothing can be signed; leave it true, or configure [[issuers]]",
        ));
    }
    let mut seen: HashSet<String> = embedded.map(str::to_owned).into_iter().collect();
    let mut issuers = Vec::with_capacity(tables.len());
    for (position, table) in tables.into_iter().enumerate() {
        let key = |name| format!("issuers[{position}].{name}");
        let subject = table
            .subject()
            .map_err(|problem| Refusal::new(key("subject_domain"), problem))?;
        if !seen.insert(table.url.as_str().to_owned()) {
            return Err(Refusal::contradiction(
                key("url"),
                "the issuer is configured twice, or is this server's embedded issuer",
            ));
        }
        issuers.push(IssuerSettings {
            url: table.url,
            audience: table.audience,
            subject,
            ca_file: table.ca_file,
            key_hosts: table.key_hosts,
        });
    }
    Ok(issuers)
}
