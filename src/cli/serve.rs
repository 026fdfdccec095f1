//! `signet serve`: the server.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::args::StoreArgs;
use super::async_runtime;
use super::output::{ExitStatus, Failure, Output};
use crate::adapters::http::server::{Bound, stop_signal};
use crate::adapters::system::SystemClock;
use crate::adapters::telemetry;
use crate::app::{App, Ending, Serving, StartError};
use crate::config::{self, Settings, Sources};

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
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let settings = config::load(&args.sources())?;
    telemetry::start(&settings.telemetry).context("telemetry")?;
    async_runtime()?.block_on(async {
        let stop = stop_signal().context("the system gives no signals")?;
        let serving = start(settings).await?;
        announce(&serving);
        match serving.until(stop).await.context("the server failed")? {
            Ending::Asked => Ok(()),
            Ending::Failed => Err(Failure::new(
                ExitStatus::Fatal,
                anyhow::anyhow!("stopped to protect the store; the next start recovers it"),
            )),
        }
    })
}

/// Takes the address first, so that two servers cannot start on one, then opens the store.
///
/// # Errors
/// The address, the data directory, or what is in it.
pub(super) async fn start(mut settings: Settings) -> Result<Serving, Failure> {
    let bound = Bound::bind(settings.server.listen).map_err(anyhow::Error::from)?;
    settings
        .server
        .public_url
        .adopt_port(bound.address().port());
    let app = App::open(settings, Arc::new(SystemClock)).map_err(not_started)?;
    app.serve(bound).await.map_err(not_started)
}

fn not_started(error: StartError) -> Failure {
    let status = if error.is_storage() {
        ExitStatus::StorageDamaged
    } else if error.is_configuration() {
        ExitStatus::Configuration
    } else {
        ExitStatus::Refused
    };
    Failure::new(status, error.into())
}

fn announce(serving: &Serving) {
    let settings = serving.app.settings();
    let url = &settings.server.public_url;
    let mut output = Output::stderr();
    output.heading(format_args!("Signet {}", env!("CARGO_PKG_VERSION")));
    output.field("public URL", url.as_str());
    output.field("trust root", url.join("/trust/trusted_root.json"));
    if let Some(hash) = serving.app.repository().initial_root_hash() {
        output.field(
            "TUF root",
            format_args!("{} {hash}", url.join("/tuf/1.root.json")),
        );
    }
    output.field("data", settings.server.data_dir.display());
    if settings.accounts.enabled && serving.app.accounts().list().is_empty() {
        let place = data_dir_option(&settings.server.data_dir);
        output.field(
            "next",
            format_args!("signet account add build@example.com --service{place}"),
        );
    } else {
        output.field(
            "next",
            format_args!("open {} for the commands", url.join("/")),
        );
    }
    output.line(format_args!("listening on {}", serving.address()));
}

/// What must be added to a command so that it finds this directory.
fn data_dir_option(dir: &Path) -> String {
    if dir == Path::new(DEFAULT_DATA_DIR) {
        String::new()
    } else {
        format!(" --data-dir {}", dir.display())
    }
}

/// Where every command looks by itself.
const DEFAULT_DATA_DIR: &str = "./signet-data";

const EXAMPLES: &str = "\
Examples:
  signet serve
  signet serve --data-dir /var/lib/signet --config /etc/signet/signet.toml
  signet serve --listen 127.0.0.1:9000 --public-url http://localhost:9000

Every key of the configuration can also be set by a variable: SIGNET_CA__LIFETIME_SECONDS=300.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_command_finds_the_directory_that_is_served() {
        let settings = config::load(&Sources::default()).unwrap();

        assert_eq!(data_dir_option(&settings.server.data_dir), "");
        assert_eq!(data_dir_option(Path::new("/srv/s")), " --data-dir /srv/s");
    }
}
