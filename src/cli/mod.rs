//! The command line: one file for each command. Results go to standard output, everything that is
//! meant for people to standard error, and the verdict into the exit status.

pub(crate) mod account;
pub(crate) mod args;
mod artifact;
pub(crate) mod demo;
pub(crate) mod inspect;
mod journey;
pub(crate) mod output;
pub(crate) mod policy;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod store;
pub(crate) mod trust;
pub(crate) mod verify;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;

use crate::adapters::outbound::instance::InstanceClient;
use crate::adapters::storage;
use crate::adapters::system::{SystemClock, keep_files_private};
use crate::adapters::telemetry;
use crate::{app, config};
use args::{AccountArgs, Cli, Command};
use output::{Failure, Output};

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    telemetry::install_panic_hook();
    dispatch(&Cli::parse())
}

/// Runs a command and returns its exit status.
pub fn dispatch(cli: &Cli) -> ExitCode {
    // What the commands for signers write is theirs to share.
    if !matches!(cli.command, Command::Sign(_) | Command::Verify(_)) {
        keep_files_private();
    }
    let result = match &cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Policy(command) => policy::run(command),
        Command::Account(args) => run_account(args),
        Command::Trust(args) => trust::run(args),
        Command::Fsck(args) => store::fsck(args),
        Command::Rebuild(args) => store::rebuild(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            Output::stderr().failure(&failure);
            failure.exit_code()
        }
    }
}

fn run_account(args: &AccountArgs) -> Result<(), Failure> {
    let settings = config::load(&args.store.sources())?;
    let dir = &settings.server.data_dir;
    let open_store = || {
        if app::has_instance(dir)? {
            storage::require_store(dir)?;
        }
        let storage = storage::open(dir, app::storage_options(&settings))?;
        Ok(app::open_accounts(&storage, Arc::new(SystemClock))?)
    };
    Ok(account::run(args.command.clone(), dir, open_store)?)
}

/// A client of a server, which trusts a private CA besides the system's where one is named.
fn connect(url: &str, ca_file: Option<&Path>) -> anyhow::Result<InstanceClient> {
    let ca_pem = ca_file
        .map(|file| {
            std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
        })
        .transpose()?;
    Ok(InstanceClient::new(url, ca_pem.as_deref())?)
}

fn async_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system refuses a runtime")
}
