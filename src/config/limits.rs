//! `[limits]`: what one client may ask of the server.

use serde::Deserialize;

use super::error::{Refusal, count_within, within};

/// `[limits]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTable {
    body_bytes: u64,
    verify_body_bytes: u64,
    verify_artifact_bytes: u64,
    concurrent_verifications: u64,
}

/// What one client may ask of the server.
#[derive(Clone, Debug)]
pub struct LimitsSettings {
    /// The largest request body
    pub body_bytes: usize,
    /// The largest request to the verification endpoint, besides an artifact that is streamed
    pub verify_body_bytes: usize,
    /// The largest artifact that is streamed to the verification endpoint
    pub verify_artifact_bytes: u64,
    /// Verifications that run at one time
    pub concurrent_verifications: usize,
}

impl LimitsTable {
    pub(super) fn check(self) -> Result<LimitsSettings, Refusal> {
        let body = 65_536..=67_108_864;
        Ok(LimitsSettings {
            body_bytes: count_within("limits.body_bytes", self.body_bytes, body.clone())?,
            verify_body_bytes: count_within(
                "limits.verify_body_bytes",
                self.verify_body_bytes,
                body,
            )?,
            verify_artifact_bytes: within(
                "limits.verify_artifact_bytes",
                self.verify_artifact_bytes,
                1..=1 << 50,
            )?,
            concurrent_verifications: count_within(
                "limits.concurrent_verifications",
                self.concurrent_verifications,
                1..=4096,
            )?,
        })
    }
}
