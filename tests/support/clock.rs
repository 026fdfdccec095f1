//! A clock that the test moves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use signet::testing::{Clock, UnixTime};

/// Starts at 2027-01-15T08:00:00Z.
pub struct TestClock(AtomicU64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicU64::new(1_800_000_000_000))
    }
}

impl TestClock {
    pub fn advance(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}
