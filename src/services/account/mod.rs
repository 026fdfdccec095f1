//! Machine accounts of the embedded issuer. Their secrets are known to their holders alone: shown
//! once, kept as an argon2id hash (RFC 9106), never logged.

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

pub(crate) use secret::{ClientSecret, SecretHash};

/// Where 32 random bytes come from; none when the operating system has none.
pub(crate) type Random = fn() -> Option<[u8; 32]>;

/// How many hashes are computed at once. Each takes 19 MiB while it lasts.
const HASHES_IN_FLIGHT: usize = 2;

/// How many more requests may wait for their hash.
const HASHES_WAITING: usize = 64;

/// An account: a name that certificates will carry, and the credentials to ask for tokens with.
#[derive(Clone, Debug)]
pub struct Account {
    /// Whom its tokens name.
    pub email: EmailAddress,
    /// Its OAuth client id, public.
    pub client_id: String,
    /// What its secret hashes to.
    pub secret_hash: SecretHash,
    /// When it was made.
    pub created: UnixTime,
    /// Whose account it is.
    pub kind: AccountKind,
}

/// Whose account it is; people's accounts come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A machine's, by client credentials (RFC 6749 §4.4)
    Service,
}

/// Credentials just made. The secret exists nowhere else.
pub struct NewSecret {
    /// The account's OAuth client id.
    pub client_id: String,
    /// The secret that goes with it.
    pub client_secret: ClientSecret,
}

/// Why accounts could not be changed or read.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// One e-mail address, one account
    #[error("there is an account with this e-mail address already")]
    Exists,
    /// Nothing to remove
    #[error("there is no account with this e-mail address")]
    NotFound,
    /// A stored account is not one
    #[error("a stored account cannot be read: its record is damaged or from a newer version")]
    Damaged,
    /// The operating system gave no randomness, or no memory for the hash
    #[error("no secret could be made: the operating system gave no randomness or memory")]
    NoSecret,
    /// Storage failed
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Why credentials were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// Unknown client or wrong secret; which of them is not said
    #[error("the client credentials are not valid")]
    Refused,
    /// Too many others are waiting
    #[error("too many logins at once; try again in a second")]
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

/// All accounts. They are read once; changes are durable before they are seen.
pub struct Accounts {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    random: Random,
    by_client: RwLock<BTreeMap<String, Account>>,
    /// What a guess at an unknown client is compared with, so that it takes as long as any other.
    nobody: SecretHash,
    hashing: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Accounts {
    /// Reads all accounts. Blocks on storage and on one hash.
    ///
    /// # Errors
    /// Storage failed, an account is damaged, or there was no randomness.
    pub fn load(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        random: Random,
    ) -> Result<Self, AccountError> {
        let mut by_client = BTreeMap::new();
        for (_, value) in ledger.scan(Table::Account)? {
            let account = record::decode(&value).ok_or(AccountError::Damaged)?;
            by_client.insert(account.client_id.clone(), account);
        }
        let (_, nobody) = new_secret(random)?;
        Ok(Self {
            ledger,
            clock,
            random,
            by_client: RwLock::new(by_client),
            nobody,
            hashing: Arc::new(Semaphore::new(HASHES_IN_FLIGHT)),
            waiting: Semaphore::new(HASHES_IN_FLIGHT.saturating_add(HASHES_WAITING)),
        })
    }

    /// Adds a machine account and returns its credentials. Durable on return. Blocks on storage and
    /// on one hash.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub fn add_service(&self, email: EmailAddress) -> Result<NewSecret, AccountError> {
        let (client_secret, secret_hash) = new_secret(self.random)?;
        let id = (self.random)().ok_or(AccountError::NoSecret)?;
        let client_id = format!("svc-{}", to_base64url(id.get(..12).unwrap_or(&id)));
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

    /// All accounts, by e-mail address.
    pub fn list(&self) -> Vec<Account> {
        let by_client = self
            .by_client
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut accounts: Vec<_> = by_client.values().cloned().collect();
        accounts.sort_by(|one, other| one.email.cmp(&other.email));
        accounts
    }

    /// Removes an account: its credentials are worth nothing from now on. Tokens that it was given
    /// live on for their few minutes. Durable on return; blocks on storage.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub fn remove(&self, email: &EmailAddress) -> Result<(), AccountError> {
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

    /// The account that these credentials belong to. An unknown client costs as much as a wrong
    /// secret. Hashes on blocking threads, few at a time.
    ///
    /// # Errors
    /// See [`AuthenticationError`].
    pub async fn authenticate(
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
        let hash = account.as_ref().map_or(&self.nobody, |a| &a.secret_hash);
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
        // The permit goes with the work: a client that hangs up does not make room for another hash.
        tokio::task::spawn_blocking(move || {
            let matches = hash.matches(&secret);
            drop(permit);
            matches
        })
        .await
        .map_err(|_| AuthenticationError::Busy)
    }
}

fn new_secret(random: Random) -> Result<(ClientSecret, SecretHash), AccountError> {
    let secret = random().ok_or(AccountError::NoSecret)?;
    let salt = random().ok_or(AccountError::NoSecret)?;
    let secret = ClientSecret::from_random(secret);
    let hash = SecretHash::of(&secret, &salt).ok_or(AccountError::NoSecret)?;
    Ok((secret, hash))
}

#[cfg(test)]
pub(crate) mod tests;
