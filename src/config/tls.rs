//! `[tls]`: the server's own certificate.

use std::path::PathBuf;

use serde::Deserialize;

use super::error::{Refusal, both_or_neither};

/// `[tls]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsTable {
    certificate_file: String,
    key_file: String,
}

/// Where the server's certificate and key are.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// PEM: the server's certificate, then those that vouch for it
    pub certificate_file: PathBuf,
    /// PEM: the private key
    pub key_file: PathBuf,
}

impl TlsTable {
    pub(super) fn check(self) -> Result<Option<TlsSettings>, Refusal> {
        let files = both_or_neither(
            ("tls.certificate_file", self.certificate_file),
            ("tls.key_file", self.key_file),
        )?;
        Ok(files.map(|(certificate_file, key_file)| TlsSettings {
            certificate_file,
            key_file,
        }))
    }
}
