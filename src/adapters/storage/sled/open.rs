//! Opening sled, which fails in more ways than its signature says.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::{SledState, key, migrate};
use crate::adapters::storage::error::OpenError;
use crate::adapters::storage::files;

/// The unit by which sled extends its file, in bytes; fixed when a state is created. Since values stay
/// below 2 KiB, many pages of sled fit into one and none becomes a file of its own.
const SEGMENT: usize = 2 << 20;

/// Opens the state that was built from the journal `instance`. A state that does not open, or belongs to
/// another journal, is set aside and replaced by an empty one.
pub(in crate::adapters::storage) fn open(
    dir: &Path,
    instance: [u8; 16],
    cache_bytes: u64,
) -> Result<SledState, OpenError> {
    match attempt(dir, instance, cache_bytes) {
        Ok(state) => return Ok(state),
        Err(Failure::Refused(error)) => return Err(error),
        Err(Failure::Broken(reason)) => {
            let aside = set_aside(dir).map_err(OpenError::io(dir))?;
            tracing::warn!(
                reason,
                set_aside = %aside.display(),
                "state.broken"
            );
        }
    }
    match attempt(dir, instance, cache_bytes) {
        Ok(state) => Ok(state),
        Err(Failure::Refused(error)) => Err(error),
        Err(Failure::Broken(reason)) => Err(OpenError::State(reason)),
    }
}

enum Failure {
    /// The state must stay as it is
    Refused(OpenError),
    /// The state is useless and can be replaced
    Broken(String),
}

impl Failure {
    /// If the disk is full or inaccessible, the state is not at fault and setting it aside would not
    /// help.
    fn of(dir: &Path, error: ::sled::Error) -> Self {
        const ABOUT_THE_DISK: [ErrorKind; 4] = [
            ErrorKind::StorageFull,
            ErrorKind::QuotaExceeded,
            ErrorKind::ReadOnlyFilesystem,
            ErrorKind::PermissionDenied,
        ];
        match error {
            ::sled::Error::Io(error) if ABOUT_THE_DISK.contains(&error.kind()) => {
                Self::Refused(OpenError::io(dir)(error))
            }
            error => Self::Broken(error.to_string()),
        }
    }
}

fn attempt(dir: &Path, instance: [u8; 16], cache_bytes: u64) -> Result<SledState, Failure> {
    files::make_private_dir(dir)
        .and_then(|()| remove_unfinished_snapshots(dir))
        .map_err(|error| Failure::Refused(OpenError::io(dir)(error)))?;
    let config = ::sled::Config::new()
        .path(dir)
        .cache_capacity(cache_bytes)
        .segment_size(SEGMENT);
    wait_for_lock(dir).map_err(|error| Failure::Refused(OpenError::io(dir)(error)))?;
    let db = catch_unwind(AssertUnwindSafe(|| config.open()))
        .map_err(|_| Failure::Broken("sled panicked while opening it".to_owned()))?
        .map_err(|error| Failure::of(dir, error))?;
    make_files_private(dir).map_err(|error| Failure::Refused(OpenError::io(dir)(error)))?;
    migrate::migrate(&db).map_err(|error| match error {
        migrate::MigrateError::Newer { found, supported } => Failure::Refused(OpenError::Newer {
            what: "state",
            found,
            supported,
        }),
        migrate::MigrateError::Sled(error) => Failure::of(dir, error),
        error @ migrate::MigrateError::Malformed => Failure::Broken(error.to_string()),
    })?;
    let failed = |error| Failure::of(dir, error);
    match db.get(key::INSTANCE).map_err(failed)? {
        Some(known) if *known != instance => {
            return Err(Failure::Broken(
                "it was built from another journal".to_owned(),
            ));
        }
        Some(_) => (),
        None => drop(db.insert(key::INSTANCE, &instance).map_err(failed)?),
    }
    Ok(SledState { db })
}

/// Waits until sled's lock on its file is free.
///
/// After a database is dropped, sled's own threads still hold the lock for a moment, and sled does not wait
/// for it. No other process has the lock, because this process has the store's.
pub(in crate::adapters::storage) fn wait_for_lock(dir: &Path) -> std::io::Result<()> {
    match fs::File::open(dir.join("db")) {
        Ok(file) => file.lock(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes unfinished snapshots, with which sled does not open (sled issues 1527, 1533).
fn remove_unfinished_snapshots(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with("snap.") && name.ends_with(".generating")) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// sled creates files that everyone may read. The directory is private; its files become so too.
fn make_files_private(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

/// Renames the state to the first free `state.broken-<n>` in the same directory.
pub(in crate::adapters::storage) fn set_aside(dir: &Path) -> std::io::Result<PathBuf> {
    let name = dir
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let aside = (1_u32..)
        .map(|n| dir.with_file_name(format!("{name}.broken-{n}")))
        .find(|path| !path.exists())
        .ok_or(std::io::ErrorKind::AlreadyExists)?;
    fs::rename(dir, &aside)?;
    Ok(aside)
}
