//! `signet account`: the machine accounts of the embedded issuer.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use super::output::Failure;
use super::store::{StoreArgs, perform};
use crate::adapters::admin::AdminCommand;
use crate::adapters::admin::account::{
    AccountEntry, AddServiceAccount, ListAccounts, RemoveAccount,
};
use crate::adapters::storage;
use crate::adapters::system::SystemClock;
use crate::services::account::Accounts;
use crate::{app, config};

/// `signet account …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AccountArgs {
    /// Where the configuration and the data are
    #[command(flatten)]
    pub store: StoreArgs,
    /// What to do with the accounts
    #[command(subcommand)]
    pub command: AccountCommand,
}

/// What to do with the accounts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Add an account and print its secret, which is shown once
    Add {
        /// E-mail address that the account's certificates contain
        email: String,
        /// Add a machine account, which exchanges its client ID and secret for tokens
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
    /// Remove an account, which cannot get tokens afterwards
    Remove {
        /// E-mail address of the account
        email: String,
    },
}

/// Runs the command.
pub(crate) fn run(args: &AccountArgs) -> Result<(), Failure> {
    let settings = config::load(&args.store.sources())?;
    let dir = &settings.server.data_dir;
    let open_store = || {
        if app::has_instance(dir)? {
            storage::require_store(dir)?;
        }
        let storage = storage::open(dir, app::storage_options(&settings))?;
        Ok(app::open_accounts(&storage, Arc::new(SystemClock))?)
    };
    let mut results = io::stdout().lock();
    let mut remarks = io::stderr().lock();
    Ok(execute(
        &args.command,
        dir,
        open_store,
        &mut results,
        &mut remarks,
    )?)
}

/// Performs the command by the running server, or else on the store. Writes what a script needs to
/// `results`, and what a person needs to `remarks`.
fn execute(
    command: &AccountCommand,
    data_dir: &Path,
    open_store: impl FnOnce() -> anyhow::Result<Accounts>,
    results: &mut impl Write,
    remarks: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        AccountCommand::Add { email, json, .. } => {
            let command = AddServiceAccount {
                email: email.clone(),
            };
            let added = perform(data_dir, command, |c| offline(c, open_store))?;
            let (id, secret) = (added.client_id, added.client_secret);
            if *json {
                let result = json!({ "client_id": id, "client_secret": secret });
                writeln!(results, "{result}")?;
            } else {
                writeln!(remarks, "Added the machine account {email}.")?;
                writeln!(results, "client_id      {id}")?;
                writeln!(results, "client_secret  {secret}")?;
                writeln!(remarks, "Store the secret now: it is not shown again.")?;
            }
        }
        AccountCommand::List { json } => {
            let accounts = perform(data_dir, ListAccounts {}, |c| offline(c, open_store))?;
            if *json {
                writeln!(results, "{}", serde_json::to_string(&accounts)?)?;
            } else {
                list(&accounts, results, remarks)?;
            }
        }
        AccountCommand::Remove { email } => {
            let command = RemoveAccount {
                email: email.clone(),
            };
            perform(data_dir, command, |c| offline(c, open_store))?;
            writeln!(remarks, "Removed the account {email}.")?;
        }
    }
    Ok(())
}

fn offline<C: AdminCommand<Service = Accounts>>(
    command: C,
    open_store: impl FnOnce() -> anyhow::Result<Accounts>,
) -> anyhow::Result<C::Reply> {
    let accounts = open_store().context("the store cannot be opened")?;
    Ok(command.perform(&accounts)?)
}

fn list(
    accounts: &[AccountEntry],
    results: &mut impl Write,
    remarks: &mut impl Write,
) -> io::Result<()> {
    if accounts.is_empty() {
        return writeln!(
            remarks,
            "There are no accounts. Add one with: signet account add EMAIL --service"
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

const EXAMPLES: &str = "\
Examples:
  signet account add build@example.com --service --json
  signet account list
  signet account remove build@example.com";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubles::{MemoryLedger, SYSTEM_RNG};
    use crate::services::ledger::Ledger;

    /// Runs a command on the store, without a server; returns results and remarks.
    fn run_offline(
        ledger: &Arc<MemoryLedger>,
        command: &AccountCommand,
    ) -> anyhow::Result<(String, String)> {
        let dir = tempfile::tempdir()?;
        let ledger: Arc<dyn Ledger> = Arc::<MemoryLedger>::clone(ledger);
        let open = || Ok(Accounts::load(ledger, Arc::new(SystemClock), SYSTEM_RNG)?);
        let (mut results, mut remarks) = (Vec::new(), Vec::new());
        execute(command, dir.path(), open, &mut results, &mut remarks)?;
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

        let (results, remarks) = run_offline(&ledger, &add("ci@example.com", true)).unwrap();

        let credentials: serde_json::Value = serde_json::from_str(&results).unwrap();
        assert_eq!(credentials.as_object().unwrap().len(), 2);
        assert_eq!(credentials["client_secret"].as_str().unwrap().len(), 43);
        assert!(remarks.is_empty());
    }

    #[test]
    fn accounts_exist_from_add_to_remove() {
        let ledger = Arc::new(MemoryLedger::default());
        let list = |json| AccountCommand::List { json };
        let remove = AccountCommand::Remove {
            email: "ci@example.com".to_owned(),
        };

        run_offline(&ledger, &add("ci@example.com", false)).unwrap();
        let (table, _) = run_offline(&ledger, &list(false)).unwrap();
        let (json, _) = run_offline(&ledger, &list(true)).unwrap();
        run_offline(&ledger, &remove).unwrap();
        let (empty, hint) = run_offline(&ledger, &list(false)).unwrap();

        assert!(table.starts_with("ci@example.com  service  svc-"));
        let entries: Vec<AccountEntry> = serde_json::from_str(&json).unwrap();
        assert_eq!(entries[0].email, "ci@example.com");
        assert!(empty.is_empty() && hint.contains("account add"));
        assert!(run_offline(&ledger, &remove).is_err());
    }

    #[test]
    fn a_malformed_address_is_refused_with_the_rule() {
        let ledger = Arc::new(MemoryLedger::default());

        let refused = run_offline(&ledger, &add("build", false)).unwrap_err();

        assert!(refused.to_string().contains("local@domain"), "{refused}");
    }
}
