//! What a root changes, for people who are asked to sign it.

use super::{KeyId, Metadata, Role, Root};
use crate::protocol::time::UnixTime;

/// One difference between a root and the one that follows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootChange {
    /// Its version
    #[error("version {from} becomes {to}")]
    Version {
        /// Before
        from: u32,
        /// After
        to: u32,
    },
    /// Until when it is believed
    #[error("it expires at {to} (before: {from})")]
    Expiry {
        /// Before
        from: UnixTime,
        /// After
        to: UnixTime,
    },
    /// A key may sign from now on
    #[error("key {key} is ADDED to the {role} role")]
    Added {
        /// Whose document it may sign
        role: Role,
        /// Which
        key: KeyId,
    },
    /// A key may sign no more
    #[error("key {key} is REMOVED from the {role} role")]
    Removed {
        /// Whose document it could sign
        role: Role,
        /// Which
        key: KeyId,
    },
    /// How many must sign
    #[error("the {role} role needs {to} signatures (before: {from})")]
    Threshold {
        /// For whose document
        role: Role,
        /// Before
        from: u32,
        /// After
        to: u32,
    },
    /// How files are named
    #[error("files are no longer named by version and hash, which clients of this server need")]
    NamesOfFiles,
}

impl RootChange {
    /// Every difference; version and expiry come first, whether they differ or not.
    pub fn between(old: &Root, new: &Root) -> Vec<Self> {
        let mut changes = vec![
            Self::Version {
                from: old.version().get(),
                to: new.version().get(),
            },
            Self::Expiry {
                from: old.expires(),
                to: new.expires(),
            },
        ];
        for role in Role::ALL {
            let (before, after) = (old.role(role), new.role(role));
            let added = after.keyids.iter().filter(|key| {
                // The same id for another key is another key.
                !before.keyids.contains(key) || old.key(key) != new.key(key)
            });
            let removed = before
                .keyids
                .iter()
                .filter(|key| !after.keyids.contains(key) || old.key(key) != new.key(key));
            changes.extend(removed.cloned().map(|key| Self::Removed { role, key }));
            changes.extend(added.cloned().map(|key| Self::Added { role, key }));
            if before.threshold != after.threshold {
                changes.push(Self::Threshold {
                    role,
                    from: before.threshold,
                    to: after.threshold,
                });
            }
        }
        if !new.is_consistent_snapshot() {
            changes.push(Self::NamesOfFiles);
        }
        changes
    }
}
