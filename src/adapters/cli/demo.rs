//! `signet demo`: everything once, in a temporary directory.

use std::path::PathBuf;

use clap::Args;

use super::output::Failure;

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
pub fn run(_args: &DemoArgs) -> Result<(), Failure> {
    Err(Failure::failed(anyhow::anyhow!("not built yet")))
}

const EXAMPLES: &str = "\
Examples:
  signet demo
  signet demo release.tar.gz --once";
