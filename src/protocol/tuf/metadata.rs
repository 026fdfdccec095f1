//! The documents of the online roles, and what all documents have in common.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{FileRef, SPEC_VERSION, TargetFile};
use crate::protocol::time::UnixTime;

/// Who signs what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Whose keys sign for which role
    Root,
    /// Which files there are
    Targets,
    /// Which version of the list of files is the newest
    Snapshot,
    /// That there is nothing newer
    Timestamp,
}

impl Role {
    /// All of them, the root first.
    pub const ALL: [Self; 4] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp];

    /// As it stands in metadata and in the names of files.
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

/// A document's version: 1 to 2147483647, for some clients count in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Version(u32);

impl Version {
    /// Where every role begins.
    pub const FIRST: Self = Self(1);

    /// None outside of the range.
    pub fn new(number: u32) -> Option<Self> {
        let last = i32::MAX.unsigned_abs();
        (1..=last).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The version after this; none after the last.
    pub fn next(self) -> Option<Self> {
        Self::new(self.0.saturating_add(1))
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

/// What the documents of all roles have.
pub trait Metadata: Serialize + DeserializeOwned {
    /// Whose document it is.
    const ROLE: Role;
    /// The largest document that clients fetch, in bytes.
    const MAX_BYTES: usize;

    /// What the document says it is.
    fn kind(&self) -> Role;
    /// The specification that it follows.
    fn spec_version(&self) -> &str;
    /// Its version.
    fn version(&self) -> Version;
    /// From this moment on it is not believed.
    fn expires(&self) -> UnixTime;

    /// Whether it is no longer believed at this moment.
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

// The limits are those of the clients (python-tuf and go-tuf alike).
metadata!(Timestamp, Role::Timestamp, 16_384);
metadata!(Snapshot, Role::Snapshot, 2_000_000);
metadata!(Targets, Role::Targets, 5_000_000);

/// Which snapshot is the newest.
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

/// Which list of files is the newest.
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

/// Which files there are.
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
    /// A timestamp over a snapshot.
    pub fn new(version: Version, expires: UnixTime, snapshot: FileRef) -> Self {
        Self {
            kind: Role::Timestamp,
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires: expires.floor_to_second(),
            meta: TimestampMeta { snapshot },
        }
    }

    /// The snapshot that is the newest.
    pub const fn snapshot(&self) -> &FileRef {
        &self.meta.snapshot
    }
}

/// The one list of files that a snapshot of ours has.
const TARGETS_NAME: &str = "targets.json";

impl Snapshot {
    /// A snapshot over a list of files.
    pub fn new(version: Version, expires: UnixTime, targets: FileRef) -> Self {
        Self {
            kind: Role::Snapshot,
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires: expires.floor_to_second(),
            meta: BTreeMap::from([(TARGETS_NAME.to_owned(), targets)]),
        }
    }

    /// The list of files that is the newest.
    pub fn targets(&self) -> Option<&FileRef> {
        self.meta.get(TARGETS_NAME)
    }

    /// Every list that it names, with its version.
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
