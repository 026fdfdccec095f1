//! The documents of the online roles, and what all documents have in common.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{FileRef, SPEC_VERSION, TargetFile};
use crate::protocol::time::UnixTime;

/// A role, each with one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Lists the keys of every role
    Root,
    /// Lists the files
    Targets,
    /// Names the newest version of the targets document
    Snapshot,
    /// Names the newest snapshot, and expires soon
    Timestamp,
}

impl Role {
    /// All roles, the root first.
    pub const ALL: [Self; 4] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp];

    /// The name in metadata and in file names.
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

/// A document's version: 1 to 2147483647, because some clients read it as a signed 32-bit integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Version(u32);

impl Version {
    /// The first version of every role.
    pub const FIRST: Self = Self(1);

    /// None if the number is out of range.
    pub fn new(number: u32) -> Option<Self> {
        let last = i32::MAX.unsigned_abs();
        (1..=last).contains(&number).then_some(Self(number))
    }

    /// The version as a number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The version after this; none after the last.
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
        Self::new(number).ok_or_else(|| de::Error::custom("a version is 1 to 2147483647"))
    }
}

/// What the documents of all roles have in common.
pub trait Metadata: Serialize + DeserializeOwned {
    /// The role whose document this type is.
    const ROLE: Role;
    /// Maximum size of the document in bytes.
    const MAX_BYTES: usize;

    /// `_type`, which may be another role's.
    fn kind(&self) -> Role;
    /// `spec_version`.
    fn spec_version(&self) -> &str;
    /// The document's version.
    fn version(&self) -> Version;
    /// From this time on the document is not trusted.
    fn expires(&self) -> UnixTime;

    /// Whether the document is not trusted at this time.
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

// The limits of python-tuf and go-tuf.
metadata!(Timestamp, Role::Timestamp, 16_384);
metadata!(Snapshot, Role::Snapshot, 2_000_000);
metadata!(Targets, Role::Targets, 5_000_000);

/// The timestamp document, which names the newest snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    #[serde(rename = "_type")]
    kind: Role,
    spec_version: String,
    version: Version,
    #[serde(with = "expiry")]
    expires: UnixTime,
    meta: TimestampMeta,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TimestampMeta {
    #[serde(rename = "snapshot.json")]
    snapshot: FileRef,
}

/// The snapshot document, which names the newest targets document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(rename = "_type")]
    kind: Role,
    spec_version: String,
    version: Version,
    #[serde(with = "expiry")]
    expires: UnixTime,
    meta: BTreeMap<String, FileRef>,
}

/// The targets document, which lists the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Targets {
    #[serde(rename = "_type")]
    kind: Role,
    spec_version: String,
    version: Version,
    #[serde(with = "expiry")]
    expires: UnixTime,
    targets: BTreeMap<String, TargetFile>,
}

impl Timestamp {
    /// A timestamp that names this snapshot.
    pub fn new(version: Version, expires: UnixTime, snapshot: FileRef) -> Self {
        Self {
            kind: Role::Timestamp,
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires: expires.floor_to_second(),
            meta: TimestampMeta { snapshot },
        }
    }

    /// The newest snapshot.
    pub const fn snapshot(&self) -> &FileRef {
        &self.meta.snapshot
    }
}

/// The only targets document: Signet does not delegate.
const TARGETS_NAME: &str = "targets.json";

impl Snapshot {
    /// A snapshot that names this targets document.
    pub fn new(version: Version, expires: UnixTime, targets: FileRef) -> Self {
        Self {
            kind: Role::Snapshot,
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires: expires.floor_to_second(),
            meta: BTreeMap::from([(TARGETS_NAME.to_owned(), targets)]),
        }
    }

    /// The newest targets document.
    pub fn targets(&self) -> Option<&FileRef> {
        self.meta.get(TARGETS_NAME)
    }

    /// Every targets document that it names, delegated ones included.
    #[cfg(any(test, feature = "testing"))]
    pub fn lists(&self) -> impl Iterator<Item = (&str, Version)> {
        self.meta
            .iter()
            .map(|(name, file)| (name.as_str(), file.version))
    }
}

impl Targets {
    /// A list of files.
    pub(crate) fn new(
        version: Version,
        expires: UnixTime,
        targets: BTreeMap<String, TargetFile>,
    ) -> Self {
        Self {
            kind: Role::Targets,
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires: expires.floor_to_second(),
            targets,
        }
    }

    /// The files by name.
    pub(crate) const fn files(&self) -> &BTreeMap<String, TargetFile> {
        &self.targets
    }
}

/// `YYYY-MM-DDTHH:MM:SSZ` and nothing else (TUF specification §4.2.1).
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
            .ok_or_else(|| de::Error::custom("expires is not of the form YYYY-MM-DDTHH:MM:SSZ"))
    }
}
