//! What is on record and can be fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::repository::RepositoryError;
use crate::protocol::bytes::Sha256;
use crate::protocol::time::UnixTime;
use crate::protocol::tuf::{
    Metadata, MetadataError, Role, Root, Signed, Snapshot, SuccessionError, Targets, Timestamp,
    VerifyError, Version,
};
use crate::services::ledger::Facts;

/// The documents and files of a repository. All that is here is durable.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub roots: BTreeMap<Version, Signed<Root>>,
    pub targets: BTreeMap<Version, Signed<Targets>>,
    pub snapshots: BTreeMap<Version, Signed<Snapshot>>,
    pub timestamp: Option<Signed<Timestamp>>,
    pub files: BTreeMap<Sha256, Arc<[u8]>>,
}

/// Why a record is not one that was made here.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A key that nothing is kept under
    #[error("there is a record {0:?}, which this version does not know")]
    Key(String),
    /// A document that cannot be read
    #[error("the record {key:?} is damaged: {source}")]
    Document {
        /// Which
        key: String,
        /// What is wrong with it
        source: MetadataError,
    },
    /// A document under another's key, or a file with other content
    #[error("the record {0:?} holds something else")]
    Content(String),
    /// A root that does not follow the one before
    #[error("the record of root version {version} is damaged: {source}")]
    Succession {
        /// Which
        version: Version,
        /// What is wrong with it
        source: SuccessionError,
    },
    /// A document that the root's keys have not signed
    #[error("the record is damaged: {0}")]
    Verify(#[from] VerifyError),
    /// Something is named and not there
    #[error("the record is damaged: the {0} that is needed is missing")]
    Missing(&'static str),
}

/// So many versions of a list are kept, for clients that are on their way from one to the next.
const KEPT: usize = 3;

/// The key that a document is kept under.
pub(super) fn kept_key(role: Role, version: Version) -> String {
    format!("{role}/{version}")
}

impl Published {
    /// Reads and verifies a record.
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

    /// Roots follow each other from the first on, and what is published is whole and signed.
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
        let snapshot = self.present_snapshot();
        let snapshot = snapshot.ok_or(RecordError::Missing("snapshot"))?;
        root.verify(snapshot)?;
        let targets = self.present_targets();
        let targets = targets.ok_or(RecordError::Missing("list of files"))?;
        root.verify(targets)?;
        for file in targets.body().files().values() {
            if !self.files.contains_key(file.sha256()) {
                return Err(RecordError::Missing("file"));
            }
        }
        Ok(())
    }

    /// The newest root.
    pub(super) fn root(&self) -> Option<&Signed<Root>> {
        self.roots.values().next_back()
    }

    /// The snapshot that the timestamp names.
    pub(super) fn present_snapshot(&self) -> Option<&Signed<Snapshot>> {
        let named = self.timestamp.as_ref()?.body().snapshot();
        let found = self.snapshots.get(&named.version)?;
        named.matches(found.bytes()).then_some(found)
    }

    /// The list of files that the present snapshot names.
    pub(super) fn present_targets(&self) -> Option<&Signed<Targets>> {
        let named = self.present_snapshot()?.body().targets()?;
        let found = self.targets.get(&named.version)?;
        named.matches(found.bytes()).then_some(found)
    }

    /// The version after every one that was ever signed, published or not.
    pub(super) fn next_version(&self, role: Role) -> Result<Version, RepositoryError> {
        let last = match role {
            Role::Root => self.roots.keys().next_back().copied(),
            Role::Targets => self.targets.keys().next_back().copied(),
            Role::Snapshot => self.snapshots.keys().next_back().copied(),
            Role::Timestamp => self.timestamp.as_ref().map(|one| one.body().version()),
        };
        match last {
            None => Ok(Version::FIRST),
            Some(last) => last.next().ok_or(RepositoryError::LastVersion(role)),
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
            of(self.present_targets()),
            of(self.present_snapshot()),
            of(self.timestamp.as_ref()),
        ];
        all.into_iter().flatten().collect()
    }

    /// The bytes under a path as clients form it (consistent snapshots, TUF specification §6.2).
    pub(super) fn file(&self, path: &str) -> Option<Vec<u8>> {
        if let Some(target) = path.strip_prefix("targets/") {
            let (hash, name) = target.split_once('.')?;
            // One way to write a digest, so that there is one address.
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

    /// Every path under which there is something.
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

    /// The keys of what is older than the last few versions, and of files that none of them names.
    pub(super) fn old(&self) -> Vec<String> {
        let old_snapshots = self.snapshots.keys().rev().skip(KEPT);
        let old_lists = self.targets.keys().rev().skip(KEPT);
        let named: BTreeSet<_> = self
            .targets
            .values()
            .rev()
            .take(KEPT)
            .flat_map(|list| list.body().files().values())
            .map(|file| *file.sha256())
            .collect();
        let old_files = self.files.keys().filter(|hash| !named.contains(hash));
        // Lists go before the files that they name.
        old_snapshots
            .map(|version| kept_key(Role::Snapshot, *version))
            .chain(old_lists.map(|version| kept_key(Role::Targets, *version)))
            .chain(old_files.map(|hash| format!("file/{}", hash.to_hex())))
            .collect()
    }

    /// Lets go of what was kept under a key.
    pub(super) fn forget(&mut self, key: &str) {
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
    if key != kept_key(T::ROLE, version) {
        return Err(RecordError::Content(key.to_owned()));
    }
    place.insert(version, document);
    Ok(())
}

/// Decimal digits without leading zeros: one version has one address.
fn version_of(digits: &str) -> Option<Version> {
    let number: u32 = digits.parse().ok()?;
    Version::new(number).filter(|version| version.to_string() == digits)
}
