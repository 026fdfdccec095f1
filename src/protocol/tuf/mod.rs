//! The Update Framework's metadata (TUF specification 1.0): roles, keys, canonical JSON, signing, and the
//! client's checks. Pure: expiry is checked against a given time.
//!
//! A [`Signed`] document was only read. A root's [`verify`](Root::verify) checks its signatures, and
//! `TrustedSet` all documents of a repository.

mod canonical;
mod change;
mod file;
mod key;
mod metadata;
mod root;
mod signed;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod trusted_set;

pub(crate) use change::RootChange;
pub(crate) use file::{Custom, FileRef, SigstoreCustom, TargetFile};
pub(crate) use key::{KeyId, KeyObject};
pub(crate) use metadata::Snapshot;
pub(crate) use metadata::Targets;
pub(crate) use metadata::Timestamp;
pub(crate) use metadata::Version;
pub use metadata::{Metadata, Role};
pub use root::Root;
pub(crate) use root::RootRules;
pub(crate) use root::RuleError;
pub(crate) use root::VerifyError;
pub(crate) use signed::MetadataError;
pub(crate) use signed::SignError;
pub use signed::Signed;
pub(crate) use signed::SuccessionError;

/// `spec_version` of the metadata.
pub(crate) const SPEC_VERSION: &str = "1.0.31";
