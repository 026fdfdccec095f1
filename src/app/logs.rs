//! The logs of a running instance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::StartError;
use super::keys::InstanceKeys;
use super::roster::{LogDeclaration, LogSigner};
use crate::adapters::storage::Storage;
use crate::config::Settings;
use crate::log::{Limits, Log, missing_entries};
use crate::protocol::time::Clock;
use crate::services::ctlog::CtLog;
use crate::services::rekor::SignatureLog;
use crate::services::rekor::v1::SignatureLogV1;
use crate::services::roster::{AuthorityRole, LogRole};

/// A running log with the service of its role.
pub(super) struct RunningLog {
    pub declaration: &'static LogDeclaration,
    pub log: Log,
    pub service: LogService,
    /// Size when the server started to accept requests
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

    /// Entries appended since the server started to accept requests.
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
        let missing = missing_entries(declaration.id, signer.as_ref(), storage.log_storage())?;
        Some((declaration.id, missing))
    });
    let missing: Vec<_> = missing.collect();
    if !missing.is_empty() {
        storage.set_read_only(missing);
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
            storage.log_storage(),
            limits,
            declaration.search_keys,
        );
        let log = log.map_err(|error| StartError::Log(declaration.id, error))?;
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
