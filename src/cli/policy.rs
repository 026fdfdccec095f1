//! `signet policy`: checks a policy and explains it.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Subcommand;

use super::files::read_text;
use super::output::{Failure, Output, print_json};
use crate::protocol::policy::PolicyDocument;

/// What to do with policies.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check a policy and print it in plain English
    #[command(after_help = EXAMPLES)]
    Check {
        /// Policy file, in TOML or JSON
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print the policy as JSON instead
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(command: &PolicyCommand) -> Result<(), Failure> {
    let PolicyCommand::Check { file, json } = command;
    let text = read_text(file).map_err(Failure::usage)?;
    let parsed = PolicyDocument::parse(&text)
        .and_then(|document| document.check().map(|policy| (document, policy)));
    let (document, policy) = parsed.map_err(|reason| {
        Failure::failed(anyhow!(
            "{} is not a valid policy: {reason}",
            file.display()
        ))
    })?;
    let written = if *json {
        print_json(&document)
    } else {
        let mut lines = Vec::new();
        Output::plain(&mut lines).line(policy.to_string().trim_end());
        io::stdout().write_all(&lines)
    };
    written.context("cannot write to standard output")?;
    Output::stderr().success(format_args!("{} is a valid policy", file.display()));
    Ok(())
}

const EXAMPLES: &str = "\
Examples:
  signet policy check release.toml
  signet policy check release.toml --json > release.json";
