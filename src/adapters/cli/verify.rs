//! `signet verify`: is this file what they signed?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::{ArgGroup, Args};

use super::artifact::{hash_file, parse_digest};
use super::output::{Failure, Output, print_json};
use super::sign::bundle_beside;
use super::{async_runtime, connect};
use crate::adapters::system::SystemClock;
use crate::protocol::bundle::{Artifact, Bundle, Expectation, TrustedRoot};
use crate::protocol::keys::PublicKey;
use crate::protocol::policy::{IdentityMatcher, Policy};
use crate::services::verify::{Report, SignerReport, Verifier};

/// The server whose trust root is taken where nothing else is named.
const DEFAULT_URL: &str = "http://localhost:8477";

/// `signet verify …`
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("signer").args(["certificate_identity", "key"]).required(true)),
    group(ArgGroup::new("trust").args(["trusted_root", "url"]))
)]
pub struct VerifyArgs {
    /// The file, or its digest as sha256:HEX
    #[arg(value_name = "FILE_OR_DIGEST")]
    pub artifact: String,
    /// The bundle [default: FILE.sigstore.json]
    #[arg(long, value_name = "BUNDLE")]
    pub bundle: Option<PathBuf>,
    /// Who must have signed: the e-mail address or URI in the certificate
    #[arg(long, value_name = "ID", requires = "certificate_oidc_issuer")]
    pub certificate_identity: Option<String>,
    /// Who must have vouched for the signer: the issuer in the certificate
    #[arg(long, value_name = "URL", conflicts_with = "key")]
    pub certificate_oidc_issuer: Option<String>,
    /// PEM public key that must have signed, for bundles without a certificate
    #[arg(long, value_name = "PEM")]
    pub key: Option<PathBuf>,
    /// A trusted_root.json; with it no network is used
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
    /// The server whose trust root is fetched [default: http://localhost:8477]
    #[arg(long)]
    pub url: Option<String>,
    /// PEM of a private CA behind the server's TLS, besides the system's
    #[arg(long, value_name = "PEM", env = "SIGNET_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Write the report as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Verifies, prints what was found, and tells the verdict by the exit status.
///
/// # Errors
/// Unreadable input, or a bundle that is refused.
pub fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let report = args.verify().map_err(Failure::usage)?;
    if args.json {
        print_json(&report).context("standard output cannot be written")?;
    } else {
        print(&mut Output::stderr(), &args.artifact, &report);
    }
    if report.verified {
        return Ok(());
    }
    let (reason, code) = (
        report.reason.unwrap_or_default(),
        report.code.unwrap_or_default(),
    );
    Err(Failure::failed(anyhow!(
        "{} is refused: {reason} [{code}]",
        args.artifact
    )))
}

impl VerifyArgs {
    /// Everything up to the verdict; what fails in here is input that cannot be used.
    fn verify(&self) -> anyhow::Result<Report> {
        let expectation = self.expectation()?;
        let digest = parse_digest(&self.artifact)?;
        let bundle = self.read_bundle(digest.is_some())?;
        let trust = TrustedRoot::from_json(&self.read_trusted_root()?)
            .context("the trusted root is refused")?;
        let artifact = match digest {
            Some(digest) => digest,
            None => self.hash_artifact(&bundle, &expectation)?,
        };
        let verifier = Verifier::new(Arc::new(trust), Arc::new(SystemClock));
        Ok(verifier.verify(&bundle, &artifact, &expectation))
    }

    fn expectation(&self) -> anyhow::Result<Expectation> {
        if let Some(file) = &self.key {
            let pem = String::from_utf8(read(file)?)
                .with_context(|| format!("{} is not PEM", file.display()))?;
            return Ok(Expectation::Key(PublicKey::from_pem(&pem)?));
        }
        let (Some(subject), Some(issuer)) =
            (&self.certificate_identity, &self.certificate_oidc_issuer)
        else {
            return Err(anyhow!(
                "--certificate-identity goes with --certificate-oidc-issuer"
            ));
        };
        let matcher = IdentityMatcher::exact(issuer.as_str(), subject.as_str())?;
        Ok(Expectation::Identity(Policy::any_of([matcher])?))
    }

    fn read_bundle(&self, is_digest: bool) -> anyhow::Result<Bundle> {
        let file = match &self.bundle {
            Some(file) => file.clone(),
            None if is_digest => return Err(anyhow!("a digest needs --bundle BUNDLE")),
            None => bundle_beside(Path::new(&self.artifact)),
        };
        Bundle::from_json(&read(&file)?)
            .with_context(|| format!("{} is not a bundle", file.display()))
    }

    /// With `--trusted-root` no socket is opened, nor anything that could open one.
    fn read_trusted_root(&self) -> anyhow::Result<Vec<u8>> {
        if let Some(file) = &self.trusted_root {
            return read(file);
        }
        let url = self.url.as_deref().unwrap_or(DEFAULT_URL);
        let server = connect(url, self.ca_file.as_deref())?;
        Ok(async_runtime()?.block_on(server.fetch_trusted_root())?)
    }

    fn hash_artifact(
        &self,
        bundle: &Bundle,
        expectation: &Expectation,
    ) -> anyhow::Result<Artifact> {
        let key = match expectation {
            Expectation::Key(key) => Some(key),
            Expectation::Identity(_) => None,
        };
        hash_file(Path::new(&self.artifact), &bundle.hash_algorithms(key))
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Shows what was checked, and who signed when.
pub(super) fn print<W: std::io::Write>(output: &mut Output<W>, artifact: &str, report: &Report) {
    for check in &report.checks {
        let line = format!("{:<22} {}", check.name, check.detail);
        match check.outcome {
            "passed" => output.success(line),
            "failed" => output.refusal(line),
            _ => output.line(format_args!("- {line}")),
        }
    }
    if !report.verified {
        return;
    }
    output.heading(format_args!("{artifact} is verified"));
    match &report.identity {
        Some(SignerReport::Identity { issuer, subject }) => {
            output.field("signed by", subject);
            output.field("issuer", issuer);
        }
        Some(SignerReport::Key { key }) => output.field("signed by", key),
        None => {}
    }
    for time in &report.times {
        output.field("at", &time.time);
    }
}

const EXAMPLES: &str = "\
Examples:
  signet verify --certificate-identity build@example.com \\
      --certificate-oidc-issuer https://signet.example.com release.tar.gz

  Without any network:
  signet verify --trusted-root trusted_root.json --certificate-identity build@example.com \\
      --certificate-oidc-issuer https://signet.example.com release.tar.gz

  A digest in place of the file:
  signet verify --bundle release.sigstore.json --key release.pub sha256:HEX

Exit status: 0 verified, 1 refused, 2 wrong usage or unreadable input.";
