//! What makes an instance itself: its names, keys and certificates, made once and kept in the data
//! directory.
//!
//! A chain is written after the keys that it belongs to, so a start that was cut short is simply
//! done again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::adapters::keystore::{KeyStore, KeyStoreError, load_key_file};
use crate::adapters::storage::JournalId;
use crate::adapters::system::{NoRandomness, random_bytes};
use crate::config::{OwnCa, Settings};
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::note::NoteError;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::profile::SerialNumber;
use crate::protocol::x509::{Certificate, CertificateError};
use crate::services::ca::{self, CaMaterial};
use crate::services::ctlog::CtHeadSigner;
use crate::services::issuer;
use crate::services::rekor::CheckpointSigner;
use crate::services::timestamp::{self, TsaMaterial};

/// Why an instance's material cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// A file of the key store
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The instance was made under other names
    #[error(
        "this data directory belongs to the log {made:?}, and the settings now say {now:?}: a log \
         keeps its name for ever. Set server.public_url or log.origin back, or begin with an empty \
         data directory"
    )]
    OtherName {
        /// The name at the first start.
        made: String,
        /// The name that the settings give now.
        now: String,
    },
    /// `instance.json` is not ours
    #[error("keys/instance.json cannot be read: {0}")]
    Instance(#[source] serde_json::Error),
    /// The journal is not the one that was made with the keys
    #[error(
        "the journal in the data directory is not the one that was made with these keys: restore \
         keys and journal together"
    )]
    OtherJournal,
    /// Something is lost that the logs were started with
    #[error(
        "keys/{0} is missing, and another must not take its place, for the logs have been signed: \
         restore it from a backup"
    )]
    Lost(&'static str),
    /// The data directory has no instance
    #[error("there is no instance here: keys/{0} is missing")]
    NoInstance(&'static str),
    /// A log cannot have the name
    #[error("the log's name {name:?} cannot stand in a checkpoint: {source}")]
    LogName {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: NoteError,
    },
    /// The certificate authority's part
    #[error("certificate authority: {0}")]
    Ca(#[from] ca::MaterialError),
    /// The timestamp authority's part
    #[error("timestamp authority: {0}")]
    Tsa(#[from] timestamp::MaterialError),
    /// The embedded issuer's part
    #[error("embedded issuer: {0}")]
    Issuer(#[from] issuer::IssuerKeyError),
    /// A chain file that holds something else
    #[error("{file} is not a chain of PEM certificates: {source}")]
    Chain {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// A chain file that cannot be read
    #[error("{file} cannot be read: {source}")]
    ChainFile {
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The operating system gave no randomness
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// What is decided at the first start and never again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instance {
    version: u8,
    /// When the instance was made, in seconds since the epoch.
    created: u64,
    /// The signature log's name.
    log_origin: String,
    /// The certificate log's name.
    ct_origin: String,
    /// The journal that was made with the keys, in hexadecimal.
    journal: String,
}

/// Everything that an instance signs with.
pub(crate) struct Material {
    /// What was decided at the first start.
    pub instance: Instance,
    /// The certificate authority.
    pub ca: CaMaterial,
    /// The timestamp authority.
    pub tsa: TsaMaterial,
    /// The certificate log's signer.
    pub ct: CtHeadSigner,
    /// The signer of the signature log in the v2 dialect.
    pub log: CheckpointSigner,
    /// The signer of the signature log in the v1 dialect.
    pub log_v1: CheckpointSigner,
    /// The embedded issuer's key.
    pub issuer: SigningKey,
}

/// The signers of all logs, which offline commands check heads with.
pub(crate) struct LogSigners {
    /// The certificate log's signer.
    pub ct: CtHeadSigner,
    /// The signer of the signature log in the v2 dialect.
    pub log: CheckpointSigner,
    /// The signer of the signature log in the v1 dialect; none where an earlier release made the
    /// instance and this one has not started with it yet.
    pub log_v1: Option<CheckpointSigner>,
}

const INSTANCE: &str = "instance.json";
const CT_KEY: &str = "ct.key.pem";
const LOG_KEY: &str = "log.key.pem";
const LOG_V1_KEY: &str = "log-v1.key.pem";
const ISSUER_KEY: &str = "issuer.key.pem";

/// The files of one authority.
struct AuthorityFiles {
    root_key: &'static str,
    key: &'static str,
    chain: &'static str,
}

const CA_FILES: AuthorityFiles = AuthorityFiles {
    root_key: "ca-root.key.pem",
    key: "ca.key.pem",
    chain: "ca-chain.pem",
};

const TSA_FILES: AuthorityFiles = AuthorityFiles {
    root_key: "tsa-root.key.pem",
    key: "tsa.key.pem",
    chain: "tsa-chain.pem",
};

impl Instance {
    /// When the instance was made.
    pub(crate) const fn created(&self) -> UnixTime {
        UnixTime::from_seconds(self.created)
    }

    /// Whether the data directory has an instance, and so must have its journal.
    ///
    /// # Errors
    /// The key store cannot be read.
    pub(crate) fn exists(store: &KeyStore) -> Result<bool, MaterialError> {
        Ok(store.load_public(INSTANCE)?.is_some())
    }

    fn of(settings: &Settings, journal: &JournalId, now: UnixTime) -> Self {
        let url = settings.server.public_url.as_str();
        let authority = url
            .split_once("://")
            .map_or(url, |(_, authority)| authority);
        Self {
            version: 1,
            created: now.seconds(),
            log_origin: settings.log.origin.clone(),
            ct_origin: format!("{authority}/ct"),
            journal: journal.to_string(),
        }
    }

    fn load(store: &KeyStore) -> Result<Option<Self>, MaterialError> {
        let json = store.load_public(INSTANCE)?;
        json.map(|json| serde_json::from_slice(&json).map_err(MaterialError::Instance))
            .transpose()
    }

    fn load_or_create(
        store: &KeyStore,
        settings: &Settings,
        journal: &JournalId,
        now: UnixTime,
    ) -> Result<Self, MaterialError> {
        let wanted = Self::of(settings, journal, now);
        let Some(made) = Self::load(store)? else {
            // It is written before any key; so keys without it have signed for a lost history.
            if store.has(CT_KEY)? || store.has(LOG_KEY)? || store.has(LOG_V1_KEY)? {
                return Err(MaterialError::Lost(INSTANCE));
            }
            let json = serde_json::to_vec_pretty(&wanted).map_err(MaterialError::Instance)?;
            store.write_public(INSTANCE, &json)?;
            return Ok(wanted);
        };
        if made.log_origin != wanted.log_origin {
            return Err(MaterialError::OtherName {
                made: made.log_origin,
                now: wanted.log_origin,
            });
        }
        if made.journal != wanted.journal {
            return Err(MaterialError::OtherJournal);
        }
        Ok(made)
    }
}

impl Material {
    /// Refuses a key store that lacks what was there when the logs were started, which is when all
    /// of it had been made. Otherwise a lost file would quietly be made anew, and a lost chain have
    /// its authority's keys replaced. Root keys may be kept elsewhere; `own_ca` says that the
    /// certificate authority's files are. `has_v1` says that the journal has a log in the v1
    /// dialect, which instances of the first releases have not.
    ///
    /// # Errors
    /// [`MaterialError::Lost`], or the directory cannot be read.
    pub(crate) fn require_complete(
        store: &KeyStore,
        own_ca: bool,
        has_v1: bool,
    ) -> Result<(), MaterialError> {
        let mut needed = vec![INSTANCE, CT_KEY, LOG_KEY, ISSUER_KEY];
        if has_v1 {
            needed.push(LOG_V1_KEY);
        }
        needed.extend([TSA_FILES.key, TSA_FILES.chain]);
        let mut has_ca = false;
        for name in [CA_FILES.root_key, CA_FILES.key, CA_FILES.chain] {
            has_ca |= store.has(name)?;
        }
        // An instance that began with a CA of its owner's gets one of ours when that is taken away.
        if has_ca && !own_ca {
            needed.extend([CA_FILES.key, CA_FILES.chain]);
        }
        for name in needed {
            if !store.has(name)? {
                return Err(MaterialError::Lost(name));
            }
        }
        Ok(())
    }

    /// Loads what is there and makes what is missing.
    ///
    /// # Errors
    /// See [`MaterialError`].
    pub(crate) fn load_or_create(
        store: &KeyStore,
        settings: &Settings,
        journal: &JournalId,
        now: UnixTime,
    ) -> Result<Self, MaterialError> {
        let instance = Instance::load_or_create(store, settings, journal, now)?;
        let ct = store.load_or_create_key(CT_KEY, KeyAlgorithm::P256)?;
        let log = store.load_or_create_key(LOG_KEY, KeyAlgorithm::Ed25519)?;
        let log_v1 = store.load_or_create_key(LOG_V1_KEY, KeyAlgorithm::P256)?;
        let ca = match &settings.ca.own {
            Some(own) => load_own_ca(own)?,
            None => load_or_create_ca(store, settings, now)?,
        };
        Ok(Self {
            ca,
            tsa: load_or_create_tsa(store, settings, now)?,
            ct: ct_signer(&instance, ct)?,
            log: log_signer(&instance, log, CheckpointSigner::v2)?,
            log_v1: log_signer(&instance, log_v1, CheckpointSigner::v1)?,
            issuer: store.load_or_create_key_with(ISSUER_KEY, || {
                issuer::generate_key().map_err(MaterialError::from)
            })?,
            instance,
        })
    }
}

impl LogSigners {
    /// Loads the signers of an instance that exists.
    ///
    /// # Errors
    /// There is no instance, or its files cannot be read.
    pub(crate) fn load(store: &KeyStore) -> Result<Self, MaterialError> {
        let instance = Instance::load(store)?.ok_or(MaterialError::NoInstance(INSTANCE))?;
        let key = |name| store.load_key(name)?.ok_or(MaterialError::NoInstance(name));
        let log_v1 = store.load_key(LOG_V1_KEY)?;
        Ok(Self {
            ct: ct_signer(&instance, key(CT_KEY)?)?,
            log: log_signer(&instance, key(LOG_KEY)?, CheckpointSigner::v2)?,
            log_v1: log_v1
                .map(|key| log_signer(&instance, key, CheckpointSigner::v1))
                .transpose()?,
        })
    }
}

fn ct_signer(instance: &Instance, key: SigningKey) -> Result<CtHeadSigner, MaterialError> {
    let name = &instance.ct_origin;
    CtHeadSigner::new(name, Arc::new(key)).map_err(|source| MaterialError::LogName {
        name: name.clone(),
        source,
    })
}

/// Both signature logs have one name; clients tell them apart by their keys.
fn log_signer(
    instance: &Instance,
    key: SigningKey,
    dialect: fn(SigningKey, &str) -> Result<CheckpointSigner, NoteError>,
) -> Result<CheckpointSigner, MaterialError> {
    let name = &instance.log_origin;
    dialect(key, name).map_err(|source| MaterialError::LogName {
        name: name.clone(),
        source,
    })
}

fn load_or_create_ca(
    store: &KeyStore,
    settings: &Settings,
    now: UnixTime,
) -> Result<CaMaterial, MaterialError> {
    if let Some((key, chain)) = CA_FILES.load(store)? {
        return Ok(CaMaterial::new(chain, key)?);
    }
    let names = &settings.ca;
    let made = CaMaterial::generate(&names.organisation, &names.common_name, now, serials()?)?;
    let chain = made.chain();
    CA_FILES.write(store, &made.root_key, &made.key, &chain)?;
    Ok(CaMaterial::new(chain, parse(&made.key)?)?)
}

fn load_or_create_tsa(
    store: &KeyStore,
    settings: &Settings,
    now: UnixTime,
) -> Result<TsaMaterial, MaterialError> {
    if let Some((key, chain)) = TSA_FILES.load(store)? {
        return Ok(TsaMaterial::new(key, chain)?);
    }
    let made = TsaMaterial::generate(&settings.timestamp.organisation, now, serials()?)?;
    TSA_FILES.write(store, &made.root_key, &made.key, &made.chain)?;
    Ok(TsaMaterial::new(parse(&made.key)?, made.chain)?)
}

fn load_own_ca(own: &OwnCa) -> Result<CaMaterial, MaterialError> {
    let file = own.certificate_chain_file.display().to_string();
    let pem =
        std::fs::read(&own.certificate_chain_file).map_err(|source| MaterialError::ChainFile {
            file: file.clone(),
            source,
        })?;
    let chain = parse_chain(&pem).map_err(|source| MaterialError::Chain { file, source })?;
    Ok(CaMaterial::new(chain, load_key_file(&own.key_file)?)?)
}

impl AuthorityFiles {
    fn load(
        &self,
        store: &KeyStore,
    ) -> Result<Option<(SigningKey, Vec<Certificate>)>, MaterialError> {
        let Some(pem) = store.load_public(self.chain)? else {
            return Ok(None);
        };
        let chain = parse_chain(&pem).map_err(|source| MaterialError::Chain {
            file: self.chain.to_owned(),
            source,
        })?;
        let key = store
            .load_key(self.key)?
            .ok_or(MaterialError::NoInstance(self.key))?;
        Ok(Some((key, chain)))
    }

    fn write(
        &self,
        store: &KeyStore,
        root_key: &Zeroizing<Vec<u8>>,
        key: &Zeroizing<Vec<u8>>,
        chain: &[Certificate],
    ) -> Result<(), MaterialError> {
        store.write_key(self.root_key, root_key)?;
        store.write_key(self.key, key)?;
        // CRASH: the chain comes last, for its presence says that the authority is complete.
        let chain: String = chain.iter().map(Certificate::to_pem).collect();
        Ok(store.write_public(self.chain, chain.as_bytes())?)
    }
}

fn parse(pkcs8: &[u8]) -> Result<SigningKey, MaterialError> {
    SigningKey::from_pkcs8(pkcs8).map_err(|error| MaterialError::Ca(error.into()))
}

fn parse_chain(text: &[u8]) -> Result<Vec<Certificate>, CertificateError> {
    let blocks = pem::parse_many(text).map_err(|_| CertificateError::Malformed)?;
    blocks
        .iter()
        .map(|block| Certificate::from_der(block.contents()))
        .collect()
}

fn serials() -> Result<[SerialNumber; 2], NoRandomness> {
    Ok([
        SerialNumber::from_random(random_bytes()?),
        SerialNumber::from_random(random_bytes()?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: [&str; 9] = [
        INSTANCE,
        CT_KEY,
        LOG_KEY,
        LOG_V1_KEY,
        ISSUER_KEY,
        TSA_FILES.key,
        TSA_FILES.chain,
        CA_FILES.key,
        CA_FILES.chain,
    ];

    fn store_with(names: impl IntoIterator<Item = &'static str>) -> (tempfile::TempDir, KeyStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = KeyStore::open(&folder.path().join("data")).unwrap();
        for name in names {
            store.write_public(name, b"").unwrap();
        }
        (folder, store)
    }

    #[test]
    fn nothing_that_was_signed_with_is_made_anew() {
        let (_folder, whole) = store_with(NEEDED);
        Material::require_complete(&whole, false, true).unwrap();
        for lost in NEEDED {
            let (_folder, store) = store_with(NEEDED.into_iter().filter(|name| *name != lost));

            let refused = Material::require_complete(&store, false, true);

            assert!(
                matches!(refused, Err(MaterialError::Lost(name)) if name == lost),
                "{lost}"
            );
        }
    }

    #[test]
    fn a_certificate_authority_of_the_owners_has_no_files_here() {
        let (_folder, store) = store_with(NEEDED.into_iter().take(7));

        Material::require_complete(&store, true, true).unwrap();
        Material::require_complete(&store, false, true).unwrap();
    }

    #[test]
    fn an_instance_of_an_earlier_release_has_no_key_of_a_log_that_it_never_had() {
        let (_folder, store) = store_with(NEEDED.into_iter().filter(|name| *name != LOG_V1_KEY));

        Material::require_complete(&store, false, false).unwrap();
    }
}
