//! Runs blocking work outside the threads that serve connections.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::refusal::Refusal;
use crate::classify::ErrorClass;

/// Runs work that reads storage or verifies signatures.
///
/// # Errors
/// The work's error, or 503 if the server stops before the work is done.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Refusal>
where
    T: Send + 'static,
    E: Into<Refusal> + Send + 'static,
{
    match web::block(work).await {
        Ok(result) => result.map_err(E::into),
        Err(_) => Err(Refusal::shutting_down()),
    }
}

/// How long work waits for a permit before the request is refused with 503.
const PATIENCE: Duration = Duration::from_secs(2);

/// Limits concurrent work. Work holds a permit while it computes and never while it waits for a client,
/// so slow clients cannot exhaust the permits.
pub(crate) struct WorkLimit {
    permits: Arc<Semaphore>,
    patience: Duration,
}

impl WorkLimit {
    pub(crate) fn new(permits: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(permits)),
            patience: PATIENCE,
        }
    }

    /// Waits for a permit, then runs the work on a blocking thread.
    ///
    /// # Errors
    /// 503 if no permit becomes free in time, 500 if the work panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        let Ok(Ok(permit)) = timeout(self.patience, permit).await else {
            return Err(Refusal::of_class(
                ErrorClass::Busy,
                "verifier-busy",
                "limits.concurrent_verifications are running; try again in a second",
            ));
        };
        let work = move || {
            let result = work();
            // The work continues after its client disconnects, so it keeps its permit until it is done.
            drop(permit);
            result
        };
        web::block(work).await.map_err(|_| {
            Refusal::of_class(
                ErrorClass::Internal,
                "verification-interrupted",
                "the verification did not finish; the server's log has the reason",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;
    use actix_web::http::header::RETRY_AFTER;

    use super::*;

    #[actix_web::test]
    async fn work_without_a_permit_is_refused_with_retry_after() {
        let mut limit = WorkLimit::new(1);
        limit.patience = Duration::ZERO;
        let taken = Arc::clone(&limit.permits).try_acquire_owned().unwrap();

        let response = limit.run(|| ()).await.unwrap_err().error_response();

        assert_eq!(response.status().as_u16(), 503);
        assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "1");
        drop(taken);
        assert_eq!(limit.run(|| 7).await.unwrap(), 7);
    }

    #[actix_web::test]
    async fn work_that_panics_is_an_error_and_returns_its_permit() {
        let limit = WorkLimit::new(1);

        let outcome = limit
            .run(|| panic!("a verification panics in a test"))
            .await;

        let refusal = outcome.map(|()| "done").unwrap_err();
        assert_eq!(refusal.status().as_u16(), 500);
        assert_eq!(limit.run(|| 7).await.unwrap(), 7);
    }
}
