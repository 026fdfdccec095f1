//! Options that locate a data directory; `signet fsck` and `signet rebuild`; and commands that go to the
//! running server or, if none runs, to the store.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::output::{ExitStatus, Failure, Output, print_result};
use crate::adapters::admin::{AdminClient, AdminCommand};
use crate::adapters::keystore::KeyStore;
use crate::adapters::storage::{self, OpenError};
use crate::app::{load_log_signers, search_keys};
use crate::config::{self, Flags, Sources};

/// Where the configuration and the data are.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct StoreArgs {
    /// Configuration file; optional
    #[arg(long, value_name = "FILE", env = "SIGNET_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Data directory [default: ./signet-data]
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<String>,
}

impl StoreArgs {
    /// The sources of the configuration: the file, the environment, the flags.
    pub(crate) fn sources(&self) -> Sources {
        // A variable that is not UTF-8 is not a setting.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Sources {
            file: self.config.clone(),
            environment: std::env::vars_os().filter_map(text).collect(),
            flags: Flags {
                data_dir: self.data_dir.clone(),
                ..Flags::default()
            },
        }
    }
}

/// Performs a command: by the server that runs on the data directory, or else by `offline`.
pub(super) fn perform<C: AdminCommand>(
    data_dir: &Path,
    command: C,
    offline: impl FnOnce(C) -> anyhow::Result<C::Reply>,
) -> anyhow::Result<C::Reply> {
    match AdminClient::connect(data_dir)? {
        Some(server) => Ok(server.call(command)?),
        None => offline(command),
    }
}

/// Derives every hash, root and index from the journal and compares them with the state.
pub(crate) fn fsck(args: &StoreArgs) -> Result<(), Failure> {
    let settings = config::load(&args.sources())?;
    let dir = &settings.server.data_dir;
    require_store(dir)?;
    let signers = KeyStore::open(dir)
        .map_err(anyhow::Error::from)
        .and_then(|keys| load_log_signers(&keys).map_err(anyhow::Error::from))
        .context("the keys of the logs cannot be loaded")?;
    let report = storage::fsck(dir, &signers, search_keys).map_err(not_opened)?;
    print_result(report.to_string().trim_end()).context("cannot write to standard output")?;
    if report.is_clean() {
        return Ok(());
    }
    Err(damaged(anyhow::anyhow!(
        "the store in {} is damaged",
        dir.display()
    )))
}

/// Moves the state aside and builds it again from the journal.
pub(crate) fn rebuild(args: &StoreArgs) -> Result<(), Failure> {
    let settings = config::load(&args.sources())?;
    require_store(&settings.server.data_dir)?;
    let sizes = storage::rebuild(&settings.server.data_dir, search_keys).map_err(not_opened)?;
    let mut output = Output::stderr();
    output.success("rebuilt the state from the journal; the old state is kept next to it");
    for (log, size) in sizes {
        output.field(
            &format!("{log:<16}"),
            format_args!("{} entries", size.get()),
        );
    }
    Ok(())
}

/// A directory without a store is more likely a mistyped name than a damaged store, so this is not
/// reported as damage.
fn require_store(dir: &Path) -> Result<(), Failure> {
    storage::require_store(dir).map_err(|error| Failure::failed(error.into()))
}

/// A full disk, or a server that has the store open, is not damage.
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
