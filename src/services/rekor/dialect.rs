//! The dialects in which signature entries are written, each into a log of its own.

use std::fmt;

/// A dialect of the signature log's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Rekor's first: entries with a signed entry timestamp, found by UUID, index or search
    V1,
    /// Rekor's second: tiles, and times from a timestamp authority alone
    V2,
}

impl Dialect {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The API's major version, as signing configurations state it.
    pub const fn major_version(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

impl fmt::Display for Dialect {
    /// `rekor-v1` or `rekor-v2`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rekor-v{}", self.major_version())
    }
}

/// The dialects in which new entries are taken: one at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenDialects {
    /// The first alone
    V1,
    /// The second alone
    V2,
    /// Each client has the one that suits it
    Both,
}

impl OpenDialects {
    /// None where neither is open.
    pub fn new(is_open: impl Fn(Dialect) -> bool) -> Option<Self> {
        match Dialect::ALL.map(is_open) {
            [true, true] => Some(Self::Both),
            [true, false] => Some(Self::V1),
            [false, true] => Some(Self::V2),
            [false, false] => None,
        }
    }

    /// Whether new entries are taken in a dialect.
    pub const fn contains(self, dialect: Dialect) -> bool {
        matches!(
            (self, dialect),
            (Self::Both, _) | (Self::V1, Dialect::V1) | (Self::V2, Dialect::V2)
        )
    }

    /// Those that are open.
    pub fn iter(self) -> impl Iterator<Item = Dialect> {
        Dialect::ALL
            .into_iter()
            .filter(move |dialect| self.contains(*dialect))
    }
}

impl From<Dialect> for OpenDialects {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::V1 => Self::V1,
            Dialect::V2 => Self::V2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dialect_at_least_is_open() {
        for open in [OpenDialects::V1, OpenDialects::V2, OpenDialects::Both] {
            let again = OpenDialects::new(|dialect| open.contains(dialect));
            assert_eq!(again, Some(open));
        }
        assert_eq!(OpenDialects::new(|_| false), None);
        assert_eq!(OpenDialects::Both.iter().count(), 2);
        assert_eq!(OpenDialects::V1.iter().next(), Some(Dialect::V1));
    }

    #[test]
    fn a_dialect_is_named_as_the_logs_are() {
        assert_eq!(Dialect::V1.to_string(), "rekor-v1");
        assert_eq!(Dialect::V2.to_string(), "rekor-v2");
    }
}
