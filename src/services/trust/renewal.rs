//! Renewal of the trust metadata while the server runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};

use super::error::RepositoryError;
use super::repository::{Renewal, TrustRepository};
use super::terms::RootTerm;

/// Interval at which the server checks whether metadata must be signed again.
const PERIOD: Duration = Duration::from_secs(600);

/// Renews trust metadata, and logs each warning and each failure once.
#[derive(Debug)]
pub struct MetadataRenewer {
    repository: Arc<TrustRepository>,
    logged_term: Option<RootTerm>,
    is_failing: bool,
}

impl MetadataRenewer {
    pub const fn new(repository: Arc<TrustRepository>) -> Self {
        Self {
            repository,
            logged_term: None,
            is_failing: false,
        }
    }

    /// Renews once. Blocks on storage.
    ///
    /// # Errors
    /// See [`RepositoryError`].
    pub fn renew(&mut self) -> Result<(), RepositoryError> {
        let renewed = self.repository.renew();
        match &renewed {
            Ok(renewal) => {
                self.is_failing = false;
                log_renewal(renewal);
            }
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                error!(%error, "tuf_metadata.renewal_failed");
            }
            Err(_) => {}
        }
        match self.changed_term() {
            Some(term @ RootTerm::Within(_)) => warn!(reason = %term, "tuf_root.expiring"),
            Some(term @ RootTerm::Expired) => error!(reason = %term, "tuf_root.expired"),
            Some(RootTerm::Sufficient) | None => {}
        }
        renewed.map(|_| ())
    }

    /// How much of the root's validity is left, if that has changed since the last call.
    fn changed_term(&mut self) -> Option<RootTerm> {
        let term = self.repository.root_term();
        let has_changed = self.logged_term != term;
        self.logged_term = term;
        term.filter(|_| has_changed)
    }

    /// Renews until the task is aborted. A failure is logged, and the next period tries again.
    pub async fn keep(mut self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let renewed = spawn_blocking(move || {
                // `renew` has logged the error.
                let _ = self.renew();
                self
            });
            match renewed.await {
                Ok(renewer) => self = renewer,
                Err(error) => {
                    error!(%error, "tuf_metadata.renewal_stopped");
                    return;
                }
            }
        }
    }
}

fn log_renewal(renewal: &Renewal) {
    if let Some(hash) = &renewal.initial_root {
        info!(root.sha256 = hash.to_hex(), "tuf_repository.created");
    }
    for (role, version) in &renewal.signed {
        info!(role = %role, version = version.get(), "tuf_metadata.signed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::trust::testing::TestInstance;

    #[test]
    fn each_warning_is_logged_once() {
        let instance = TestInstance::new();
        let repository = Arc::new(instance.open());
        repository.renew().unwrap();
        let mut renewer = MetadataRenewer::new(Arc::clone(&repository));
        let mut logged = Vec::new();
        for day in 0..=366 {
            logged.extend(renewer.changed_term().map(|term| (day, term)));
            instance.advance_days(1);
        }

        assert_eq!(
            logged,
            [
                (0, RootTerm::Sufficient),
                (305, RootTerm::Within(60)),
                (335, RootTerm::Within(30)),
                (358, RootTerm::Within(7)),
                (365, RootTerm::Expired),
            ]
        );
        repository.renew_root().unwrap();
        assert_eq!(renewer.changed_term(), Some(RootTerm::Sufficient));
    }
}
