//! What clients trust: the trust documents, the TUF repository that distributes them, its renewal, and
//! the root ceremony.

pub(crate) mod ceremony;
pub(crate) mod documents;
mod error;
mod record;
pub(crate) mod renewal;
pub(crate) mod repository;
mod signing_config;
pub(crate) mod target;
mod terms;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use documents::{TrustDocuments, TrustError};
pub(crate) use error::{OpenRepositoryError, RepositoryError};
pub use terms::RepositoryHealth;
