//! Roles, versions, and the members that the documents of all roles share.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::protocol::time::UnixTime;

/// A TUF role. Each role signs one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Lists the keys of all roles.
    Root,
    /// Lists the files.
    Targets,
    /// Refers to the current targets document.
    Snapshot,
    /// Refers to the current snapshot, and expires soon.
    Timestamp,
}

impl Role {
    /// All roles, the root first.
    pub const ALL: [Self; 4] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp];

    /// The role's name in metadata and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A document's version, from 1 to 2147483647: some clients parse it as a signed 32-bit integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Version(u32);

impl Version {
    /// The first version of every role.
    pub const FIRST: Self = Self(1);

    /// Returns `None` if the number is out of range.
    pub fn new(number: u32) -> Option<Self> {
        let last = i32::MAX.unsigned_abs();
        (1..=last).contains(&number).then_some(Self(number))
    }

    /// The version as a number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The next version, or `None` after the maximum.
    pub fn next(self) -> Option<Self> {
        Self::new(self.0.checked_add(1)?)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        Self::new(number).ok_or_else(|| de::Error::custom("a version must be 1 to 2147483647"))
    }
}

/// Members that the documents of all roles share.
pub trait Metadata: Serialize + DeserializeOwned {
    /// The role of this document type.
    const ROLE: Role;
    /// Maximum size of the document, in bytes.
    const MAX_BYTES: usize;

    /// `_type`, which may differ from [`Self::ROLE`] in an unchecked document.
    fn kind(&self) -> Role;
    /// `spec_version`.
    fn spec_version(&self) -> &str;
    /// The document's version.
    fn version(&self) -> Version;
    /// The document is not valid from this time on.
    fn expires(&self) -> UnixTime;

    /// Whether the document has expired at `now`.
    fn is_expired(&self, now: UnixTime) -> bool {
        now >= self.expires()
    }
}

macro_rules! metadata {
    ($name:ident, $role:expr, $limit:expr) => {
        impl $crate::protocol::tuf::Metadata for $name {
            const ROLE: $crate::protocol::tuf::Role = $role;
            const MAX_BYTES: usize = $limit;

            fn kind(&self) -> $crate::protocol::tuf::Role {
                self.kind
            }

            fn spec_version(&self) -> &str {
                &self.spec_version
            }

            fn version(&self) -> $crate::protocol::tuf::Version {
                self.version
            }

            fn expires(&self) -> $crate::protocol::time::UnixTime {
                self.expires
            }
        }
    };
}
pub(super) use metadata;

/// `YYYY-MM-DDTHH:MM:SSZ`, the only accepted form (TUF specification §4.2.1).
pub(super) mod expiry {
    use super::{Deserialize, Deserializer, Serializer, UnixTime, de};

    pub(in super::super) fn serialize<S: Serializer>(
        time: &UnixTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<UnixTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        UnixTime::from_rfc3339(&text)
            .filter(|time| time.to_rfc3339() == text)
            .ok_or_else(|| de::Error::custom("expires must have the form YYYY-MM-DDTHH:MM:SSZ"))
    }
}
