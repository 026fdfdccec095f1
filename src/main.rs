//! Signet's program: reads the command line and does what it says.

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;
use signet::adapters::cli;
use signet::adapters::telemetry;

/// Much of what one thread allocates here another frees: leaves, answers, pages of the state.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    telemetry::install_panic_hook();
    cli::dispatch(&cli::args::Cli::parse())
}
