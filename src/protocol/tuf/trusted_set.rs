//! What a client does (TUF specification §5): from a root that it has, to files that it may believe.

use super::signed::SuccessionError;
use super::{Metadata, MetadataError, Role, Root, Signed, Snapshot, Targets, Timestamp, Version};
use super::{TargetFile, VerifyError};
use crate::protocol::time::UnixTime;

/// The newest documents that were verified. It only goes forward: what is in it was signed by those
/// whom the root names, and nothing in it is older than what was in it before.
#[derive(Clone, Debug)]
pub struct TrustedSet {
    root: Signed<Root>,
    timestamp: Option<Signed<Timestamp>>,
    snapshot: Option<Signed<Snapshot>>,
    targets: Option<Signed<Targets>>,
}

/// Why a document is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// It cannot be read
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Not enough have signed it
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A root that does not follow
    #[error(transparent)]
    Succession(#[from] SuccessionError),
    /// It has ended
    #[error("{role} metadata expired at {expired}")]
    Expired {
        /// Whose
        role: Role,
        /// When
        expired: UnixTime,
    },
    /// Older than what is known
    #[error("{role} metadata has version {found}, and version {known} is known")]
    Rollback {
        /// Whose
        role: Role,
        /// What it has
        found: Version,
        /// What is known
        known: Version,
    },
    /// Not the document that the one above names
    #[error("{0} metadata is not the one that was referred to")]
    Mismatch(Role),
    /// The document above is not there yet
    #[error("{0} metadata is needed first")]
    Order(Role),
    /// A file that is not listed
    #[error("there is no target {0:?}")]
    NoTarget(String),
    /// A file that is not what was listed
    #[error("the target {0:?} has other content than was listed")]
    Content(String),
}

impl TrustedSet {
    /// Begins with a root that is believed for reasons of one's own.
    ///
    /// # Errors
    /// It cannot be read, or has not signed itself.
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

    /// Takes the next root. Its expiry counts only once there is no further one (§5.3.10).
    ///
    /// # Errors
    /// It cannot be read or does not follow the one before.
    pub fn update_root(&mut self, bytes: &[u8]) -> Result<(), UpdateError> {
        let next = Signed::parse_root(bytes)?;
        self.root.check_successor(&next)?;
        // SPEC TUF §5.3.11: a new online key means that versions may begin anew.
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

    /// Takes a timestamp. Answers whether it is newer than the known one.
    ///
    /// # Errors
    /// The root or the timestamp has ended, or it is not one that may follow.
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

    /// Takes the snapshot that the timestamp names.
    ///
    /// # Errors
    /// It is not that one, has ended, or goes back.
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

    /// Takes the list of files that the snapshot names.
    ///
    /// # Errors
    /// It is not that one, or has ended.
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

    /// The listed files.
    ///
    /// # Errors
    /// No list was taken yet.
    pub fn files(&self) -> Result<impl Iterator<Item = (&str, &TargetFile)>, UpdateError> {
        let targets = self
            .targets
            .as_ref()
            .ok_or(UpdateError::Order(Role::Targets))?;
        let files = targets.body().files().iter();
        Ok(files.map(|(name, file)| (name.as_str(), file)))
    }

    /// Demands that a file has the content that was listed.
    ///
    /// # Errors
    /// It is not listed, or has other content.
    pub fn check_target(&self, name: &str, content: &[u8]) -> Result<(), UpdateError> {
        let mut files = self.files()?;
        match files.find(|(listed, _)| *listed == name) {
            None => Err(UpdateError::NoTarget(name.to_owned())),
            Some((_, file)) if file.matches(content) => Ok(()),
            Some(_) => Err(UpdateError::Content(name.to_owned())),
        }
    }

    /// The newest root.
    pub const fn root(&self) -> &Signed<Root> {
        &self.root
    }

    /// The newest timestamp, if one was taken.
    pub const fn timestamp(&self) -> Option<&Signed<Timestamp>> {
        self.timestamp.as_ref()
    }

    /// The newest snapshot, if one was taken.
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
