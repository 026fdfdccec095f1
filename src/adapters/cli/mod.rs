//! The command line: one file for each command. Results go to standard output, everything that is
//! meant for people to standard error, and the verdict into the exit status.

pub mod account;
pub mod args;
pub mod demo;
pub mod output;
pub mod serve;
pub mod sign;
pub mod store;
pub mod verify;

use std::process::ExitCode;

use args::{AccountArgs, Cli, Command};
use output::{Failure, Output};

/// Does what the command line says and tells how it ended.
pub fn dispatch(cli: &Cli) -> ExitCode {
    let result = match &cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Account(args) => run_account(args),
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

fn run_account(_args: &AccountArgs) -> Result<(), Failure> {
    Err(Failure::failed(anyhow::anyhow!("not built yet")))
}
