//! Metadata of The Update Framework (TUF specification 1.0): roles, keys, canonical JSON, signing, and the
//! client workflow. Expiry is checked against a time that the caller passes.
//!
//! A [`Signed`] document is parsed but not verified. [`Root::verify`] verifies its signatures;
//! `TrustedSet` verifies all documents of a repository.

mod canonical;
mod change;
mod error;
mod file;
mod key;
mod metadata;
mod online;
mod root;
mod signed;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod trusted_set;

pub(crate) use change::RootChange;
pub(crate) use error::{MetadataError, RuleError, SignError, SuccessionError, VerifyError};
pub(crate) use file::{Custom, FileRef, SigstoreCustom, TargetFile};
pub(crate) use key::{KeyId, KeyObject};
pub(crate) use metadata::Version;
pub use metadata::{Metadata, Role};
pub(crate) use online::{Snapshot, Targets, Timestamp};
pub use root::Root;
pub(crate) use root::RootRules;
pub use signed::Signed;

/// `spec_version` of the metadata.
pub(crate) const SPEC_VERSION: &str = "1.0.31";
