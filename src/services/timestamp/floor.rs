//! The floor of the authority's time: the last second in which it issued a timestamp. It is durable
//! before the first token of a second is returned, so neither a restart nor the clock can go below it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::protocol::time::{Clock, UnixTime};
use crate::protocol::tsp::TokenSignerError;
use crate::services::ledger::{Ledger, LedgerError, Table};

/// The last second in which a timestamp was issued, in memory and stored.
pub(super) struct Floor {
    /// Seconds since the epoch, not later than the stored value
    recorded: Arc<AtomicU64>,
    /// Held while a second is being stored
    recording: Arc<Mutex<()>>,
    ledger: Arc<dyn Ledger>,
}

/// Error providing a time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FloorError {
    #[error("the clock is at {now}, but timestamps were already issued for {floor}")]
    Backwards { now: UnixTime, floor: UnixTime },
    #[error("the time could not be stored: {0}")]
    Ledger(#[from] LedgerError),
    #[error("the timestamp authority is shutting down")]
    Stopped,
}

/// Error opening the timestamp authority.
#[derive(Debug, thiserror::Error)]
pub enum OpenTimestampsError {
    /// A key that cannot sign tokens
    #[error(transparent)]
    Key(#[from] TokenSignerError),
    #[error("the timestamp authority's last second cannot be read: {0}")]
    Ledger(#[from] LedgerError),
    #[error("the record of the timestamp authority's last second has {0} bytes, not 8")]
    Malformed(usize),
}

/// The key of the only fact in the table.
const KEY: &[u8] = b"last-second";

impl Floor {
    /// Reads the stored second, the epoch if there is none. Blocks on storage.
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

    /// Whether a token for this second would not be before another.
    pub(super) fn allows(&self, now: UnixTime) -> bool {
        now.seconds() >= self.recorded.load(Ordering::Acquire)
    }

    /// The current second, which is stored when it is returned.
    pub(super) async fn advance(&self, clock: &dyn Clock) -> Result<UnixTime, FloorError> {
        match self.check(clock)? {
            Checked::Recorded(now) => Ok(now),
            Checked::Ahead(_) => self.record(clock).await,
        }
    }

    fn check(&self, clock: &dyn Clock) -> Result<Checked, FloorError> {
        // The floor is read before the clock. It only rises, so a clock below it was set back and
        // did not lose a race against another request.
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
        // The second is durable before a token contains it. The guard moves into the task, so
        // that a disconnect does not let a later second be stored while this one is being stored.
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
    /// Stored already
    Recorded(UnixTime),
    /// Later than the stored second
    Ahead(UnixTime),
}
