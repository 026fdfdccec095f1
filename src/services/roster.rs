//! The logs and authorities of an instance, as public data.
//!
//! Metrics, readiness, trust documents, discovery and start-up iterate over the roster. Adding a log or
//! authority means adding an entry.

#[cfg(test)]
pub(crate) mod testing;

use std::fmt;

use crate::log::LogId;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::PublicKey;
use crate::protocol::origin::Origin;
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::Certificate;

/// The API that serves a log, and with it the kind of its leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogRole {
    /// Precertificates (RFC 6962)
    Ct,
    /// Signatures, with signed entry timestamps and search
    RekorV1,
    /// Signatures, served as tiles
    RekorV2,
}

impl LogRole {
    pub(crate) const ALL: [Self; 3] = [Self::Ct, Self::RekorV1, Self::RekorV2];

    /// The major version of Rekor's API; none for a certificate-transparency log.
    pub(crate) const fn rekor_version(self) -> Option<u32> {
        match self {
            Self::Ct => None,
            Self::RekorV1 => Some(1),
            Self::RekorV2 => Some(2),
        }
    }
}

/// Whether a log accepts entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogState {
    /// Accepts entries
    Active,
    /// The operator has disabled new entries; the log is served and trusted
    Frozen,
    /// Its keys are trusted for entries of its validity window; nothing is served
    Retired,
}

/// One log.
#[derive(Clone, Debug)]
pub(crate) struct LogDescription {
    pub id: LogId,
    pub role: LogRole,
    pub state: LogState,
    /// Base URL of its API
    pub url: String,
    /// First line of its checkpoints
    pub origin: String,
    pub key: PublicKey,
    /// The log ID of trust roots and entries: the key's fingerprint, or the hash of its C2SP note key
    pub log_id: Sha256,
    /// When its signatures are trusted
    pub validity: Validity,
    /// File of its public key below `/trust`
    pub document: &'static str,
}

/// What an authority signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityRole {
    /// Signing certificates
    Certificates,
    /// Timestamps (RFC 3161)
    Timestamps,
}

/// One authority.
#[derive(Clone, Debug)]
pub(crate) struct AuthorityDescription {
    /// The name in documents, metrics and messages, such as `certificate-authority`
    pub name: &'static str,
    pub role: AuthorityRole,
    /// Its URI in the trust root
    pub url: String,
    /// The signing certificate first, the root last; at least one
    pub chain: Vec<Certificate>,
    /// When its signatures are trusted
    pub validity: Validity,
    /// File of its chain below `/trust`
    pub document: &'static str,
}

/// Everything public about an instance.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    /// Where clients reach the instance
    pub public_url: Origin,
    /// The organisation that runs it; clients count operators by this name
    pub operator: String,
    /// OpenID Connect issuers whose tokens are accepted, the preferred one first
    pub issuers: Vec<String>,
    /// In the order in which documents list them
    pub logs: Vec<LogDescription>,
    pub authorities: Vec<AuthorityDescription>,
}

impl Roster {
    /// The time from which the instance's signatures are trusted.
    pub(crate) fn start(&self) -> UnixTime {
        let starts = self.authorities.iter().map(|one| one.validity.start);
        let logs = self.logs.iter().map(|log| log.validity.start);
        starts.chain(logs).min().unwrap_or(UnixTime::from_millis(0))
    }

    /// The logs of this role, in order.
    pub(crate) fn logs_of(&self, role: LogRole) -> impl Iterator<Item = &LogDescription> {
        self.logs.iter().filter(move |log| log.role == role)
    }

    /// The logs of signatures, of either API.
    pub(crate) fn signature_logs(&self) -> impl Iterator<Item = &LogDescription> {
        self.logs
            .iter()
            .filter(|log| log.role.rekor_version().is_some())
    }

    /// Whether a log of this role accepts entries.
    pub(crate) fn accepts(&self, role: LogRole) -> bool {
        self.logs_of(role).any(|log| log.state == LogState::Active)
    }

    /// The authorities of this role, in order.
    pub(crate) fn authorities_of(
        &self,
        role: AuthorityRole,
    ) -> impl Iterator<Item = &AuthorityDescription> {
        self.authorities
            .iter()
            .filter(move |authority| authority.role == role)
    }
}

impl fmt::Display for LogRole {
    /// The name of the role's first log: `ct`, `rekor-v1`, `rekor-v2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rekor_version() {
            None => f.write_str("ct"),
            Some(version) => write!(f, "rekor-v{version}"),
        }
    }
}
