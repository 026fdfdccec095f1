//! `signet policy`: is this policy sound, and what does it say?

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Subcommand;

use super::output::{Failure, Output, print_json};
use crate::protocol::policy::{Policy, PolicyDocument};

/// What to do with policies.
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check a policy and print it in plain words
    #[command(after_help = EXAMPLES)]
    Check {
        /// The policy, in TOML or JSON
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print the policy as JSON instead
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read, or a policy that is refused.
pub(crate) fn run(command: &PolicyCommand) -> Result<(), Failure> {
    let PolicyCommand::Check { file, json } = command;
    let text = read(file).map_err(Failure::usage)?;
    let (document, policy) = check(&text)
        .map_err(|reason| Failure::failed(anyhow!("{} is refused: {reason}", file.display())))?;
    let written = if *json {
        print_json(&document)
    } else {
        let mut lines = Vec::new();
        Output::plain(&mut lines).line(policy.to_string().trim_end());
        io::stdout().write_all(&lines)
    };
    written.context("standard output cannot be written")?;
    Output::stderr().success(format_args!("{} is a sound policy", file.display()));
    Ok(())
}

fn check(text: &str) -> Result<(PolicyDocument, Policy), crate::protocol::policy::PolicyError> {
    let document = PolicyDocument::parse(text)?;
    let policy = document.check()?;
    Ok((document, policy))
}

fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is not text", file.display()))
}

const EXAMPLES: &str = "\
Examples:
  signet policy check release.toml
  signet policy check release.toml --json > release.json";
