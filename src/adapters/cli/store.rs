//! `signet fsck` and `signet rebuild`: the store of a server that is stopped.

use super::args::StoreArgs;
use super::output::Failure;

/// Checks every hash, root and index against the journal.
///
/// # Errors
/// The store is damaged, in use, or cannot be read.
pub fn fsck(_args: &StoreArgs) -> Result<(), Failure> {
    Err(Failure::failed(anyhow::anyhow!("not built yet")))
}

/// Builds the queryable state anew from the journal.
///
/// # Errors
/// The journal is damaged, in use, or cannot be read.
pub fn rebuild(_args: &StoreArgs) -> Result<(), Failure> {
    Err(Failure::failed(anyhow::anyhow!("not built yet")))
}
