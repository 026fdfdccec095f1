//! The root: whose keys sign for which role, itself included.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::metadata::{expiry, metadata};
use super::{KeyId, KeyObject, Metadata, Role, SPEC_VERSION, Signed, Version};
use crate::protocol::keys::PublicKey;
use crate::protocol::time::UnixTime;

/// The most keys that a root of ours may have for itself.
pub(super) const MAX_ROOT_KEYS: usize = 20;

metadata!(Root, Role::Root, 512_000);

/// Whose keys sign for which role.
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

/// Which keys may sign for a role, and how many of them must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// The keys that may
    pub keyids: Vec<KeyId>,
    /// How many must
    pub threshold: u32,
}

/// What a root of ours is made of: keys of its own, and one online key for the other roles.
#[derive(Clone, Debug)]
pub struct RootRules {
    /// Who may sign the root
    pub root_keys: Vec<PublicKey>,
    /// How many of them must
    pub threshold: u32,
    /// Who signs for the other roles
    pub online_key: PublicKey,
}

/// Why keys and thresholds make no root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not all clients take other kinds
    #[error("the keys of a root must be ECDSA P-256 keys, which all clients take")]
    Kind,
    /// Too many to read
    #[error("a root takes at most {MAX_ROOT_KEYS} keys")]
    TooMany,
    /// One key would count twice
    #[error("a key is there twice")]
    Twice,
    /// The server could sign roots, whatever people decide
    #[error("the online key cannot be a root key")]
    Online,
    /// Nobody needs to sign, or more than there are
    #[error("the threshold of the {role} role is {threshold}, and must be 1 to {keys}")]
    Threshold {
        /// Whose
        role: Role,
        /// How many must sign
        threshold: u32,
        /// How many may
        keys: usize,
    },
    /// A role names a key that is not there
    #[error("the {0} role names a key that the root does not have")]
    Missing(Role),
}

/// Too few good signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{document} has {valid} of the {threshold} signatures that are needed")]
pub struct VerifyError {
    /// Whose document it is
    pub document: Role,
    /// How many keys of the role have signed it
    pub valid: usize,
    /// How many must
    pub threshold: u32,
}

impl Root {
    /// A root by our rules, in which the online key signs for all other roles.
    ///
    /// # Errors
    /// See [`RuleError`].
    pub fn new(version: Version, expires: UnixTime, rules: &RootRules) -> Result<Self, RuleError> {
        if rules.root_keys.len() > MAX_ROOT_KEYS {
            return Err(RuleError::TooMany);
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

    /// A root that was read must have thresholds that can be met and mean something.
    pub(super) fn check(&self) -> Result<(), RuleError> {
        for role in Role::ALL {
            let RoleKeys { keyids, threshold } = self.role(role);
            let mut known = BTreeSet::new();
            for id in keyids {
                let object = self.keys.get(id).ok_or(RuleError::Missing(role))?;
                // By the key and not its id: two spellings of one key are one key.
                let name = object
                    .public_key()
                    .map_or_else(|| id.to_string(), |key| key.fingerprint().to_hex());
                if !known.insert(name) {
                    return Err(RuleError::Twice);
                }
            }
            let most = u32::try_from(keyids.len()).unwrap_or(u32::MAX);
            if !(1..=most).contains(threshold) {
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

    /// The key of an id, if the root has it and it is of the kind that is verified with here.
    pub fn key(&self, id: &KeyId) -> Option<PublicKey> {
        self.keys.get(id).and_then(KeyObject::public_key)
    }

    /// The public keys that may sign the root.
    pub fn root_keys(&self) -> Vec<PublicKey> {
        let ids = self.roles.root.keyids.iter();
        ids.filter_map(|id| self.key(id)).collect()
    }

    /// Whether names of files carry versions and hashes.
    pub const fn is_consistent_snapshot(&self) -> bool {
        self.consistent_snapshot
    }

    /// What the root is made of, if it is one of ours: see [`RootRules`].
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

    /// Demands that enough of a role's keys have signed its document.
    ///
    /// # Errors
    /// Too few have.
    pub fn verify<T: Metadata>(&self, document: &Signed<T>) -> Result<(), VerifyError> {
        let RoleKeys { keyids, threshold } = self.role(T::ROLE);
        let signers: BTreeSet<_> = document
            .signatures()
            .filter(|(id, _)| keyids.contains(id))
            .filter_map(|(id, signature)| {
                let key = self.key(id)?;
                let _valid = key.verify_message(document.payload(), signature).ok()?;
                // By the key and not its id: one key counts once (CVE-2020-6174).
                Some(key.fingerprint())
            })
            .collect();
        if u32::try_from(signers.len()).unwrap_or(u32::MAX) >= *threshold {
            return Ok(());
        }
        Err(VerifyError {
            document: T::ROLE,
            valid: signers.len(),
            threshold: *threshold,
        })
    }
}
