//! A small TUF repository for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{FileRef, Root, RootRules, Signed, Snapshot, TargetFile, Targets, Timestamp, Version};
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::time::UnixTime;

/// The time of the tests.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// `number` days after [`NOW`].
pub(crate) fn days(number: u64) -> UnixTime {
    NOW.after(Duration::from_secs(number * 86_400))
}

pub(crate) fn version(number: u32) -> Version {
    Version::new(number).unwrap()
}

pub(crate) fn key() -> SigningKey {
    SigningKey::generate(KeyAlgorithm::P256).unwrap().0
}

pub(crate) fn rules(root: &[&SigningKey], threshold: u32, online: &SigningKey) -> RootRules {
    RootRules {
        root_keys: root.iter().map(|key| key.public_key().clone()).collect(),
        threshold,
        online_key: online.public_key().clone(),
    }
}

/// A repository with one target file, `hello`.
pub(crate) struct TestRepository {
    pub(crate) root_key: SigningKey,
    pub(crate) online_key: SigningKey,
    pub(crate) root: Signed<Root>,
}

/// The documents of the online roles.
pub(crate) struct Online {
    pub(crate) timestamp: Vec<u8>,
    pub(crate) snapshot: Vec<u8>,
    pub(crate) targets: Vec<u8>,
}

impl TestRepository {
    pub(crate) fn new() -> Self {
        let (root_key, online_key) = (key(), key());
        let body = Root::new(version(1), days(365), &rules(&[&root_key], 1, &online_key)).unwrap();
        Self {
            root: Signed::sign(body, &[&root_key]).unwrap(),
            root_key,
            online_key,
        }
    }

    /// Creates online documents with one version number. `ends` are the days until timestamp, snapshot and
    /// targets expire.
    pub(crate) fn online(&self, number: u32, ends: [u64; 3]) -> Online {
        let [timestamp, snapshot, targets] = ends.map(days);
        let number = version(number);
        let keys = [&self.online_key];
        let files = BTreeMap::from([("hello".to_owned(), TargetFile::new(b"hello\n", None))]);
        let targets = Signed::sign(Targets::new(number, targets, files), &keys).unwrap();
        let reference = FileRef::new(number, targets.bytes());
        let snapshot = Signed::sign(Snapshot::new(number, snapshot, reference), &keys).unwrap();
        let reference = FileRef::new(number, snapshot.bytes());
        let timestamp = Signed::sign(Timestamp::new(number, timestamp, reference), &keys).unwrap();
        Online {
            timestamp: timestamp.bytes().to_vec(),
            snapshot: snapshot.bytes().to_vec(),
            targets: targets.bytes().to_vec(),
        }
    }
}
