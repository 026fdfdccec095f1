//! How many verifications run at one time, off the async threads.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::adapters::http::problem::Problem;

/// How long work waits for its turn before the client is told to come back.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lets so many pieces of work run at one time. A turn is held while the processor works and never
/// while a client is waited for, so that slow clients cannot take the turns of others.
pub(super) struct Gate {
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Gate {
    /// A gate with so many turns.
    pub(super) fn new(turns: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(turns)),
            patience: PATIENCE,
        }
    }

    /// Does work for the processor on a thread of its own, in its turn.
    ///
    /// # Errors
    /// 503 when no turn comes, 500 when the work panics: that is never a verdict.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        let turn = match timeout(self.patience, turn).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => return Err(busy()),
        };
        let work = move || {
            let result = work();
            // Not before: the work goes on when its client has left.
            drop(turn);
            result
        };
        web::block(work).await.map_err(|_| interrupted())
    }
}

fn busy() -> Problem {
    let detail = "limits.concurrent_verifications are running; try again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "verifier-busy", detail).retry_after(1)
}

fn interrupted() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "verification-interrupted",
        "verification did not come to an end",
    )
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;
    use actix_web::http::header::RETRY_AFTER;

    use super::*;

    #[actix_web::test]
    async fn work_without_a_turn_is_told_to_come_back() {
        let mut gate = Gate::new(1);
        gate.patience = Duration::ZERO;
        let taken = Arc::clone(&gate.turns).try_acquire_owned().unwrap();

        let response = gate.run(|| ()).await.unwrap_err().error_response();

        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "1");
        drop(taken);
        assert_eq!(gate.run(|| 7).await.unwrap(), 7);
    }

    #[actix_web::test]
    async fn m40_work_that_panics_is_an_error_and_gives_its_turn_back() {
        let gate = Gate::new(1);

        let outcome = gate.run(|| panic!("a verification panics in a test")).await;

        let problem: Problem = outcome.map(|()| "done").unwrap_err();
        assert_eq!(problem.status_code(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(gate.run(|| 7).await.unwrap(), 7);
    }
}
