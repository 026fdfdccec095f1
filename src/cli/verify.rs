//! `signet verify`: verifies a file or a digest against its bundle.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::{ArgGroup, Args};

use super::files::{bundle_of, hash_file, parse_digest, read, read_text};
use super::output::{Failure, Output, print_json};
use super::{async_runtime, connect};
use crate::adapters::system::SystemClock;
use crate::protocol::bundle::{Bundle, Outcome, TrustedRoot};
use crate::protocol::evidence::{Evidence, SignerIdentity};
use crate::services::verify::{
    BundleReport, Findings, NamedPolicies, PolicyReport, Report, SignerRequirement,
    SignerRequirementError, SignerRequirementInput, VerificationRequest, VerificationService,
};

/// The server whose trusted root is fetched by default.
const DEFAULT_URL: &str = "http://localhost:8477";

/// `signet verify …`
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("signer").args(["certificate_identity", "key", "policy"]).required(true).multiple(true)),
    group(ArgGroup::new("trust").args(["trusted_root", "url"]))
)]
pub(crate) struct VerifyArgs {
    /// File to verify, or its digest as sha256:HEX
    #[arg(value_name = "FILE_OR_DIGEST")]
    pub artifact: String,
    /// Bundle; repeat it for a policy that requires several signers [default: FILE.sigstore.json]
    #[arg(long, value_name = "BUNDLE")]
    pub bundle: Vec<PathBuf>,
    /// Required signer: the e-mail address or URI in the certificate
    #[arg(
        long,
        value_name = "ID",
        requires = "certificate_oidc_issuer",
        conflicts_with_all = ["key", "policy"]
    )]
    pub certificate_identity: Option<String>,
    /// Required issuer of the signer's identity, as in the certificate
    #[arg(long, value_name = "URL", conflicts_with_all = ["key", "policy"])]
    pub certificate_oidc_issuer: Option<String>,
    /// PEM file with the public key that must have signed, for bundles without a certificate
    #[arg(long, value_name = "PEM")]
    pub key: Option<PathBuf>,
    /// Policy file in TOML or JSON, which says who must have signed and how many signers are required
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// trusted_root.json to verify with; no network is used then
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
    /// URL of the server to fetch the trusted root from [default: http://localhost:8477]
    #[arg(long)]
    pub url: Option<String>,
    /// PEM file with a private CA to trust for the server's TLS, in addition to the system's
    #[arg(long, value_name = "PEM", env = "SIGNET_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Print nothing if the bundle verifies, and one line with the reason if it does not
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

/// Verifies and prints the report. A bundle that does not verify is a failure, so that the exit status
/// is the verdict.
pub(crate) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let report = args.verify().map_err(Failure::usage)?;
    if args.json {
        print_json(&report).context("cannot write to standard output")?;
    } else if !args.quiet {
        print(&mut Output::stderr(), &args.artifact, &report);
    }
    if report.verified {
        return Ok(());
    }
    Err(Failure::failed(anyhow!("{} is {report}", args.artifact)))
}

impl VerifyArgs {
    /// Reads the input and verifies it. An error means that the input cannot be used, not that it does
    /// not verify.
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
            .context("the trusted root cannot be used")?;
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
                    anyhow!("--certificate-identity requires --certificate-oidc-issuer")
                }
                (SignerRequirementError::Policy(reason), Some(file)) => anyhow::Error::new(reason)
                    .context(format!("{} is not a valid policy", file.display())),
                (other, _) => other.into(),
            })
    }

    fn bundle_files(&self, is_digest: bool) -> anyhow::Result<Vec<PathBuf>> {
        match (self.bundle.is_empty(), is_digest) {
            (false, _) => Ok(self.bundle.clone()),
            (true, true) => Err(anyhow!("a digest requires --bundle BUNDLE")),
            (true, false) => Ok(vec![bundle_of(Path::new(&self.artifact))]),
        }
    }

    /// With `--trusted-root`, not even an HTTP client is created: verification must work where sockets
    /// are forbidden.
    fn read_trusted_root(&self) -> anyhow::Result<Vec<u8>> {
        if let Some(file) = &self.trusted_root {
            return read(file);
        }
        let url = self.url.as_deref().unwrap_or(DEFAULT_URL);
        let server = connect(url, self.ca_file.as_deref())?;
        Ok(async_runtime()?.block_on(server.fetch_trusted_root())?)
    }
}

pub(super) fn read_bundle(file: &Path) -> anyhow::Result<Bundle> {
    Bundle::from_json(&read(file)?).with_context(|| format!("{} is not a bundle", file.display()))
}

/// Prints the checks, the signers and the times.
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

/// Prints one line for a bundle that counts, and the reasons for one that does not.
fn print_bundle<W: std::io::Write>(output: &mut Output<W>, number: usize, bundle: &BundleReport) {
    let signer = match &bundle.findings.evidence {
        Some(evidence) => evidence.signer().to_string(),
        None => "an unverified signer".to_owned(),
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

  Without a network:
  signet verify --trusted-root trusted_root.json --certificate-identity build@example.com \\
      --certificate-oidc-issuer https://signet.example.com release.tar.gz

  With a policy that requires several signers, one bundle each:
  signet verify --policy release.toml --bundle ada.json --bundle ben.json release.tar.gz

  With a digest instead of the file:
  signet verify --bundle release.sigstore.json --key release.pub sha256:HEX

Exit status: 0 verified, 1 not verified, 2 wrong usage or unreadable input.";
