//! What can be asked about the root of trust, and what is answered.

use serde::{Deserialize, Serialize};

use crate::protocol::bytes::Sha256;
use crate::protocol::keys::PublicKey;
use crate::protocol::time::UnixTime;
use crate::protocol::tuf::{KeyId, Metadata, Role, Root, Signed, Version};
use crate::services::trust::ceremony::RootProposal;
use crate::services::trust::repository::{RepositoryStatus, TrustRepository};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum TrustRequest {
    /// Tell what there is
    Show,
    /// Sign the next root with the key in the data directory
    RenewRoot,
    /// Draft the next root for others to sign; what is not said stays as it is
    Propose {
        /// The root's keys, each as PEM
        keys: Option<Vec<String>>,
        /// How many of them must sign
        threshold: Option<u32>,
        /// How many days it lasts
        days: Option<u32>,
    },
    /// Make a root count that others have signed
    Install {
        /// The root's metadata
        root: String,
    },
}

/// What is answered. All of it is public.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum TrustReply {
    /// What there is
    Status(TrustStatus),
    /// The root counts from now on
    Installed(InstalledRoot),
    /// A signing request
    Proposed {
        /// The file for those who sign
        request: String,
    },
}

/// The root of trust as people compare it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TrustStatus {
    /// SHA-256 of `1.root.json`
    pub initial_root_sha256: String,
    /// SHA-256 of the newest root
    pub root_sha256: String,
    /// The ids of the keys that may sign the root
    pub root_keys: Vec<String>,
    /// How many of them must
    pub root_threshold: u32,
    /// The id of the key that signs for the other roles
    pub online_key: String,
    /// Whether `signet trust renew` can renew the root
    pub renewable: bool,
    /// Version and expiry of each role's metadata
    pub roles: Vec<RoleStatus>,
    /// What an operator should know
    pub health: String,
}

/// A role's metadata.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RoleStatus {
    /// `root`, `targets`, `snapshot` or `timestamp`
    pub role: Role,
    /// Its version
    pub version: u32,
    /// RFC 3339, UTC
    pub expires: String,
}

/// A root that was installed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InstalledRoot {
    /// Its version
    pub version: u32,
    /// RFC 3339, UTC
    pub expires: String,
    /// SHA-256 of its metadata
    pub sha256: String,
}

/// Does what is asked, or tells why not. Blocks on storage.
///
/// # Errors
/// Why it was not done, for a person.
pub(crate) fn perform(
    repository: &TrustRepository,
    request: TrustRequest,
) -> Result<TrustReply, String> {
    match request {
        TrustRequest::Show => {
            let status = repository.status().map_err(|error| error.to_string())?;
            Ok(TrustReply::Status(shown(
                &status,
                repository.health().to_string(),
            )))
        }
        TrustRequest::RenewRoot => {
            let root = repository.renew_root().map_err(|error| error.to_string())?;
            Ok(TrustReply::Installed(installed(&root)))
        }
        TrustRequest::Propose {
            keys,
            threshold,
            days,
        } => {
            let proposal = RootProposal {
                keys: keys.as_deref().map(read_keys).transpose()?,
                threshold,
                days,
            };
            let request = repository
                .propose(&proposal)
                .map_err(|error| error.to_string())?;
            let request = request.to_json().map_err(|error| error.to_string())?;
            Ok(TrustReply::Proposed { request })
        }
        TrustRequest::Install { root } => {
            let root = Signed::parse_root(root.as_bytes()).map_err(|error| error.to_string())?;
            repository
                .install_root(&root)
                .map_err(|error| error.to_string())?;
            Ok(TrustReply::Installed(installed(&root)))
        }
    }
}

fn read_keys(keys: &[String]) -> Result<Vec<PublicKey>, String> {
    let read = |(place, pem): (usize, &String)| {
        PublicKey::from_pem(pem).map_err(|error| format!("keys[{place}]: {error}"))
    };
    keys.iter().enumerate().map(read).collect()
}

fn shown(status: &RepositoryStatus, health: String) -> TrustStatus {
    let root = status.root.body();
    let ids = |role| root.role(role).keyids.iter().map(KeyId::to_string);
    let role = |(role, version, expires): &(Role, Version, UnixTime)| RoleStatus {
        role: *role,
        version: version.get(),
        expires: expires.to_rfc3339(),
    };
    TrustStatus {
        initial_root_sha256: status.initial_root.to_hex(),
        root_sha256: status.root_hash.to_hex(),
        root_keys: ids(Role::Root).collect(),
        root_threshold: root.role(Role::Root).threshold,
        online_key: ids(Role::Timestamp).next().unwrap_or_default(),
        renewable: status.renewable,
        roles: status.roles.iter().map(role).collect(),
        health,
    }
}

fn installed(root: &Signed<Root>) -> InstalledRoot {
    InstalledRoot {
        version: root.body().version().get(),
        expires: root.body().expires().to_rfc3339(),
        sha256: Sha256::of(root.bytes()).to_hex(),
    }
}
