//! Commands about the accounts of the embedded issuer.

use serde::{Deserialize, Serialize};

use super::{AdminCommand, AdminRequest};
use crate::protocol::identity::{EmailAddress, NameError};
use crate::services::account::{AccountError, Accounts};

/// Adds a machine account.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddServiceAccount {
    pub email: String,
}

/// The credentials of a new account. The secret is shown once, so this has no `Debug`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub client_id: String,
    pub client_secret: String,
}

/// Lists all accounts, ordered by e-mail address.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListAccounts {}

/// An account as it is listed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccountEntry {
    pub email: String,
    pub client_id: String,
    pub kind: String,
    /// RFC 3339, UTC
    pub created: String,
}

/// Removes an account.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveAccount {
    pub email: String,
}

/// Why a command about accounts fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountCommandError {
    #[error("{email:?} {source}")]
    Email { email: String, source: NameError },
    #[error(transparent)]
    Account(#[from] AccountError),
}

fn parse_email(email: String) -> Result<EmailAddress, AccountCommandError> {
    EmailAddress::new(email.as_str()).map_err(|source| AccountCommandError::Email { email, source })
}

impl AdminCommand for AddServiceAccount {
    type Service = Accounts;
    type Reply = Credentials;
    type Error = AccountCommandError;

    fn into_request(self) -> AdminRequest {
        AdminRequest::AddServiceAccount(self)
    }

    fn perform(self, accounts: &Accounts) -> Result<Credentials, AccountCommandError> {
        let added = accounts.add_service(parse_email(self.email)?)?;
        Ok(Credentials {
            client_id: added.client_id,
            client_secret: added.client_secret.reveal().to_owned(),
        })
    }
}

impl AdminCommand for ListAccounts {
    type Service = Accounts;
    type Reply = Vec<AccountEntry>;
    type Error = AccountCommandError;

    fn into_request(self) -> AdminRequest {
        AdminRequest::ListAccounts(self)
    }

    fn perform(self, accounts: &Accounts) -> Result<Vec<AccountEntry>, AccountCommandError> {
        let accounts = accounts.list().into_iter();
        Ok(accounts
            .map(|account| AccountEntry {
                email: account.email.as_str().to_owned(),
                client_id: account.client_id,
                kind: account.kind.as_str().to_owned(),
                created: account.created.to_rfc3339(),
            })
            .collect())
    }
}

impl AdminCommand for RemoveAccount {
    type Service = Accounts;
    type Reply = ();
    type Error = AccountCommandError;

    fn into_request(self) -> AdminRequest {
        AdminRequest::RemoveAccount(self)
    }

    fn perform(self, accounts: &Accounts) -> Result<(), AccountCommandError> {
        Ok(accounts.remove(&parse_email(self.email)?)?)
    }
}
