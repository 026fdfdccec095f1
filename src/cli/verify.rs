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
use crate::protocol::bundle::{Bundle, Outcome, TrustedRoot};
use crate::protocol::evidence::{Evidence, SignerIdentity};
use crate::services::verify::{
    BundleReport, Findings, NamedPolicies, PolicyReport, Report, SignerRequirement,
    SignerRequirementError, SignerRequirementInput, VerificationRequest, VerificationService,
};

/// The server whose trust root is taken where nothing else is named.
const DEFAULT_URL: &str = "http://localhost:8477";

/// `signet verify …`
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("signer").args(["certificate_identity", "key", "policy"]).required(true).multiple(true)),
    group(ArgGroup::new("trust").args(["trusted_root", "url"]))
)]
pub struct VerifyArgs {
    /// The file, or its digest as sha256:HEX
    #[arg(value_name = "FILE_OR_DIGEST")]
    pub artifact: String,
    /// A bundle; several for a policy that counts signers [default: FILE.sigstore.json]
    #[arg(long, value_name = "BUNDLE")]
    pub bundle: Vec<PathBuf>,
    /// Who must have signed: the e-mail address or URI in the certificate
    #[arg(
        long,
        value_name = "ID",
        requires = "certificate_oidc_issuer",
        conflicts_with_all = ["key", "policy"]
    )]
    pub certificate_identity: Option<String>,
    /// Who must have vouched for the signer: the issuer in the certificate
    #[arg(long, value_name = "URL", conflicts_with_all = ["key", "policy"])]
    pub certificate_oidc_issuer: Option<String>,
    /// PEM public key that must have signed, for bundles without a certificate
    #[arg(long, value_name = "PEM")]
    pub key: Option<PathBuf>,
    /// A policy in TOML or JSON, which says who must have signed, and how many of them
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
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
    /// Say nothing of a bundle that is verified, and why one is refused on one line
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

/// Verifies, prints what was found, and tells the verdict by the exit status.
///
/// # Errors
/// Unreadable input, or a bundle that is refused.
pub(crate) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let report = args.verify().map_err(Failure::usage)?;
    if args.json {
        print_json(&report).context("standard output cannot be written")?;
    } else if !args.quiet {
        print(&mut Output::stderr(), &args.artifact, &report);
    }
    if report.verified {
        return Ok(());
    }
    Err(Failure::failed(anyhow!("{} is {report}", args.artifact)))
}

impl VerifyArgs {
    /// Everything up to the verdict; what fails in here is input that cannot be used.
    fn verify(&self) -> anyhow::Result<Report> {
        let requirement = self.requirement()?;
        let digest = parse_digest(&self.artifact)?;
        let files = self.bundle_files(digest.is_some())?;
        requirement.check_count(files.len())?;
        let bundles: Vec<_> = files
            .iter()
            .map(|file| read_bundle(file))
            .collect::<Result<_, _>>()?;
        let trust = TrustedRoot::from_json(&self.read_trusted_root()?)
            .context("the trusted root is refused")?;
        let artifact = match digest {
            Some(digest) => digest,
            None => {
                let algorithms = requirement.hash_algorithms(&bundles);
                hash_file(Path::new(&self.artifact), &algorithms)?
            }
        };
        let service = VerificationService::new(Arc::new(trust), Arc::new(SystemClock));
        Ok(service.verify(&VerificationRequest::new(bundles, artifact, requirement)?))
    }

    fn requirement(&self) -> anyhow::Result<SignerRequirement> {
        let read = |file: &Option<PathBuf>| file.as_deref().map(read_text).transpose();
        let mut input = SignerRequirementInput {
            key: read(&self.key)?,
            policy: read(&self.policy)?,
            ..SignerRequirementInput::default()
        };
        let (identity, issuer) = (&self.certificate_identity, &self.certificate_oidc_issuer);
        input
            .pair_identities(identity.clone(), issuer.clone())
            .and_then(|()| input.read(&NamedPolicies::new()))
            .map_err(|error| match (error, &self.policy) {
                (SignerRequirementError::Unpaired { .. }, _) => {
                    anyhow!("--certificate-identity goes with --certificate-oidc-issuer")
                }
                (SignerRequirementError::Policy(reason), Some(file)) => anyhow::Error::new(reason)
                    .context(format!("{} is not an accepted policy", file.display())),
                (other, _) => other.into(),
            })
    }

    fn bundle_files(&self, is_digest: bool) -> anyhow::Result<Vec<PathBuf>> {
        match (self.bundle.is_empty(), is_digest) {
            (false, _) => Ok(self.bundle.clone()),
            (true, true) => Err(anyhow!("a digest needs --bundle BUNDLE")),
            (true, false) => Ok(vec![bundle_beside(Path::new(&self.artifact))]),
        }
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
}

/// Reads a bundle.
///
/// # Errors
/// The file cannot be read, or is none.
pub(super) fn read_bundle(file: &Path) -> anyhow::Result<Bundle> {
    Bundle::from_json(&read(file)?).with_context(|| format!("{} is not a bundle", file.display()))
}

fn read_text(file: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(file)?).with_context(|| format!("{} is not text", file.display()))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Shows what was checked, and who signed when.
pub(super) fn print<W: std::io::Write>(output: &mut Output<W>, artifact: &str, report: &Report) {
    print_checks(output, &report.findings);
    for (number, bundle) in (1..).zip(&report.bundles) {
        print_bundle(output, number, bundle);
    }
    if let Some(policy) = &report.policy {
        print_policy(output, policy);
    }
    if !report.verified {
        return;
    }
    output.heading(format_args!("{artifact} is verified"));
    if let Some(evidence) = &report.findings.evidence {
        print_signer(output, evidence);
    }
}

fn print_checks<W: std::io::Write>(output: &mut Output<W>, findings: &Findings) {
    for check in &findings.checks {
        let line = format!("{:<24} {}", check.name, check.detail);
        match check.outcome {
            Outcome::Passed => output.success(line),
            Outcome::Failed => output.refusal(line),
            Outcome::Skipped => output.line(format_args!("- {line}")),
        }
    }
}

/// One line for a bundle that counts; every check of one that does not.
fn print_bundle<W: std::io::Write>(output: &mut Output<W>, number: usize, bundle: &BundleReport) {
    let signer = match &bundle.findings.evidence {
        Some(evidence) => evidence.signer().to_string(),
        None => "nobody that is proved".to_owned(),
    };
    if bundle.counted {
        output.success(format_args!("bundle {number} counts, signed by {signer}"));
        return;
    }
    output.refusal(format_args!(
        "bundle {number} does not count, signed by {signer}"
    ));
    for reason in &bundle.reasons {
        output.field(
            "because",
            format_args!("{} [{}]", reason.reason, reason.code),
        );
    }
}

fn print_policy<W: std::io::Write>(output: &mut Output<W>, policy: &PolicyReport) {
    for threshold in &policy.thresholds {
        if threshold.is_met() {
            output.success(threshold);
        } else {
            output.refusal(threshold);
        }
        for signer in &threshold.counted {
            output.field("counted", signer);
        }
        for signer in &threshold.missing {
            output.field("missing", signer);
        }
    }
}

fn print_signer<W: std::io::Write>(output: &mut Output<W>, evidence: &Evidence) {
    match evidence.signer() {
        SignerIdentity::Certificate(identity) => {
            output.field("signed by", &identity.subject);
            output.field("issuer", &identity.issuer);
        }
        SignerIdentity::Key { fingerprint } => output.field("signed by", fingerprint),
    }
    for established in &evidence.times {
        output.field("at", established.time);
    }
}

const EXAMPLES: &str = "\
Examples:
  signet verify --certificate-identity build@example.com \\
      --certificate-oidc-issuer https://signet.example.com release.tar.gz

  Without any network:
  signet verify --trusted-root trusted_root.json --certificate-identity build@example.com \\
      --certificate-oidc-issuer https://signet.example.com release.tar.gz

  As many signers as a policy asks for, each with a bundle:
  signet verify --policy release.toml --bundle ada.json --bundle ben.json release.tar.gz

  A digest in place of the file:
  signet verify --bundle release.sigstore.json --key release.pub sha256:HEX

Exit status: 0 verified, 1 refused, 2 wrong usage or unreadable input.";
