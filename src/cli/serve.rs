//! `signet serve`: runs the server.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::async_runtime;
use super::output::{ExitStatus, Failure, Output};
use super::store::StoreArgs;
use crate::adapters::http::server::{Bound, stop_signal};
use crate::adapters::system::SystemClock;
use crate::adapters::telemetry;
use crate::app::{App, Serving, StartError, StopReason};
use crate::config::{self, Settings, Sources};

/// `signet serve …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Where the configuration and the data are
    #[command(flatten)]
    pub store: StoreArgs,
    /// Address and port to listen on [default: 127.0.0.1:8477]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Scheme and host by which clients reach the server [default: http://localhost:8477]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

impl ServeArgs {
    /// The sources of the configuration: the file, the environment, the flags.
    pub(crate) fn sources(&self) -> Sources {
        let mut sources = self.store.sources();
        sources.flags.listen.clone_from(&self.listen);
        sources.flags.public_url.clone_from(&self.public_url);
        sources
    }
}

/// Runs the server until a signal stops it.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let settings = config::load(&args.sources())?;
    telemetry::start(&settings.telemetry).context("cannot start logging")?;
    async_runtime()?.block_on(async {
        let stop = stop_signal().context("cannot listen for signals")?;
        let serving = start(settings).await?;
        announce(&serving);
        match serving.until(stop).await.context("the server failed")? {
            StopReason::Requested => Ok(()),
            StopReason::Failed => Err(Failure::new(
                ExitStatus::Fatal,
                anyhow::anyhow!("stopped to protect the store; the next start recovers it"),
            )),
        }
    })
}

/// Binds the address before it opens the store, so that a second server on the same address fails
/// without touching the data.
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
            format_args!("open {} for client commands", url.join("/")),
        );
    }
    output.line(format_args!("listening on {}", serving.address()));
}

/// The option that makes other commands use this directory; empty for the default one.
fn data_dir_option(dir: &Path) -> String {
    if dir == Path::new(DEFAULT_DATA_DIR) {
        String::new()
    } else {
        format!(" --data-dir {}", dir.display())
    }
}

/// The directory that commands use without `--data-dir`.
const DEFAULT_DATA_DIR: &str = "./signet-data";

const EXAMPLES: &str = "\
Examples:
  signet serve
  signet serve --data-dir /var/lib/signet --config /etc/signet/signet.toml
  signet serve --listen 127.0.0.1:9000 --public-url http://localhost:9000

Environment variables can set every configuration key: SIGNET_CA__LIFETIME_SECONDS=300.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggested_command_uses_the_directory_of_the_server() {
        let settings = config::load(&Sources::default()).unwrap();

        assert_eq!(data_dir_option(&settings.server.data_dir), "");
        assert_eq!(data_dir_option(Path::new("/srv/s")), " --data-dir /srv/s");
    }
}
