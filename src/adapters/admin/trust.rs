//! Commands about the root of trust.

use serde::{Deserialize, Serialize};

use super::{AdminCommand, AdminRequest};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{KeyError, PublicKey};
use crate::protocol::tuf::{KeyId, Metadata, MetadataError, Role, Root, Signed};
use crate::services::trust::RepositoryError;
use crate::services::trust::ceremony::{CeremonyError, RootProposal};
use crate::services::trust::repository::TrustRepository;

/// Shows the root and the state of the repository.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowTrust {}

/// Signs and installs the next root with the key in the data directory.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenewRoot {}

/// Drafts the next root for others to sign. What is none stays as it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposeRoot {
    /// The root's keys, as PEM
    pub keys: Option<Vec<String>>,
    /// How many of the keys must sign
    pub threshold: Option<u32>,
    /// Days until the root expires
    pub days: Option<u32>,
}

/// Installs a root that others have signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstallRoot {
    /// The root's metadata, as JSON
    pub root: String,
}

/// The root of trust, in the form in which people compare it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TrustStatus {
    /// SHA-256 of `1.root.json`
    pub initial_root_sha256: String,
    /// SHA-256 of the newest root
    pub root_sha256: String,
    /// The IDs of the keys that may sign the root
    pub root_keys: Vec<String>,
    /// How many of them must sign
    pub root_threshold: u32,
    /// The ID of the key that signs for the other roles
    pub online_key: String,
    /// Whether `signet trust renew` can renew the root
    pub renewable: bool,
    pub roles: Vec<RoleStatus>,
    /// The state of the repository, for the operator
    pub health: String,
}

/// The newest metadata of a role.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RoleStatus {
    pub role: Role,
    pub version: u32,
    /// RFC 3339, UTC
    pub expires: String,
}

/// A root that was installed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InstalledRoot {
    pub version: u32,
    /// RFC 3339, UTC
    pub expires: String,
    /// SHA-256 of its metadata
    pub sha256: String,
}

impl InstalledRoot {
    fn of(root: &Signed<Root>) -> Self {
        Self {
            version: root.body().version().get(),
            expires: root.body().expires().to_rfc3339(),
            sha256: Sha256::of(root.bytes()).to_hex(),
        }
    }
}

/// Why a command about the root of trust fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustCommandError {
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error("keys[{position}]: {source}")]
    Key { position: usize, source: KeyError },
}

impl AdminCommand for ShowTrust {
    type Service = TrustRepository;
    type Reply = TrustStatus;
    type Error = TrustCommandError;

    fn into_request(self) -> AdminRequest {
        AdminRequest::ShowTrust(self)
    }

    fn perform(self, repository: &TrustRepository) -> Result<TrustStatus, TrustCommandError> {
        let status = repository.status()?;
        let root = status.root.body();
        let ids = |role| root.role(role).keyids.iter().map(KeyId::to_string);
        let roles = status.roles.iter();
        Ok(TrustStatus {
            initial_root_sha256: status.initial_root.to_hex(),
            root_sha256: status.root_hash.to_hex(),
            root_keys: ids(Role::Root).collect(),
            root_threshold: root.role(Role::Root).threshold,
            online_key: ids(Role::Timestamp).next().unwrap_or_default(),
            renewable: status.renewable,
            roles: roles
                .map(|(role, version, expires)| RoleStatus {
                    role: *role,
                    version: version.get(),
                    expires: expires.to_rfc3339(),
                })
                .collect(),
            health: repository.health().to_string(),
        })
    }
}

impl AdminCommand for RenewRoot {
    type Service = TrustRepository;
    type Reply = InstalledRoot;
    type Error = TrustCommandError;

    fn into_request(self) -> AdminRequest {
        AdminRequest::RenewRoot(self)
    }

    fn perform(self, repository: &TrustRepository) -> Result<InstalledRoot, TrustCommandError> {
        Ok(InstalledRoot::of(&repository.renew_root()?))
    }
}

impl AdminCommand for ProposeRoot {
    type Service = TrustRepository;
    /// The signing request, a file for the holders of the keys
    type Reply = String;
    type Error = TrustCommandError;

    fn into_request(self) -> AdminRequest {
        AdminRequest::ProposeRoot(self)
    }

    fn perform(self, repository: &TrustRepository) -> Result<String, TrustCommandError> {
        let parse = |(position, pem): (usize, &String)| {
            PublicKey::from_pem(pem).map_err(|source| TrustCommandError::Key { position, source })
        };
        let keys = self.keys.as_ref();
        let keys = keys.map(|keys| keys.iter().enumerate().map(parse).collect());
        let request = repository.propose(&RootProposal {
            keys: keys.transpose()?,
            threshold: self.threshold,
            days: self.days,
        })?;
        Ok(request.to_json()?)
    }
}

impl AdminCommand for InstallRoot {
    type Service = TrustRepository;
    type Reply = InstalledRoot;
    type Error = TrustCommandError;

    fn into_request(self) -> AdminRequest {
        AdminRequest::InstallRoot(self)
    }

    fn perform(self, repository: &TrustRepository) -> Result<InstalledRoot, TrustCommandError> {
        let root = Signed::parse_root(self.root.as_bytes())?;
        repository.install_root(&root)?;
        Ok(InstalledRoot::of(&root))
    }
}
