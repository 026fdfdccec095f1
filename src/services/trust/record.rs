//! The documents and files of the TUF repository, as they are stored and served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::protocol::hash::Sha256;
use crate::protocol::time::UnixTime;
use crate::protocol::tuf::{
    Metadata, MetadataError, Role, Root, Signed, Snapshot, SuccessionError, Targets, Timestamp,
    VerifyError, Version,
};
use crate::services::ledger::Facts;

/// The stored repository. Everything in it is durable.
#[derive(Debug, Default)]
pub(super) struct RepositoryRecord {
    pub roots: BTreeMap<Version, Signed<Root>>,
    pub targets: BTreeMap<Version, Signed<Targets>>,
    pub snapshots: BTreeMap<Version, Signed<Snapshot>>,
    pub timestamp: Option<Signed<Timestamp>>,
    pub files: BTreeMap<Sha256, Arc<[u8]>>,
}

/// Error in a stored repository.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("the TUF record {0:?} is unknown to this version")]
    Key(String),
    #[error("the TUF record {key:?} is damaged: {source}")]
    Document { key: String, source: MetadataError },
    #[error("the TUF record {0:?} has the content of another")]
    Content(String),
    #[error("the TUF record of root version {version} is damaged: {source}")]
    Succession {
        version: Version,
        source: SuccessionError,
    },
    /// A document without the signatures that the root demands
    #[error("a TUF record is damaged: {0}")]
    Verify(#[from] VerifyError),
    #[error("the TUF repository is damaged: the {0} is missing")]
    Missing(&'static str),
}

/// Number of versions that are kept of targets and snapshot metadata, for clients that are in the
/// middle of an update when the next version is published.
const KEPT: usize = 3;

/// The ledger key of a document.
pub(super) fn record_key(role: Role, version: Version) -> String {
    format!("{role}/{version}")
}

impl RepositoryRecord {
    /// Reads a stored repository and verifies all of it.
    pub(super) fn load(facts: Facts) -> Result<Self, RecordError> {
        let mut found = Self::default();
        for (key, value) in facts {
            let key = String::from_utf8_lossy(&key).into_owned();
            found.take(&key, &value)?;
        }
        found.check()?;
        Ok(found)
    }

    fn take(&mut self, key: &str, value: &[u8]) -> Result<(), RecordError> {
        match key.split_once('/') {
            None if key == "timestamp" => self.timestamp = Some(parse(key, value)?),
            Some(("root", _)) => insert(&mut self.roots, key, value)?,
            Some(("targets", _)) => insert(&mut self.targets, key, value)?,
            Some(("snapshot", _)) => insert(&mut self.snapshots, key, value)?,
            Some(("file", hash)) => {
                let hash = Sha256::from_hex(hash).filter(|hash| *hash == Sha256::of(value));
                let hash = hash.ok_or_else(|| RecordError::Content(key.to_owned()))?;
                self.files.insert(hash, value.into());
            }
            _ => return Err(RecordError::Key(key.to_owned())),
        }
        Ok(())
    }

    /// Each root must follow the previous one, and everything that the timestamp names must be present
    /// and signed.
    fn check(&self) -> Result<(), RecordError> {
        let mut before: Option<&Signed<Root>> = None;
        for (version, root) in &self.roots {
            match before {
                None if *version == Version::FIRST => root.body().verify(root)?,
                None => return Err(RecordError::Missing("first root")),
                Some(before) => {
                    before
                        .check_successor(root)
                        .map_err(|source| RecordError::Succession {
                            version: *version,
                            source,
                        })?
                }
            }
            before = Some(root);
        }
        let Some(timestamp) = &self.timestamp else {
            return Ok(());
        };
        let root = self.root().ok_or(RecordError::Missing("root"))?.body();
        root.verify(timestamp)?;
        let snapshot = self.current_snapshot();
        let snapshot = snapshot.ok_or(RecordError::Missing("snapshot metadata"))?;
        root.verify(snapshot)?;
        let targets = self.current_targets();
        let targets = targets.ok_or(RecordError::Missing("targets metadata"))?;
        root.verify(targets)?;
        for file in targets.body().files().values() {
            if !self.files.contains_key(file.sha256()) {
                return Err(RecordError::Missing("content of a target"));
            }
        }
        Ok(())
    }

    pub(super) fn root(&self) -> Option<&Signed<Root>> {
        self.roots.values().next_back()
    }

    /// The snapshot that the timestamp names.
    pub(super) fn current_snapshot(&self) -> Option<&Signed<Snapshot>> {
        let named = self.timestamp.as_ref()?.body().snapshot();
        let found = self.snapshots.get(&named.version)?;
        named.matches(found.bytes()).then_some(found)
    }

    /// The targets metadata that the current snapshot names.
    pub(super) fn current_targets(&self) -> Option<&Signed<Targets>> {
        let named = self.current_snapshot()?.body().targets()?;
        let found = self.targets.get(&named.version)?;
        named.matches(found.bytes()).then_some(found)
    }

    /// The version after the highest signed one, published or not; none if the numbers are exhausted.
    pub(super) fn next_version(&self, role: Role) -> Option<Version> {
        let last = match role {
            Role::Root => self.roots.keys().next_back().copied(),
            Role::Targets => self.targets.keys().next_back().copied(),
            Role::Snapshot => self.snapshots.keys().next_back().copied(),
            Role::Timestamp => self.timestamp.as_ref().map(|one| one.body().version()),
        };
        match last {
            None => Some(Version::FIRST),
            Some(last) => last.next(),
        }
    }

    /// Each role's version and expiry, root first.
    pub(super) fn expiries(&self) -> Vec<(Role, Version, UnixTime)> {
        fn of<T: Metadata>(document: Option<&Signed<T>>) -> Option<(Role, Version, UnixTime)> {
            let body = document?.body();
            Some((T::ROLE, body.version(), body.expires()))
        }
        let all = [
            of(self.root()),
            of(self.current_targets()),
            of(self.current_snapshot()),
            of(self.timestamp.as_ref()),
        ];
        all.into_iter().flatten().collect()
    }

    /// The file at a path that clients form (consistent snapshots, TUF specification §6.2).
    pub(super) fn file(&self, path: &str) -> Option<Vec<u8>> {
        if let Some(target) = path.strip_prefix("targets/") {
            let (hash, name) = target.split_once('.')?;
            // Lower case only, so that a file has one address.
            let hash = Sha256::from_hex(hash).filter(|read| read.to_hex() == hash)?;
            let listed = self.targets.values().any(|list| {
                let file = list.body().files().get(name);
                file.is_some_and(|file| *file.sha256() == hash)
            });
            return listed.then(|| self.files.get(&hash).map(|file| file.to_vec()))?;
        }
        let bytes = match path {
            "timestamp.json" => self.timestamp.as_ref()?.bytes(),
            "root.json" => self.root()?.bytes(),
            _ => {
                let (number, role) = path.split_once('.')?;
                let version = version_of(number)?;
                match role {
                    "root.json" => self.roots.get(&version)?.bytes(),
                    "snapshot.json" => self.snapshots.get(&version)?.bytes(),
                    "targets.json" => self.targets.get(&version)?.bytes(),
                    _ => return None,
                }
            }
        };
        Some(bytes.to_vec())
    }

    /// The path of every file.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = BTreeSet::new();
        paths.extend(self.timestamp.iter().map(|_| "timestamp.json".to_owned()));
        paths.extend(self.root().map(|_| "root.json".to_owned()));
        paths.extend(self.roots.keys().map(|n| format!("{n}.root.json")));
        paths.extend(self.snapshots.keys().map(|n| format!("{n}.snapshot.json")));
        for (version, list) in &self.targets {
            paths.insert(format!("{version}.targets.json"));
            for (name, file) in list.body().files() {
                paths.insert(format!("targets/{}.{name}", file.sha256().to_hex()));
            }
        }
        paths.into_iter().collect()
    }

    /// The ledger keys of versions that are no longer kept, and of target files that no kept version
    /// names.
    pub(super) fn outdated(&self) -> Vec<String> {
        let old_snapshots = self.snapshots.keys().rev().skip(KEPT);
        let old_targets = self.targets.keys().rev().skip(KEPT);
        let named: BTreeSet<_> = self
            .targets
            .values()
            .rev()
            .take(KEPT)
            .flat_map(|list| list.body().files().values())
            .map(|file| *file.sha256())
            .collect();
        let old_files = self.files.keys().filter(|hash| !named.contains(hash));
        // Metadata is removed before the files that it names, so that a crash leaves no dangling name.
        old_snapshots
            .map(|version| record_key(Role::Snapshot, *version))
            .chain(old_targets.map(|version| record_key(Role::Targets, *version)))
            .chain(old_files.map(|hash| format!("file/{}", hash.to_hex())))
            .collect()
    }

    /// Removes what has this ledger key.
    pub(super) fn remove(&mut self, key: &str) {
        match key.split_once('/') {
            Some(("snapshot", number)) => {
                version_of(number).and_then(|version| self.snapshots.remove(&version));
            }
            Some(("targets", number)) => {
                version_of(number).and_then(|version| self.targets.remove(&version));
            }
            Some(("file", hash)) => {
                Sha256::from_hex(hash).and_then(|hash| self.files.remove(&hash));
            }
            _ => {}
        }
    }
}

fn parse<T: Metadata>(key: &str, value: &[u8]) -> Result<Signed<T>, RecordError> {
    Signed::parse(value).map_err(|source| RecordError::Document {
        key: key.to_owned(),
        source,
    })
}

fn insert<T: Metadata>(
    place: &mut BTreeMap<Version, Signed<T>>,
    key: &str,
    value: &[u8],
) -> Result<(), RecordError> {
    let document: Signed<T> = parse(key, value)?;
    let version = document.body().version();
    if key != record_key(T::ROLE, version) {
        return Err(RecordError::Content(key.to_owned()));
    }
    place.insert(version, document);
    Ok(())
}

/// Decimal digits without leading zeros, so that a version has one address.
fn version_of(digits: &str) -> Option<Version> {
    let number: u32 = digits.parse().ok()?;
    Version::new(number).filter(|version| version.to_string() == digits)
}
