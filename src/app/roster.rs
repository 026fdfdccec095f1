//! The logs and authorities of an instance. This is the only list of them: to add one, add an entry
//! here (and a `LogId` for a log).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::StartError;
use super::keys::{Instance, InstanceKeys};
use crate::adapters::storage::Storage;
use crate::config::{OwnCa, Settings};
use crate::log::{HeadSigner, Limits, Log, LogId, missing_entries};
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::{KeyAlgorithm, PublicKey, SigningKey};
use crate::protocol::note::NoteError;
use crate::protocol::origin::Origin;
use crate::protocol::time::{Clock, Validity};
use crate::protocol::x509::Certificate;
use crate::services::ctlog::{CtHeadSigner, CtLog};
use crate::services::rekor::v1::SignatureLogV1;
use crate::services::rekor::{CheckpointSigner, SignatureLog};
use crate::services::roster::{
    AuthorityDescription, AuthorityRole, LogDescription, LogRole, LogState, Roster,
};

/// A log that every instance has.
pub(super) struct LogDeclaration {
    pub id: LogId,
    pub name: &'static str,
    pub role: LogRole,
    /// File of its key below `keys/`
    pub key_file: &'static str,
    pub key_algorithm: KeyAlgorithm,
    /// Path of its base URL below the public URL
    pub path: &'static str,
    /// File of its public key below `/trust`
    document: &'static str,
    is_active: fn(&Settings) -> bool,
    pool_entries: fn(&Settings) -> usize,
}

/// In the order in which documents list them.
pub(super) const LOGS: [LogDeclaration; 3] = [
    LogDeclaration {
        id: LogId::Ct,
        name: "ct",
        role: LogRole::Ct,
        key_file: "ct.key.pem",
        key_algorithm: KeyAlgorithm::P256,
        path: "/ct",
        document: "ctlog.pem",
        is_active: |_| true,
        pool_entries: |settings| settings.ctlog.pool_entries,
    },
    LogDeclaration {
        id: LogId::RekorV1,
        name: "rekor-v1",
        role: LogRole::RekorV1,
        key_file: "log-v1.key.pem",
        key_algorithm: KeyAlgorithm::P256,
        path: "",
        document: "rekor-v1.pem",
        is_active: |settings| settings.log.rekor_v1,
        pool_entries: |settings| settings.log.pool_entries,
    },
    LogDeclaration {
        id: LogId::RekorV2,
        name: "rekor-v2",
        role: LogRole::RekorV2,
        key_file: "log.key.pem",
        key_algorithm: KeyAlgorithm::Ed25519,
        path: "",
        document: "rekor-v2.pem",
        is_active: |settings| settings.log.rekor_v2,
        pool_entries: |settings| settings.log.pool_entries,
    },
];

/// An authority that every instance has.
pub(super) struct AuthorityDeclaration {
    pub name: &'static str,
    pub role: AuthorityRole,
    /// Files below `keys/`
    pub root_key_file: &'static str,
    pub key_file: &'static str,
    pub chain_file: &'static str,
    /// Path of its URI below the public URL
    path: &'static str,
    /// File of its chain below `/trust`
    document: &'static str,
    /// Organisation and common name of a generated root
    pub subject: fn(&Settings) -> (&str, &str),
    /// The operator's own key and certificates, if the settings name them
    pub own: Option<fn(&Settings) -> Option<&OwnCa>>,
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
        own: Some(|settings| settings.ca.own.as_ref()),
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
        own: None,
    },
];

/// How long before its creation an instance's keys are trusted, because clocks differ.
const TRUST_MARGIN: std::time::Duration = std::time::Duration::from_secs(3600);

/// A log's key, as its role signs with it.
#[derive(Clone)]
pub(super) enum LogSigner {
    Ct(Arc<CtHeadSigner>),
    Rekor(Arc<CheckpointSigner>),
}

impl LogSigner {
    /// # Errors
    /// The origin cannot be used in checkpoints.
    pub(super) fn new(
        declaration: &LogDeclaration,
        instance: &Instance,
        key: SigningKey,
    ) -> Result<Self, (String, NoteError)> {
        let name = instance.log_name(declaration.role, declaration.path);
        let signer = match declaration.role {
            LogRole::Ct => CtHeadSigner::new(&name, Arc::new(key))
                .map(Arc::new)
                .map(Self::Ct),
            LogRole::RekorV1 => CheckpointSigner::v1(key, &name)
                .map(Arc::new)
                .map(Self::Rekor),
            LogRole::RekorV2 => CheckpointSigner::v2(key, &name)
                .map(Arc::new)
                .map(Self::Rekor),
        };
        signer.map_err(|error| (name, error))
    }

    pub(super) fn as_head_signer(&self) -> Arc<dyn HeadSigner> {
        match self {
            Self::Ct(signer) => Arc::clone(signer) as _,
            Self::Rekor(signer) => Arc::clone(signer) as _,
        }
    }

    fn key(&self) -> &PublicKey {
        match self {
            Self::Ct(signer) => signer.head_key().key(),
            Self::Rekor(signer) => signer.note_key().key(),
        }
    }

    fn log_id(&self) -> Sha256 {
        match self {
            Self::Ct(signer) => signer.head_key().key().fingerprint(),
            Self::Rekor(signer) => *signer.note_key().hash(),
        }
    }
}

/// The public description of an instance with these keys.
pub(super) fn describe(settings: &Settings, keys: &InstanceKeys, issuers: Vec<String>) -> Roster {
    let public_url: Origin = settings.server.public_url.origin().clone();
    let validity = Validity {
        start: keys.instance.created().before(TRUST_MARGIN),
        end: None,
    };
    let logs = keys
        .logs
        .iter()
        .map(|(declaration, signer)| LogDescription {
            name: declaration.name,
            role: declaration.role,
            state: if (declaration.is_active)(settings) {
                LogState::Active
            } else {
                LogState::Frozen
            },
            url: public_url.join(declaration.path),
            origin: signer.as_head_signer().origin().to_owned(),
            key: signer.key().clone(),
            log_id: signer.log_id(),
            validity,
            document: declaration.document,
        });
    let authorities = keys.authorities.iter().map(|(declaration, authority)| {
        let chain: Vec<Certificate> = authority.chain().to_vec();
        AuthorityDescription {
            name: declaration.name,
            role: declaration.role,
            url: public_url.join(declaration.path),
            chain,
            validity,
            document: declaration.document,
        }
    });
    Roster {
        logs: logs.collect(),
        authorities: authorities.collect(),
        operator: settings.trust.operator.clone(),
        issuers,
        public_url,
    }
}

/// A running log with the service of its role.
pub(super) struct RunningLog {
    pub declaration: &'static LogDeclaration,
    pub log: Log,
    pub service: LogService,
    /// Size when the server began to answer requests
    initial_size: AtomicU64,
}

#[derive(Clone)]
pub(super) enum LogService {
    Ct(Arc<CtLog>),
    RekorV1(Arc<SignatureLogV1>),
    RekorV2(Arc<SignatureLog>),
}

impl RunningLog {
    /// Counts appended entries from now on.
    pub(super) fn begin_counting(&self) {
        let size = self.log.head().size.get();
        self.initial_size.store(size, Ordering::Relaxed);
    }

    /// Entries appended since the server began to answer requests.
    pub(super) fn appended(&self) -> u64 {
        self.log.head().size.get() - self.initial_size.load(Ordering::Relaxed)
    }
}

/// Starts every log. The logs and the ledger share one journal. If the journal lacks signed entries of
/// any log, nothing may be written, because it would be lost when the complete journal is restored.
pub(super) fn start_logs(
    settings: &Settings,
    storage: &Storage,
    clock: &Arc<dyn Clock>,
    keys: &InstanceKeys,
) -> Result<Vec<RunningLog>, StartError> {
    let missing = keys.logs.iter().filter_map(|(declaration, signer)| {
        let signer = signer.as_head_signer();
        let missing = missing_entries(declaration.id, signer.as_ref(), &storage.parts())?;
        Some((declaration.id, missing))
    });
    let missing: Vec<_> = missing.collect();
    if !missing.is_empty() {
        storage.hold(missing);
    }
    let chain = keys.signing_authority(AuthorityRole::Certificates).chain();
    let start = |(declaration, signer): &(&'static LogDeclaration, LogSigner)| {
        let limits = Limits {
            pool_entries: (declaration.pool_entries)(settings),
            ..Limits::default()
        };
        let log = Log::start(
            declaration.id,
            signer.as_head_signer(),
            Arc::clone(clock),
            storage.parts(),
            limits,
        );
        let log = log.map_err(|error| StartError::Log(declaration.name, error))?;
        let service = match (declaration.role, signer) {
            (_, LogSigner::Ct(signer)) => {
                LogService::Ct(Arc::new(CtLog::new(log.clone(), signer, chain.to_vec())))
            }
            (LogRole::RekorV1, LogSigner::Rekor(signer)) => {
                let (log, signer) = (log.clone(), Arc::clone(signer));
                let service = SignatureLogV1::new(log, signer, Arc::clone(clock));
                LogService::RekorV1(Arc::new(service))
            }
            (_, LogSigner::Rekor(signer)) => {
                let service = SignatureLog::new(log.clone(), *signer.note_key().hash());
                LogService::RekorV2(Arc::new(service))
            }
        };
        Ok(RunningLog {
            declaration,
            log,
            service,
            initial_size: AtomicU64::new(0),
        })
    };
    keys.logs.iter().map(start).collect()
}
