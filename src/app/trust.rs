//! Opening the TUF repository with its keys, which an instance of an earlier release has yet to get.

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

/// Signs the root; a ceremony may move its part elsewhere, and then the file may go.
const ROOT_KEY: &str = "tuf-root.key.pem";

/// Signs what is renewed while the server runs.
const ONLINE_KEY: &str = "tuf-online.key.pem";

/// Opens what is on record. Blocks on storage.
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

/// Another online key would make signatures that no client believes.
fn load_keys(store: &KeyStore) -> Result<RepositoryKeys, InstanceError> {
    Ok(RepositoryKeys {
        online: store
            .load_key(ONLINE_KEY)?
            .ok_or(InstanceError::Lost(ONLINE_KEY))?,
        root: store.load_key(ROOT_KEY)?,
    })
}

/// CRASH: made before anything is signed; a start that was cut short finds them.
fn make_keys(store: &KeyStore) -> Result<RepositoryKeys, KeyStoreError> {
    Ok(RepositoryKeys {
        root: Some(store.load_or_create_key(ROOT_KEY, KeyAlgorithm::P256)?),
        online: store.load_or_create_key(ONLINE_KEY, KeyAlgorithm::P256)?,
    })
}
