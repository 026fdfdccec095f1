//! The operating system's clock, its randomness, and the modes of the files that the process creates.

use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::fs::Mode;

use crate::protocol::time::{Clock, UnixTime};
use crate::services::random::{NoRandomness, Rng};

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    fn now(&self) -> UnixTime {
        // A clock before 1970 reads as the epoch; the timestamp authority's floor then refuses to sign.
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        UnixTime::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The operating system's randomness.
pub(crate) const SYSTEM_RNG: Rng = Rng::new(|bytes| {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_: ring::error::Unspecified| NoRandomness)
});

/// Random bytes from the operating system.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    SYSTEM_RNG.bytes()
}

/// Makes every file and directory that the process creates from now on accessible to its owner only.
/// Our own code sets modes itself; sled does not.
pub(crate) fn keep_files_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}
