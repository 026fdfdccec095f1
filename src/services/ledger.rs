//! Port for small durable records: accounts, the timestamp authority's floor, the trust
//! repository. A fact is a key and a value in a table; the journal that stores the logs stores it too.

macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident = $number:literal,)+) => {
        /// A family of facts. Stored records contain its number, so a number never changes its meaning
        /// and is never assigned twice.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Table {
            $($(#[$doc])* $table = $number,)+
        }

        impl Table {
            pub(crate) const ALL: &[Self] = &[$(Self::$table,)+];
        }
    };
}

tables! {
    /// Accounts of the embedded issuer, by e-mail address
    Account = 1,
    /// The last second for which the timestamp authority issued a token
    TimestampFloor = 2,
    /// The trust repository: its metadata and files
    TrustRepository = 3,
}

impl Table {
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|table| table.number() == number)
    }
}

/// Error storing or reading a fact.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The journal lacks signed entries, so nothing may be written.
    #[error("the store is read-only")]
    ReadOnly,
    /// Key and value together exceed the limit.
    #[error("the record has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        /// Length of key and value.
        bytes: usize,
        /// Maximum length.
        limit: usize,
    },
    /// Storage failed and has logged the cause.
    #[error("the store could not be read or written")]
    Storage,
}

/// Keys and values of a table, in the order of the keys.
pub(crate) type Facts = Vec<(Vec<u8>, Vec<u8>)>;

/// Stores facts. Calls block on storage; callers choose the thread.
pub trait Ledger: Send + Sync {
    /// Sets a fact. The change is durable on return.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn put(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), LedgerError>;

    /// Removes a fact, if there is one. The change is durable on return.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn remove(&self, table: Table, key: &[u8]) -> Result<(), LedgerError>;

    /// The value under a key.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_a_unique_number() {
        for table in Table::ALL {
            assert_eq!(Table::from_number(table.number()), Some(*table));
        }
        assert_eq!(Table::from_number(0), None);
    }
}
