//! `signet serve`: the server.

use clap::Args;

use super::args::StoreArgs;
use super::output::Failure;
use crate::config::Sources;

/// `signet serve …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// Where the configuration and the data are
    #[command(flatten)]
    pub store: StoreArgs,
    /// Address and port to listen on [default: 127.0.0.1:8477]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// What clients call this server [default: http://localhost:8477]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

impl ServeArgs {
    /// The configuration's sources: file, environment, flags.
    pub fn sources(&self) -> Sources {
        let mut sources = self.store.sources();
        sources.flags.listen.clone_from(&self.listen);
        sources.flags.public_url.clone_from(&self.public_url);
        sources
    }
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// The configuration is refused, the store is damaged, or the server cannot run.
pub fn run(_args: &ServeArgs) -> Result<(), Failure> {
    Err(Failure::failed(anyhow::anyhow!("not built yet")))
}

const EXAMPLES: &str = "\
Examples:
  signet serve
  signet serve --data-dir /var/lib/signet --config /etc/signet/signet.toml
  signet serve --listen 127.0.0.1:9000 --public-url http://localhost:9000

Every key of the configuration can also be set by a variable: SIGNET_CA__LIFETIME_SECONDS=300.";
