//! The root document, which lists the keys of every role, its own included.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::error::{MetadataError, RuleError, SuccessionError, VerifyError};
use super::metadata::{expiry, metadata};
use super::{KeyId, KeyObject, Metadata, Role, SPEC_VERSION, Signed, Version};
use crate::protocol::keys::PublicKey;
use crate::protocol::time::UnixTime;

/// Maximum number of root keys in a root that Signet makes.
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

/// The keys of every role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Roles {
    root: RoleKeys,
    targets: RoleKeys,
    snapshot: RoleKeys,
    timestamp: RoleKeys,
}

/// The keys of a role, and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// The keys that may sign.
    pub keyids: Vec<KeyId>,
    /// How many of them must sign.
    pub threshold: u32,
}

/// What determines a root that Signet makes: root keys, and one online key for the other roles.
#[derive(Clone, Debug)]
pub struct RootRules {
    /// The keys that may sign the root.
    pub root_keys: Vec<PublicKey>,
    /// How many of the root keys must sign.
    pub threshold: u32,
    /// The key of the other roles.
    pub online_key: PublicKey,
}

impl Root {
    /// Makes a root in which the online key signs for all other roles.
    ///
    /// # Errors
    /// See [`RuleError`].
    pub fn new(version: Version, expires: UnixTime, rules: &RootRules) -> Result<Self, RuleError> {
        if rules.root_keys.len() > MAX_ROOT_KEYS {
            return Err(RuleError::TooMany(MAX_ROOT_KEYS));
        }
        if rules.root_keys.contains(&rules.online_key) {
            return Err(RuleError::Online);
        }
        let mut keys = BTreeMap::new();
        let mut add = |key| {
            let object = KeyObject::new(key).ok_or(RuleError::Kind)?;
            let id = object.id();
            match keys.insert(id.clone(), object) {
                None => Ok(id),
                Some(_) => Err(RuleError::Twice),
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

    /// Checks that every threshold is reachable and every key of a role exists once.
    pub(super) fn check(&self) -> Result<(), RuleError> {
        for role in Role::ALL {
            let RoleKeys { keyids, threshold } = self.role(role);
            let mut known = BTreeSet::new();
            for id in keyids {
                let object = self.keys.get(id).ok_or(RuleError::Missing(role))?;
                // By key and not by ID: one key with two IDs is one key.
                let name = object
                    .public_key()
                    .map_or_else(|| id.to_string(), |key| key.fingerprint().to_hex());
                if !known.insert(name) {
                    return Err(RuleError::Twice);
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

    /// The key with this ID, if the root has it and it is ECDSA P-256.
    pub fn key(&self, id: &KeyId) -> Option<PublicKey> {
        self.keys.get(id).and_then(KeyObject::public_key)
    }

    /// The public keys that may sign the root.
    pub fn root_keys(&self) -> Vec<PublicKey> {
        let ids = self.roles.root.keyids.iter();
        ids.filter_map(|id| self.key(id)).collect()
    }

    /// Whether file names have versions and hashes.
    pub const fn is_consistent_snapshot(&self) -> bool {
        self.consistent_snapshot
    }

    /// What determines the root, if it is one that Signet could have made.
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

    /// Verifies that enough of a role's keys signed its document.
    ///
    /// # Errors
    /// Too few keys signed.
    pub fn verify<T: Metadata>(&self, document: &Signed<T>) -> Result<(), VerifyError> {
        let RoleKeys { keyids, threshold } = self.role(T::ROLE);
        let signers: BTreeSet<_> = document
            .signatures()
            .filter(|(id, _)| keyids.contains(id))
            .filter_map(|(id, signature)| {
                let key = self.key(id)?;
                let _valid = key.verify_message(document.payload(), signature).ok()?;
                // By key and not by ID: one key is one signer (CVE-2020-6174).
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
    /// Reads a root and checks its keys and thresholds.
    ///
    /// # Errors
    /// See [`MetadataError`].
    pub fn parse_root(bytes: &[u8]) -> Result<Self, MetadataError> {
        let root = Self::parse(bytes)?;
        root.body().check()?;
        Ok(root)
    }

    /// Checks that `next` may replace this root: it has the next version, and both roots' thresholds of
    /// keys signed it.
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
        // SPEC TUF §5.3.4: a threshold of the old root's keys, and one of the new root's.
        self.body().verify(next).map_err(SuccessionError::Old)?;
        next.body().verify(next).map_err(SuccessionError::New)
    }
}
