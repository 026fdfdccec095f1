//! Load generator for a running Signet server. Prints throughput, latency, CPU time per request and peak
//! memory.
//!
//! ```text
//! cargo run --release --example load -- --url http://localhost:8477 --token "$TOKEN" \
//!     --pid "$(pidof signet)" append certificate timestamp read
//! cargo run --release --example load -- --token "$TOKEN" --dialect v1 append search-hash search-email
//! ```
//!
//! Each client has one keep-alive connection and sends its next request when the previous response has
//! arrived. The status of every response is checked. The figures include the time to build the requests.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use signet::testing::{KeyAlgorithm, Sha256, SigningKey, from_base64url, to_base64};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[derive(Parser)]
#[command(
    about = "Generate load on a running Signet server and print throughput, latency and peak memory"
)]
struct Options {
    /// URL of the server; only http:// is supported
    #[arg(long, default_value = "http://localhost:8477")]
    url: String,
    /// Identity token for requesting certificates
    #[arg(long, env = "SIGNET_IDENTITY_TOKEN", hide_env_values = true)]
    token: String,
    /// Process ID of the server, to measure its CPU time and peak memory
    #[arg(long)]
    pid: Option<u32>,
    /// Number of concurrent connections
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Duration of each workload
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Rekor API to which entries are appended
    #[arg(long, value_enum, default_value_t = Dialect::V2)]
    dialect: Dialect,
    /// Workloads to run, in order
    #[arg(default_values = ["append", "certificate", "timestamp", "read"])]
    workloads: Vec<Workload>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Dialect {
    /// Rekor v1, with promises and a search index
    V1,
    /// Rekor v2, with tiles
    V2,
}

#[derive(Clone, Copy, ValueEnum)]
enum Workload {
    /// hashedrekord entries, each with a certificate and a fresh signature
    Append,
    /// Certificates, with a public key and a proof of possession
    Certificate,
    /// RFC 3161 timestamps
    Timestamp,
    /// Checkpoints
    Read,
    /// Searches of the v1 log for an artifact's digest
    SearchHash,
    /// Searches of the v1 log for the signer's e-mail address, which matches every appended entry
    SearchEmail,
}

/// Shared inputs for the clients' requests.
struct Material {
    key: SigningKey,
    dialect: Dialect,
    subject: String,
    certificate_request: String,
    certificate_pem: String,
    certificate_der: String,
    timestamp_request: Vec<u8>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&options))
}

async fn run(options: &Options) -> Result<()> {
    let address = options
        .url
        .strip_prefix("http://")
        .context("only http:// URLs are supported")?;
    let material = Arc::new(prepare(address, options).await?);
    if matches!(options.dialect, Dialect::V1) {
        append_known(address, &material).await?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:<12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "per s", "p50 ms", "p90 ms", "p99 ms", "max ms", "cpu us"
    )?;
    for workload in &options.workloads {
        let figures = drive(address, *workload, &material, options).await?;
        writeln!(out, "{figures}")?;
    }
    if let Some(pid) = options.pid {
        writeln!(
            out,
            "peak memory of the server: {} MiB",
            peak_memory_mib(pid)?
        )?;
    }
    Ok(())
}

/// Appends the entry that `SearchHash` finds.
async fn append_known(address: &str, material: &Material) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    let body = entry_v1(material, KNOWN)?;
    let request = connection.prepare("POST", "/api/v1/log/entries", JSON, body.as_bytes());
    let (status, reply) = connection.send(&request).await?;
    ensure!(
        status == 201,
        "no entry: {status} {}",
        String::from_utf8_lossy(&reply)
    );
    Ok(())
}

async fn prepare(address: &str, options: &Options) -> Result<Material> {
    let token = &options.token;
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256)?;
    let payload = token.split('.').nth(1).context("the token is not a JWT")?;
    let claims: Value = serde_json::from_slice(&from_base64url(payload)?)?;
    let subject = claims
        .get("email")
        .or_else(|| claims.get("sub"))
        .and_then(Value::as_str)
        .context("no subject")?;
    let certificate_request = json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": key.public_key().to_pem() },
            "proofOfPossession": to_base64(&key.sign(subject.as_bytes())?),
        },
    })
    .to_string();
    let mut connection = Connection::open(address).await?;
    let issue = connection.prepare(
        "POST",
        "/api/v2/signingCert",
        JSON,
        certificate_request.as_bytes(),
    );
    let (status, reply) = connection.send(&issue).await?;
    ensure!(
        status == 200,
        "no certificate: {status} {}",
        String::from_utf8_lossy(&reply)
    );
    let reply: Value = serde_json::from_slice(&reply)?;
    let leaf = reply
        .pointer("/signedCertificateEmbeddedSct/chain/certificates/0")
        .and_then(Value::as_str)
        .context("no leaf in the reply")?;
    Ok(Material {
        subject: subject.to_owned(),
        dialect: options.dialect,
        key,
        certificate_request,
        certificate_pem: to_base64(leaf.as_bytes()),
        certificate_der: to_base64(pem::parse(leaf)?.contents()),
        timestamp_request: timestamp_request(&Sha256::of(b"load")),
    })
}

/// A TimeStampReq for a SHA-256 digest, without nonce or certificate (RFC 3161 §2.4.1).
fn timestamp_request(digest: &Sha256) -> Vec<u8> {
    const UP_TO_DIGEST: &[u8] = &[
        0x30, 0x36, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
        0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
    ];
    [UP_TO_DIGEST, digest.as_bytes()].concat()
}

const JSON: &str = "application/json";

async fn drive(
    address: &str,
    workload: Workload,
    material: &Arc<Material>,
    options: &Options,
) -> Result<Figures> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..options.clients {
        let connection = Connection::open(address).await?;
        clients.spawn(client(
            connection,
            workload,
            Arc::clone(material),
            Arc::clone(&stop),
        ));
    }
    let cpu = options.pid.map(cpu_time).transpose()?;
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    while let Some(finished) = clients.join_next().await {
        latencies.extend(finished??);
    }
    latencies.sort_unstable();
    let spent = options.pid.map(cpu_time).transpose()?;
    Ok(Figures {
        workload,
        elapsed: start.elapsed(),
        cpu: spent
            .zip(cpu)
            .map(|(after, before)| after.saturating_sub(before)),
        latencies,
    })
}

async fn client(
    mut connection: Connection,
    workload: Workload,
    material: Arc<Material>,
    stop: Arc<AtomicBool>,
) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    let mut request = workload.request(&connection, &material)?;
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        let (status, reply) = connection.send(&request).await?;
        latencies.push(start.elapsed());
        if status != workload.success() {
            bail!("{status}: {}", String::from_utf8_lossy(&reply));
        }
        if matches!(workload, Workload::Append) {
            request = workload.request(&connection, &material)?;
        }
    }
    Ok(latencies)
}

impl Workload {
    const fn success(self) -> u16 {
        match self {
            Self::Append => 201,
            Self::Certificate
            | Self::Timestamp
            | Self::Read
            | Self::SearchHash
            | Self::SearchEmail => 200,
        }
    }

    fn request(self, connection: &Connection, material: &Material) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Append => {
                let mut message = [0; 32];
                SystemRandom::new()
                    .fill(&mut message)
                    .map_err(|_| anyhow::anyhow!("no randomness"))?;
                let (path, body) = match material.dialect {
                    Dialect::V1 => ("/api/v1/log/entries", entry_v1(material, &message)?),
                    Dialect::V2 => ("/api/v2/log/entries", entry_v2(material, &message)?),
                };
                connection.prepare("POST", path, JSON, body.as_bytes())
            }
            Self::Certificate => {
                let body = material.certificate_request.as_bytes();
                connection.prepare("POST", "/api/v2/signingCert", JSON, body)
            }
            Self::Timestamp => {
                let body = &material.timestamp_request;
                connection.prepare(
                    "POST",
                    "/api/v1/timestamp",
                    "application/timestamp-query",
                    body,
                )
            }
            Self::Read => connection.prepare("GET", "/api/v2/checkpoint", JSON, &[]),
            Self::SearchHash => {
                let body = json!({ "hash": Sha256::of(KNOWN).to_hex() }).to_string();
                connection.prepare("POST", SEARCH, JSON, body.as_bytes())
            }
            Self::SearchEmail => {
                let body = json!({ "email": material.subject }).to_string();
                connection.prepare("POST", SEARCH, JSON, body.as_bytes())
            }
        })
    }
}

/// Artifact of the entry that `SearchHash` finds.
const KNOWN: &[u8] = b"an artifact that is searched for";

const SEARCH: &str = "/api/v1/index/retrieve";

fn entry_v1(material: &Material, message: &[u8]) -> Result<String> {
    let signature = to_base64(&material.key.sign(message)?);
    let digest = Sha256::of(message).to_hex();
    let certificate = &material.certificate_pem;
    Ok(format!(
        r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"sha256","value":"{digest}"}}}},"signature":{{"content":"{signature}","publicKey":{{"content":"{certificate}"}}}}}}}}"#
    ))
}

fn entry_v2(material: &Material, message: &[u8]) -> Result<String> {
    let signature = to_base64(&material.key.sign(message)?);
    let digest = to_base64(Sha256::of(message).as_bytes());
    let certificate = &material.certificate_der;
    Ok(format!(
        r#"{{"hashedRekordRequestV002":{{"digest":"{digest}","signature":{{"content":"{signature}","verifier":{{"x509Certificate":{{"rawBytes":"{certificate}"}},"keyDetails":"PKIX_ECDSA_P256_SHA_256"}}}}}}}}"#
    ))
}

/// A minimal HTTP/1.1 keep-alive connection, cheap enough not to distort the results.
struct Connection {
    host: String,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .context("could not connect to the server")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            host: address.to_owned(),
            stream,
            buffer: Vec::with_capacity(16 * 1024),
        })
    }

    fn prepare(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        if !body.is_empty() {
            let _ = write!(
                head,
                "Content-Type: {content_type}\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        head.push_str("\r\n");
        [head.as_bytes(), body].concat()
    }

    async fn send(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head_end = loop {
            self.read_more().await?;
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let (status, length) = parse_head(self.buffer.get(..head_end).unwrap_or_default())?;
        while self.buffer.len() < head_end + length {
            self.read_more().await?;
        }
        Ok((status, self.buffer.split_off(head_end)))
    }

    async fn read_more(&mut self) -> Result<()> {
        ensure!(
            self.stream.read_buf(&mut self.buffer).await? > 0,
            "the server closed the connection"
        );
        Ok(())
    }
}

fn parse_head(head: &[u8]) -> Result<(u16, usize)> {
    let head = std::str::from_utf8(head)?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("no content-length")?
        .1
        .trim()
        .parse()?;
    Ok((status, length))
}

/// Results of one workload.
struct Figures {
    workload: Workload,
    elapsed: Duration,
    /// CPU time of the server
    cpu: Option<Duration>,
    latencies: Vec<Duration>,
}

impl std::fmt::Display for Figures {
    #[expect(clippy::cast_precision_loss, reason = "the rate is only displayed")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self
            .workload
            .to_possible_value()
            .map(|v| v.get_name().to_owned());
        let rate = self.latencies.len() as f64 / self.elapsed.as_secs_f64();
        let at = |percent: usize| {
            let last = self.latencies.len().saturating_sub(1);
            let place = last.saturating_mul(percent) / 100;
            self.latencies
                .get(place)
                .map_or(0.0, |d| d.as_secs_f64() * 1000.0)
        };
        let name = name.unwrap_or_default();
        let count = self.latencies.len().max(1) as f64;
        let cpu = self.cpu.map_or_else(
            || "-".to_owned(),
            |cpu| format!("{:.0}", cpu.as_secs_f64() * 1e6 / count),
        );
        write!(
            f,
            "{name:<12} {rate:>9.0} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {cpu:>9}",
            at(50),
            at(90),
            at(99),
            at(100)
        )
    }
}

/// CPU time of a process in user and kernel mode (`/proc/PID/stat`, see proc(5)).
fn cpu_time(pid: u32) -> Result<Duration> {
    /// Linux reports these times in hundredths of a second (`USER_HZ`), whatever the kernel's tick rate.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after_name) = stat.rsplit_once(") ").context("no stat")?;
    let mut fields = after_name.split(' ').skip(11);
    let mut ticks = || -> Result<u32> { Ok(fields.next().context("no time")?.parse()?) };
    Ok(TICK.saturating_mul(ticks()?.saturating_add(ticks()?)))
}

fn peak_memory_mib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .context("no VmHWM")?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .context("no figure")?
        .parse()?;
    Ok(kib / 1024)
}
