//! `signet sign`: files in, bundles out.

use std::fmt;
use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::output::Failure;

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
pub fn run(args: &SignArgs) -> Result<(), Failure> {
    args.check()?;
    Err(Failure::failed(anyhow::anyhow!("not built yet")))
}

const EXAMPLES: &str = "\
Examples:
  signet sign --identity-token-file token.txt release.tar.gz
  signet sign --url https://signet.example.com --identity-token \"$TOKEN\" *.tar.gz
  get-token | signet sign --identity-token-file - release.tar.gz";
