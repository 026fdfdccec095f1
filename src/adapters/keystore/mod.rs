//! Private keys and what belongs to them, as files that only their owner can read.
//!
//! Nothing here prints or logs what a secret file holds.

mod durable;
mod key_file;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub(crate) use key_file::{create_key_file, load_key_file, read_secret_file};

use crate::protocol::keys::{KeyAlgorithm, SigningKey, SigningKeyError};
use durable::{Existing, Mode};

/// The largest secret file that is read, in bytes.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// Why a key or its directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// A file or directory cannot be read or written
    #[error("{}: {action}", .path.display())]
    Io {
        /// Which
        path: PathBuf,
        /// What was tried
        action: &'static str,
        /// What the system said
        #[source]
        source: io::Error,
    },
    /// Others could read the secret
    #[error(
        "{}: other users may read this secret (mode {mode:04o}); run: chmod 600 {}",
        .path.display(), .path.display()
    )]
    FileOpen {
        /// Which
        path: PathBuf,
        /// Its permission bits
        mode: u32,
    },
    /// Others could look into the directory
    #[error(
        "{}: other users may enter this directory (mode {mode:04o}); if it is the data directory, \
         run: chmod 700 {}",
        .path.display(), .path.display()
    )]
    DirectoryOpen {
        /// Which
        path: PathBuf,
        /// Its permission bits
        mode: u32,
    },
    /// There is something of this name, but it is no regular file
    #[error("{}: is not a regular file", .path.display())]
    NotAFile {
        /// Which
        path: PathBuf,
    },
    /// Far larger than any key
    #[error("{}: is larger than {limit} bytes, so it is no key", .path.display())]
    TooLarge {
        /// Which
        path: PathBuf,
        /// The largest accepted size
        limit: u64,
    },
    /// The key is in a form that is not taken, but can be converted
    #[error("{}: is {form}; convert it with: {command}", .path.display())]
    OtherForm {
        /// Which
        path: PathBuf,
        /// What it is
        form: &'static str,
        /// What makes a key of the accepted form
        command: String,
    },
    /// No PEM block of a private key
    #[error("{}: holds no PEM block \"PRIVATE KEY\"", .path.display())]
    NotPem {
        /// Which
        path: PathBuf,
    },
    /// The key itself is not taken
    #[error("{}: the private key is not accepted", .path.display())]
    Key {
        /// Which
        path: PathBuf,
        /// Why
        source: SigningKeyError,
    },
    /// A new key could not be made
    #[error("a new key could not be made")]
    Generation(#[source] SigningKeyError),
}

impl KeyStoreError {
    fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            path,
            action,
            source,
        }
    }
}

/// The directory `keys` in the data directory. File names are constants of the program, never
/// anything that a client sent.
#[derive(Clone, Debug)]
pub(crate) struct KeyStore {
    directory: PathBuf,
}

impl KeyStore {
    /// Opens the store, and makes the data directory and the store in it (0700) where they are
    /// missing.
    ///
    /// # Errors
    /// The directories cannot be made, or others may enter them.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, KeyStoreError> {
        make_private_directory(data_dir)?;
        let directory = data_dir.join("keys");
        make_private_directory(&directory)?;
        Ok(Self { directory })
    }

    /// Removes what killed processes have left unfinished. Whoever calls holds the data directory:
    /// what another process has not finished looks the same.
    ///
    /// # Errors
    /// The directory cannot be read, or a file not removed.
    pub(crate) fn remove_leftovers(&self) -> Result<(), KeyStoreError> {
        durable::remove_leftovers(&self.directory)
            .map_err(KeyStoreError::io(&self.directory, "cannot be cleaned"))
    }

    /// Whether there is a file of this name.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn has(&self, name: &'static str) -> Result<bool, KeyStoreError> {
        let path = self.path(name);
        path.try_exists()
            .map_err(KeyStoreError::io(&path, "cannot be read"))
    }

    /// Where a file of the store is.
    pub(crate) fn path(&self, name: &'static str) -> PathBuf {
        self.directory.join(name)
    }

    /// The private key of this name (PKCS#8, PEM), made and kept for ever if there is none yet.
    ///
    /// # Errors
    /// See [`KeyStoreError`].
    pub(crate) fn load_or_create_key(
        &self,
        name: &'static str,
        algorithm: KeyAlgorithm,
    ) -> Result<SigningKey, KeyStoreError> {
        self.load_or_create_key_with(name, || {
            SigningKey::generate(algorithm)
                .map(|(_, pkcs8)| pkcs8)
                .map_err(KeyStoreError::Generation)
        })
    }

    /// As [`Self::load_or_create_key`], with a PKCS#8 document (DER) of the caller's making.
    ///
    /// # Errors
    /// See [`KeyStoreError`], or what `make` fails with.
    pub(crate) fn load_or_create_key_with<E: From<KeyStoreError>>(
        &self,
        name: &'static str,
        make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<SigningKey, E> {
        let pem = self.load_or_create(name, || Ok::<_, E>(key_file::to_pem(&make()?)))?;
        Ok(key_file::parse_key(&self.path(name), &pem)?)
    }

    /// The secret of this name, made and kept for ever if there is none yet. Durable on return.
    ///
    /// # Errors
    /// See [`KeyStoreError`], or what `make` fails with.
    pub(crate) fn load_or_create<E: From<KeyStoreError>>(
        &self,
        name: &'static str,
        make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Zeroizing<Vec<u8>>, E> {
        if let Some(secret) = self.load(name)? {
            return Ok(secret);
        }
        let secret = make()?;
        self.write(name, &secret, Mode::Secret, Existing::Keep)?;
        Ok(secret)
    }

    /// The secret of this name, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or others may read it.
    pub(crate) fn load(
        &self,
        name: &'static str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyStoreError> {
        match read_secret_file(&self.path(name)) {
            Ok(secret) => Ok(Some(secret)),
            Err(KeyStoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What [`Self::write_public`] has set, or none where nothing was.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(crate) fn load_public(&self, name: &'static str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(KeyStoreError::io(&path, "cannot be read")(error)),
        }
    }

    /// Sets a private key in PKCS#8 as PEM (0600). Durable on return.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_key(&self, name: &'static str, pkcs8: &[u8]) -> Result<(), KeyStoreError> {
        self.write_secret(name, &key_file::to_pem(pkcs8))
    }

    /// The private key under a name, or none where there is none.
    ///
    /// # Errors
    /// It is there and is no key, or others may read it.
    pub(crate) fn load_key(&self, name: &'static str) -> Result<Option<SigningKey>, KeyStoreError> {
        let pem = self.load(name)?;
        pem.map(|pem| key_file::parse_key(&self.path(name), &pem))
            .transpose()
    }

    /// Sets a secret (0600), whole or not at all. Durable on return.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_secret(
        &self,
        name: &'static str,
        bytes: &[u8],
    ) -> Result<(), KeyStoreError> {
        self.write(name, bytes, Mode::Secret, Existing::Replace)
    }

    /// Sets something public (0644), whole or not at all. Durable on return.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_public(
        &self,
        name: &'static str,
        bytes: &[u8],
    ) -> Result<(), KeyStoreError> {
        self.write(name, bytes, Mode::Public, Existing::Replace)
    }

    fn write(
        &self,
        name: &'static str,
        bytes: &[u8],
        mode: Mode,
        existing: Existing,
    ) -> Result<(), KeyStoreError> {
        durable::write(&self.directory, name, bytes, mode, existing)
            .map_err(KeyStoreError::io(&self.path(name), "cannot be written"))
    }
}

/// Makes a directory that only its owner may enter. One that is there already must be so, unless it
/// is still empty: then somebody made it for us, and it is closed.
fn make_private_directory(path: &Path) -> Result<(), KeyStoreError> {
    if !path.is_dir() {
        durable::make_directory(path).map_err(KeyStoreError::io(path, "cannot be made"))?;
    }
    let metadata = fs::metadata(path).map_err(KeyStoreError::io(path, "cannot be read"))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let mut entries = fs::read_dir(path).map_err(KeyStoreError::io(path, "cannot be read"))?;
    if entries.next().is_some() {
        return Err(KeyStoreError::DirectoryOpen {
            path: path.to_owned(),
            mode,
        });
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .map_err(KeyStoreError::io(path, "cannot be closed to others"))
}

#[cfg(test)]
mod tests;
