//! The client workflow (TUF specification §5), from a trusted root to the target files.

use super::SuccessionError;
use super::{Metadata, MetadataError, Role, Root, Signed, Snapshot, Targets, Timestamp, Version};
use super::{TargetFile, VerifyError};
use crate::protocol::time::UnixTime;

/// The current verified documents. Every update must be signed by the keys in the root, and must not be
/// older than the current document.
#[derive(Clone, Debug)]
pub struct TrustedSet {
    root: Signed<Root>,
    timestamp: Option<Signed<Timestamp>>,
    snapshot: Option<Signed<Snapshot>>,
    targets: Option<Signed<Targets>>,
}

/// Error updating a document.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Succession(#[from] SuccessionError),
    #[error("{role} metadata expired at {expired}")]
    Expired { role: Role, expired: UnixTime },
    #[error("{role} metadata has version {found}, which is older than the trusted version {known}")]
    Rollback {
        role: Role,
        found: Version,
        known: Version,
    },
    /// The document differs from the reference in the timestamp or snapshot.
    #[error("{0} metadata does not match its reference")]
    Mismatch(Role),
    /// Documents must be updated in the order timestamp, snapshot, targets.
    #[error("{0} metadata must be updated first")]
    Order(Role),
    #[error("unknown target {0:?}")]
    NoTarget(String),
    #[error("the target {0:?} does not have the listed content")]
    Content(String),
}

impl TrustedSet {
    /// Creates a set from a trusted root, such as one that is part of a client.
    ///
    /// # Errors
    /// The root is malformed or not signed by its own keys.
    pub fn new(root: &[u8]) -> Result<Self, UpdateError> {
        let root = Signed::parse_root(root)?;
        root.body().verify(&root)?;
        Ok(Self {
            root,
            timestamp: None,
            snapshot: None,
            targets: None,
        })
    }

    /// Updates the root. Its expiry is checked with the timestamp, because a newer root may follow
    /// (§5.3.10).
    ///
    /// # Errors
    /// The root is malformed or not a valid successor of the current one.
    pub fn update_root(&mut self, bytes: &[u8]) -> Result<(), UpdateError> {
        let next = Signed::parse_root(bytes)?;
        self.root.check_successor(&next)?;
        // TUF specification §5.3.11: with new keys, versions may restart at 1.
        let rotated = [Role::Timestamp, Role::Snapshot]
            .iter()
            .any(|role| next.body().role(*role) != self.root.body().role(*role));
        if rotated {
            self.timestamp = None;
            self.snapshot = None;
        }
        self.root = next;
        Ok(())
    }

    /// Updates the timestamp. Returns whether it is newer than the current one.
    ///
    /// # Errors
    /// The root or the timestamp expired, or the timestamp is invalid or older than the current one.
    pub fn update_timestamp(&mut self, bytes: &[u8], now: UnixTime) -> Result<bool, UpdateError> {
        check_expiry(&self.root, now)?;
        let found: Signed<Timestamp> = self.verified(bytes)?;
        if let Some(known) = &self.timestamp {
            check_rollback(&found, known)?;
            let (new, old) = (found.body().snapshot(), known.body().snapshot());
            if new.version < old.version {
                return Err(UpdateError::Rollback {
                    role: Role::Snapshot,
                    found: new.version,
                    known: old.version,
                });
            }
            if found.body().version() == known.body().version() {
                check_expiry(known, now)?;
                return Ok(false);
            }
        }
        check_expiry(&found, now)?;
        self.timestamp = Some(found);
        Ok(true)
    }

    /// Updates the snapshot. It must match the reference in the timestamp.
    ///
    /// # Errors
    /// The snapshot is invalid, expired, or older than the current one.
    pub fn update_snapshot(&mut self, bytes: &[u8], now: UnixTime) -> Result<(), UpdateError> {
        let timestamp = self
            .timestamp
            .as_ref()
            .ok_or(UpdateError::Order(Role::Timestamp))?;
        let named = timestamp.body().snapshot();
        let found: Signed<Snapshot> = self.verified(bytes)?;
        if !named.matches(bytes) || found.body().version() != named.version {
            return Err(UpdateError::Mismatch(Role::Snapshot));
        }
        for (name, known) in self.snapshot.iter().flat_map(|known| known.body().lists()) {
            let list = found.body().lists().find(|(list, _)| *list == name);
            let (_, version) = list.ok_or(UpdateError::Mismatch(Role::Snapshot))?;
            if version < known {
                return Err(UpdateError::Rollback {
                    role: Role::Targets,
                    found: version,
                    known,
                });
            }
        }
        check_expiry(&found, now)?;
        self.snapshot = Some(found);
        Ok(())
    }

    /// Updates the targets document. It must match the reference in the snapshot.
    ///
    /// # Errors
    /// The document is invalid or expired.
    pub fn update_targets(&mut self, bytes: &[u8], now: UnixTime) -> Result<(), UpdateError> {
        let snapshot = self
            .snapshot
            .as_ref()
            .ok_or(UpdateError::Order(Role::Snapshot))?;
        let named = snapshot.body().targets();
        let named = named.ok_or(UpdateError::Mismatch(Role::Targets))?;
        let found: Signed<Targets> = self.verified(bytes)?;
        if !named.matches(bytes) || found.body().version() != named.version {
            return Err(UpdateError::Mismatch(Role::Targets));
        }
        check_expiry(&found, now)?;
        self.targets = Some(found);
        Ok(())
    }

    /// The target files, by name.
    ///
    /// # Errors
    /// There is no targets document yet.
    pub fn files(&self) -> Result<impl Iterator<Item = (&str, &TargetFile)>, UpdateError> {
        let targets = self
            .targets
            .as_ref()
            .ok_or(UpdateError::Order(Role::Targets))?;
        let files = targets.body().files().iter();
        Ok(files.map(|(name, file)| (name.as_str(), file)))
    }

    /// Checks the content of a target file.
    ///
    /// # Errors
    /// The file is not listed or its content differs.
    pub fn check_target(&self, name: &str, content: &[u8]) -> Result<(), UpdateError> {
        let mut files = self.files()?;
        match files.find(|(listed, _)| *listed == name) {
            None => Err(UpdateError::NoTarget(name.to_owned())),
            Some((_, file)) if file.matches(content) => Ok(()),
            Some(_) => Err(UpdateError::Content(name.to_owned())),
        }
    }

    /// The current root.
    pub const fn root(&self) -> &Signed<Root> {
        &self.root
    }

    /// The current timestamp, if any.
    pub const fn timestamp(&self) -> Option<&Signed<Timestamp>> {
        self.timestamp.as_ref()
    }

    /// The current snapshot, if any.
    pub const fn snapshot(&self) -> Option<&Signed<Snapshot>> {
        self.snapshot.as_ref()
    }

    fn verified<T: Metadata>(&self, bytes: &[u8]) -> Result<Signed<T>, UpdateError> {
        let document = Signed::parse(bytes)?;
        self.root.body().verify(&document)?;
        Ok(document)
    }
}

fn check_expiry<T: Metadata>(document: &Signed<T>, now: UnixTime) -> Result<(), UpdateError> {
    if document.body().is_expired(now) {
        return Err(UpdateError::Expired {
            role: T::ROLE,
            expired: document.body().expires(),
        });
    }
    Ok(())
}

fn check_rollback<T: Metadata>(found: &Signed<T>, known: &Signed<T>) -> Result<(), UpdateError> {
    let (found, known) = (found.body().version(), known.body().version());
    if found < known {
        return Err(UpdateError::Rollback {
            role: T::ROLE,
            found,
            known,
        });
    }
    Ok(())
}
