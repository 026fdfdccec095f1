//! Errors that keep an instance from starting.

use thiserror::Error;

use super::keys::InstanceError;
use crate::adapters::admin::AdminError;
use crate::adapters::http::server::ServerError;
use crate::adapters::outbound::oidc::EndpointError;
use crate::adapters::storage::OpenError;
use crate::log::{self, LogId};
use crate::protocol::identity::NameError;
use crate::protocol::policy::PolicyError;
use crate::protocol::x509::profile::ProfileError;
use crate::services::account::AccountError;
use crate::services::issuer::IssuerKeyError;
use crate::services::oidc::IssuerSettingError;
use crate::services::timestamp::OpenTimestampsError;
use crate::services::trust::OpenRepositoryError;
use crate::services::trust::TrustError;

/// Error starting an instance.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error(transparent)]
    Storage(#[from] OpenError),
    #[error("log {0} cannot start: {1}")]
    Log(LogId, #[source] log::StartError),
    #[error("accounts: {0}")]
    Accounts(#[from] AccountError),
    #[error("timestamp authority: {0}")]
    Timestamps(#[from] OpenTimestampsError),
    #[error("certificate authority: {0}")]
    Certificates(#[from] ProfileError),
    #[error("embedded issuer: {0}")]
    Issuer(#[from] IssuerKeyError),
    #[error("server.public_url cannot be an issuer: it {0}")]
    IssuerName(#[from] NameError),
    #[error("issuer {url}: {source}")]
    TrustedIssuer {
        url: String,
        source: IssuerSettingError,
    },
    /// Settings with which an issuer cannot be reached
    #[error("issuer {url}: {source}")]
    Endpoint { url: String, source: EndpointError },
    #[error("policy {name}: {file} cannot be read: {source}")]
    PolicyFile {
        name: String,
        file: String,
        source: std::io::Error,
    },
    #[error("policy {name}: {file}: {source}")]
    Policy {
        name: String,
        file: String,
        source: PolicyError,
    },
    #[error("issuer {url}: ca_file {file} cannot be read: {source}")]
    CaFile {
        url: String,
        file: String,
        source: std::io::Error,
    },
    #[error("trust documents: {0}")]
    Trust(#[from] TrustError),
    #[error("TUF repository: {0}")]
    Repository(#[from] OpenRepositoryError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl StartError {
    /// Whether the store is damaged. This has its own exit status, because a restart does not help.
    pub const fn is_storage(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_damage(),
            Self::Log(_, error) => error.is_damage(),
            Self::Repository(OpenRepositoryError::Record(_)) => true,
            _ => false,
        }
    }

    /// Whether the error is in a file that the configuration names.
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::PolicyFile { .. } | Self::Policy { .. })
    }
}
