//! `signet verify`: is this file what they signed?

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::output::Failure;

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
pub fn run(_args: &VerifyArgs) -> Result<(), Failure> {
    Err(Failure::failed(anyhow::anyhow!("not built yet")))
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
