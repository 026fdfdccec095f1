//! `signet account`: machine accounts of the embedded issuer.

use clap::Subcommand;

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Add an account; its secret is shown once
    Add {
        /// The identity that its certificates carry
        email: String,
        /// A machine's account, with a client ID and a secret
        #[arg(long)]
        service: bool,
        /// Write the credentials as JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// List the accounts
    List {
        /// Write the list as JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// Remove an account; certificates that it has stay valid until they end
    Remove {
        /// The identity to remove
        email: String,
    },
}
