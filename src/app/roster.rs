//! The logs and authorities of an instance. This is the only list of them: to add one, add an entry
//! here (and a `LogId` for a log).

use std::sync::Arc;

use crate::config::{OwnCa, Settings};
use crate::log::{HeadSigner, LogId, SearchKeys, stored_keys};
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::note::NoteError;
use crate::services::ctlog::CtHeadSigner;
use crate::services::rekor::CheckpointSigner;
use crate::services::roster::{AuthorityRole, LogRole};

/// A log that every instance has.
pub(super) struct LogDeclaration {
    pub id: LogId,
    pub role: LogRole,
    /// File of its key below `keys/`
    pub key_file: &'static str,
    pub key_algorithm: KeyAlgorithm,
    /// Path of its base URL below the public URL
    pub path: &'static str,
    /// File of its public key below `/trust`
    pub document: &'static str,
    pub is_active: fn(&Settings) -> bool,
    pub pool_entries: fn(&Settings) -> usize,
    pub search_keys: SearchKeys,
}

/// In the order in which documents list them.
pub(super) const LOGS: [LogDeclaration; 3] = [
    LogDeclaration {
        id: LogId::CT,
        role: LogRole::Ct,
        key_file: "ct.key.pem",
        key_algorithm: KeyAlgorithm::P256,
        path: "/ct",
        document: "ctlog.pem",
        is_active: |_| true,
        pool_entries: |settings| settings.ctlog.pool_entries,
        search_keys: stored_keys,
    },
    LogDeclaration {
        id: LogId::REKOR_V1,
        role: LogRole::RekorV1,
        key_file: "log-v1.key.pem",
        key_algorithm: KeyAlgorithm::P256,
        path: "",
        document: "rekor-v1.pem",
        is_active: |settings| settings.log.rekor_v1,
        pool_entries: |settings| settings.log.pool_entries,
        search_keys: stored_keys,
    },
    LogDeclaration {
        id: LogId::REKOR_V2,
        role: LogRole::RekorV2,
        key_file: "log.key.pem",
        key_algorithm: KeyAlgorithm::Ed25519,
        path: "",
        document: "rekor-v2.pem",
        is_active: |settings| settings.log.rekor_v2,
        pool_entries: |settings| settings.log.pool_entries,
        search_keys: stored_keys,
    },
];

/// The keys by which a log's leaves are found. A log that this release does not serve has stored keys at
/// most.
pub(crate) fn search_keys(log: LogId) -> SearchKeys {
    let declaration = LOGS.iter().find(|declaration| declaration.id == log);
    declaration.map_or(stored_keys, |declaration| declaration.search_keys)
}

/// An authority that every instance has.
pub(super) struct AuthorityDeclaration {
    pub name: &'static str,
    pub role: AuthorityRole,
    /// Files below `keys/`
    pub root_key_file: &'static str,
    pub key_file: &'static str,
    pub chain_file: &'static str,
    /// Path of its URI below the public URL
    pub path: &'static str,
    /// File of its chain below `/trust`
    pub document: &'static str,
    /// Organisation and common name of a generated root
    pub subject: fn(&Settings) -> (&str, &str),
    /// Whether an instance may lack all its files: it used the operator's own authority, or was created
    /// by a release without this authority. They are then created at the next start.
    pub may_be_new: bool,
    /// The operator's own key and certificates, if the settings name them
    pub own: Option<fn(&Settings) -> Option<OwnCa<'_>>>,
}

/// In the order in which documents list them. The first of each role signs.
pub(super) const AUTHORITIES: [AuthorityDeclaration; 2] = [
    AuthorityDeclaration {
        name: "certificate-authority",
        role: AuthorityRole::Certificates,
        root_key_file: "ca-root.key.pem",
        key_file: "ca.key.pem",
        chain_file: "ca-chain.pem",
        path: "",
        document: "fulcio-chain.pem",
        subject: |settings| (&settings.ca.organisation, &settings.ca.common_name),
        may_be_new: true,
        own: Some(|settings| settings.ca.own()),
    },
    AuthorityDeclaration {
        name: "timestamp-authority",
        role: AuthorityRole::Timestamps,
        root_key_file: "tsa-root.key.pem",
        key_file: "tsa.key.pem",
        chain_file: "tsa-chain.pem",
        // Clients use the URL as it is, without appending a path.
        path: "/api/v1/timestamp",
        document: "tsa-chain.pem",
        subject: |settings| (&settings.timestamp.organisation, "timestamp root"),
        may_be_new: false,
        own: None,
    },
];

/// A log's key, as its role signs with it.
#[derive(Clone)]
pub(super) enum LogSigner {
    Ct(Arc<CtHeadSigner>),
    Rekor(Arc<CheckpointSigner>),
}

impl LogSigner {
    /// # Errors
    /// The origin cannot be used in checkpoints.
    pub(super) fn new(role: LogRole, origin: &str, key: SigningKey) -> Result<Self, NoteError> {
        Ok(match role {
            LogRole::Ct => Self::Ct(Arc::new(CtHeadSigner::new(origin, Arc::new(key))?)),
            LogRole::RekorV1 => Self::Rekor(Arc::new(CheckpointSigner::v1(key, origin)?)),
            LogRole::RekorV2 => Self::Rekor(Arc::new(CheckpointSigner::v2(key, origin)?)),
        })
    }

    pub(super) fn as_head_signer(&self) -> Arc<dyn HeadSigner> {
        match self {
            Self::Ct(signer) => Arc::clone(signer) as _,
            Self::Rekor(signer) => Arc::clone(signer) as _,
        }
    }
}
