//! `signet sign`: files in, bundles out.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgGroup, Args};
use zeroize::Zeroizing;

use super::artifact::hash_file;
use super::journey::Signer;
use super::output::{Failure, Output, print_result};
use super::{async_runtime, connect};
use crate::protocol::bundle::TrustedRoot;
use crate::protocol::bytes::HashAlgorithm;
use crate::services::oidc::{MAX_TOKEN_LENGTH, RawToken};

/// `signet sign …`
#[derive(Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("token").args(["identity_token", "identity_token_file"]))
)]
pub struct SignArgs {
    /// The files to sign
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The server
    #[arg(long, env = "SIGNET_URL", default_value = "http://localhost:8477")]
    pub url: String,
    /// The identity token; a file is safer, for other users see command lines
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SIGNET_IDENTITY_TOKEN",
        hide_env_values = true
    )]
    pub identity_token: Option<String>,
    /// A file with the identity token; - reads it from standard input
    #[arg(long, value_name = "F", env = "SIGNET_IDENTITY_TOKEN_FILE")]
    pub identity_token_file: Option<PathBuf>,
    /// Where to write the bundle, for a single file [default: FILE.sigstore.json]
    #[arg(long, value_name = "OUT")]
    pub bundle: Option<PathBuf>,
    /// PEM of a private CA behind the server's TLS, besides the system's
    #[arg(long, value_name = "PEM", env = "SIGNET_CA_FILE")]
    pub ca_file: Option<PathBuf>,
}

impl SignArgs {
    /// Refuses combinations that clap cannot express.
    ///
    /// # Errors
    /// One bundle was named for several files.
    pub fn check(&self) -> Result<(), Failure> {
        if self.bundle.is_some() && self.files.len() > 1 {
            return Err(Failure::usage(anyhow::anyhow!(
                "--bundle names one file, so it goes with one FILE only"
            )));
        }
        Ok(())
    }
}

impl fmt::Debug for SignArgs {
    /// Everything but the token.
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

/// Signs each file, verifies what it made, and writes the bundle.
///
/// # Errors
/// Unreadable input, a server that refuses or cannot be reached, a bundle that does not verify.
pub(crate) fn run(args: &SignArgs) -> Result<(), Failure> {
    args.check()?;
    let token = args.token().map_err(Failure::usage)?;
    let server = connect(&args.url, args.ca_file.as_deref())?;
    async_runtime()?.block_on(async {
        let trust = server.fetch_trusted_root().await;
        let trust = trust.map_err(anyhow::Error::from)?;
        let trust = TrustedRoot::from_json(&trust).context("the server's trust root is refused")?;
        let signer = Signer {
            server: &server,
            trust: Arc::new(trust),
            token: &token,
        };
        for file in &args.files {
            sign_file(&signer, file, args.bundle.as_deref()).await?;
        }
        Ok(())
    })
}

async fn sign_file(signer: &Signer<'_>, file: &Path, out: Option<&Path>) -> Result<(), Failure> {
    let artifact = hash_file(file, &[HashAlgorithm::Sha256]).map_err(Failure::usage)?;
    let signed = signer
        .sign(&artifact, |_| {})
        .await
        .with_context(|| format!("{} is not signed", file.display()))?;
    let out = out.map_or_else(|| bundle_beside(file), Path::to_owned);
    std::fs::write(&out, signed.bundle.to_json())
        .with_context(|| format!("{} cannot be written", out.display()))?;
    let mut output = Output::stderr();
    output.success(format_args!("signed {}", file.display()));
    let evidence = signed.report.findings.evidence.iter();
    for entry in evidence.flat_map(|evidence| &evidence.entries) {
        output.field("log", format_args!("{} entry {}", entry.log, entry.index));
    }
    Ok(print_result(out.display()).context("standard output cannot be written")?)
}

/// `FILE.sigstore.json`, where clients look for a file's bundle.
pub(super) fn bundle_beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sigstore.json");
    PathBuf::from(name)
}

impl SignArgs {
    fn token(&self) -> anyhow::Result<RawToken> {
        let text = match (&self.identity_token, &self.identity_token_file) {
            (Some(token), _) => Zeroizing::new(token.clone()),
            (None, Some(file)) => {
                read_token(file).with_context(|| format!("{} cannot be read", file.display()))?
            }
            (None, None) => anyhow::bail!(
                "an identity token is needed: --identity-token-file F, --identity-token TOKEN, \
                 or SIGNET_IDENTITY_TOKEN"
            ),
        };
        RawToken::new(text.trim()).context("the identity token")
    }
}

fn read_token(file: &Path) -> std::io::Result<Zeroizing<String>> {
    let source: Box<dyn std::io::Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file)?)
    };
    // One byte more than is allowed, so that a longer one is noticed.
    let limit = u64::try_from(MAX_TOKEN_LENGTH)
        .unwrap_or(u64::MAX)
        .saturating_add(64);
    let mut text = Zeroizing::new(String::new());
    source.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

const EXAMPLES: &str = "\
Examples:
  signet sign --identity-token-file token.txt release.tar.gz
  signet sign --url https://signet.example.com --identity-token \"$TOKEN\" *.tar.gz
  get-token | signet sign --identity-token-file - release.tar.gz";
