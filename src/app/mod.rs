//! The composition root. It builds a running instance from settings and a data directory, and is the only
//! module that uses every layer and chooses the implementation of each port.

mod error;
mod issuers;
mod keys;
mod logs;
mod observe;
mod roster;
mod routes;
mod trust;

use std::path::Path;
use std::sync::Arc;

use futures_util::future::select_all;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::adapters::admin::{AdminServices, AdminSocket};
#[cfg(any(test, feature = "testing"))]
use crate::adapters::http::route::Mount;
use crate::adapters::http::server::{self, Bound, HttpServerConfig, Running, ServerError};
use crate::adapters::http::verify::Outcomes;
use crate::adapters::keystore::KeyStore;
use crate::adapters::storage::{self, Storage};
use crate::adapters::system::SYSTEM_RNG;
use crate::config::{PolicySettings, Settings};
use crate::log::Health;
use crate::protocol::policy::Policy;
use crate::protocol::time::{Clock, UnixTime};
use crate::services::account::{AccountError, Accounts};
use crate::services::ca::CertificateAuthority;
use crate::services::issuer::EmbeddedIssuer;
use crate::services::oidc::IdentityVerifier;
use crate::services::rekor::{FirstEntry, FirstEntryError};
use crate::services::roster::{AuthorityRole, Roster};
use crate::services::timestamp::TimestampAuthority;
use crate::services::trust::TrustDocuments;
use crate::services::trust::renewal::MetadataRenewer;
use crate::services::trust::repository::TrustRepository;
use crate::services::verify::{NamedPolicies, VerificationService};

pub use error::StartError;
pub(crate) use keys::{InstanceError, load_log_signers};
pub(crate) use roster::search_keys;

use issuers::{embedded_issuer, issuer_urls, trusted_issuers};
use keys::{Instance, InstanceKeys};
use logs::{LogService, RunningLog};

/// An instance: its services, connected.
pub struct App {
    settings: Settings,
    storage: Storage,
    clock: Arc<dyn Clock>,
    roster: Roster,
    logs: Vec<RunningLog>,
    identities: Arc<IdentityVerifier>,
    authority: Arc<CertificateAuthority>,
    timestamps: Arc<TimestampAuthority>,
    accounts: Arc<Accounts>,
    issuer: Option<Arc<EmbeddedIssuer>>,
    documents: Arc<TrustDocuments>,
    repository: Arc<TrustRepository>,
    verifier: Arc<VerificationService>,
}

/// A running instance.
pub struct Serving {
    pub app: Arc<App>,
    http: Running,
    /// The admin socket and the renewal of trust metadata
    tasks: [JoinHandle<()>; 2],
}

impl App {
    /// Opens the data directory, creates keys and logs at the first start, recovers the logs, and
    /// connects the services. Blocks on storage.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let policies = named_policies(&settings.policies)?;
        let (storage, mut keys) = open_directory(&settings, clock.now())?;
        let roster = keys.describe(&settings, issuer_urls(&settings));
        let logs = logs::start_logs(&settings, &storage, &clock, &keys)?;
        let ct_log = logs.iter().find_map(|log| match &log.service {
            LogService::Ct(service) => Some(Arc::clone(service)),
            LogService::RekorV1(_) | LogService::RekorV2(_) => None,
        });
        let authority = CertificateAuthority::new(
            keys.take_signing_authority(AuthorityRole::Certificates),
            ct_log.expect("LOGS has a certificate log"),
            Arc::clone(&clock),
            SYSTEM_RNG,
            settings.ca.certificate_lifetime,
        )?;
        let timestamps = TimestampAuthority::open(
            keys.take_signing_authority(AuthorityRole::Timestamps),
            storage.ledger(),
            Arc::clone(&clock),
            SYSTEM_RNG,
        )?;
        let accounts = Arc::new(open_accounts(&storage, Arc::clone(&clock))?);
        let issuer = embedded_issuer(&settings, keys.issuer, &accounts, &clock)?;
        let identities = trusted_issuers(&settings, issuer.as_ref(), &clock)?;
        let documents = Arc::new(TrustDocuments::new(&roster)?);
        let repository = trust::open_repository(&storage, &settings, &clock, &roster, &documents)?;
        let verifier = VerificationService::new(Arc::clone(documents.root()), Arc::clone(&clock));
        Ok(Self {
            verifier: Arc::new(verifier.with_policies(policies)),
            authority: Arc::new(authority),
            timestamps: Arc::new(timestamps),
            identities: Arc::new(identities),
            issuer: issuer.map(Arc::new),
            repository: Arc::new(repository),
            settings,
            storage,
            clock,
            roster,
            logs,
            accounts,
            documents,
        })
    }

    /// Serves on a bound address and on the admin socket; returns once requests are served.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// TLS files, sockets or threads cannot be used.
    pub async fn serve(self, bound: Bound) -> Result<Serving, StartError> {
        let app = Arc::new(self);
        let mut renewer = MetadataRenewer::new(Arc::clone(&app.repository));
        // The renewal task logs a failure and `/readyz` reports it; signing and verification work
        // without current metadata.
        let _ = renewer.renew();
        if let Err(error) = app.append_first_entries().await {
            // Nothing depends on these entries, and the next start tries again.
            warn!(%error, "first_entry.failed");
        }
        for log in &app.logs {
            log.begin_counting();
        }
        let verifications = Outcomes::default();
        let metrics = Arc::new(observe::metrics(&app, &verifications)?);
        let tls = app.settings.tls.as_ref().map(server::load_tls);
        let config = HttpServerConfig {
            server: app.settings.server.clone(),
            limits: app.settings.limits.clone(),
            tls: tls.transpose()?,
            mounts: routes::mounts(&app),
            data: routes::data(&app, &metrics, &verifications),
            grpc: routes::grpc(&app),
            metrics,
        };
        let admin = AdminSocket::bind(&app.settings.server.data_dir)?;
        let http = server::start(bound, config).await?;
        if app.settings.server.is_unnamed() {
            warn!(
                listen.address = %http.address(),
                public_url = %app.settings.server.public_url,
                hint = "set server.public_url, or clients on other machines connect to themselves",
                "public_url.missing"
            );
        }
        let admin_services = AdminServices {
            accounts: Arc::clone(&app.accounts),
            trust: Arc::clone(&app.repository),
        };
        let tasks = [
            tokio::spawn(admin.serve(admin_services)),
            tokio::spawn(renewer.keep()),
        ];
        Ok(Serving { app, http, tasks })
    }

    /// Appends the trust root, signed by the instance, to each signature log that is empty.
    async fn append_first_entries(&self) -> Result<(), FirstEntryError> {
        let v1 = self.logs.iter().find_map(|log| match &log.service {
            LogService::RekorV1(service) => Some(service),
            LogService::Ct(_) | LogService::RekorV2(_) => None,
        });
        let Some(v1) = v1 else {
            return Ok(());
        };
        let root = &self.documents.trusted_root().bytes;
        let entry = FirstEntry::sign(v1.signer().key(), root)?;
        for log in &self.logs {
            match &log.service {
                LogService::Ct(_) => {}
                LogService::RekorV1(service) => entry.append_v1(service).await?,
                LogService::RekorV2(service) => entry.append_v2(service).await?,
            }
        }
        Ok(())
    }

    pub const fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// The TUF repository.
    pub const fn repository(&self) -> &Arc<TrustRepository> {
        &self.repository
    }

    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The method and path of every route.
    #[cfg(any(test, feature = "testing"))]
    pub fn route_paths(&self) -> Vec<String> {
        routes::mounts(self).iter().flat_map(Mount::paths).collect()
    }

    /// Waits until a log or the journal may differ between memory and disk. The process must then end;
    /// the next start recovers.
    pub async fn failed(&self) {
        let logs = self.logs.iter().map(|log| Box::pin(log.log.failed()));
        tokio::select! {
            _ = select_all(logs) => {}
            () = self.storage.failed() => {}
        }
    }
}

impl Serving {
    pub const fn address(&self) -> std::net::SocketAddr {
        self.http.address()
    }

    /// Serves until `stopping` is ready or a log fails, then finishes the requests in flight.
    ///
    /// # Errors
    /// The server failed.
    pub async fn until(
        self,
        stopping: impl Future<Output = ()>,
    ) -> Result<StopReason, ServerError> {
        let Self { app, http, tasks } = self;
        let mut reason = StopReason::Requested;
        let stop = async {
            tokio::select! {
                () = stopping => {}
                () = app.failed() => reason = StopReason::Failed,
            }
        };
        http.serve_until(stop).await?;
        for task in tasks {
            task.abort();
        }
        for log in &app.logs {
            log.log.drain().await;
            if log.log.health() == Health::Failed {
                reason = StopReason::Failed;
            }
        }
        info!(reason = ?reason, "server.stopped");
        Ok(reason)
    }
}

/// Reason why a server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// By a signal or the caller
    Requested,
    /// A log or the journal may differ between memory and disk
    Failed,
}

/// Whether a data directory contains an instance and therefore must contain its journal. Creates the
/// directory if it does not exist.
///
/// # Errors
/// The directory cannot be created or read, or other users may enter it.
pub(crate) fn has_instance(data_dir: &Path) -> Result<bool, InstanceError> {
    Instance::exists(&KeyStore::open(data_dir)?)
}

/// The settings of the store.
pub(crate) fn storage_options(settings: &Settings) -> storage::Options {
    storage::Options {
        cache_bytes: settings.log.cache_bytes,
        segment_bytes: u32::try_from(settings.log.segment_bytes).unwrap_or(u32::MAX),
    }
}

/// Opens the store and loads its keys, or creates both at the first start.
fn open_directory(
    settings: &Settings,
    now: UnixTime,
) -> Result<(Storage, InstanceKeys), StartError> {
    let dir = &settings.server.data_dir;
    let keys = KeyStore::open(dir).map_err(InstanceError::from)?;
    if Instance::exists(&keys)? {
        // Creating a new journal with existing keys would fork the logs.
        storage::require_store(dir)?;
    }
    let storage = storage::open(dir, storage_options(settings))?;
    // The open store locks the directory, so no other process is writing these files.
    keys.remove_leftovers().map_err(InstanceError::from)?;
    if !storage.is_new() {
        let journal = storage.log_storage().journal;
        InstanceKeys::require_complete(&keys, settings, |log| journal.tail(log.id).last.is_some())?;
    }
    let keys = InstanceKeys::load_or_create(&keys, settings, &storage.journal_id(), now)?;
    Ok((storage, keys))
}

/// # Errors
/// A record cannot be read.
pub(crate) fn open_accounts(
    storage: &Storage,
    clock: Arc<dyn Clock>,
) -> Result<Accounts, AccountError> {
    Accounts::load(storage.ledger(), clock, SYSTEM_RNG)
}

/// Reads every named policy. A server does not start with a policy that is not valid.
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
