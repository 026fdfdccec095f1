//! The keys, certificates and names of an instance. They are created once and stored in the data directory.
//!
//! A chain is written after its keys, so an interrupted first start is repeated.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::roster::{AUTHORITIES, AuthorityDeclaration, LOGS, LogDeclaration, LogSigner};
use crate::adapters::keystore::{KeyStore, KeyStoreError, load_key_file};
use crate::adapters::storage::JournalId;
use crate::adapters::system::random_bytes;
use crate::config::Settings;
use crate::log::HeadSigner;
use crate::protocol::keys::SigningKey;
use crate::protocol::note::NoteError;
use crate::protocol::origin::Origin;
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::profile::SerialNumber;
use crate::protocol::x509::{Certificate, CertificateError};
use crate::services::authority::{Authority, AuthorityError};
use crate::services::issuer;
use crate::services::random::NoRandomness;
use crate::services::roster::{
    AuthorityDescription, AuthorityRole, LogDescription, LogRole, LogState, Roster,
};

/// Error loading or creating an instance's keys.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    #[error(
        "the data directory belongs to log {stored:?}, but the settings name {configured:?}: the name of \
         a log cannot change; restore server.public_url or log.origin, or start with an empty data \
         directory"
    )]
    OtherName { stored: String, configured: String },
    #[error("keys/instance.json cannot be read: {0}")]
    Instance(#[source] serde_json::Error),
    #[error(
        "the journal in the data directory was not created with these keys: restore keys and journal \
         together"
    )]
    OtherJournal,
    #[error(
        "keys/{0} is missing and cannot be replaced, because the logs were signed with it: restore it \
         from a backup"
    )]
    Lost(&'static str),
    #[error("the data directory contains no instance: keys/{0} is missing")]
    NoInstance(&'static str),
    #[error("the log name {name:?} cannot be used in checkpoints: {source}")]
    LogName { name: String, source: NoteError },
    #[error("{name}: {source}")]
    Authority {
        name: &'static str,
        source: AuthorityError,
    },
    #[error("embedded issuer: {0}")]
    Issuer(#[from] issuer::IssuerKeyError),
    #[error("{file} is not a chain of PEM certificates: {source}")]
    Chain {
        file: String,
        source: CertificateError,
    },
    #[error("{file} cannot be read: {source}")]
    ChainFile {
        file: String,
        source: std::io::Error,
    },
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// The contents of `keys/instance.json`, which never change after the first start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instance {
    version: u8,
    /// Seconds since the epoch
    created: u64,
    /// Origin of the signature logs
    log_origin: String,
    /// Origin of the certificate log
    ct_origin: String,
    /// ID of the journal, in hexadecimal
    journal: String,
}

/// The keys of an instance, except those of the TUF repository.
pub(super) struct InstanceKeys {
    pub instance: Instance,
    pub logs: Vec<(&'static LogDeclaration, LogSigner)>,
    pub authorities: Vec<(&'static AuthorityDeclaration, Authority)>,
    pub issuer: SigningKey,
}

/// How long before its creation an instance's keys are trusted, because clocks differ.
const TRUST_MARGIN: Duration = Duration::from_secs(3600);

const INSTANCE: &str = "instance.json";
const ISSUER_KEY: &str = "issuer.key.pem";

/// Path of the certificate log in its origin.
const CT_PATH: &str = "/ct";

impl Instance {
    pub(super) const fn created(&self) -> UnixTime {
        UnixTime::from_seconds(self.created)
    }

    /// Whether the data directory contains an instance and therefore must contain its journal.
    ///
    /// # Errors
    /// The key store cannot be read.
    pub(super) fn exists(store: &KeyStore) -> Result<bool, InstanceError> {
        Ok(store.load_public(INSTANCE)?.is_some())
    }

    /// The origin of a log with this role. Signature logs share one origin and differ in their keys.
    pub(super) fn log_name(&self, role: LogRole, path: &str) -> String {
        match role {
            LogRole::Ct => {
                let host = self.ct_origin.strip_suffix(CT_PATH);
                format!("{}{path}", host.unwrap_or(&self.ct_origin))
            }
            LogRole::RekorV1 | LogRole::RekorV2 => self.log_origin.clone(),
        }
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
            ct_origin: format!("{authority}{CT_PATH}"),
            journal: journal.to_string(),
        }
    }

    fn load(store: &KeyStore) -> Result<Option<Self>, InstanceError> {
        let json = store.load_public(INSTANCE)?;
        json.map(|json| serde_json::from_slice(&json).map_err(InstanceError::Instance))
            .transpose()
    }

    fn load_or_create(
        store: &KeyStore,
        settings: &Settings,
        journal: &JournalId,
        now: UnixTime,
    ) -> Result<Self, InstanceError> {
        let expected = Self::of(settings, journal, now);
        let Some(stored) = Self::load(store)? else {
            // This file is written before any key, so keys without it belong to a lost journal.
            for log in &LOGS {
                if store.has(log.key_file)? {
                    return Err(InstanceError::Lost(INSTANCE));
                }
            }
            let json = serde_json::to_vec_pretty(&expected).map_err(InstanceError::Instance)?;
            store.write_public(INSTANCE, &json)?;
            return Ok(expected);
        };
        if stored.log_origin != expected.log_origin {
            return Err(InstanceError::OtherName {
                stored: stored.log_origin,
                configured: expected.log_origin,
            });
        }
        if stored.journal != expected.journal {
            return Err(InstanceError::OtherJournal);
        }
        Ok(stored)
    }
}

impl InstanceKeys {
    /// Rejects a key store that lacks a file which the logs in the journal depend on. Otherwise a
    /// lost key would be generated again, and a lost chain would replace the keys of its authority.
    /// Root keys may be on other machines.
    ///
    /// # Errors
    /// [`InstanceError::Lost`], or the directory cannot be read.
    pub(super) fn require_complete(
        store: &KeyStore,
        settings: &Settings,
        has_log: impl Fn(&LogDeclaration) -> bool,
    ) -> Result<(), InstanceError> {
        let logs = LOGS.iter().filter(|log| has_log(log));
        let mut needed = vec![INSTANCE];
        needed.extend(logs.map(|log| log.key_file));
        needed.push(ISSUER_KEY);
        for authority in &AUTHORITIES {
            if authority.own.and_then(|own| own(settings)).is_some() {
                continue;
            }
            let files = [authority.key_file, authority.chain_file];
            let mut exists = !authority.may_be_new || store.has(authority.root_key_file)?;
            for file in files {
                exists |= store.has(file)?;
            }
            if exists {
                needed.extend(files);
            }
        }
        for name in needed {
            if !store.has(name)? {
                return Err(InstanceError::Lost(name));
            }
        }
        Ok(())
    }

    /// Loads what exists and creates what is missing.
    ///
    /// # Errors
    /// See [`InstanceError`].
    pub(super) fn load_or_create(
        store: &KeyStore,
        settings: &Settings,
        journal: &JournalId,
        now: UnixTime,
    ) -> Result<Self, InstanceError> {
        let instance = Instance::load_or_create(store, settings, journal, now)?;
        let mut logs = Vec::new();
        for declaration in &LOGS {
            let key = store.load_or_create_key(declaration.key_file, declaration.key_algorithm)?;
            logs.push((declaration, log_signer(declaration, &instance, key)?));
        }
        let mut authorities = Vec::new();
        for declaration in &AUTHORITIES {
            let authority = load_or_create_authority(store, settings, declaration, now)?;
            authorities.push((declaration, authority));
        }
        Ok(Self {
            logs,
            authorities,
            issuer: store.load_or_create_key_with(ISSUER_KEY, || {
                issuer::generate_key().map_err(InstanceError::from)
            })?,
            instance,
        })
    }

    /// The authority that signs for this role.
    pub(super) fn signing_authority(&self, role: AuthorityRole) -> &Authority {
        let mut of_role = self.authorities.iter().filter(|(one, _)| one.role == role);
        let (_, authority) = of_role.next().expect("AUTHORITIES has one of each role");
        authority
    }

    /// Takes the authority that signs for this role.
    pub(super) fn take_signing_authority(&mut self, role: AuthorityRole) -> Authority {
        let place = self
            .authorities
            .iter()
            .position(|(one, _)| one.role == role);
        let place = place.expect("AUTHORITIES has one of each role");
        self.authorities.remove(place).1
    }

    /// The public description of the instance.
    pub(super) fn describe(&self, settings: &Settings, issuers: Vec<String>) -> Roster {
        let public_url: Origin = settings.server.public_url.origin().clone();
        let validity = Validity {
            start: self.instance.created().before(TRUST_MARGIN),
            end: None,
        };
        let logs = self.logs.iter().map(|(declaration, signer)| {
            let signer = signer.as_head_signer();
            LogDescription {
                id: declaration.id,
                role: declaration.role,
                state: if (declaration.is_active)(settings) {
                    LogState::Active
                } else {
                    LogState::Frozen
                },
                url: public_url.join(declaration.path),
                origin: signer.origin().to_owned(),
                key: signer.key().clone(),
                log_id: signer.log_id(),
                validity,
                document: declaration.document,
            }
        });
        let authorities =
            self.authorities
                .iter()
                .map(|(declaration, authority)| AuthorityDescription {
                    name: declaration.name,
                    role: declaration.role,
                    url: public_url.join(declaration.path),
                    chain: authority.chain().to_vec(),
                    validity,
                    document: declaration.document,
                });
        Roster {
            logs: logs.collect(),
            authorities: authorities.collect(),
            operator: settings.trust.operator.clone(),
            issuers,
            public_url,
        }
    }
}

/// Loads the signers of an instance's logs, with which offline commands verify checkpoints. The key of
/// a log that an earlier release did not have may be missing.
///
/// # Errors
/// The data directory contains no instance, or its files cannot be read.
pub(crate) fn load_log_signers(
    store: &KeyStore,
) -> Result<Vec<Arc<dyn HeadSigner>>, InstanceError> {
    let instance = Instance::load(store)?.ok_or(InstanceError::NoInstance(INSTANCE))?;
    let mut signers = Vec::new();
    for declaration in &LOGS {
        if let Some(key) = store.load_key(declaration.key_file)? {
            signers.push(log_signer(declaration, &instance, key)?.as_head_signer());
        }
    }
    if signers.is_empty() {
        return Err(InstanceError::NoInstance(LOGS[0].key_file));
    }
    Ok(signers)
}

fn log_signer(
    declaration: &LogDeclaration,
    instance: &Instance,
    key: SigningKey,
) -> Result<LogSigner, InstanceError> {
    let name = instance.log_name(declaration.role, declaration.path);
    LogSigner::new(declaration.role, &name, key)
        .map_err(|source| InstanceError::LogName { name, source })
}

fn load_or_create_authority(
    store: &KeyStore,
    settings: &Settings,
    declaration: &AuthorityDeclaration,
    now: UnixTime,
) -> Result<Authority, InstanceError> {
    let refused = |source| InstanceError::Authority {
        name: declaration.name,
        source,
    };
    let (key, chain) = if let Some(own) = declaration.own.and_then(|own| own(settings)) {
        let file = own.certificate_chain_file.display().to_string();
        let pem = match std::fs::read(own.certificate_chain_file) {
            Ok(pem) => pem,
            Err(source) => return Err(InstanceError::ChainFile { file, source }),
        };
        let chain = parse_chain(&pem).map_err(|source| InstanceError::Chain { file, source })?;
        (load_key_file(own.key_file)?, chain)
    } else if let Some(pem) = store.load_public(declaration.chain_file)? {
        let chain = parse_chain(&pem).map_err(|source| InstanceError::Chain {
            file: declaration.chain_file.to_owned(),
            source,
        })?;
        let key = store.load_key(declaration.key_file)?;
        let key = key.ok_or(InstanceError::NoInstance(declaration.key_file))?;
        (key, chain)
    } else {
        let (organisation, common_name) = (declaration.subject)(settings);
        let serials = [
            SerialNumber::from_random(random_bytes()?),
            SerialNumber::from_random(random_bytes()?),
        ];
        let role = declaration.role;
        let made = Authority::generate(role, organisation, common_name, now, serials);
        let made = made.map_err(refused)?;
        store.write_key(declaration.root_key_file, &made.root_key)?;
        store.write_key(declaration.key_file, &made.key)?;
        // The chain is written last, because its presence marks the authority as complete.
        let pem: String = made.chain.iter().map(Certificate::to_pem).collect();
        store.write_public(declaration.chain_file, pem.as_bytes())?;
        let key = SigningKey::from_pkcs8(&made.key);
        (key.map_err(|error| refused(error.into()))?, made.chain)
    };
    Authority::new(declaration.role, chain, key).map_err(refused)
}

fn parse_chain(text: &[u8]) -> Result<Vec<Certificate>, CertificateError> {
    let blocks = pem::parse_many(text).map_err(|_| CertificateError::Malformed)?;
    blocks
        .iter()
        .map(|block| Certificate::from_der(block.contents()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Sources, load};

    /// Every file that an instance with all logs and authorities must have.
    fn needed() -> Vec<&'static str> {
        let logs = LOGS.iter().map(|log| log.key_file);
        let authorities = AUTHORITIES
            .iter()
            .flat_map(|authority| [authority.key_file, authority.chain_file]);
        [INSTANCE, ISSUER_KEY]
            .into_iter()
            .chain(logs)
            .chain(authorities)
            .collect()
    }

    fn store_with(names: impl IntoIterator<Item = &'static str>) -> (tempfile::TempDir, KeyStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = KeyStore::open(&folder.path().join("data")).unwrap();
        for name in names {
            store.write_public(name, b"").unwrap();
        }
        (folder, store)
    }

    fn settings(toml: &str) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signet.toml");
        std::fs::write(&file, toml).unwrap();
        let sources = Sources {
            file: Some(file),
            environment: Vec::new(),
            flags: Flags::default(),
        };
        load(&sources).unwrap()
    }

    const OWN_CA: &str = "[ca]\ncertificate_chain_file = \"a\"\nkey_file = \"b\"\n";

    #[test]
    fn a_missing_key_is_an_error_and_not_replaced() {
        let settings = settings("");
        let (_folder, whole) = store_with(needed());
        InstanceKeys::require_complete(&whole, &settings, |_| true).unwrap();
        for lost in needed() {
            let (_folder, store) = store_with(needed().into_iter().filter(|name| *name != lost));

            let refused = InstanceKeys::require_complete(&store, &settings, |_| true);

            assert!(
                matches!(refused, Err(InstanceError::Lost(name)) if name == lost),
                "{lost}"
            );
        }
    }

    #[test]
    fn an_operators_own_authority_needs_no_files_in_the_data_directory() {
        let is_of_ca = |name: &&str| name.starts_with("ca");
        let (_folder, store) = store_with(needed().into_iter().filter(|name| !is_of_ca(name)));

        for settings in [settings(OWN_CA), settings("")] {
            InstanceKeys::require_complete(&store, &settings, |_| true).unwrap();
        }
    }

    #[test]
    fn a_log_that_is_new_in_this_release_needs_no_key() {
        for log in &LOGS {
            let others = needed().into_iter().filter(|name| *name != log.key_file);
            let (_folder, store) = store_with(others);

            let has_log = |one: &LogDeclaration| one.id != log.id;
            InstanceKeys::require_complete(&store, &settings(""), has_log).unwrap();
        }
    }
}
