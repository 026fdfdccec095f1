//! A port: small facts that must survive, kept through the same journal as the logs.
//!
//! Accounts, the timestamp authority's floor and the like are facts: a key, a value, a table.

/// Which family a fact belongs to; its number stands in stored records and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Accounts of the embedded issuer, by e-mail address
    Account,
    /// The last second the timestamp authority has spoken for
    TimestampFloor,
    /// The trust repository: its metadata and files
    TrustRepository,
}

/// Why a fact could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The journal is behind the last signed checkpoint, so nothing may be written
    #[error("the store is read-only")]
    ReadOnly,
    /// Storage failed; its own words are in the log
    #[error("the store could not be read or written")]
    Storage,
}

/// Keys and values of a table, in the order of the keys.
pub(crate) type Facts = Vec<(Vec<u8>, Vec<u8>)>;

/// Where facts are kept. Calls block on storage; callers choose the thread.
pub trait Ledger: Send + Sync {
    /// Sets a fact. Durable on return: it would survive a power cut.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn put(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), LedgerError>;

    /// Removes a fact, if there is one. Durable on return.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn remove(&self, table: Table, key: &[u8]) -> Result<(), LedgerError>;

    /// The fact under a key.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn load(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError>;

    /// Every fact of a table, in the order of the keys.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn scan(&self, table: Table) -> Result<Facts, LedgerError>;
}
