//! A TUF repository over an in-memory ledger, and the client that updates from it.

use std::sync::Arc;
use std::time::Duration;

use super::error::OpenRepositoryError;
use super::repository::{RepositoryKeys, TrustRepository};
use super::target::Target;
use crate::doubles::{MemoryLedger, TestClock};
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::time::{Clock, UnixTime};
use crate::protocol::tuf::testing::NOW;
use crate::protocol::tuf::trusted_set::{TrustedSet, UpdateError};
use crate::protocol::tuf::{Custom, Metadata as _, Role, SigstoreCustom};
use crate::services::ledger::Ledger;

/// The ledger, clock and keys of a repository.
pub(crate) struct TestInstance {
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) root_key: Arc<(SigningKey, Vec<u8>)>,
    pub(crate) online_key: Arc<(SigningKey, Vec<u8>)>,
}

impl TestInstance {
    pub(crate) fn new() -> Self {
        let pair = || {
            let (key, pkcs8) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
            Arc::new((key, pkcs8.to_vec()))
        };
        Self {
            ledger: Arc::default(),
            clock: Arc::new(TestClock::new(NOW)),
            root_key: pair(),
            online_key: pair(),
        }
    }

    pub(crate) fn advance_days(&self, days: u64) {
        self.clock.advance(Duration::from_secs(days * 86_400));
    }

    pub(crate) fn rewind_days(&self, days: u64) {
        self.clock.rewind(Duration::from_secs(days * 86_400));
    }

    pub(crate) fn keys(&self) -> RepositoryKeys {
        let copy = |pair: &(SigningKey, Vec<u8>)| SigningKey::from_pkcs8(&pair.1).unwrap();
        RepositoryKeys {
            online: copy(&self.online_key),
            root: Some(copy(&self.root_key)),
        }
    }

    pub(crate) fn open(&self) -> TrustRepository {
        self.open_with("first").unwrap()
    }

    /// `content` is the content of the only target file.
    pub(crate) fn open_with(&self, content: &str) -> Result<TrustRepository, OpenRepositoryError> {
        self.open_keys(content, self.keys())
    }

    pub(crate) fn open_keys(
        &self,
        content: &str,
        keys: RepositoryKeys,
    ) -> Result<TrustRepository, OpenRepositoryError> {
        let ledger: Arc<dyn Ledger> = Arc::<MemoryLedger>::clone(&self.ledger);
        let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(&self.clock);
        TrustRepository::open(ledger, clock, keys, vec![target(content)])
    }
}

pub(crate) fn target(content: &str) -> Target {
    Target {
        name: "trusted_root.json",
        content: content.as_bytes().into(),
        custom: Custom {
            sigstore: SigstoreCustom {
                status: "Active".to_owned(),
                usage: "Unknown".to_owned(),
                uri: None,
            },
        },
    }
}

/// Updates a client from its root, and returns the content of the target file.
pub(crate) fn refresh(
    set: &mut TrustedSet,
    now: UnixTime,
    file: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, UpdateError> {
    loop {
        let next = set.root().body().version().next().unwrap();
        let Some(root) = file(&format!("{next}.root.json")) else {
            break;
        };
        set.update_root(&root)?;
    }
    set.update_timestamp(&file("timestamp.json").unwrap(), now)?;
    let number = |set: &TrustedSet| set.timestamp().unwrap().body().snapshot().version;
    set.update_snapshot(
        &file(&format!("{}.snapshot.json", number(set))).unwrap(),
        now,
    )?;
    let list = set.snapshot().unwrap().body().targets();
    let list = list.ok_or(UpdateError::Order(Role::Targets))?.version;
    set.update_targets(&file(&format!("{list}.targets.json")).unwrap(), now)?;
    let (name, listed) = set.files()?.next().unwrap();
    let content = file(&format!("targets/{}.{name}", listed.sha256().to_hex())).unwrap();
    set.check_target(name, &content)?;
    Ok(content)
}
