//! Signet's program: reads the command line and does what it says.

use std::process::ExitCode;

use clap::Parser as _;
use signet::adapters::cli;
use signet::adapters::telemetry;

fn main() -> ExitCode {
    telemetry::install_panic_hook();
    cli::dispatch(&cli::args::Cli::parse())
}
