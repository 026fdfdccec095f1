//! `[trust]`: the documents by which clients trust this server.

use serde::Deserialize;

use super::error::{Refusal, name};

/// `[trust]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustTable {
    operator: String,
}

/// What the trust documents say about who runs this server.
#[derive(Clone, Debug)]
pub struct TrustSettings {
    /// The operator of every service in the signing configuration
    pub operator: String,
}

impl TrustTable {
    /// Checks the table; `host` is the public URL's.
    pub(super) fn check(self, host: &str) -> Result<TrustSettings, Refusal> {
        let operator = match self.operator.as_str() {
            "" => host.chars().take(64).collect(),
            _ => self.operator,
        };
        Ok(TrustSettings {
            operator: name("trust.operator", operator)?,
        })
    }
}
