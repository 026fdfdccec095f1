//! The root document, which lists the keys of all roles, including its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::{MetadataError, RuleError, SuccessionError, VerifyError};
use super::metadata::{expiry, metadata};
use super::{KeyId, KeyObject, Metadata, Role, SPEC_VERSION, Signed, Version};
use crate::protocol::keys::PublicKey;
use crate::protocol::time::UnixTime;

/// Maximum number of root keys in a root created by Signet.
pub(super) const MAX_ROOT_KEYS: usize = 20;

metadata!(Root, Role::Root, 512_000);

/// The root document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    #[serde(rename = "_type")]
    kind: Role,
    spec_version: String,
    consistent_snapshot: bool,
    version: Version,
    #[serde(with = "expiry")]
    expires: UnixTime,
    keys: BTreeMap<KeyId, KeyObject>,
    roles: Roles,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Roles {
    root: RoleKeys,
    targets: RoleKeys,
    snapshot: RoleKeys,
    timestamp: RoleKeys,
}

/// Keys and threshold of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// IDs of the keys that may sign.
    pub keyids: Vec<KeyId>,
    /// Number of keys that must sign.
    pub threshold: u32,
}

/// Parameters of a root created by Signet: root keys, and one online key for all other roles.
#[derive(Clone, Debug)]
pub struct RootRules {
    /// Keys that may sign the root.
    pub root_keys: Vec<PublicKey>,
    /// Number of root keys that must sign.
    pub threshold: u32,
    /// Key of the targets, snapshot and timestamp roles.
    pub online_key: PublicKey,
}

impl Root {
    /// Builds an unsigned root.
    ///
    /// # Errors
    /// See [`RuleError`].
    pub fn new(version: Version, expires: UnixTime, rules: &RootRules) -> Result<Self, RuleError> {
        if rules.root_keys.len() > MAX_ROOT_KEYS {
            return Err(RuleError::TooManyKeys(MAX_ROOT_KEYS));
        }
        if rules.root_keys.contains(&rules.online_key) {
            return Err(RuleError::OnlineKey);
        }
        let mut keys = BTreeMap::new();
        let mut add = |key| {
            let object = KeyObject::new(key).ok_or(RuleError::KeyKind)?;
            let id = object.id();
            match keys.insert(id.clone(), object) {
                None => Ok(id),
                Some(_) => Err(RuleError::DuplicateKey),
            }
        };
        let online = RoleKeys {
            keyids: vec![add(&rules.online_key)?],
            threshold: 1,
        };
        let keyids = rules.root_keys.iter().map(add).collect::<Result<_, _>>()?;
        let root = Self {
            kind: Role::Root,
            spec_version: SPEC_VERSION.to_owned(),
            consistent_snapshot: true,
            version,
            expires: expires.floor_to_second(),
            keys,
            roles: Roles {
                root: RoleKeys {
                    keyids,
                    threshold: rules.threshold,
                },
                targets: online.clone(),
                snapshot: online.clone(),
                timestamp: online,
            },
        };
        root.check()?;
        Ok(root)
    }

    /// Checks that every threshold is reachable, and that the keys of each role exist and are distinct.
    pub(super) fn check(&self) -> Result<(), RuleError> {
        for role in Role::ALL {
            let RoleKeys { keyids, threshold } = self.role(role);
            let mut known = BTreeSet::new();
            for id in keyids {
                let object = self.keys.get(id).ok_or(RuleError::UnknownKey(role))?;
                // Compare keys, not IDs: two IDs may denote the same key.
                let name = object
                    .public_key()
                    .map_or_else(|| id.to_string(), |key| key.fingerprint().to_hex());
                if !known.insert(name) {
                    return Err(RuleError::DuplicateKey);
                }
            }
            let is_reachable = usize::try_from(*threshold)
                .is_ok_and(|threshold| (1..=keyids.len()).contains(&threshold));
            if !is_reachable {
                return Err(RuleError::Threshold {
                    role,
                    threshold: *threshold,
                    keys: keyids.len(),
                });
            }
        }
        Ok(())
    }

    /// The keys of a role.
    pub const fn role(&self, role: Role) -> &RoleKeys {
        match role {
            Role::Root => &self.roles.root,
            Role::Targets => &self.roles.targets,
            Role::Snapshot => &self.roles.snapshot,
            Role::Timestamp => &self.roles.timestamp,
        }
    }

    /// The key with this ID, if it exists and is ECDSA P-256.
    pub fn key(&self, id: &KeyId) -> Option<PublicKey> {
        self.keys.get(id).and_then(KeyObject::public_key)
    }

    /// The public keys of the root role.
    pub fn root_keys(&self) -> Vec<PublicKey> {
        let ids = self.roles.root.keyids.iter();
        ids.filter_map(|id| self.key(id)).collect()
    }

    /// Whether file names contain versions and hashes.
    pub const fn is_consistent_snapshot(&self) -> bool {
        self.consistent_snapshot
    }

    /// The parameters of the root, if Signet could have created it.
    pub fn rules(&self) -> Option<RootRules> {
        let [online] = self.roles.timestamp.keyids.as_slice() else {
            return None;
        };
        let rules = RootRules {
            root_keys: self.root_keys(),
            threshold: self.roles.root.threshold,
            online_key: self.key(online)?,
        };
        let same = Self::new(self.version, self.expires, &rules).ok()?;
        (same.keys == self.keys && same.roles == self.roles && self.consistent_snapshot)
            .then_some(rules)
    }

    /// Verifies that a document is signed by the threshold of its role's keys.
    ///
    /// # Errors
    /// The document has too few valid signatures.
    pub fn verify<T: Metadata>(&self, document: &Signed<T>) -> Result<(), VerifyError> {
        let RoleKeys { keyids, threshold } = self.role(T::ROLE);
        let signers: BTreeSet<_> = document
            .signatures()
            .filter(|(id, _)| keyids.contains(id))
            .filter_map(|(id, signature)| {
                let key = self.key(id)?;
                let _valid = key.verify_message(document.payload(), signature).ok()?;
                // Count keys, not IDs, so that a key counts once (CVE-2020-6174).
                Some(key.fingerprint())
            })
            .collect();
        if usize::try_from(*threshold).is_ok_and(|threshold| signers.len() >= threshold) {
            return Ok(());
        }
        Err(VerifyError {
            document: T::ROLE,
            valid: signers.len(),
            threshold: *threshold,
        })
    }
}

impl Signed<Root> {
    /// Parses a root and checks its keys and thresholds. Does not verify signatures.
    ///
    /// # Errors
    /// See [`MetadataError`].
    pub fn parse_root(bytes: &[u8]) -> Result<Self, MetadataError> {
        let root = Self::parse(bytes)?;
        root.body().check()?;
        Ok(root)
    }

    /// Checks that `next` may replace this root: it must have the next version, and signatures by the
    /// thresholds of both roots.
    ///
    /// # Errors
    /// See [`SuccessionError`].
    pub fn check_successor(&self, next: &Self) -> Result<(), SuccessionError> {
        if Some(next.body().version()) != self.body().version().next() {
            return Err(SuccessionError::Version {
                found: next.body().version().get(),
                after: self.body().version().get(),
            });
        }
        // TUF specification §5.3.4: the thresholds of both the old and the new root must be met.
        self.body().verify(next).map_err(SuccessionError::Old)?;
        next.body().verify(next).map_err(SuccessionError::New)
    }
}
