//! The command line: one file for each command. Results go to standard output, messages for people to
//! standard error, and the verdict into the exit status.

pub(crate) mod account;
pub(crate) mod args;
pub(crate) mod demo;
mod files;
pub(crate) mod inspect;
pub(crate) mod output;
pub(crate) mod policy;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod store;
pub(crate) mod trust;
pub(crate) mod verify;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use crate::adapters::outbound::instance::InstanceClient;
use crate::adapters::system::keep_files_private;
use crate::adapters::telemetry;
use args::{Cli, Command};
use output::Output;

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    telemetry::install_panic_hook();
    dispatch(&Cli::parse())
}

/// Runs a command and returns its exit status.
pub(crate) fn dispatch(cli: &Cli) -> ExitCode {
    // Bundles are meant to be shared, so `sign` follows the user's umask.
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
        Command::Account(args) => account::run(args),
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

/// A client of a server, which trusts the CA in `ca_file` in addition to the system's.
fn connect(url: &str, ca_file: Option<&Path>) -> anyhow::Result<InstanceClient> {
    let ca_pem = ca_file.map(files::read).transpose()?;
    Ok(InstanceClient::new(url, ca_pem.as_deref())?)
}

fn async_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start an asynchronous runtime")
}
