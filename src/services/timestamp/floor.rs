//! The floor under the authority's time: the last second it has spoken for. It is durable before
//! the first token of a second leaves, so that no restart and no clock can take it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::protocol::time::{Clock, UnixTime};
use crate::protocol::tsp::TokenSignerError;
use crate::services::ledger::{Ledger, LedgerError, Table};

/// The last second spoken for, in memory and on record.
pub(super) struct Floor {
    /// Seconds since the epoch; what is here is on record.
    recorded: Arc<AtomicU64>,
    /// Held by the one that records the next second, until storage has answered.
    recording: Arc<Mutex<()>>,
    ledger: Arc<dyn Ledger>,
}

/// Why no time can be given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FloorError {
    /// The clock stands before a second that was already spoken for
    #[error("the clock is at {now}, and timestamps were already issued for {floor}")]
    Backwards {
        /// What the clock says.
        now: UnixTime,
        /// The last second spoken for.
        floor: UnixTime,
    },
    /// The second could not be recorded
    #[error("the time could not be recorded: {0}")]
    Ledger(#[from] LedgerError),
    /// The server is ending
    #[error("the timestamp authority is shutting down")]
    Stopped,
}

/// Error opening the timestamp authority.
#[derive(Debug, thiserror::Error)]
pub enum OpenTimestampsError {
    /// The key is not of the kind that signs tokens
    #[error(transparent)]
    Key(#[from] TokenSignerError),
    /// It could not be read
    #[error("the timestamp authority's last second could not be read: {0}")]
    Ledger(#[from] LedgerError),
    /// It is not eight bytes
    #[error("the record of the timestamp authority's last second has {0} bytes, not 8")]
    Malformed(usize),
}

/// The one fact of its table.
const KEY: &[u8] = b"last-second";

impl Floor {
    /// Reads the record; none yet is the epoch. Blocks on storage.
    pub(super) fn open(ledger: Arc<dyn Ledger>) -> Result<Self, OpenTimestampsError> {
        let seconds = match ledger.load(Table::TimestampFloor, KEY)? {
            None => 0,
            Some(bytes) => u64::from_be_bytes(
                bytes
                    .as_slice()
                    .try_into()
                    .map_err(|_| OpenTimestampsError::Malformed(bytes.len()))?,
            ),
        };
        Ok(Self {
            recorded: Arc::new(AtomicU64::new(seconds)),
            recording: Arc::default(),
            ledger,
        })
    }

    /// Whether a token for this second would not go back in time.
    pub(super) fn allows(&self, now: UnixTime) -> bool {
        now.seconds() >= self.recorded.load(Ordering::Acquire)
    }

    /// The present second, on record by the time it is returned.
    pub(super) async fn advance(&self, clock: &dyn Clock) -> Result<UnixTime, FloorError> {
        match self.check(clock)? {
            Checked::Recorded(now) => Ok(now),
            Checked::Ahead(_) => self.record(clock).await,
        }
    }

    fn check(&self, clock: &dyn Clock) -> Result<Checked, FloorError> {
        // The floor is read before the clock: it only rises, so a clock that stands below it has
        // gone back, and did not merely lose a race against another request.
        let floor = self.recorded.load(Ordering::Acquire);
        let now = clock.now().floor_to_second();
        if now.seconds() < floor {
            return Err(FloorError::Backwards {
                now,
                floor: UnixTime::from_seconds(floor),
            });
        }
        if now.seconds() == floor {
            return Ok(Checked::Recorded(now));
        }
        Ok(Checked::Ahead(now))
    }

    async fn record(&self, clock: &dyn Clock) -> Result<UnixTime, FloorError> {
        let turn = Arc::clone(&self.recording).lock_owned().await;
        let now = match self.check(clock)? {
            Checked::Recorded(now) => return Ok(now),
            Checked::Ahead(now) => now,
        };
        let (ledger, recorded) = (Arc::clone(&self.ledger), Arc::clone(&self.recorded));
        let seconds = now.seconds();
        // CRASH: the second is durable before any token bears it. The turn goes along, so that a
        // client who hangs up lets nobody write a later second while this one is under way.
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            ledger.put(Table::TimestampFloor, KEY, &seconds.to_be_bytes())?;
            recorded.store(seconds, Ordering::Release);
            Ok::<(), LedgerError>(())
        })
        .await
        .map_err(|_| FloorError::Stopped)??;
        Ok(now)
    }
}

enum Checked {
    /// On record already
    Recorded(UnixTime),
    /// Later than what is on record
    Ahead(UnixTime),
}
