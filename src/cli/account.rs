//! `signet account`: machine accounts of the embedded issuer.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;

use crate::adapters::admin::{self, AccountEntry, AdminClient, AdminReply, AdminRequest};
use crate::services::account::Accounts;

/// What to do with accounts.
#[derive(Clone, Debug, Subcommand)]
pub enum AccountCommand {
    /// Make an account and print its secret, this once
    Add {
        /// The e-mail address that certificates will carry
        email: String,
        /// Make a machine account, which gets tokens for its client id and secret
        #[arg(long, required = true)]
        service: bool,
        /// Print JSON: {"client_id","client_secret"}
        #[arg(long)]
        json: bool,
    },
    /// List all accounts
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an account; its secret is worth nothing from then on
    Remove {
        /// The account's e-mail address
        email: String,
    },
}

/// Runs the command: through the server when one runs on the data directory, else on the store.
///
/// # Errors
/// The server or the store could not be reached, or refused.
pub(crate) fn run(
    command: AccountCommand,
    data_dir: &Path,
    open_store: impl FnOnce() -> anyhow::Result<Accounts>,
) -> anyhow::Result<()> {
    let reply = perform(request_of(&command), data_dir, open_store)?;
    let mut results = io::stdout().lock();
    let mut remarks = io::stderr().lock();
    print(&command, reply, &mut results, &mut remarks)
}

fn request_of(command: &AccountCommand) -> AdminRequest {
    match command {
        AccountCommand::Add { email, .. } => AdminRequest::AddServiceAccount {
            email: email.clone(),
        },
        AccountCommand::List { .. } => AdminRequest::ListAccounts,
        AccountCommand::Remove { email } => AdminRequest::RemoveAccount {
            email: email.clone(),
        },
    }
}

fn perform(
    request: AdminRequest,
    data_dir: &Path,
    open_store: impl FnOnce() -> anyhow::Result<Accounts>,
) -> anyhow::Result<AdminReply> {
    match AdminClient::connect(data_dir)? {
        Some(server) => server
            .call(&request)
            .context("the running server could not be asked"),
        None => {
            let accounts = open_store().context("the store could not be opened")?;
            Ok(admin::perform(&accounts, request))
        }
    }
}

fn print(
    command: &AccountCommand,
    reply: AdminReply,
    results: &mut impl Write,
    remarks: &mut impl Write,
) -> anyhow::Result<()> {
    match (command, reply) {
        (_, AdminReply::Refused { message }) => bail!(message),
        (
            AccountCommand::Add { email, json, .. },
            AdminReply::Added {
                client_id,
                client_secret,
            },
        ) => {
            if *json {
                let result = json!({ "client_id": client_id, "client_secret": client_secret });
                writeln!(results, "{result}")?;
            } else {
                writeln!(remarks, "Added the machine account {email}.")?;
                writeln!(results, "client_id      {client_id}")?;
                writeln!(results, "client_secret  {client_secret}")?;
                writeln!(remarks, "Keep the secret: it is not shown again.")?;
            }
        }
        (AccountCommand::List { json: true }, AdminReply::Accounts { accounts }) => {
            writeln!(results, "{}", serde_json::to_string(&accounts)?)?;
        }
        (AccountCommand::List { json: false }, AdminReply::Accounts { accounts }) => {
            list(&accounts, results, remarks)?;
        }
        (AccountCommand::Remove { email }, AdminReply::Removed) => {
            writeln!(remarks, "Removed the account {email}.")?;
        }
        _ => bail!("the running server answered something else than was asked"),
    }
    Ok(())
}

fn list(
    accounts: &[AccountEntry],
    results: &mut impl Write,
    remarks: &mut impl Write,
) -> io::Result<()> {
    if accounts.is_empty() {
        return writeln!(
            remarks,
            "There are no accounts. Make one with: signet account add EMAIL --service"
        );
    }
    let width = accounts.iter().map(|a| a.email.len()).max().unwrap_or(0);
    for account in accounts {
        let AccountEntry {
            email,
            client_id,
            kind,
            created,
        } = account;
        writeln!(results, "{email:width$}  {kind}  {client_id}  {created}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::adapters::system::SystemClock;
    use crate::doubles::{MemoryLedger, SYSTEM_RNG};
    use crate::services::ledger::Ledger;

    /// Runs a command on the store, as if no server ran; gives results and remarks.
    fn run_offline(
        ledger: &Arc<MemoryLedger>,
        command: AccountCommand,
    ) -> anyhow::Result<(String, String)> {
        let dir = tempfile::tempdir()?;
        let ledger: Arc<dyn Ledger> = Arc::<MemoryLedger>::clone(ledger);
        let open = || Ok(Accounts::load(ledger, Arc::new(SystemClock), SYSTEM_RNG)?);
        let reply = perform(request_of(&command), dir.path(), open)?;
        let (mut results, mut remarks) = (Vec::new(), Vec::new());
        print(&command, reply, &mut results, &mut remarks)?;
        Ok((String::from_utf8(results)?, String::from_utf8(remarks)?))
    }

    fn add(email: &str, json: bool) -> AccountCommand {
        AccountCommand::Add {
            email: email.to_owned(),
            service: true,
            json,
        }
    }

    #[test]
    fn json_output_is_the_credentials_and_nothing_else() {
        let ledger = Arc::new(MemoryLedger::default());

        let (results, remarks) = run_offline(&ledger, add("ci@example.com", true)).unwrap();

        let credentials: serde_json::Value = serde_json::from_str(&results).unwrap();
        assert_eq!(credentials.as_object().unwrap().len(), 2);
        assert_eq!(credentials["client_secret"].as_str().unwrap().len(), 43);
        assert!(remarks.is_empty());
    }

    #[test]
    fn accounts_live_on_between_commands_until_they_are_removed() {
        let ledger = Arc::new(MemoryLedger::default());
        let list = |json| AccountCommand::List { json };
        let remove = || AccountCommand::Remove {
            email: "ci@example.com".to_owned(),
        };

        run_offline(&ledger, add("ci@example.com", false)).unwrap();
        let (table, _) = run_offline(&ledger, list(false)).unwrap();
        let (json, _) = run_offline(&ledger, list(true)).unwrap();
        run_offline(&ledger, remove()).unwrap();
        let (empty, hint) = run_offline(&ledger, list(false)).unwrap();

        assert!(table.starts_with("ci@example.com  service  svc-"));
        let entries: Vec<AccountEntry> = serde_json::from_str(&json).unwrap();
        assert_eq!(entries[0].email, "ci@example.com");
        assert!(empty.is_empty() && hint.contains("account add"));
        assert!(run_offline(&ledger, remove()).is_err());
    }

    #[test]
    fn a_bad_address_is_refused_in_words() {
        let ledger = Arc::new(MemoryLedger::default());

        let refused = run_offline(&ledger, add("nobody", false)).unwrap_err();

        assert!(refused.to_string().contains("local@domain"), "{refused}");
    }
}
