//! What clients trust: the documents, the TUF repository that distributes them, its renewal, and the
//! root ceremony.

pub(crate) mod ceremony;
pub(crate) mod documents;
mod published;
pub(crate) mod renewal;
pub(crate) mod repository;
mod signing_config;
pub(crate) mod target;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use documents::{TrustDocuments, TrustError};
