//! `signet fsck` and `signet rebuild`: the store of a server that is stopped.

use std::path::Path;

use anyhow::Context as _;

use super::args::StoreArgs;
use super::output::{ExitStatus, Failure, Output, print_result};
use crate::adapters::keystore::KeyStore;
use crate::adapters::storage::{self, OpenError};
use crate::app::load_log_signers;
use crate::config;
use crate::log::stored_keys;

/// Derives everything anew from the journal and compares it with what is stored.
///
/// # Errors
/// The configuration, a store that cannot be opened, or one that is not whole.
pub(crate) fn fsck(args: &StoreArgs) -> Result<(), Failure> {
    let settings = config::load(&args.sources())?;
    let dir = &settings.server.data_dir;
    require_store(dir)?;
    let signers = KeyStore::open(dir)
        .map_err(anyhow::Error::from)
        .and_then(|keys| load_log_signers(&keys).map_err(anyhow::Error::from))
        .context("the keys of the logs")?;
    let report = storage::fsck(dir, &signers, |_| stored_keys).map_err(not_opened)?;
    print_result(report.to_string().trim_end()).context("standard output cannot be written")?;
    if report.is_clean() {
        return Ok(());
    }
    Err(damaged(anyhow::anyhow!(
        "{}: the store is not whole",
        dir.display()
    )))
}

/// Sets the queryable state aside and builds it anew from the journal.
///
/// # Errors
/// The configuration, or a journal that cannot be read.
pub(crate) fn rebuild(args: &StoreArgs) -> Result<(), Failure> {
    let settings = config::load(&args.sources())?;
    require_store(&settings.server.data_dir)?;
    let sizes = storage::rebuild(&settings.server.data_dir, |_| stored_keys).map_err(not_opened)?;
    let mut output = Output::stderr();
    output.success("the state is built anew; the old one is beside it");
    for (log, size) in sizes {
        output.field(
            &format!("{log:<16}"),
            format_args!("{} entries", size.get()),
        );
    }
    Ok(())
}

/// A directory without a store is a mistyped name sooner than a damaged store.
fn require_store(dir: &Path) -> Result<(), Failure> {
    storage::require_store(dir).map_err(|error| Failure::failed(error.into()))
}

/// A full disk, or a server that has the store open, are no damage.
fn not_opened(error: OpenError) -> Failure {
    if error.is_damage() {
        damaged(error.into())
    } else {
        Failure::failed(error.into())
    }
}

const fn damaged(cause: anyhow::Error) -> Failure {
    Failure::new(ExitStatus::StorageDamaged, cause)
}
