//! The composition root: settings and a data directory in, a running service out. It alone knows
//! every layer, and no other code asks which implementation stands behind a port.

mod material;
mod routes;

use std::sync::Arc;

use thiserror::Error;
use tokio::task::JoinHandle;
use tracing::info;

use crate::adapters::admin::{AdminError, AdminSocket};
use crate::adapters::http::metrics::Metrics;
use crate::adapters::http::server::{self, Bound, Running, ServerError, Shell};
use crate::adapters::keystore::KeyStore;
use crate::adapters::outbound::oidc::{
    EndpointError, EndpointSettings, FetchLimits, HttpKeySource,
};
use crate::adapters::storage::{self, OpenError, Storage};
use crate::adapters::system::random_bytes;
use crate::config::{IssuerSettings, PolicySettings, Settings};
use crate::protocol::identity::{IssuerUrl, NameError};
use crate::protocol::policy::{Policy, PolicyError};
use crate::protocol::time::{Clock, UnixTime};
use crate::services::account::{AccountError, Accounts};
use crate::services::ca::CertificateAuthority;
use crate::services::ctlog::{CtHeadSigner, CtLog};
use crate::services::issuer::{EmbeddedIssuer, IssuerKeyError};
use crate::services::log::{HeadSigner, Health, Limits, Log, LogId, missing_entries};
use crate::services::oidc::{
    IdentityVerifier, IssuerSettingError, KeyPolicy, KeySource, TrustedIssuer,
};
use crate::services::rekor::{CheckpointSigner, SignatureLog};
use crate::services::timestamp::{OpenFloorError, TimestampAuthority};
use crate::services::trust::{Anchors, TrustDocuments, TrustError};
use crate::services::verify::{NamedPolicies, Verifier};

use material::Instance;
pub use material::{LogSigners, Material, MaterialError};

/// How long before its making an instance's keys are trusted, so that clocks may differ.
const TRUST_MARGIN: std::time::Duration = std::time::Duration::from_secs(3600);

/// Every service of an instance, wired to the others.
pub struct App {
    settings: Settings,
    storage: Storage,
    ct_log: Log,
    signature_log: Log,
    identities: Arc<IdentityVerifier>,
    authority: Arc<CertificateAuthority>,
    certificates: Arc<CtLog>,
    signatures: Arc<SignatureLog>,
    timestamps: Arc<TimestampAuthority>,
    accounts: Arc<Accounts>,
    issuer: Option<Arc<EmbeddedIssuer>>,
    trust: Arc<TrustDocuments>,
    verifier: Arc<Verifier>,
    anchors: Anchors,
    clock: Arc<dyn Clock>,
}

/// Why an instance does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Keys, certificates and names
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// The store
    #[error(transparent)]
    Storage(#[from] OpenError),
    /// A log did not come up from the store
    #[error("the {0} does not start: {1}")]
    Log(LogId, #[source] crate::services::log::StartError),
    /// Accounts
    #[error("accounts: {0}")]
    Accounts(#[from] AccountError),
    /// The timestamp authority
    #[error("timestamp authority: {0}")]
    Timestamps(#[from] OpenFloorError),
    /// The embedded issuer
    #[error("embedded issuer: {0}")]
    Issuer(#[from] IssuerKeyError),
    /// The public URL cannot be an issuer
    #[error("server.public_url cannot be an issuer: it {0}")]
    IssuerName(#[from] NameError),
    /// An issuer's settings
    #[error("issuer {url}: {source}")]
    TrustedIssuer {
        /// The issuer.
        url: String,
        /// What is wrong.
        source: IssuerSettingError,
    },
    /// An issuer that cannot be reached as it is configured
    #[error("issuer {url}: {source}")]
    Endpoint {
        /// The issuer.
        url: String,
        /// What is wrong.
        source: EndpointError,
    },
    /// A policy's file
    #[error("policy {name}: {file} cannot be read: {source}")]
    PolicyFile {
        /// The policy's name.
        name: String,
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A policy that is not accepted
    #[error("policy {name}: {file}: {source}")]
    Policy {
        /// The policy's name.
        name: String,
        /// The file.
        file: String,
        /// What is wrong.
        source: PolicyError,
    },
    /// An issuer's CA file
    #[error("issuer {url}: ca_file {file} cannot be read: {source}")]
    CaFile {
        /// The issuer.
        url: String,
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The trust documents
    #[error("trust documents: {0}")]
    Trust(#[from] TrustError),
    /// The HTTP server
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The socket for the command line
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The counters
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl StartError {
    /// Whether the store itself is at fault, which has an exit status of its own: starting again
    /// does not help.
    pub const fn is_storage(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_damage(),
            Self::Log(_, error) => error.is_damage(),
            _ => false,
        }
    }

    /// Whether a file that the configuration names is at fault.
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::PolicyFile { .. } | Self::Policy { .. })
    }
}

/// An instance that answers requests.
pub struct Serving {
    /// The instance
    pub app: Arc<App>,
    http: Running,
    admin: JoinHandle<()>,
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
            issuer,
            ..
        } = material;
        let log_id = *log.note_key().hash();
        let [ct_log, signature_log] = start_logs(&settings, &storage, &clock, &ct, log)?;
        let roots = vec![ca.root().clone()];
        let certificates = Arc::new(CtLog::new(ct_log.clone(), &ct, roots, Arc::clone(&clock)));
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
        let verifier = Verifier::new(Arc::clone(trust.root()), Arc::clone(&clock));
        Ok(Self {
            verifier: Arc::new(verifier.with_policies(policies)),
            signatures: Arc::new(SignatureLog::new(signature_log.clone(), log_id)),
            authority: Arc::new(authority),
            timestamps: Arc::new(timestamps),
            identities: Arc::new(identities),
            issuer: issuer.map(Arc::new),
            settings,
            storage,
            ct_log,
            signature_log,
            certificates,
            accounts,
            trust,
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
            metrics,
        };
        let admin = AdminSocket::bind(&app.settings.server.data_dir)?;
        let http = server::start(bound, shell).await?;
        let admin = tokio::spawn(admin.serve(Arc::clone(&app.accounts)));
        Ok(Serving { app, http, admin })
    }

    /// The accounts of the embedded issuer.
    pub const fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// The trust documents.
    pub const fn trust(&self) -> &Arc<TrustDocuments> {
        &self.trust
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
            () = self.storage.failed() => {}
        }
    }

    fn logs(&self) -> [(&'static str, LogId, &Log); 2] {
        [
            ("ct-log", LogId::Ct, &self.ct_log),
            ("signature-log", LogId::RekorV2, &self.signature_log),
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
        let Self { app, http, admin } = self;
        let mut ending = Ending::Asked;
        let stop = async {
            tokio::select! {
                () = stopping => {}
                () = app.failed() => ending = Ending::Failed,
            }
        };
        http.serve_until(stop).await?;
        admin.abort();
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
pub fn has_instance(data_dir: &std::path::Path) -> Result<bool, MaterialError> {
    Instance::exists(&KeyStore::open(data_dir)?)
}

/// How the settings want the store opened.
pub fn storage_options(settings: &Settings) -> storage::Options {
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
        Material::require_complete(&keys, settings.ca.own.is_some())?;
    }
    let material = Material::load_or_create(&keys, settings, &storage.journal_id(), now)?;
    Ok((storage, material))
}

/// Starts the certificate log and the signature log. One journal serves both, and the ledger; so
/// where it is an old copy for one of them it is one for all, and nothing is written: that would be
/// lost when the right one comes back.
fn start_logs(
    settings: &Settings,
    storage: &Storage,
    clock: &Arc<dyn Clock>,
    ct: &CtHeadSigner,
    log: CheckpointSigner,
) -> Result<[Log; 2], StartError> {
    let ct: Arc<dyn HeadSigner> = Arc::new(ct.clone());
    let log: Arc<dyn HeadSigner> = Arc::new(log);
    let missing: Vec<_> = [(LogId::Ct, &ct), (LogId::RekorV2, &log)]
        .into_iter()
        .filter_map(|(id, signer)| {
            Some((id, missing_entries(id, signer.as_ref(), &storage.parts())?))
        })
        .collect();
    if !missing.is_empty() {
        storage.hold(missing);
    }
    let start = |id, signer, pool_entries| {
        let limits = Limits {
            pool_entries,
            ..Limits::default()
        };
        Log::start(id, signer, Arc::clone(clock), storage.parts(), limits)
            .map_err(|error| StartError::Log(id, error))
    };
    Ok([
        start(LogId::Ct, ct, settings.ctlog.pool_entries)?,
        start(LogId::RekorV2, log, settings.log.pool_entries)?,
    ])
}

/// The accounts of a store.
///
/// # Errors
/// Records that cannot be read.
pub fn open_accounts(storage: &Storage, clock: Arc<dyn Clock>) -> Result<Accounts, AccountError> {
    Accounts::load(storage.ledger(), clock, || random_bytes().ok())
}

fn anchors(settings: &Settings, material: &Material) -> Anchors {
    Anchors {
        public_url: settings.server.public_url.as_str().to_owned(),
        operator: settings.trust.operator.clone(),
        issuers: issuer_urls(settings),
        ca_chain: material.ca.chain().to_vec(),
        ct_key: material.ct.head_key().key().clone(),
        log_key: material.log.note_key().clone(),
        tsa_chain: material.tsa.chain().to_vec(),
        start: material.instance.created().before(TRUST_MARGIN),
    }
}

fn issuer_urls(settings: &Settings) -> Vec<String> {
    let embedded = settings
        .accounts
        .enabled
        .then(|| settings.server.public_url.as_str());
    let configured = settings.issuers.iter().map(|issuer| issuer.url.as_str());
    embedded
        .into_iter()
        .chain(configured)
        .map(str::to_owned)
        .collect()
}

fn embedded_issuer(
    settings: &Settings,
    key: crate::protocol::keys::SigningKey,
    accounts: &Arc<Accounts>,
    clock: &Arc<dyn Clock>,
) -> Result<Option<EmbeddedIssuer>, StartError> {
    if !settings.accounts.enabled {
        return Ok(None);
    }
    let url = IssuerUrl::new(settings.server.public_url.as_str())?;
    let random = || random_bytes().ok();
    Ok(Some(EmbeddedIssuer::new(
        url,
        key,
        Arc::clone(accounts),
        Arc::clone(clock),
        random,
    )?))
}

fn trusted_issuers(
    settings: &Settings,
    embedded: Option<&EmbeddedIssuer>,
    clock: &Arc<dyn Clock>,
) -> Result<IdentityVerifier, StartError> {
    let mut source = HttpKeySource::new(FetchLimits::default());
    let mut issuers = Vec::new();
    if let Some(embedded) = embedded {
        let url = settings.server.public_url.as_str().to_owned();
        let trusted = embedded.as_trusted();
        issuers.push(trusted.map_err(|source| StartError::TrustedIssuer { url, source })?);
    }
    for issuer in &settings.issuers {
        issuers.push(trusted_issuer(issuer)?);
        let ca_pem = read_ca_file(issuer)?;
        let endpoint = EndpointSettings {
            ca_pem,
            key_hosts: issuer.key_hosts.clone(),
        };
        let url = issuer.url.as_str().to_owned();
        source
            .add(&issuer.url, endpoint)
            .map_err(|source| StartError::Endpoint { url, source })?;
    }
    let source: Arc<dyn KeySource> = Arc::new(source);
    Ok(IdentityVerifier::new(
        issuers,
        KeyPolicy::default(),
        &source,
        Arc::clone(clock),
    ))
}

fn trusted_issuer(issuer: &IssuerSettings) -> Result<TrustedIssuer, StartError> {
    let (url, audience) = (issuer.url.clone(), issuer.audience.as_str());
    TrustedIssuer::new(url, audience, issuer.subject.clone()).map_err(|source| {
        StartError::TrustedIssuer {
            url: issuer.url.to_string(),
            source,
        }
    })
}

fn read_ca_file(issuer: &IssuerSettings) -> Result<Option<Vec<u8>>, StartError> {
    let Some(file) = &issuer.ca_file else {
        return Ok(None);
    };
    let read = std::fs::read(file).map_err(|source| StartError::CaFile {
        url: issuer.url.to_string(),
        file: file.display().to_string(),
        source,
    });
    read.map(Some)
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
