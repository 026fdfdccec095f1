//! Opens the TUF repository with its keys. Instances of earlier releases get both here.

use std::sync::Arc;

use super::{InstanceError, StartError};
use crate::adapters::keystore::{KeyStore, KeyStoreError};
use crate::adapters::storage::Storage;
use crate::config::Settings;
use crate::protocol::keys::KeyAlgorithm;
use crate::protocol::time::Clock;
use crate::services::roster::Roster;
use crate::services::trust::repository::{RepositoryKeys, TrustRepository};
use crate::services::trust::target::targets;
use crate::services::trust::{OpenRepositoryError, TrustDocuments};

/// Signs the root. After a root ceremony has replaced the key, the file may be removed.
const ROOT_KEY: &str = "tuf-root.key.pem";

/// Signs the metadata that the running server renews.
const ONLINE_KEY: &str = "tuf-online.key.pem";

/// Opens the stored repository. Blocks on storage.
pub(super) fn open_repository(
    storage: &Storage,
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    roster: &Roster,
    documents: &TrustDocuments,
) -> Result<TrustRepository, StartError> {
    let store = KeyStore::open(&settings.server.data_dir).map_err(InstanceError::from)?;
    let ledger = storage.ledger();
    let begun = TrustRepository::has_begun(&*ledger).map_err(OpenRepositoryError::from)?;
    let keys = if begun {
        load_keys(&store)?
    } else {
        make_keys(&store).map_err(InstanceError::from)?
    };
    let targets = targets(roster, documents);
    Ok(TrustRepository::open(
        ledger,
        Arc::clone(clock),
        keys,
        targets,
    )?)
}

/// Clients would refuse signatures by any other online key, so it must not be generated again.
fn load_keys(store: &KeyStore) -> Result<RepositoryKeys, InstanceError> {
    Ok(RepositoryKeys {
        online: store
            .load_key(ONLINE_KEY)?
            .ok_or(InstanceError::Lost(ONLINE_KEY))?,
        root: store.load_key(ROOT_KEY)?,
    })
}

/// The keys are stored before anything is signed, so that an interrupted start finds them.
fn make_keys(store: &KeyStore) -> Result<RepositoryKeys, KeyStoreError> {
    Ok(RepositoryKeys {
        root: Some(store.load_or_create_key(ROOT_KEY, KeyAlgorithm::P256)?),
        online: store.load_or_create_key(ONLINE_KEY, KeyAlgorithm::P256)?,
    })
}
