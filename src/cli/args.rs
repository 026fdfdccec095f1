//! The command line as clap sees it. What each command does is in the command's own file.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Args, Parser, Subcommand};

use super::account::AccountCommand;
use super::demo::DemoArgs;
use super::inspect::InspectArgs;
use super::policy::PolicyCommand;
use super::serve::ServeArgs;
use super::sign::SignArgs;
use super::trust::TrustArgs;
use super::verify::VerifyArgs;
use crate::config::{Flags, Sources};

/// The package's version and, where the build names it in `SIGNET_BUILD`, the commit.
static VERSION: LazyLock<String> = LazyLock::new(|| match option_env!("SIGNET_BUILD") {
    Some(build) => format!("{} ({build})", env!("CARGO_PKG_VERSION")),
    None => env!("CARGO_PKG_VERSION").to_owned(),
});

/// Code signing for one organisation, in one binary.
///
/// Signet issues certificates that live ten minutes to people and machines that prove who they are,
/// writes every certificate and signature into a transparency log, timestamps signatures, and
/// verifies them. Sigstore's clients speak to it unmodified.
#[derive(Debug, Parser)]
#[command(name = "signet", version = VERSION.as_str(), after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(ServeArgs),
    /// See it work: start a server, sign a file, verify it, refuse a tampered copy
    Demo(DemoArgs),
    /// Sign files and write a bundle beside each
    Sign(SignArgs),
    /// Verify a file or a digest against its bundle
    Verify(VerifyArgs),
    /// Show what is in a bundle, without trusting any of it
    Inspect(InspectArgs),
    /// Check policies: who must sign what
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Manage the accounts of the embedded issuer
    Account(AccountArgs),
    /// See, renew and hand over the root of trust
    Trust(TrustArgs),
    /// Check every hash, root and index of a stopped server's store
    Fsck(StoreArgs),
    /// Build the queryable state of a stopped server's store anew from its journal
    Rebuild(StoreArgs),
}

/// `signet account …`
#[derive(Debug, Args)]
#[command(after_help = ACCOUNT_EXAMPLES)]
pub struct AccountArgs {
    /// Which store
    #[command(flatten)]
    pub store: StoreArgs,
    /// What to do with the accounts
    #[command(subcommand)]
    pub command: AccountCommand,
}

/// Where the configuration and the store are.
#[derive(Clone, Debug, Default, Args)]
pub struct StoreArgs {
    /// Configuration file; none is needed
    #[arg(long, value_name = "FILE", env = "SIGNET_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Directory that holds everything [default: ./signet-data]
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<String>,
}

impl StoreArgs {
    /// The configuration's sources: this file, the process's environment, these flags.
    pub fn sources(&self) -> Sources {
        Sources {
            file: self.config.clone(),
            environment: environment(),
            flags: Flags {
                data_dir: self.data_dir.clone(),
                ..Flags::default()
            },
        }
    }
}

/// The variables that are text; others cannot be ours.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

const EXAMPLES: &str = "\
Examples:
  signet demo                       see the whole of it in a few seconds
  signet serve                      run a server with its data in ./signet-data
  signet account add build@example.com --service
  signet sign --identity-token-file token.txt release.tar.gz
  signet verify --certificate-identity build@example.com \\
      --certificate-oidc-issuer http://localhost:8477 release.tar.gz

Exit status:
  0  done, or verified        1  refused, or failed      2  wrong usage or unreadable input
  3  configuration refused    4  the store is damaged    5  stopped to protect the store";

const ACCOUNT_EXAMPLES: &str = "\
Examples:
  signet account add build@example.com --service --json
  signet account list
  signet account remove build@example.com";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_manual_is_understood() {
        for line in [
            "serve",
            "serve --config a.toml --data-dir d --listen 127.0.0.1:1 --public-url http://localhost:1",
            "demo",
            "demo file --once",
            "sign a b --url http://localhost:1 --identity-token x",
            "sign a --identity-token-file t --bundle out",
            "verify --bundle b --certificate-identity i --certificate-oidc-issuer u a",
            "verify --certificate-identity i --certificate-oidc-issuer u sha256:00",
            "verify --key k.pem --trusted-root r.json --json a",
            "verify --policy p.toml --bundle b --bundle c --quiet a",
            "verify --policy p.toml --key k.pem a",
            "inspect b",
            "inspect --json b",
            "policy check p.toml",
            "policy check p.toml --json",
            "account add a@example.com --service --json",
            "account list --json --data-dir d",
            "account remove a@example.com",
            "trust show",
            "trust show --json --data-dir d",
            "trust renew --config c",
            "trust root-ceremony key --out k",
            "trust root-ceremony propose --out r",
            "trust root-ceremony propose --key a --key b --threshold 2 --days 90 --out r",
            "trust root-ceremony sign --key k r",
            "trust root-ceremony sign --yes --key k r",
            "trust root-ceremony finish a b --data-dir d",
            "fsck --data-dir d",
            "rebuild --config c",
        ] {
            let words = std::iter::once("signet").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }

    #[test]
    fn usage_that_makes_no_sense_is_refused() {
        for line in [
            "sign",
            "sign a b --bundle out",
            "sign a --identity-token x --identity-token-file y",
            "verify a",
            "verify --certificate-identity i a",
            "verify --key k --certificate-identity i --certificate-oidc-issuer u a",
            "verify --key k --trusted-root r --url http://localhost a",
            "verify --policy p --certificate-identity i --certificate-oidc-issuer u a",
            "verify --policy p --certificate-oidc-issuer u a",
            "verify --policy p --quiet --json a",
            "inspect",
            "inspect a b",
            "serve file",
            "trust",
            "trust root-ceremony",
            "trust root-ceremony key",
            "trust root-ceremony propose",
            "trust root-ceremony sign r",
            "trust root-ceremony finish",
            "policy",
            "policy check",
        ] {
            let words = std::iter::once("signet").chain(line.split(' '));
            let parsed = Cli::try_parse_from(words).map(|cli| match cli.command {
                Command::Sign(args) => args.check().is_ok(),
                _ => true,
            });
            assert!(!matches!(parsed, Ok(true)), "{line}");
        }
    }

    #[test]
    fn the_store_may_be_named_before_or_after_the_accounts_command() {
        for line in [
            "account --data-dir d --config c list",
            "account list --data-dir d --config c",
        ] {
            let words = std::iter::once("signet").chain(line.split(' '));
            let Command::Account(args) = Cli::try_parse_from(words).unwrap().command else {
                panic!("another command");
            };
            let sources = args.store.sources();
            assert_eq!(sources.flags.data_dir.as_deref(), Some("d"), "{line}");
            assert_eq!(sources.file, Some("c".into()), "{line}");
        }
    }

    #[test]
    fn every_command_has_help_with_an_example() {
        let mut root = Cli::command();
        for name in [
            "serve", "demo", "sign", "verify", "inspect", "account", "trust",
        ] {
            let command = root.find_subcommand_mut(name).unwrap();
            let help = command.render_long_help().to_string();
            assert!(help.contains("Examples:"), "{name}");
        }
        assert!(root.render_version().starts_with("signet 0."));
    }
}
