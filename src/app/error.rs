//! Why an instance does not start.

use thiserror::Error;

use super::InstanceError;
use crate::adapters::admin::AdminError;
use crate::adapters::http::server::ServerError;
use crate::adapters::outbound::oidc::EndpointError;
use crate::adapters::storage::OpenError;
use crate::protocol::identity::NameError;
use crate::protocol::policy::PolicyError;
use crate::protocol::x509::profile::ProfileError;
use crate::services::account::AccountError;
use crate::services::issuer::IssuerKeyError;
use crate::services::oidc::IssuerSettingError;
use crate::services::timestamp::OpenTimestampsError;
use crate::services::trust::OpenRepositoryError;
use crate::services::trust::TrustError;

/// Why an instance does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Keys, certificates and names
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The store
    #[error(transparent)]
    Storage(#[from] OpenError),
    /// A log did not come up from the store
    #[error("log {0} does not start: {1}")]
    Log(&'static str, #[source] crate::log::StartError),
    /// Accounts
    #[error("accounts: {0}")]
    Accounts(#[from] AccountError),
    /// The timestamp authority
    #[error("timestamp authority: {0}")]
    Timestamps(#[from] OpenTimestampsError),
    /// The certificate authority's issuing certificate
    #[error("certificate authority: {0}")]
    Certificates(#[from] ProfileError),
    /// The embedded issuer
    #[error("embedded issuer: {0}")]
    Issuer(#[from] IssuerKeyError),
    /// The public URL cannot be an issuer
    #[error("server.public_url cannot be an issuer: it {0}")]
    IssuerName(#[from] NameError),
    /// An issuer's settings
    #[error("issuer {url}: {source}")]
    TrustedIssuer {
        /// The issuer.
        url: String,
        /// What is wrong.
        source: IssuerSettingError,
    },
    /// An issuer that cannot be reached as it is configured
    #[error("issuer {url}: {source}")]
    Endpoint {
        /// The issuer.
        url: String,
        /// What is wrong.
        source: EndpointError,
    },
    /// A policy's file
    #[error("policy {name}: {file} cannot be read: {source}")]
    PolicyFile {
        /// The policy's name.
        name: String,
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A policy that is not accepted
    #[error("policy {name}: {file}: {source}")]
    Policy {
        /// The policy's name.
        name: String,
        /// The file.
        file: String,
        /// What is wrong.
        source: PolicyError,
    },
    /// An issuer's CA file
    #[error("issuer {url}: ca_file {file} cannot be read: {source}")]
    CaFile {
        /// The issuer.
        url: String,
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The trust documents
    #[error("trust documents: {0}")]
    Trust(#[from] TrustError),
    /// The trust repository
    #[error("trust repository: {0}")]
    Repository(#[from] OpenRepositoryError),
    /// The HTTP server
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The socket for the command line
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The counters
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl StartError {
    /// Whether the store itself is at fault, which has an exit status of its own: starting again
    /// does not help.
    pub const fn is_storage(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_damage(),
            Self::Log(_, error) => error.is_damage(),
            Self::Repository(OpenRepositoryError::Record(_)) => true,
            _ => false,
        }
    }

    /// Whether a file that the configuration names is at fault.
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::PolicyFile { .. } | Self::Policy { .. })
    }
}
