//! `[ca]`: the certificate authority.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::error::{Refusal, both_or_neither, name, within};

/// `[ca]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaTable {
    lifetime_seconds: u64,
    organisation: String,
    common_name: String,
    certificate_chain_file: String,
    key_file: String,
}

/// How the certificate authority issues, and what it is called.
#[derive(Clone, Debug)]
pub struct CaSettings {
    /// How long a certificate lives
    pub certificate_lifetime: Duration,
    /// The organisation in the CA's own certificates, if it makes them
    pub organisation: String,
    /// The common name in the CA's own certificates, if it makes them
    pub common_name: String,
    /// The CA that the organisation brings, if it brings one
    pub own: Option<OwnCa>,
}

/// A certificate authority that the organisation brings.
#[derive(Clone, Debug)]
pub struct OwnCa {
    /// PEM: the issuing certificate first, the root last
    pub certificate_chain_file: PathBuf,
    /// PEM: the issuing certificate's private key
    pub key_file: PathBuf,
}

impl CaTable {
    pub(super) fn check(self) -> Result<CaSettings, Refusal> {
        let lifetime = within("ca.lifetime_seconds", self.lifetime_seconds, 60..=1200)?;
        let own = both_or_neither(
            ("ca.certificate_chain_file", self.certificate_chain_file),
            ("ca.key_file", self.key_file),
        )?;
        Ok(CaSettings {
            certificate_lifetime: Duration::from_secs(lifetime),
            organisation: name("ca.organisation", self.organisation)?,
            common_name: name("ca.common_name", self.common_name)?,
            own: own.map(|(certificate_chain_file, key_file)| OwnCa {
                certificate_chain_file,
                key_file,
            }),
        })
    }
}
