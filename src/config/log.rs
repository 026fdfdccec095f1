//! `[log]`: the signature logs, and the storage that all logs share.

use serde::Deserialize;

use super::error::{Refusal, count_within, within};

/// `[log]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogTable {
    origin: String,
    rekor_v1: bool,
    rekor_v2: bool,
    pool_entries: u64,
    segment_bytes: u64,
    cache_bytes: u64,
}

/// The signature logs' name and dialects, and the sizes of journal and state.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The first line of every checkpoint
    pub origin: String,
    /// Whether the Rekor v1 log takes entries
    pub rekor_v1: bool,
    /// Whether the Rekor v2 log takes entries
    pub rekor_v2: bool,
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
        if !self.rekor_v1 && !self.rekor_v2 {
            return Err(Refusal::contradiction(
                "log.rekor_v2",
                "log.rekor_v1 is false as well, and then nothing could be signed: one of the two \
                 must be true",
            ));
        }
        Ok(LogSettings {
            origin,
            rekor_v1: self.rekor_v1,
            rekor_v2: self.rekor_v2,
            pool_entries: count_within("log.pool_entries", self.pool_entries, 16..=1_000_000)?,
            segment_bytes: within("log.segment_bytes", self.segment_bytes, 1 << 20..=1 << 32)?,
            cache_bytes: within("log.cache_bytes", self.cache_bytes, 1 << 20..=1 << 36)?,
        })
    }
}
