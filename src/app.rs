//! The composition root: settings and a data directory in, a running service out. It alone knows
//! every layer, and no other code asks which implementation stands behind a port.

mod error;
mod issuers;
mod material;
mod routes;
mod trust;

use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::adapters::admin::{AdminSocket, Desk};
use crate::adapters::http::metrics::Metrics;
use crate::adapters::http::server::{self, Bound, Running, ServerError, Shell};
use crate::adapters::keystore::KeyStore;
use crate::adapters::storage::{self, Storage};
use crate::adapters::system::random_bytes;
use crate::config::{PolicySettings, Settings};
use crate::log::{HeadSigner, Health, Limits, Log, LogId, missing_entries};
use crate::protocol::policy::Policy;
use crate::protocol::time::{Clock, UnixTime};
use crate::services::account::{AccountError, Accounts};
use crate::services::ca::CertificateAuthority;
use crate::services::ctlog::CtLog;
use crate::services::issuer::EmbeddedIssuer;
use crate::services::oidc::IdentityVerifier;
use crate::services::rekor::v1::SignatureLogV1;
use crate::services::rekor::{self, CheckpointSigner, SignatureLog};
use crate::services::timestamp::TimestampAuthority;
use crate::services::trust::renewal::Keeper;
use crate::services::trust::repository::TrustRepository;
use crate::services::trust::{Anchors, TrustDocuments};
use crate::services::verify::{NamedPolicies, Verifier};

pub use error::StartError;
use issuers::{embedded_issuer, issuer_urls, trusted_issuers};
use material::Instance;
pub(crate) use material::{LogSigners, Material, MaterialError};

/// How long before its making an instance's keys are trusted, so that clocks may differ.
const TRUST_MARGIN: std::time::Duration = std::time::Duration::from_secs(3600);

/// Every service of an instance, wired to the others.
pub struct App {
    settings: Settings,
    storage: Storage,
    ct_log: Log,
    signature_log: Log,
    signature_log_v1: Log,
    identities: Arc<IdentityVerifier>,
    authority: Arc<CertificateAuthority>,
    certificates: Arc<CtLog>,
    signatures: Arc<SignatureLog>,
    signatures_v1: Arc<SignatureLogV1>,
    timestamps: Arc<TimestampAuthority>,
    accounts: Arc<Accounts>,
    issuer: Option<Arc<EmbeddedIssuer>>,
    trust: Arc<TrustDocuments>,
    repository: Arc<TrustRepository>,
    verifier: Arc<Verifier>,
    anchors: Anchors,
    clock: Arc<dyn Clock>,
}

/// An instance that answers requests.
pub struct Serving {
    /// The instance
    pub app: Arc<App>,
    http: Running,
    /// What goes on beside the answering of requests
    tasks: [JoinHandle<()>; 2],
}

impl App {
    /// Opens the data directory, makes what is missing at a first start, recovers the logs, and
    /// wires the services. Blocks on storage.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let policies = named_policies(&settings.policies)?;
        let (storage, material) = open_directory(&settings, clock.now())?;
        let anchors = anchors(&settings, &material);
        let Material {
            ca,
            tsa,
            ct,
            log,
            log_v1,
            issuer,
            ..
        } = material;
        let log_id = *log.note_key().hash();
        let log_v1 = Arc::new(log_v1);
        let signers: [Arc<dyn HeadSigner>; 3] = [
            Arc::new(ct.clone()),
            Arc::new(log),
            Arc::<CheckpointSigner>::clone(&log_v1),
        ];
        let [ct_log, signature_log, signature_log_v1] =
            start_logs(&settings, &storage, &clock, signers)?;
        let signatures_v1 =
            SignatureLogV1::new(signature_log_v1.clone(), log_v1, Arc::clone(&clock));
        let certificates = Arc::new(CtLog::new(ct_log.clone(), &ct, ca.chain().to_vec()));
        let authority = CertificateAuthority::new(
            ca,
            Arc::<CtLog>::clone(&certificates),
            Arc::clone(&clock),
            || random_bytes().ok(),
            settings.ca.certificate_lifetime,
        );
        let serials = Box::new(|| random_bytes().ok());
        let timestamps =
            TimestampAuthority::open(tsa, storage.ledger(), Arc::clone(&clock), serials)?;
        let accounts = Arc::new(open_accounts(&storage, Arc::clone(&clock))?);
        let issuer = embedded_issuer(&settings, issuer, &accounts, &clock)?;
        let identities = trusted_issuers(&settings, issuer.as_ref(), &clock)?;
        let trust = Arc::new(TrustDocuments::new(&anchors)?);
        let repository = trust::open_repository(&storage, &settings, &clock, &anchors, &trust)?;
        let verifier = Verifier::new(Arc::clone(trust.root()), Arc::clone(&clock));
        Ok(Self {
            verifier: Arc::new(verifier.with_policies(policies)),
            signatures: Arc::new(SignatureLog::new(signature_log.clone(), log_id)),
            signatures_v1: Arc::new(signatures_v1),
            authority: Arc::new(authority),
            timestamps: Arc::new(timestamps),
            identities: Arc::new(identities),
            issuer: issuer.map(Arc::new),
            settings,
            storage,
            ct_log,
            signature_log,
            signature_log_v1,
            certificates,
            accounts,
            trust,
            repository: Arc::new(repository),
            anchors,
            clock,
        })
    }

    /// Serves on a bound address and on the admin socket; returns once requests are answered.
    /// Call it within a tokio runtime.
    ///
    /// # Errors
    /// TLS files, sockets or threads.
    pub async fn serve(self, bound: Bound) -> Result<Serving, StartError> {
        let app = Arc::new(self);
        let mut keeper = Keeper::new(Arc::clone(&app.repository));
        // Told by the keeper and by readiness; signatures are made and verified without it.
        let _ = keeper.renew();
        app.begin_signature_logs().await;
        let metrics = Arc::new(Metrics::new()?);
        let tls = app
            .settings
            .tls
            .as_ref()
            .map(server::load_tls)
            .transpose()?;
        let shell = Shell {
            server: app.settings.server.clone(),
            limits: app.settings.limits.clone(),
            tls,
            routes: routes::all(&app, &metrics),
            grpc: routes::grpc(&app),
            metrics,
        };
        let admin = AdminSocket::bind(&app.settings.server.data_dir)?;
        let http = server::start(bound, shell).await?;
        if app.settings.server.is_unnamed() {
            warn!(
                listen.address = %http.address(),
                public_url = %app.settings.server.public_url,
                "server.public_url was not set, so other machines are told to look for the server on themselves"
            );
        }
        let desk = Desk {
            accounts: Arc::clone(&app.accounts),
            trust: Arc::clone(&app.repository),
        };
        let tasks = [tokio::spawn(admin.serve(desk)), tokio::spawn(keeper.keep())];
        Ok(Serving { app, http, tasks })
    }

    /// Nothing is lost without their first entries, and the next start tries again.
    async fn begin_signature_logs(&self) {
        let root = &self.trust.trusted_root.bytes;
        if let Err(error) = rekor::begin(&self.signatures_v1, &self.signatures, root).await {
            warn!(%error, "a signature log has no first entry yet");
        }
    }

    /// The accounts of the embedded issuer.
    pub const fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// The trust documents.
    #[cfg(any(test, feature = "testing"))]
    pub const fn trust(&self) -> &Arc<TrustDocuments> {
        &self.trust
    }

    /// The TUF repository.
    pub const fn repository(&self) -> &Arc<TrustRepository> {
        &self.repository
    }

    /// The settings that the instance runs with.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Waits until a log or the journal can no longer tell whether memory and disk agree. The process must then
    /// end: the next start finds out.
    pub async fn failed(&self) {
        tokio::select! {
            () = self.ct_log.failed() => {}
            () = self.signature_log.failed() => {}
            () = self.signature_log_v1.failed() => {}
            () = self.storage.failed() => {}
        }
    }

    fn logs(&self) -> [(&'static str, LogId, &Log); 3] {
        [
            ("ct-log", LogId::Ct, &self.ct_log),
            ("signature-log", LogId::RekorV2, &self.signature_log),
            ("signature-log-v1", LogId::RekorV1, &self.signature_log_v1),
        ]
    }
}

impl Serving {
    /// Where the server listens.
    pub const fn address(&self) -> std::net::SocketAddr {
        self.http.address()
    }

    /// Serves until `stopping` is ready or a log fails, then lets what is in flight end.
    ///
    /// # Errors
    /// The server failed.
    pub async fn until(self, stopping: impl Future<Output = ()>) -> Result<Ending, ServerError> {
        let Self { app, http, tasks } = self;
        let mut ending = Ending::Asked;
        let stop = async {
            tokio::select! {
                () = stopping => {}
                () = app.failed() => ending = Ending::Failed,
            }
        };
        http.serve_until(stop).await?;
        for task in tasks {
            task.abort();
        }
        for (_, _, log) in app.logs() {
            log.drain().await;
            if log.health() == Health::Failed {
                ending = Ending::Failed;
            }
        }
        info!(ending = ?ending, "server stopped");
        Ok(ending)
    }
}

/// Why a server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to
    Asked,
    /// A log could no longer vouch for its storage
    Failed,
}

/// Whether there is an instance in a data directory, which then must have its journal. Makes the
/// directory where there is none.
///
/// # Errors
/// The directory cannot be made or read, or others may enter it.
pub(crate) fn has_instance(data_dir: &std::path::Path) -> Result<bool, MaterialError> {
    Instance::exists(&KeyStore::open(data_dir)?)
}

/// How the settings want the store opened.
pub(crate) fn storage_options(settings: &Settings) -> storage::Options {
    storage::Options {
        cache_bytes: settings.log.cache_bytes,
        segment_bytes: u32::try_from(settings.log.segment_bytes).unwrap_or(u32::MAX),
    }
}

/// Opens the store and loads what belongs to it, or makes both at a first start.
fn open_directory(settings: &Settings, now: UnixTime) -> Result<(Storage, Material), StartError> {
    let dir = &settings.server.data_dir;
    let keys = KeyStore::open(dir).map_err(MaterialError::from)?;
    if Instance::exists(&keys)? {
        // A new journal under old keys would be a second history.
        storage::require_store(dir)?;
    }
    let storage = storage::open(dir, storage_options(settings))?;
    // Only now that the store is held is nobody else at work in the directory.
    keys.remove_leftovers().map_err(MaterialError::from)?;
    if !storage.is_new() {
        let has_v1 = storage.parts().journal.tail(LogId::RekorV1).last.is_some();
        Material::require_complete(&keys, settings.ca.own.is_some(), has_v1)?;
    }
    let material = Material::load_or_create(&keys, settings, &storage.journal_id(), now)?;
    Ok((storage, material))
}

/// Starts the certificate log, the signature log in the v2 dialect and that in the v1 dialect, each
/// with its signer. One journal serves them all, and the ledger; so where it is an old copy for one
/// of them it is one for all, and nothing is written: that would be lost when the right one comes
/// back.
fn start_logs(
    settings: &Settings,
    storage: &Storage,
    clock: &Arc<dyn Clock>,
    [ct, v2, v1]: [Arc<dyn HeadSigner>; 3],
) -> Result<[Log; 3], StartError> {
    let signers = [
        (LogId::Ct, ct, settings.ctlog.pool_entries),
        (LogId::RekorV2, v2, settings.log.pool_entries),
        (LogId::RekorV1, v1, settings.log.pool_entries),
    ];
    let missing: Vec<_> = signers
        .iter()
        .filter_map(|(id, signer, _)| {
            Some((
                *id,
                missing_entries(*id, signer.as_ref(), &storage.parts())?,
            ))
        })
        .collect();
    if !missing.is_empty() {
        storage.hold(missing);
    }
    let [ct, v2, v1] = signers.map(|(id, signer, pool_entries)| {
        let limits = Limits {
            pool_entries,
            ..Limits::default()
        };
        Log::start(id, signer, Arc::clone(clock), storage.parts(), limits)
            .map_err(|error| StartError::Log(id, error))
    });
    Ok([ct?, v2?, v1?])
}

/// The accounts of a store.
///
/// # Errors
/// Records that cannot be read.
pub(crate) fn open_accounts(
    storage: &Storage,
    clock: Arc<dyn Clock>,
) -> Result<Accounts, AccountError> {
    Accounts::load(storage.ledger(), clock, || random_bytes().ok())
}

fn anchors(settings: &Settings, material: &Material) -> Anchors {
    Anchors {
        public_url: settings.server.public_url.origin().clone(),
        operator: settings.trust.operator.clone(),
        issuers: issuer_urls(settings),
        dialects: settings.log.dialects,
        ca_chain: material.ca.chain().to_vec(),
        ct_key: material.ct.head_key().key().clone(),
        log_key: material.log.note_key().clone(),
        log_v1_key: material.log_v1.note_key().clone(),
        tsa_chain: material.tsa.chain().to_vec(),
        start: material.instance.created().before(TRUST_MARGIN),
    }
}

/// Reads and checks every named policy: a server does not start with one that it cannot judge by.
fn named_policies(settings: &[PolicySettings]) -> Result<NamedPolicies, StartError> {
    let load = |setting: &PolicySettings| {
        let (name, file) = (setting.name.clone(), setting.file.display().to_string());
        let text = match std::fs::read_to_string(&setting.file) {
            Ok(text) => text,
            Err(source) => return Err(StartError::PolicyFile { name, file, source }),
        };
        match Policy::parse(&text) {
            Ok(policy) => Ok((name, Arc::new(policy))),
            Err(source) => Err(StartError::Policy { name, file, source }),
        }
    };
    settings.iter().map(load).collect()
}
