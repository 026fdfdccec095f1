//! `[ctlog]`: the certificate-transparency log.

use serde::Deserialize;

use super::error::{Refusal, count_within};

/// `[ctlog]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CtLogTable {
    pool_entries: u64,
}

/// The limits of the certificate-transparency log.
#[derive(Clone, Debug)]
pub struct CtLogSettings {
    /// Certificates that may wait for a place in the log
    pub pool_entries: usize,
}

impl CtLogTable {
    pub(super) fn check(self) -> Result<CtLogSettings, Refusal> {
        Ok(CtLogSettings {
            pool_entries: count_within("ctlog.pool_entries", self.pool_entries, 16..=1_000_000)?,
        })
    }
}
