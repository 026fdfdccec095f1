//! `[accounts]`: the embedded issuer.

use serde::Deserialize;

/// `[accounts]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountsTable {
    enabled: bool,
}

/// Whether this server is an issuer itself.
#[derive(Clone, Debug)]
pub struct AccountsSettings {
    /// Whether the embedded issuer runs and is trusted
    pub enabled: bool,
}

impl AccountsTable {
    pub(super) const fn check(self) -> AccountsSettings {
        AccountsSettings {
            enabled: self.enabled,
        }
    }
}
