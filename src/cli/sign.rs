//! `signet sign`: signs files and writes their bundles.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgGroup, Args};
use zeroize::Zeroizing;

use super::files::{bundle_of, hash_file};
use super::output::{Failure, Output, print_result};
use super::{async_runtime, connect};
use crate::adapters::outbound::instance::InstanceClient;
use crate::adapters::system::{SYSTEM_RNG, SystemClock};
use crate::protocol::bundle::TrustedRoot;
use crate::protocol::hash::HashAlgorithm;
use crate::services::oidc::{MAX_TOKEN_LENGTH, RawToken};
use crate::services::sign::Signer;

/// `signet sign …`
#[derive(Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("token").args(["identity_token", "identity_token_file"]))
)]
pub(crate) struct SignArgs {
    /// Files to sign
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// URL of the server
    #[arg(long, env = "SIGNET_URL", default_value = "http://localhost:8477")]
    pub url: String,
    /// Identity token; prefer a file, because other users can see command lines
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SIGNET_IDENTITY_TOKEN",
        hide_env_values = true
    )]
    pub identity_token: Option<String>,
    /// File with the identity token, or - for standard input
    #[arg(long, value_name = "FILE", env = "SIGNET_IDENTITY_TOKEN_FILE")]
    pub identity_token_file: Option<PathBuf>,
    /// Bundle to write, if there is only one FILE [default: FILE.sigstore.json]
    #[arg(long, value_name = "BUNDLE")]
    pub bundle: Option<PathBuf>,
    /// PEM file with a private CA to trust for the server's TLS, in addition to the system's
    #[arg(long, value_name = "PEM", env = "SIGNET_CA_FILE")]
    pub ca_file: Option<PathBuf>,
}

impl SignArgs {
    /// Refuses combinations that clap cannot express.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.bundle.is_some() && self.files.len() > 1 {
            return Err(Failure::usage(anyhow::anyhow!(
                "--bundle can be used with one FILE only"
            )));
        }
        Ok(())
    }

    fn token(&self) -> anyhow::Result<RawToken> {
        let text = match (&self.identity_token, &self.identity_token_file) {
            (Some(token), _) => Zeroizing::new(token.clone()),
            (None, Some(file)) => {
                read_token(file).with_context(|| format!("{} cannot be read", file.display()))?
            }
            (None, None) => anyhow::bail!(
                "an identity token is required: use --identity-token-file FILE, \
                 --identity-token TOKEN, or SIGNET_IDENTITY_TOKEN"
            ),
        };
        RawToken::new(text.trim()).context("the identity token is not accepted")
    }
}

impl fmt::Debug for SignArgs {
    /// Shows everything but the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignArgs")
            .field("files", &self.files)
            .field("url", &self.url)
            .field("identity_token_file", &self.identity_token_file)
            .field("bundle", &self.bundle)
            .field("ca_file", &self.ca_file)
            .finish_non_exhaustive()
    }
}

/// Signs each file, verifies the bundle, and writes it.
pub(crate) fn run(args: &SignArgs) -> Result<(), Failure> {
    args.check()?;
    let token = args.token().map_err(Failure::usage)?;
    let server = connect(&args.url, args.ca_file.as_deref())?;
    async_runtime()?.block_on(async {
        let trust = server.fetch_trusted_root().await;
        let trust = TrustedRoot::from_json(&trust.map_err(anyhow::Error::from)?)
            .context("the server's trusted root cannot be used")?;
        let signer = signer(server, Arc::new(trust));
        for file in &args.files {
            sign_file(&signer, &token, file, args.bundle.as_deref()).await?;
        }
        Ok(())
    })
}

/// A signer that uses a server, the system's clock and its randomness.
pub(super) fn signer(server: InstanceClient, trust: Arc<TrustedRoot>) -> Signer<InstanceClient> {
    Signer {
        server,
        trust,
        clock: Arc::new(SystemClock),
        rng: SYSTEM_RNG,
    }
}

async fn sign_file(
    signer: &Signer<InstanceClient>,
    token: &RawToken,
    file: &Path,
    bundle: Option<&Path>,
) -> Result<(), Failure> {
    let artifact = hash_file(file, &[HashAlgorithm::Sha256]).map_err(Failure::usage)?;
    let signed = signer
        .sign(token, &artifact, |_| {})
        .await
        .with_context(|| format!("cannot sign {}", file.display()))?;
    let bundle = bundle.map_or_else(|| bundle_of(file), Path::to_owned);
    std::fs::write(&bundle, signed.bundle.to_json())
        .with_context(|| format!("{} cannot be written", bundle.display()))?;
    let mut output = Output::stderr();
    output.success(format_args!("signed {}", file.display()));
    let evidence = signed.report.findings.evidence.iter();
    for entry in evidence.flat_map(|evidence| &evidence.entries) {
        output.field("log", format_args!("{} entry {}", entry.log, entry.index));
    }
    Ok(print_result(bundle.display()).context("cannot write to standard output")?)
}

fn read_token(file: &Path) -> std::io::Result<Zeroizing<String>> {
    let source: Box<dyn std::io::Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file)?)
    };
    // Room for white space around the token, and for a byte more, so that a longer token is noticed.
    let limit = u64::try_from(MAX_TOKEN_LENGTH + 64).unwrap_or(u64::MAX);
    let mut text = Zeroizing::new(String::new());
    source.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

const EXAMPLES: &str = "\
Examples:
  signet sign --identity-token-file token.txt release.tar.gz
  signet sign --url https://signet.example.com --identity-token \"$TOKEN\" *.tar.gz
  get-token | signet sign --identity-token-file - release.tar.gz";
