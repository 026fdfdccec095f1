//! `[log]`: the signature log, and the storage that all logs share.

use serde::Deserialize;

use super::error::{Refusal, count_within, within};

/// `[log]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogTable {
    origin: String,
    pool_entries: u64,
    segment_bytes: u64,
    cache_bytes: u64,
}

/// The signature log's name, and the sizes of journal and state.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The first line of every checkpoint
    pub origin: String,
    /// Entries that may wait for a place in the log
    pub pool_entries: usize,
    /// When the journal begins another file
    pub segment_bytes: u64,
    /// Memory for the queryable state
    pub cache_bytes: u64,
}

impl LogTable {
    /// Checks the table; `host` is the public URL's.
    pub(super) fn check(self, host: &str) -> Result<LogSettings, Refusal> {
        let origin = match self.origin.as_str() {
            "" => host.to_owned(),
            _ => self.origin,
        };
        // C2SP signed-note: a key name is not empty and has neither spaces nor plus signs.
        let accepted = (1..=255).contains(&origin.len())
            && origin
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'+');
        if !accepted {
            return Err(Refusal::not_accepted(
                "log.origin",
                &origin,
                "1 to 255 printable ASCII characters without spaces and plus signs",
            ));
        }
        Ok(LogSettings {
            origin,
            pool_entries: count_within("log.pool_entries", self.pool_entries, 16..=1_000_000)?,
            segment_bytes: within("log.segment_bytes", self.segment_bytes, 1 << 20..=1 << 32)?,
            cache_bytes: within("log.cache_bytes", self.cache_bytes, 1 << 20..=1 << 36)?,
        })
    }
}
