//! `signet trust`: the root of trust, its renewal, and the ceremony that moves its keys elsewhere.

mod ceremony;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use super::async_runtime;
use super::output::{Failure, Output, print_json};
use super::store::{StoreArgs, perform};
use crate::adapters::admin::AdminCommand;
use crate::adapters::admin::trust::{RenewRoot, ShowTrust, TrustStatus};
use crate::adapters::storage;
use crate::adapters::system::SystemClock;
use crate::app::{self, App};
use crate::config;
use crate::services::trust::repository::TrustRepository;

/// `signet trust …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TrustArgs {
    /// Where the configuration and the data are
    #[command(flatten)]
    pub store: StoreArgs,
    /// What to do with the root of trust
    #[command(subcommand)]
    pub command: TrustCommand,
}

/// What to do with the root of trust.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Show the root's SHA-256, versions, expiry dates, keys and thresholds
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Sign the next root with the key in the data directory, valid for 365 days
    Renew,
    /// Sign a root with keys that are not on the server
    #[command(subcommand, name = "root-ceremony")]
    RootCeremony(CeremonyCommand),
}

/// The steps of the root ceremony.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CeremonyCommand {
    /// Generate a root key on its holder's machine and write the public key next to it
    Key {
        /// File for the private key; the public key gets the same name and .pub
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Draft the next root and write a signing request for the holders of the keys
    Propose {
        /// Public key allowed to sign future roots (repeatable) [default: the current keys]
        #[arg(long = "key", value_name = "FILE.pub")]
        keys: Vec<PathBuf>,
        /// Number of keys that must sign [default: the current threshold]
        #[arg(long, value_name = "NUMBER")]
        threshold: Option<u32>,
        /// Days until the root expires [default: 365]
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
        /// File for the signing request
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Show what a signing request changes, and sign it; works without a network
    Sign {
        /// Private key to sign with; the server's own is keys/tuf-root.key.pem
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Sign without asking for confirmation
        #[arg(long)]
        yes: bool,
        /// Signing request, to which the signature is added
        request: PathBuf,
    },
    /// Combine the signatures and install the root
    Finish {
        /// Every signed copy of the signing request
        #[arg(required = true)]
        requests: Vec<PathBuf>,
    },
}

/// Runs the command.
pub(crate) fn run(args: &TrustArgs) -> Result<(), Failure> {
    match &args.command {
        TrustCommand::Show { json } => {
            let status = ask(&args.store, ShowTrust {})?;
            if *json {
                print_json(&status).context("cannot write to standard output")?;
            } else {
                show(&status);
            }
            Ok(())
        }
        TrustCommand::Renew => {
            ceremony::print_installed(&ask(&args.store, RenewRoot {})?);
            Ok(())
        }
        TrustCommand::RootCeremony(command) => ceremony::run(command, &args.store),
    }
}

/// Performs a command by the running server, or else on the store. The store is opened as the server
/// opens it, so that an outdated copy is detected and not written to.
fn ask<C>(store: &StoreArgs, command: C) -> Result<C::Reply, Failure>
where
    C: AdminCommand<Service = TrustRepository>,
{
    let settings = config::load(&store.sources())?;
    let dir = settings.server.data_dir.clone();
    let reply = perform(&dir, command, |command| {
        // Checked first, because opening would create the directory.
        if !dir.is_dir() || !app::has_instance(&dir)? {
            bail!("there is no instance in {}", dir.display());
        }
        storage::require_store(&dir)?;
        async_runtime()?.block_on(async {
            let app =
                App::open(settings, Arc::new(SystemClock)).context("the store cannot be opened")?;
            Ok(command.perform(app.repository())?)
        })
    })?;
    Ok(reply)
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
            "by the holders of the root keys: signet trust root-ceremony propose",
        );
    }
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
