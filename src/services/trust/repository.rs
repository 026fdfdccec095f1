//! The TUF repository: signed, kept, and only then published.
//!
//! Every document is durable before anybody can fetch it, and the timestamp, which makes the others
//! count, is the last. What is on record is never signed a second time under its version: numbers
//! only rise, over restarts and failures too. Every root is kept for ever, for a client may come with
//! the first.

mod error;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use tracing::info;

use super::published::{Published, kept_key};
use super::renewal::{DAY, RepositoryHealth, RootTerm, Term, term};
use super::target::Target;
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::SigningKey;
use crate::protocol::time::{Clock, UnixTime};
use crate::protocol::tuf::{
    FileRef, Metadata, Role, Root, RootRules, Signed, Snapshot, TargetFile, Targets, Timestamp,
    Version,
};
use crate::services::ledger::{Ledger, LedgerError, Table};
use error::MAX_DOCUMENT;
pub(crate) use error::{OpenRepositoryError, RepositoryError};

/// What a repository signs with.
#[derive(Debug)]
pub struct RepositoryKeys {
    /// Signs targets, snapshot and timestamp
    pub online: SigningKey,
    /// Signs the root; none where its keys are elsewhere
    pub root: Option<SigningKey>,
}

/// The repository of an instance. Methods that sign block on storage.
pub struct TrustRepository {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    pub(super) keys: RepositoryKeys,
    targets: Vec<Target>,
    published: RwLock<Published>,
    /// Held by the one that signs, from reading what is on record to publishing.
    turn: Mutex<()>,
}

/// What was done in one round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// The SHA-256 of the first root, if it was made now
    pub begun: Option<Sha256>,
    /// What was signed, in order
    pub signed: Vec<(Role, Version)>,
}

/// What is known of a repository, for people.
#[derive(Clone, Debug)]
pub struct RepositoryStatus {
    /// SHA-256 of `1.root.json`, by which people know the instance
    pub initial_root: Sha256,
    /// SHA-256 of the newest root
    pub root_hash: Sha256,
    /// The newest root
    pub root: Signed<Root>,
    /// Each role's version and expiry
    pub roles: Vec<(Role, Version, UnixTime)>,
    /// Whether the root's keys are in the data directory
    pub renewable: bool,
}

impl TrustRepository {
    /// Opens what is on record, and verifies all of it. Blocks on storage.
    ///
    /// # Errors
    /// See [`OpenRepositoryError`].
    pub fn open(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        keys: RepositoryKeys,
        targets: Vec<Target>,
    ) -> Result<Self, OpenRepositoryError> {
        let published = Published::load(ledger.scan(Table::TrustRepository)?)?;
        if let Some(root) = published.root() {
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
            published: RwLock::new(published),
            turn: Mutex::new(()),
        })
    }

    /// Whether a root is on record; else the next renewal makes the first.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn has_begun(ledger: &dyn Ledger) -> Result<bool, LedgerError> {
        let first = kept_key(Role::Root, Version::FIRST);
        Ok(ledger
            .load(Table::TrustRepository, first.as_bytes())?
            .is_some())
    }

    /// Signs what nears its end or no longer says what is so, and publishes it. Begins the
    /// repository where there is none.
    ///
    /// # Errors
    /// See [`RepositoryError`]; what was signed until then is kept.
    pub fn renew(&self) -> Result<Renewal, RepositoryError> {
        let _turn = self.turn.lock().map_err(|_| RepositoryError::Broken)?;
        let now = self.clock.now();
        let mut renewal = Renewal::default();
        if self.read().root().is_none() {
            renewal.begun = Some(self.begin(now)?);
            renewal.signed.push((Role::Root, Version::FIRST));
        }
        let targets = self.renew_targets(now, &mut renewal)?;
        let snapshot = self.renew_snapshot(now, &targets, &mut renewal)?;
        self.renew_timestamp(now, &snapshot, &mut renewal)?;
        Ok(renewal)
    }

    fn begin(&self, now: UnixTime) -> Result<Sha256, RepositoryError> {
        let key = self.keys.root.as_ref().ok_or(RepositoryError::NoRootKey)?;
        let rules = RootRules {
            root_keys: vec![key.public_key().clone()],
            threshold: 1,
            online_key: self.keys.online.public_key().clone(),
        };
        let root = Root::new(Version::FIRST, expiry(Role::Root, now), &rules)?;
        let root = Signed::sign(root, &[key])?;
        let hash = Sha256::of(root.bytes());
        self.keep(root, |published| &mut published.roots)?;
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
        let present = self.read().present_targets().cloned();
        if let Some(present) = present.filter(|one| *one.body().files() == files && lasts(one, now))
        {
            return Ok(present);
        }
        // CRASH: the files first, then their list: a list never names what cannot be fetched.
        for target in &self.targets {
            self.keep_file(target)?;
        }
        let version = self.read().next_version(Role::Targets)?;
        let list = Targets::new(version, expiry(Role::Targets, now), files);
        let signed = Signed::sign(list, &[&self.keys.online])?;
        self.keep(signed.clone(), |published| &mut published.targets)?;
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
        let present = self.read().present_snapshot().cloned();
        let present = present.filter(|one| one.body().targets() == Some(&named) && lasts(one, now));
        if let Some(present) = present {
            return Ok(present);
        }
        let version = self.read().next_version(Role::Snapshot)?;
        let snapshot = Snapshot::new(version, expiry(Role::Snapshot, now), named);
        let signed = Signed::sign(snapshot, &[&self.keys.online])?;
        self.keep(signed.clone(), |published| &mut published.snapshots)?;
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
        let present = self.read().timestamp.clone();
        if present.is_some_and(|one| *one.body().snapshot() == named && lasts(&one, now)) {
            return Ok(());
        }
        let version = self.read().next_version(Role::Timestamp)?;
        let timestamp = Timestamp::new(version, expiry(Role::Timestamp, now), named);
        let signed = Signed::sign(timestamp, &[&self.keys.online])?;
        // CRASH: the timestamp comes last: only now does any of the rest count.
        self.put("timestamp", signed.bytes())?;
        self.write().timestamp = Some(signed);
        renewal.signed.push((Role::Timestamp, version));
        self.forget_old()
    }

    /// Makes a root count that follows the present one, from now on and for ever.
    ///
    /// # Errors
    /// It does not follow, or the server could not go on under it.
    pub fn install_root(&self, root: &Signed<Root>) -> Result<(), RepositoryError> {
        let _turn = self.turn.lock().map_err(|_| RepositoryError::Broken)?;
        let present = self.root().ok_or(RepositoryError::NotBegun)?;
        present.check_successor(root)?;
        let rules = root.body().rules();
        let online = self.keys.online.public_key();
        if rules.is_none_or(|rules| rules.online_key != *online) {
            return Err(RepositoryError::OnlineRoles);
        }
        if root.body().is_expired(self.clock.now()) {
            return Err(RepositoryError::Expired(root.body().expires()));
        }
        self.keep(root.clone(), |published| &mut published.roots)?;
        let (version, hash) = (root.body().version().get(), Sha256::of(root.bytes()));
        info!(
            version,
            root.sha256 = hash.to_hex(),
            "root of trust installed"
        );
        Ok(())
    }

    /// The bytes of a file of the repository, by its path below the repository's own.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.read().file(path)
    }

    /// The paths of all that can be fetched.
    #[cfg(any(test, feature = "testing"))]
    pub fn paths(&self) -> Vec<String> {
        self.read().paths()
    }

    /// SHA-256 of `1.root.json`, by which people know the instance; none before the first start has
    /// ended.
    pub fn initial_root_hash(&self) -> Option<Sha256> {
        let published = self.read();
        let first = published.roots.get(&Version::FIRST)?;
        Some(Sha256::of(first.bytes()))
    }

    /// How much is left of the root's time; none before there is one.
    pub fn root_term(&self) -> Option<RootTerm> {
        let root = self.root()?;
        Some(RootTerm::at(self.clock.now(), root.body().expires()))
    }

    /// Until when each role's document is believed, root first; empty before there are any.
    pub fn expiries(&self) -> Vec<(Role, Version, UnixTime)> {
        self.read().expiries()
    }

    /// Whether clients are served as they should be.
    pub fn health(&self) -> RepositoryHealth {
        RepositoryHealth::of(&self.expiries(), self.clock.now())
    }

    /// All that people may want to know.
    ///
    /// # Errors
    /// There is no root yet.
    pub fn status(&self) -> Result<RepositoryStatus, RepositoryError> {
        let root = self.root().ok_or(RepositoryError::NotBegun)?;
        Ok(RepositoryStatus {
            initial_root: self.initial_root_hash().ok_or(RepositoryError::NotBegun)?,
            root_hash: Sha256::of(root.bytes()),
            roles: self.expiries(),
            renewable: self.own_root_key(root.body()).is_ok(),
            root,
        })
    }

    /// The newest root.
    pub(super) fn root(&self) -> Option<Signed<Root>> {
        self.read().root().cloned()
    }

    pub(super) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The key that alone can sign what follows this root.
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

    /// Keeps a document and publishes it.
    fn keep<T: Metadata>(
        &self,
        document: Signed<T>,
        place: impl FnOnce(&mut Published) -> &mut BTreeMap<Version, Signed<T>>,
    ) -> Result<(), RepositoryError> {
        let version = document.body().version();
        self.put(&kept_key(T::ROLE, version), document.bytes())?;
        place(&mut self.write()).insert(version, document);
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
                what: key.to_owned(),
                size: value.len(),
            });
        }
        self.ledger
            .put(Table::TrustRepository, key.as_bytes(), value)?;
        Ok(())
    }

    /// Lets go of what no client can be on its way to any more.
    fn forget_old(&self) -> Result<(), RepositoryError> {
        let old = self.read().old();
        for key in old {
            self.ledger.remove(Table::TrustRepository, key.as_bytes())?;
            self.write().forget(&key);
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Published> {
        // Writers only insert and remove whole documents.
        self.published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Published> {
        self.published
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for TrustRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustRepository")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

pub(super) fn expiry(role: Role, now: UnixTime) -> UnixTime {
    now.floor_to_second().after(term(role).life)
}

/// Whether a document need not be signed anew yet. One that was signed under a clock which was ahead
/// would last for longer than clients should believe it.
fn lasts<T: Metadata>(document: &Signed<T>, now: UnixTime) -> bool {
    let Term { life, margin } = term(T::ROLE);
    let expires = document.body().expires();
    now < expires.before(margin.unwrap_or_default()) && expires <= now.after(life).after(DAY)
}

#[cfg(test)]
mod tests;
