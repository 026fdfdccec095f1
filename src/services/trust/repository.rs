//! The TUF repository: metadata is signed, stored, and only then published.
//!
//! Every document is durable before a client can fetch it. The timestamp is written last, because it
//! puts the others into effect. No version is ever signed with two contents: version numbers only
//! rise, across restarts and failures. Every root is kept, because a client may start from the first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tracing::info;

use super::error::{MAX_DOCUMENT, OpenRepositoryError, RepositoryError};
use super::record::{RepositoryRecord, record_key};
use super::target::Target;
use super::terms::{RepositoryHealth, RootTerm, expiry, is_current};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::SigningKey;
use crate::protocol::time::{Clock, UnixTime};
use crate::protocol::tuf::{
    FileRef, Metadata, Role, Root, RootRules, Signed, Snapshot, TargetFile, Targets, Timestamp,
    Version,
};
use crate::services::ledger::{Ledger, LedgerError, Table};

/// The keys that sign the repository.
#[derive(Debug)]
pub struct RepositoryKeys {
    /// Signs targets, snapshot and timestamp
    pub online: SigningKey,
    /// Signs the root; none where its keys are on other machines
    pub root: Option<SigningKey>,
}

/// The repository of an instance. Methods that sign block on storage.
pub struct TrustRepository {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    pub(super) keys: RepositoryKeys,
    targets: Vec<Target>,
    record: RwLock<RepositoryRecord>,
    /// Held while metadata is signed, from reading the record to publishing.
    signing: Mutex<()>,
}

/// What one renewal signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// SHA-256 of the first root, if this renewal created it
    pub initial_root: Option<Sha256>,
    /// In order
    pub signed: Vec<(Role, Version)>,
}

/// The state of a repository, for operators.
#[derive(Clone, Debug)]
pub struct RepositoryStatus {
    /// SHA-256 of `1.root.json`, which clients are configured with
    pub initial_root: Sha256,
    /// SHA-256 of the current root
    pub root_hash: Sha256,
    pub root: Signed<Root>,
    /// Each role's version and expiry
    pub roles: Vec<(Role, Version, UnixTime)>,
    /// Whether the keys in the data directory can sign the next root
    pub renewable: bool,
}

impl TrustRepository {
    /// Loads the stored repository and verifies all of it. Blocks on storage.
    ///
    /// # Errors
    /// See [`OpenRepositoryError`].
    pub fn open(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        keys: RepositoryKeys,
        targets: Vec<Target>,
    ) -> Result<Self, OpenRepositoryError> {
        let record = RepositoryRecord::load(ledger.scan(Table::TrustRepository)?)?;
        if let Some(root) = record.root() {
            let named = root.body().rules().map(|rules| rules.online_key);
            if named.as_ref() != Some(keys.online.public_key()) {
                return Err(OpenRepositoryError::OnlineKey);
            }
        }
        Ok(Self {
            ledger,
            clock,
            keys,
            targets,
            record: RwLock::new(record),
            signing: Mutex::new(()),
        })
    }

    /// Whether there is a root. If not, the next renewal creates the first.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn has_begun(ledger: &dyn Ledger) -> Result<bool, LedgerError> {
        let first = record_key(Role::Root, Version::FIRST);
        Ok(ledger
            .load(Table::TrustRepository, first.as_bytes())?
            .is_some())
    }

    /// Signs and publishes metadata that expires soon or is no longer true. Creates the repository if
    /// there is none.
    ///
    /// # Errors
    /// See [`RepositoryError`]. Documents that were signed before the error are kept.
    pub fn renew(&self) -> Result<Renewal, RepositoryError> {
        let _signing = self.signing.lock().map_err(|_| RepositoryError::Poisoned)?;
        let now = self.clock.now();
        let mut renewal = Renewal::default();
        if self.read().root().is_none() {
            renewal.initial_root = Some(self.sign_initial_root(now)?);
            renewal.signed.push((Role::Root, Version::FIRST));
        }
        let targets = self.renew_targets(now, &mut renewal)?;
        let snapshot = self.renew_snapshot(now, &targets, &mut renewal)?;
        self.renew_timestamp(now, &snapshot, &mut renewal)?;
        Ok(renewal)
    }

    fn sign_initial_root(&self, now: UnixTime) -> Result<Sha256, RepositoryError> {
        let key = self.keys.root.as_ref().ok_or(RepositoryError::NoRootKey)?;
        let rules = RootRules {
            root_keys: vec![key.public_key().clone()],
            threshold: 1,
            online_key: self.keys.online.public_key().clone(),
        };
        let root = Root::new(Version::FIRST, expiry(Role::Root, now), &rules)?;
        let root = Signed::sign(root, &[key])?;
        let hash = Sha256::of(root.bytes());
        self.keep(root, |record| &mut record.roots)?;
        Ok(hash)
    }

    fn renew_targets(
        &self,
        now: UnixTime,
        renewal: &mut Renewal,
    ) -> Result<Signed<Targets>, RepositoryError> {
        let files: BTreeMap<_, _> = self
            .targets
            .iter()
            .map(|target| {
                let file = TargetFile::new(&target.content, Some(target.custom.clone()));
                (target.name.to_owned(), file)
            })
            .collect();
        let current = self.read().current_targets().cloned();
        let is_true = |targets: &Signed<Targets>| *targets.body().files() == files;
        if let Some(current) = current.filter(|one| is_true(one) && is_current(one, now)) {
            return Ok(current);
        }
        // The files are stored before the metadata that names them, in case the process crashes in between.
        for target in &self.targets {
            self.keep_file(target)?;
        }
        let version = self.next_version(Role::Targets)?;
        let targets = Targets::new(version, expiry(Role::Targets, now), files);
        let signed = Signed::sign(targets, &[&self.keys.online])?;
        self.keep(signed.clone(), |record| &mut record.targets)?;
        renewal.signed.push((Role::Targets, version));
        Ok(signed)
    }

    fn renew_snapshot(
        &self,
        now: UnixTime,
        targets: &Signed<Targets>,
        renewal: &mut Renewal,
    ) -> Result<Signed<Snapshot>, RepositoryError> {
        let named = FileRef::new(targets.body().version(), targets.bytes());
        let current = self.read().current_snapshot().cloned();
        let is_true = |snapshot: &Signed<Snapshot>| snapshot.body().targets() == Some(&named);
        if let Some(current) = current.filter(|one| is_true(one) && is_current(one, now)) {
            return Ok(current);
        }
        let version = self.next_version(Role::Snapshot)?;
        let snapshot = Snapshot::new(version, expiry(Role::Snapshot, now), named);
        let signed = Signed::sign(snapshot, &[&self.keys.online])?;
        self.keep(signed.clone(), |record| &mut record.snapshots)?;
        renewal.signed.push((Role::Snapshot, version));
        Ok(signed)
    }

    fn renew_timestamp(
        &self,
        now: UnixTime,
        snapshot: &Signed<Snapshot>,
        renewal: &mut Renewal,
    ) -> Result<(), RepositoryError> {
        let named = FileRef::new(snapshot.body().version(), snapshot.bytes());
        let current = self.read().timestamp.clone();
        if current.is_some_and(|one| *one.body().snapshot() == named && is_current(&one, now)) {
            return Ok(());
        }
        let version = self.next_version(Role::Timestamp)?;
        let timestamp = Timestamp::new(version, expiry(Role::Timestamp, now), named);
        let signed = Signed::sign(timestamp, &[&self.keys.online])?;
        // The timestamp is stored last, because it puts the others into effect.
        self.put("timestamp", signed.bytes())?;
        self.write().timestamp = Some(signed);
        renewal.signed.push((Role::Timestamp, version));
        self.remove_outdated()
    }

    fn next_version(&self, role: Role) -> Result<Version, RepositoryError> {
        let next = self.read().next_version(role);
        next.ok_or(RepositoryError::LastVersion(role))
    }

    /// Publishes a root that follows the current one.
    ///
    /// # Errors
    /// The root does not follow, or this server could not sign the other roles under it.
    pub fn install_root(&self, root: &Signed<Root>) -> Result<(), RepositoryError> {
        let _signing = self.signing.lock().map_err(|_| RepositoryError::Poisoned)?;
        let current = self.root().ok_or(RepositoryError::NotCreated)?;
        current.check_successor(root)?;
        let rules = root.body().rules();
        let online = self.keys.online.public_key();
        if rules.is_none_or(|rules| rules.online_key != *online) {
            return Err(RepositoryError::OnlineRoles);
        }
        if root.body().is_expired(self.clock.now()) {
            return Err(RepositoryError::Expired(root.body().expires()));
        }
        self.keep(root.clone(), |record| &mut record.roots)?;
        let (version, hash) = (root.body().version().get(), Sha256::of(root.bytes()));
        info!(version, root.sha256 = hash.to_hex(), "tuf_root.published");
        Ok(())
    }

    /// The file at this path below the repository's URL.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.read().file(path)
    }

    /// The path of every file.
    #[cfg(any(test, feature = "testing"))]
    pub fn paths(&self) -> Vec<String> {
        self.read().paths()
    }

    /// SHA-256 of `1.root.json`, which clients are configured with; none before the first renewal.
    pub fn initial_root_hash(&self) -> Option<Sha256> {
        let record = self.read();
        let first = record.roots.get(&Version::FIRST)?;
        Some(Sha256::of(first.bytes()))
    }

    /// How much of the root's validity is left; none before there is a root.
    pub fn root_term(&self) -> Option<RootTerm> {
        let root = self.root()?;
        Some(RootTerm::at(self.clock.now(), root.body().expires()))
    }

    /// Each role's version and expiry, root first; empty before there is a root.
    pub fn expiries(&self) -> Vec<(Role, Version, UnixTime)> {
        self.read().expiries()
    }

    /// Whether clients get metadata that they accept.
    pub fn health(&self) -> RepositoryHealth {
        RepositoryHealth::at(&self.expiries(), self.clock.now())
    }

    /// The state of the repository, for operators.
    ///
    /// # Errors
    /// There is no root yet.
    pub fn status(&self) -> Result<RepositoryStatus, RepositoryError> {
        let root = self.root().ok_or(RepositoryError::NotCreated)?;
        Ok(RepositoryStatus {
            initial_root: self
                .initial_root_hash()
                .ok_or(RepositoryError::NotCreated)?,
            root_hash: Sha256::of(root.bytes()),
            roles: self.expiries(),
            renewable: self.own_root_key(root.body()).is_ok(),
            root,
        })
    }

    /// The current root.
    pub(super) fn root(&self) -> Option<Signed<Root>> {
        self.read().root().cloned()
    }

    pub(super) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The root key in the data directory, if it can sign the next root alone.
    pub(super) fn own_root_key(&self, root: &Root) -> Result<&SigningKey, RepositoryError> {
        let roles = root.role(Role::Root);
        let alone =
            |key: &&SigningKey| roles.threshold == 1 && root.root_keys().contains(key.public_key());
        let key = self.keys.root.as_ref().filter(alone);
        key.ok_or(RepositoryError::KeysElsewhere {
            threshold: roles.threshold,
            keys: roles.keyids.len(),
        })
    }

    /// Stores a document and publishes it.
    fn keep<T: Metadata>(
        &self,
        document: Signed<T>,
        versions: impl FnOnce(&mut RepositoryRecord) -> &mut BTreeMap<Version, Signed<T>>,
    ) -> Result<(), RepositoryError> {
        let version = document.body().version();
        self.put(&record_key(T::ROLE, version), document.bytes())?;
        versions(&mut self.write()).insert(version, document);
        Ok(())
    }

    fn keep_file(&self, target: &Target) -> Result<(), RepositoryError> {
        let hash = Sha256::of(&target.content);
        if self.read().files.contains_key(&hash) {
            return Ok(());
        }
        self.put(&format!("file/{}", hash.to_hex()), &target.content)?;
        let content = Arc::clone(&target.content);
        self.write().files.insert(hash, content);
        Ok(())
    }

    fn put(&self, key: &str, value: &[u8]) -> Result<(), RepositoryError> {
        if value.len() > MAX_DOCUMENT {
            return Err(RepositoryError::TooLarge {
                name: key.to_owned(),
                size: value.len(),
            });
        }
        self.ledger
            .put(Table::TrustRepository, key.as_bytes(), value)?;
        Ok(())
    }

    /// Removes versions that no client can still be fetching.
    fn remove_outdated(&self) -> Result<(), RepositoryError> {
        let outdated = self.read().outdated();
        for key in outdated {
            self.ledger.remove(Table::TrustRepository, key.as_bytes())?;
            self.write().remove(&key);
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, RepositoryRecord> {
        // Writers only insert and remove whole documents, so a panic leaves none half-written.
        self.record.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, RepositoryRecord> {
        self.record.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for TrustRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustRepository")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
