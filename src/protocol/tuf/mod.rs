//! The Update Framework's metadata (TUF specification 1.0): roles, keys, canonical JSON, signing, and
//! what a client checks before it believes any of it. Pure: expiry is checked against a given time.
//!
//! A [`Signed`] document was read whole and is what it says; whether to believe it is for a root's
//! [`verify`](Root::verify) and, over all documents of a repository, for [`TrustedSet`].

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
mod trusted_set;

pub use canonical::JsonError;
pub use change::RootChange;
pub use file::{Custom, FileRef, SigstoreCustom, TargetFile};
pub use key::{KeyId, KeyObject};
pub use metadata::{Metadata, Role, Snapshot, Targets, Timestamp, Version};
pub use root::{MAX_ROOT_KEYS, RoleKeys, Roles, Root, RootRules, RuleError, VerifyError};
pub use signed::{MetadataError, SignError, Signed, SuccessionError};
pub use trusted_set::{TrustedSet, UpdateError};

/// The specification that the metadata follows, as it stands in them.
pub const SPEC_VERSION: &str = "1.0.31";
