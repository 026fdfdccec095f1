//! Small files that are there whole or not at all, whatever happens meanwhile.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// What names of unfinished files begin with.
const UNFINISHED: &str = ".unfinished-";

/// Who may read a file.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    /// Its owner
    Secret,
    /// Everyone who can enter the directory
    Public,
}

/// What happens to a file of the same name.
#[derive(Clone, Copy)]
pub(super) enum Existing {
    /// It stays, and the write is an error
    Keep,
    /// It is replaced
    Replace,
}

/// Writes a file. On return it would survive a power cut.
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
    // Set and not only asked for: the umask takes bits away from what `open` is asked for.
    file.as_file()
        .set_permissions(Permissions::from_mode(match mode {
            Mode::Secret => 0o600,
            Mode::Public => 0o644,
        }))?;
    file.write_all(bytes)?;
    // CRASH: the content must be on disk before the name is, or a key could be an empty file.
    file.as_file().sync_all()?;
    let target = directory.join(name);
    match existing {
        Existing::Keep => file.persist_noclobber(target)?,
        Existing::Replace => file.persist(target)?,
    };
    // CRASH: the name itself must survive, or the next start would make another key.
    File::open(directory)?.sync_all()
}

/// Makes a directory (0700) and what is missing above it. On return it would survive a power cut.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
        make_directory(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    // A parent that may be entered and not read cannot be synced; the rest must go on without.
    match File::open(parent.unwrap_or(Path::new("."))) {
        Ok(parent) => parent.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes what a killed process left behind; it was never used, for it never had its name.
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
