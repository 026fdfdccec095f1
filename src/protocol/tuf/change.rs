//! Differences between two roots, for the people who sign the new one.

use super::{KeyId, Metadata, Role, Root};
use crate::protocol::time::UnixTime;

/// A difference between a root and its successor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootChange {
    /// Always listed.
    #[error("version {from} becomes {to}")]
    Version { from: u32, to: u32 },
    /// Always listed.
    #[error("it expires at {to} (previously {from})")]
    Expiry { from: UnixTime, to: UnixTime },
    #[error("key {key} is ADDED to the {role} role")]
    Added { role: Role, key: KeyId },
    #[error("key {key} is REMOVED from the {role} role")]
    Removed { role: Role, key: KeyId },
    #[error("the {role} role needs {to} signatures (previously {from})")]
    Threshold { role: Role, from: u32, to: u32 },
    /// `consistent_snapshot` is off.
    #[error("consistent_snapshot is turned off, but clients of this server require it")]
    InconsistentSnapshot,
}

impl RootChange {
    /// All differences. Version and expiry come first, even if they are equal.
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
            let (old_keys, new_keys) = (old.role(role), new.role(role));
            let added = new_keys.keyids.iter().filter(|key| {
                // The same ID may denote another key in the new root.
                !old_keys.keyids.contains(key) || old.key(key) != new.key(key)
            });
            let removed = old_keys
                .keyids
                .iter()
                .filter(|key| !new_keys.keyids.contains(key) || old.key(key) != new.key(key));
            changes.extend(removed.cloned().map(|key| Self::Removed { role, key }));
            changes.extend(added.cloned().map(|key| Self::Added { role, key }));
            if old_keys.threshold != new_keys.threshold {
                changes.push(Self::Threshold {
                    role,
                    from: old_keys.threshold,
                    to: new_keys.threshold,
                });
            }
        }
        if !new.is_consistent_snapshot() {
            changes.push(Self::InconsistentSnapshot);
        }
        changes
    }
}
