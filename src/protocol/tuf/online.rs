//! Documents of the online roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::metadata::{expiry, metadata};
use super::{FileRef, Role, SPEC_VERSION, TargetFile, Version};
use crate::protocol::time::UnixTime;

// Size limits of python-tuf and go-tuf.
metadata!(Timestamp, Role::Timestamp, 16_384);
metadata!(Snapshot, Role::Snapshot, 2_000_000);
metadata!(Targets, Role::Targets, 5_000_000);

/// The timestamp document, which refers to the current snapshot.
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

/// The snapshot document, which refers to the current targets document.
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

/// The targets document, which lists the target files.
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
    /// Creates a timestamp that refers to this snapshot.
    pub fn new(version: Version, expires: UnixTime, snapshot: FileRef) -> Self {
        Self {
            kind: Role::Timestamp,
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires: expires.floor_to_second(),
            meta: TimestampMeta { snapshot },
        }
    }

    /// Reference to the current snapshot.
    pub const fn snapshot(&self) -> &FileRef {
        &self.meta.snapshot
    }
}

/// The only targets document, because Signet does not use delegation.
const TARGETS_NAME: &str = "targets.json";

impl Snapshot {
    /// Creates a snapshot that refers to this targets document.
    pub fn new(version: Version, expires: UnixTime, targets: FileRef) -> Self {
        Self {
            kind: Role::Snapshot,
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires: expires.floor_to_second(),
            meta: BTreeMap::from([(TARGETS_NAME.to_owned(), targets)]),
        }
    }

    /// Reference to the current targets document.
    pub fn targets(&self) -> Option<&FileRef> {
        self.meta.get(TARGETS_NAME)
    }

    /// All referenced targets documents, including delegated ones, with their versions.
    #[cfg(any(test, feature = "testing"))]
    pub fn lists(&self) -> impl Iterator<Item = (&str, Version)> {
        self.meta
            .iter()
            .map(|(name, file)| (name.as_str(), file.version))
    }
}

impl Targets {
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

    pub(crate) const fn files(&self) -> &BTreeMap<String, TargetFile> {
        &self.targets
    }
}
