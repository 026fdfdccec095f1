//! `signet trust`: the root of trust, its renewal, and the ceremony by which its keys go elsewhere.

mod ceremony;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use super::args::StoreArgs;
use super::async_runtime;
use super::output::{Failure, Output, print_json};
use crate::adapters::admin::trust::{self, InstalledRoot, TrustReply, TrustRequest, TrustStatus};
use crate::adapters::admin::{AdminClient, AdminReply, AdminRequest};
use crate::adapters::storage;
use crate::adapters::system::SystemClock;
use crate::app::{self, App};
use crate::config::{self, Settings};

/// `signet trust …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TrustArgs {
    /// Which store
    #[command(flatten)]
    pub store: StoreArgs,
    /// What to do with the root of trust
    #[command(subcommand)]
    pub command: TrustCommand,
}

/// What to do with the root of trust.
#[derive(Clone, Debug, Subcommand)]
pub enum TrustCommand {
    /// Show the root's SHA-256, versions, expiries, keys and thresholds
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Sign the next root with the key in the data directory, for 365 days from now
    Renew,
    /// Sign a root with keys that the server never sees
    #[command(subcommand, name = "root-ceremony")]
    RootCeremony(CeremonyCommand),
}

/// A step of the ceremony.
#[derive(Clone, Debug, Subcommand)]
pub enum CeremonyCommand {
    /// Make a key, on a machine of its owner's; its public part is written beside it
    Key {
        /// Where to write the private key; the public part gets the same name and .pub
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Draft the next root and write a signing request for the owners of keys
    Propose {
        /// Public part of a key that shall sign roots from then on, once for each; without it the
        /// keys stay
        #[arg(long = "key", value_name = "FILE.pub")]
        keys: Vec<PathBuf>,
        /// How many of the keys must sign; without it the threshold stays
        #[arg(long, value_name = "NUMBER")]
        threshold: Option<u32>,
        /// How many days the root lasts from now on [default: 365]
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
        /// Where to write the signing request
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Show what a signing request changes, and sign it; needs no network
    Sign {
        /// The private key; keys/tuf-root.key.pem is the server's own
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Sign without asking
        #[arg(long)]
        yes: bool,
        /// The signing request, which takes up the signature
        request: PathBuf,
    },
    /// Bring the signatures together and make the root count
    Finish {
        /// Every copy of the signing request
        #[arg(required = true)]
        requests: Vec<PathBuf>,
    },
}

/// Runs the command: through the server when one runs on the data directory, else on the store.
///
/// # Errors
/// The server or the store could not be reached, or refused.
pub(crate) fn run(args: &TrustArgs) -> Result<(), Failure> {
    let ask = |request| ask(&args.store, request);
    match &args.command {
        TrustCommand::Show { json } => {
            let TrustReply::Status(status) = ask(TrustRequest::Show)? else {
                return Err(unexpected().into());
            };
            if *json {
                print_json(&status).context("standard output cannot be written")?;
            } else {
                show(&status);
            }
            Ok(())
        }
        TrustCommand::Renew => match ask(TrustRequest::RenewRoot)? {
            TrustReply::Installed(root) => {
                tell_installed(&root);
                Ok(())
            }
            _ => Err(unexpected().into()),
        },
        TrustCommand::RootCeremony(command) => ceremony::run(command, ask),
    }
}

fn ask(store: &StoreArgs, request: TrustRequest) -> Result<TrustReply, Failure> {
    let settings = config::load(&store.sources())?;
    let reply =
        match AdminClient::connect(&settings.server.data_dir).map_err(anyhow::Error::from)? {
            Some(server) => server
                .call(&AdminRequest::Trust { request })
                .context("the running server could not be asked")?,
            None => return Ok(ask_store(settings, request)?),
        };
    match reply {
        AdminReply::Trust { answer } => Ok(answer),
        AdminReply::Refused { message } => Err(Failure::failed(anyhow::anyhow!(message))),
        _ => Err(unexpected().into()),
    }
}

/// Opens the store as the server would, so that an old copy of it is found out and not written to.
fn ask_store(settings: Settings, request: TrustRequest) -> anyhow::Result<TrustReply> {
    let dir = &settings.server.data_dir;
    // Looked for first, or the directory would be made.
    if !dir.is_dir() || !app::has_instance(dir)? {
        bail!("there is no instance in {}", dir.display());
    }
    storage::require_store(dir)?;
    async_runtime()?.block_on(async {
        let app = App::open(settings, Arc::new(SystemClock)).context("the store")?;
        trust::perform(app.repository(), request).map_err(|message| anyhow::anyhow!(message))
    })
}

fn unexpected() -> anyhow::Error {
    anyhow::anyhow!("the running server answered something else than was asked")
}

fn show(status: &TrustStatus) {
    let mut output = Output::stdout();
    output.heading("Root of trust");
    output.field(
        "initial root",
        format_args!("sha256:{}", status.initial_root_sha256),
    );
    output.field("newest root", format_args!("sha256:{}", status.root_sha256));
    for role in &status.roles {
        let (version, expires) = (role.version, &role.expires);
        output.field(
            role.role.name(),
            format_args!("version {version}, expires {expires}"),
        );
    }
    let (threshold, keys) = (status.root_threshold, &status.root_keys);
    output.field("root keys", format_args!("{threshold} of {}", keys.len()));
    for key in keys {
        output.field("", key);
    }
    output.field("online key", &status.online_key);
    output.field("state", &status.health);
    if !status.renewable {
        output.field(
            "renewal",
            "by its owners' keys: signet trust root-ceremony propose",
        );
    }
}

fn tell_installed(root: &InstalledRoot) {
    let mut output = Output::stderr();
    output.success(format_args!(
        "root version {} counts from now on; it expires {}",
        root.version, root.expires
    ));
    output.field("SHA-256", &root.sha256);
}

/// Reads a file that a person named.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

const EXAMPLES: &str = "\
Examples:
  signet trust show
  signet trust renew
  signet trust root-ceremony key --out alice.key.pem
  signet trust root-ceremony propose --key alice.key.pem.pub --key bob.key.pem.pub \\
      --key carol.key.pem.pub --threshold 2 --out root.request
  signet trust root-ceremony sign --key alice.key.pem root.request
  signet trust root-ceremony finish alice.request bob.request";
