//! `signet demo`: everything once, in a temporary directory.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Args;

use super::artifact::hash_file;
use super::journey::Signer;
use super::output::{Failure, Output};
use super::sign::bundle_beside;
use super::{async_runtime, connect, serve, verify};
use crate::adapters::http::server::stop_signal;
use crate::adapters::outbound::instance::InstanceClient;
use crate::adapters::system::SystemClock;
use crate::app::Serving;
use crate::config::{self, Flags, Sources};
use crate::protocol::bundle::{Artifact, Bundle, Expectation, TrustedRoot};
use crate::protocol::bytes::HashAlgorithm;
use crate::protocol::identity::EmailAddress;
use crate::protocol::policy::{IdentityMatcher, Policy};
use crate::services::oidc::RawToken;
use crate::services::verify::{Report, VerificationService};

/// `signet demo …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// The file to sign [default: a small text that is made for the purpose]
    pub file: Option<PathBuf>,
    /// End after the last step; without this the server stays until Ctrl-C
    #[arg(long)]
    pub once: bool,
}

/// Starts a server, signs, verifies, and shows a tampered copy being refused.
///
/// # Errors
/// A step did not end as it must.
pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let folder = tempfile::tempdir().context("no temporary directory")?;
    async_runtime()?.block_on(async {
        let stop = stop_signal().context("the system gives no signals")?;
        let mut teller = Teller::new();
        let serving = start(folder.path()).await?;
        let url = serving.app.settings().server.public_url.as_str().to_owned();
        teller.tell(format_args!(
            "started a server with an empty data directory at {url}"
        ));
        let demo = Demo {
            serving: &serving,
            server: connect(&url, None)?,
            url,
            folder: folder.path(),
        };
        let file = demo.run(args.file.as_deref(), &mut teller).await?;
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

/// Whose signature the demonstration makes.
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
    /// Everything but the waiting. Returns the file that was signed.
    async fn run(&self, file: Option<&Path>, teller: &mut Teller) -> anyhow::Result<PathBuf> {
        let token = self.sign_in(teller).await?;
        let file = self.take_file(file)?;
        let artifact = hash_file(&file, &[HashAlgorithm::Sha256])?;
        let trust_file = self.folder.join("trusted_root.json");
        std::fs::write(&trust_file, self.server.fetch_trusted_root().await?)?;
        let trust = Arc::new(TrustedRoot::from_json(&std::fs::read(&trust_file)?)?);
        teller.tell("fetched the trust root, which verifies everything from here on offline");

        let signer = Signer {
            server: &self.server,
            trust: Arc::clone(&trust),
            token: &token,
        };
        let signed = signer
            .sign(&artifact, |step| teller.step(step.name, step.took))
            .await?;
        let bundle_file = bundle_beside(&self.folder.join(file_name(&file)));
        std::fs::write(&bundle_file, signed.bundle.to_json())?;
        teller.tell(format_args!(
            "wrote the bundle to {}",
            bundle_file.display()
        ));

        let bundle = Bundle::from_json(&std::fs::read(&bundle_file)?)?;
        let report = self.verify(&trust, &bundle, &artifact)?;
        teller.tell("verified it offline, with the trust root and nothing else");
        verify::print(&mut teller.output, &file.display().to_string(), &report);
        ensure!(
            report.verified,
            "the bundle is refused: {}",
            report.reason.unwrap_or_default()
        );

        let tampered = self.tamper(&file)?;
        let report = self.verify(&trust, &bundle, &tampered)?;
        ensure!(!report.verified, "the tampered copy is accepted");
        teller.tell("refused a copy of the file with one bit flipped");
        verify::print(&mut teller.output, "the copy", &report);
        teller.output.refusal(report.reason.unwrap_or_default());
        Ok(file)
    }

    /// A machine account gets a token as any client would: with its secret, over HTTP.
    async fn sign_in(&self, teller: &mut Teller) -> anyhow::Result<RawToken> {
        let accounts = self.serving.app.accounts();
        let account = accounts.add_service(EmailAddress::new(DEMO_IDENTITY)?)?;
        teller.tell(format_args!("made the machine account {DEMO_IDENTITY}"));
        let secret = account.client_secret.reveal();
        let token = self
            .server
            .request_token(&account.client_id, secret)
            .await?;
        teller.tell("got an identity token for it from the embedded issuer");
        Ok(RawToken::new(token.as_str())?)
    }

    fn take_file(&self, file: Option<&Path>) -> anyhow::Result<PathBuf> {
        if let Some(file) = file {
            return Ok(file.to_owned());
        }
        let file = self.folder.join("hello.txt");
        std::fs::write(&file, "Hello from Signet: this file is signed.\n")?;
        Ok(file)
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

    /// The artifact that a copy of the file is once its last bit is flipped.
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
        output.heading("The server stays until Ctrl-C. Try:");
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

/// Tells each step with the time it took.
struct Teller {
    output: Output<std::io::Stderr>,
    since: Instant,
}

impl Teller {
    fn new() -> Self {
        Self {
            output: Output::stderr(),
            since: Instant::now(),
        }
    }

    fn tell(&mut self, what: impl Display) {
        let took = self.since.elapsed();
        self.step(what, took);
    }

    fn step(&mut self, what: impl Display, took: std::time::Duration) {
        let millis = took.as_secs_f64() * 1000.0;
        self.output.line(format_args!("{millis:>8.1} ms  {what}"));
        self.since = Instant::now();
    }
}

const EXAMPLES: &str = "\
Examples:
  signet demo
  signet demo release.tar.gz --once";
