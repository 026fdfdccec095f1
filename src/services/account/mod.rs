//! Machine accounts of the embedded issuer. Only the account's owner knows its secret: it is shown
//! once, stored as an argon2id hash (RFC 9106), and never logged.

mod record;
mod secret;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Semaphore;

use crate::classify::{Classify, ErrorClass};
use crate::protocol::bytes::to_base64url;
use crate::protocol::identity::EmailAddress;
use crate::protocol::time::{Clock, UnixTime};
use crate::services::ledger::{Ledger, LedgerError, Table};
use crate::services::random::{NoRandomness, Rng};

pub(crate) use secret::{ClientSecret, SecretHash};

/// Maximum number of hashes computed at the same time. Each takes 19 MiB of memory.
const HASHES_IN_FLIGHT: usize = 2;

/// Maximum number of further requests that wait for their hash.
const HASHES_WAITING: usize = 64;

/// An account: the name in its certificates, and the credentials with which it gets tokens.
#[derive(Clone, Debug)]
pub struct Account {
    pub email: EmailAddress,
    /// The OAuth client ID, which is public
    pub client_id: String,
    pub secret_hash: SecretHash,
    pub created: UnixTime,
    pub kind: AccountKind,
}

/// Kind of the account's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A machine, by client credentials (RFC 6749 §4.4)
    Service,
}

impl AccountKind {
    /// The word for the kind in lists.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
        }
    }
}

/// The credentials of a new account. The secret is stored nowhere else.
pub struct NewSecret {
    pub client_id: String,
    pub client_secret: ClientSecret,
}

/// Error adding, reading or removing an account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("an account with this e-mail address already exists")]
    Exists,
    #[error("no account has this e-mail address")]
    NotFound,
    #[error("a stored account cannot be read: its record is damaged or from a newer version")]
    Damaged,
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error("the secret cannot be hashed: not enough memory")]
    Hash,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Error authenticating a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthenticationError {
    /// The client is unknown or the secret is wrong; the message does not say which
    #[error("the client credentials are not valid")]
    Refused,
    #[error("too many requests for tokens at the same time; try again in a second")]
    Busy,
}

impl Classify for AuthenticationError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Refused => ErrorClass::Forbidden,
            Self::Busy => ErrorClass::Busy,
        }
    }
}

/// All accounts, in memory. A change is durable before it takes effect.
pub struct Accounts {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    rng: Rng,
    by_client: RwLock<BTreeMap<String, Account>>,
    /// The hash that the secret of an unknown client is compared with, so that its refusal takes as
    /// long as that of a wrong secret.
    unknown_client: SecretHash,
    hashing: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Accounts {
    /// Reads all accounts. Blocks on storage and on one hash.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub(crate) fn load(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        rng: Rng,
    ) -> Result<Self, AccountError> {
        let mut by_client = BTreeMap::new();
        for (_, value) in ledger.scan(Table::Account)? {
            let account = record::decode(&value).ok_or(AccountError::Damaged)?;
            by_client.insert(account.client_id.clone(), account);
        }
        let (_, unknown_client) = new_secret(rng)?;
        Ok(Self {
            ledger,
            clock,
            rng,
            by_client: RwLock::new(by_client),
            unknown_client,
            hashing: Arc::new(Semaphore::new(HASHES_IN_FLIGHT)),
            waiting: Semaphore::new(HASHES_IN_FLIGHT + HASHES_WAITING),
        })
    }

    /// Adds a machine account and returns its credentials. Durable on return. Blocks on storage and
    /// on one hash.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub fn add_service(&self, email: EmailAddress) -> Result<NewSecret, AccountError> {
        let (client_secret, secret_hash) = new_secret(self.rng)?;
        let client_id = format!("svc-{}", to_base64url(&self.rng.bytes::<12>()?));
        let account = Account {
            email,
            client_id: client_id.clone(),
            secret_hash,
            created: self.clock.now(),
            kind: AccountKind::Service,
        };
        let mut by_client = self
            .by_client
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if by_client.values().any(|other| other.email == account.email) {
            return Err(AccountError::Exists);
        }
        let key = account.email.as_str().as_bytes();
        self.ledger
            .put(Table::Account, key, &record::encode(&account))?;
        by_client.insert(account.client_id.clone(), account);
        Ok(NewSecret {
            client_id,
            client_secret,
        })
    }

    /// All accounts, ordered by e-mail address.
    pub fn list(&self) -> Vec<Account> {
        let by_client = self
            .by_client
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut accounts: Vec<_> = by_client.values().cloned().collect();
        accounts.sort_by(|one, other| one.email.cmp(&other.email));
        accounts
    }

    /// Removes an account, which cannot get tokens from now on. Tokens that it already has stay valid
    /// until they expire, five minutes at most. Durable on return; blocks on storage.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub(crate) fn remove(&self, email: &EmailAddress) -> Result<(), AccountError> {
        let mut by_client = self
            .by_client
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let client_id = by_client
            .values()
            .find(|account| account.email == *email)
            .map(|account| account.client_id.clone())
            .ok_or(AccountError::NotFound)?;
        self.ledger
            .remove(Table::Account, email.as_str().as_bytes())?;
        by_client.remove(&client_id);
        Ok(())
    }

    /// The account with these credentials. An unknown client costs as much as a wrong secret. Hashes
    /// on blocking threads, a few at a time.
    ///
    /// # Errors
    /// See [`AuthenticationError`].
    pub(crate) async fn authenticate(
        &self,
        client_id: &str,
        secret: ClientSecret,
    ) -> Result<Account, AuthenticationError> {
        let account = {
            let by_client = self
                .by_client
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            by_client.get(client_id).cloned()
        };
        let hash = account
            .as_ref()
            .map_or(&self.unknown_client, |account| &account.secret_hash);
        let matches = self.check(hash.clone(), secret).await?;
        match account {
            Some(account) if matches => Ok(account),
            _ => Err(AuthenticationError::Refused),
        }
    }

    async fn check(
        &self,
        hash: SecretHash,
        secret: ClientSecret,
    ) -> Result<bool, AuthenticationError> {
        let _place = self
            .waiting
            .try_acquire()
            .map_err(|_| AuthenticationError::Busy)?;
        let permit = Arc::clone(&self.hashing)
            .acquire_owned()
            .await
            .map_err(|_| AuthenticationError::Busy)?;
        // The permit moves into the task: a client that disconnects cancels this future but not its
        // hash, which must still count against the limit.
        tokio::task::spawn_blocking(move || {
            let matches = hash.matches(&secret);
            drop(permit);
            matches
        })
        .await
        .map_err(|_| AuthenticationError::Busy)
    }
}

fn new_secret(rng: Rng) -> Result<(ClientSecret, SecretHash), AccountError> {
    let secret = ClientSecret::from_random(rng.bytes()?);
    let hash = SecretHash::of(&secret, &rng.bytes()?).ok_or(AccountError::Hash)?;
    Ok((secret, hash))
}

#[cfg(test)]
mod tests;
