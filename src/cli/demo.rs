//! `signet demo`: signing and verifying with a server in a temporary directory.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Args;

use super::files::{bundle_of, hash_file};
use super::output::{Failure, Output};
use super::sign::signer;
use super::{async_runtime, connect, serve, verify};
use crate::adapters::http::server::stop_signal;
use crate::adapters::outbound::instance::InstanceClient;
use crate::adapters::system::SystemClock;
use crate::app::Serving;
use crate::config::{self, Flags, Sources};
use crate::protocol::bundle::{Artifact, Bundle, Expectation, TrustedRoot};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::identity::EmailAddress;
use crate::protocol::policy::{IdentityMatcher, Policy};
use crate::services::oidc::RawToken;
use crate::services::sign::Step;
use crate::services::verify::{Report, VerificationService};

/// `signet demo …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// File to sign [default: a generated text file]
    pub file: Option<PathBuf>,
    /// Exit after the last step, instead of keeping the server until Ctrl-C
    #[arg(long)]
    pub once: bool,
}

/// Starts a server, signs, verifies, and shows that a tampered copy is refused.
pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let folder = tempfile::tempdir().context("cannot create a temporary directory")?;
    async_runtime()?.block_on(async {
        let stop = stop_signal().context("cannot listen for signals")?;
        let mut progress = Progress::new();
        let serving = start(folder.path()).await?;
        let url = serving.app.settings().server.public_url.as_str().to_owned();
        progress.step(format_args!(
            "started a server with an empty data directory at {url}"
        ));
        let demo = Demo {
            serving: &serving,
            server: connect(&url, None)?,
            url,
            folder: folder.path(),
        };
        let file = demo.run(args.file.as_deref(), &mut progress).await?;
        if args.once {
            serving
                .until(std::future::ready(()))
                .await
                .context("the server failed")?;
            return Ok(());
        }
        demo.print_commands(&file);
        serving.until(stop).await.context("the server failed")?;
        Ok(())
    })
}

/// The identity of the demonstration's signer.
const DEMO_IDENTITY: &str = "demo@example.com";

async fn start(folder: &Path) -> Result<Serving, Failure> {
    let settings = config::load(&Sources {
        flags: Flags {
            data_dir: Some(folder.join("data").display().to_string()),
            listen: Some("127.0.0.1:0".to_owned()),
            public_url: None,
        },
        ..Sources::default()
    })?;
    serve::start(settings).await
}

struct Demo<'a> {
    serving: &'a Serving,
    server: InstanceClient,
    url: String,
    folder: &'a Path,
}

impl Demo<'_> {
    /// Runs every step and returns the file that was signed.
    async fn run(&self, file: Option<&Path>, progress: &mut Progress) -> anyhow::Result<PathBuf> {
        let token = self.get_token(progress).await?;
        let file = match file {
            Some(file) => file.to_owned(),
            None => {
                let file = self.folder.join("hello.txt");
                std::fs::write(&file, "Hello from Signet: this file is signed.\n")?;
                file
            }
        };
        let artifact = hash_file(&file, &[HashAlgorithm::Sha256])?;
        let trust_file = self.folder.join("trusted_root.json");
        std::fs::write(&trust_file, self.server.fetch_trusted_root().await?)?;
        let trust = Arc::new(TrustedRoot::from_json(&std::fs::read(&trust_file)?)?);
        progress.step("fetched the trusted root, with which everything is verified offline");

        let signed = signer(self.server.clone(), Arc::clone(&trust))
            .sign(&token, &artifact, |step| progress.step(description(step)))
            .await?;
        let bundle_file = bundle_of(&self.folder.join(file_name(&file)));
        std::fs::write(&bundle_file, signed.bundle.to_json())?;
        progress.step(format_args!("wrote the bundle {}", bundle_file.display()));

        let bundle = Bundle::from_json(&std::fs::read(&bundle_file)?)?;
        let report = self.verify(&trust, &bundle, &artifact)?;
        progress.step("verified the bundle offline, with the trusted root alone");
        verify::print(&mut progress.output, &file.display().to_string(), &report);
        ensure!(
            report.verified,
            "the bundle was refused: {}",
            report.reason.unwrap_or_default()
        );

        let tampered = self.tamper(&file)?;
        let report = self.verify(&trust, &bundle, &tampered)?;
        ensure!(!report.verified, "the tampered copy was accepted");
        progress.step("refused a copy of the file with one bit flipped");
        verify::print(&mut progress.output, "the copy", &report);
        progress.output.refusal(report.reason.unwrap_or_default());
        Ok(file)
    }

    /// Adds a machine account and gets a token as any client does: with its secret, over HTTP.
    async fn get_token(&self, progress: &mut Progress) -> anyhow::Result<RawToken> {
        let accounts = self.serving.app.accounts();
        let account = accounts.add_service(EmailAddress::new(DEMO_IDENTITY)?)?;
        progress.step(format_args!("added the machine account {DEMO_IDENTITY}"));
        let secret = account.client_secret.reveal();
        let token = self
            .server
            .request_token(&account.client_id, secret)
            .await?;
        progress.step("got an identity token for it from the embedded issuer");
        Ok(RawToken::new(token.as_str())?)
    }

    fn verify(
        &self,
        trust: &Arc<TrustedRoot>,
        bundle: &Bundle,
        artifact: &Artifact,
    ) -> anyhow::Result<Report> {
        let matcher = IdentityMatcher::exact(self.url.as_str(), DEMO_IDENTITY)?;
        let expectation = Expectation::Identity(Policy::any_of([matcher])?);
        let service = VerificationService::new(Arc::clone(trust), Arc::new(SystemClock));
        Ok(service.verify_bundle(bundle, artifact, &expectation))
    }

    /// Writes a copy of the file with its last bit flipped, and hashes it.
    fn tamper(&self, file: &Path) -> anyhow::Result<Artifact> {
        let copy = self.folder.join("tampered");
        let mut content = std::fs::read(file)?;
        match content.last_mut() {
            Some(last) => *last ^= 1,
            None => content.push(0),
        }
        std::fs::write(&copy, content)?;
        hash_file(&copy, &[HashAlgorithm::Sha256])
    }

    fn print_commands(&self, file: &Path) {
        let (url, folder) = (&self.url, self.folder.display());
        let (file, name) = (file.display(), file_name(file).display().to_string());
        let root = self.serving.app.repository().initial_root_hash();
        let root = root.map(|hash| hash.to_hex()).unwrap_or_default();
        let mut output = Output::stderr();
        output.heading("The server runs until Ctrl-C. Try:");
        for command in [
            format!("curl {url}/checkpoint"),
            format!("curl {url}/readyz"),
            format!("curl {url}/trust/trusted_root.json"),
            format!("curl {url}/tuf/1.root.json | sha256sum   # {root}"),
            format!("curl '{url}/ct/ct/v1/get-entries?start=0&end=0'"),
            format!(
                "curl -F bundle=@{folder}/{name}.sigstore.json -F artifact=@{file} \\\n    \
                 -F identity={DEMO_IDENTITY} -F issuer={url} {url}/signet/v1/verify"
            ),
            format!(
                "signet verify --bundle {folder}/{name}.sigstore.json --trusted-root {folder}/trusted_root.json \\\n    \
                 --certificate-identity {DEMO_IDENTITY} --certificate-oidc-issuer {url} {file}"
            ),
        ] {
            output.line(format_args!("  {command}"));
        }
    }
}

fn file_name(file: &Path) -> &Path {
    file.file_name().map_or(file, Path::new)
}

const fn description(step: Step) -> &'static str {
    match step {
        Step::KeyGenerated => "generated a key for this signature alone",
        Step::CertificateIssued => "got a certificate, which is in the certificate log",
        Step::ArtifactSigned => "signed the file and destroyed the key",
        Step::TimestampIssued => "got a timestamp over the signature",
        Step::EntryLogged => "appended the signature to the signature log",
        Step::BundleVerified => "verified the bundle",
    }
}

/// Prints each step with the time that it took.
struct Progress {
    output: Output<std::io::Stderr>,
    since: Instant,
}

impl Progress {
    fn new() -> Self {
        Self {
            output: Output::stderr(),
            since: Instant::now(),
        }
    }

    fn step(&mut self, description: impl Display) {
        let millis = self.since.elapsed().as_secs_f64() * 1000.0;
        self.output
            .line(format_args!("{millis:>8.1} ms  {description}"));
        self.since = Instant::now();
    }
}

const EXAMPLES: &str = "\
Examples:
  signet demo
  signet demo release.tar.gz --once";
