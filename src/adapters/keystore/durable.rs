//! Small files that exist whole or not at all, even after a crash.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Prefix of the names of unfinished files.
const UNFINISHED: &str = ".unfinished-";

/// Who may read a file.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// Its owner only (0600)
    Secret,
    /// All users that can enter the directory (0644)
    Public,
}

/// What happens to an existing file of the same name.
#[derive(Clone, Copy)]
pub(super) enum Existing {
    /// It stays, and the write fails
    Keep,
    Replace,
}

/// Writes a file. On return, it survives a power cut.
pub(super) fn write(
    directory: &Path,
    name: &str,
    bytes: &[u8],
    mode: Mode,
    existing: Existing,
) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(directory)?;
    // Set explicitly, because the umask removes bits from the mode that `open` requests.
    file.as_file()
        .set_permissions(Permissions::from_mode(match mode {
            Mode::Secret => 0o600,
            Mode::Public => 0o644,
        }))?;
    file.write_all(bytes)?;
    // CRASH: the content must be on disk before the name, or a key file could be empty after a crash.
    file.as_file().sync_all()?;
    let target = directory.join(name);
    match existing {
        Existing::Keep => file.persist_noclobber(target)?,
        Existing::Replace => file.persist(target)?,
    };
    // CRASH: the name must be on disk too, or the next start would generate another key.
    File::open(directory)?.sync_all()
}

/// Creates a directory (0700) and its missing parents. On return, it survives a power cut.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
        create_directory(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => created?,
    }
    // A parent that may be entered but not read cannot be synced.
    match File::open(parent.unwrap_or(Path::new("."))) {
        Ok(parent) => parent.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes the unfinished files of killed processes. They never had their final names, so nothing uses
/// them.
pub(super) fn remove_leftovers(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let unfinished = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(UNFINISHED));
        if unfinished {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
