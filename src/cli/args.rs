//! The command line as clap parses it. The options of each command are in the command's own file.

use std::sync::LazyLock;

use clap::{Parser, Subcommand};

use super::account::AccountArgs;
use super::demo::DemoArgs;
use super::inspect::InspectArgs;
use super::policy::PolicyCommand;
use super::serve::ServeArgs;
use super::sign::SignArgs;
use super::store::StoreArgs;
use super::trust::TrustArgs;
use super::verify::VerifyArgs;

/// The package's version and, if the build sets `SIGNET_BUILD`, the commit.
static VERSION: LazyLock<String> = LazyLock::new(|| match option_env!("SIGNET_BUILD") {
    Some(build) => format!("{} ({build})", env!("CARGO_PKG_VERSION")),
    None => env!("CARGO_PKG_VERSION").to_owned(),
});

/// Sign, log, timestamp and verify code for one organisation, with one binary
///
/// Signet issues certificates of ten minutes to authenticated people and machines, records every
/// certificate and signature in a transparency log, timestamps signatures, and verifies them. Sigstore
/// clients work with it unmodified.
#[derive(Debug, Parser)]
#[command(name = "signet", version = VERSION.as_str(), after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// The command to run
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(ServeArgs),
    /// Start a server, sign a file, verify it, and refuse a tampered copy
    Demo(DemoArgs),
    /// Sign files and write a bundle next to each
    Sign(SignArgs),
    /// Verify a file or a digest against its bundle
    Verify(VerifyArgs),
    /// Show the content of a bundle without verifying it
    Inspect(InspectArgs),
    /// Check policies, which say who must sign what
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Manage the accounts of the embedded issuer
    Account(AccountArgs),
    /// Show, renew and hand over the root of trust
    Trust(TrustArgs),
    /// Check every hash, root and index in the store of a stopped server
    Fsck(StoreArgs),
    /// Rebuild the state of a stopped server from its journal
    Rebuild(StoreArgs),
}

const EXAMPLES: &str = "\
Examples:
  signet demo                       see all of it in a few seconds
  signet serve                      run a server with its data in ./signet-data
  signet account add build@example.com --service
  signet sign --identity-token-file token.txt release.tar.gz
  signet verify --certificate-identity build@example.com \\
      --certificate-oidc-issuer http://localhost:8477 release.tar.gz

Exit status:
  0  done, or verified        1  refused, or failed      2  wrong usage or unreadable input
  3  configuration refused    4  the store is damaged    5  stopped to protect the store";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_documented_command_is_parsed() {
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
    fn options_that_contradict_each_other_are_refused() {
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
    fn store_options_are_accepted_before_and_after_the_subcommand() {
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
