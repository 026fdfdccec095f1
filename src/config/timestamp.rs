//! `[timestamp]`: the timestamp authority.

use serde::Deserialize;

use super::error::{Refusal, name};

/// `[timestamp]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimestampTable {
    organisation: String,
}

/// What the timestamp authority is called.
#[derive(Clone, Debug)]
pub struct TimestampSettings {
    /// The organisation in the authority's certificates
    pub organisation: String,
}

impl TimestampTable {
    pub(super) fn check(self) -> Result<TimestampSettings, Refusal> {
        Ok(TimestampSettings {
            organisation: name("timestamp.organisation", self.organisation)?,
        })
    }
}
