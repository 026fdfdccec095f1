//! Private keys, their certificates and other secrets, as files that only their owner can read.
//!
//! The content of a secret file is never printed or logged.

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

/// Maximum size of a secret file, in bytes.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// Why a key or its directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    #[error("{}: {action}", .path.display())]
    Io {
        path: PathBuf,
        /// What failed, such as "cannot be read"
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error(
        "{}: other users may read this secret (mode {mode:04o}); run: chmod 600 {}",
        .path.display(), .path.display()
    )]
    FileNotPrivate { path: PathBuf, mode: u32 },
    #[error(
        "{}: other users may enter this directory (mode {mode:04o}); if it is the data directory, \
         run: chmod 700 {}",
        .path.display(), .path.display()
    )]
    DirectoryNotPrivate { path: PathBuf, mode: u32 },
    #[error("{}: is not a regular file", .path.display())]
    NotAFile { path: PathBuf },
    #[error("{}: exceeds {limit} bytes; not a key file", .path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    /// A key in a format that must be converted first
    #[error("{}: is {format}; convert it with: {command}", .path.display())]
    OtherFormat {
        path: PathBuf,
        format: &'static str,
        command: String,
    },
    #[error("{}: contains no PEM block \"PRIVATE KEY\"", .path.display())]
    NotPem { path: PathBuf },
    #[error("{}: the private key is not accepted", .path.display())]
    Key {
        path: PathBuf,
        source: SigningKeyError,
    },
    #[error("cannot generate a key")]
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

/// The directory `keys` in the data directory. File names are constants of the program and never come
/// from a client.
#[derive(Clone, Debug)]
pub(crate) struct KeyStore {
    directory: PathBuf,
}

impl KeyStore {
    /// Opens the store. Creates the data directory and the store in it (0700) if they are missing.
    ///
    /// # Errors
    /// The directories cannot be created, or other users may enter them.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, KeyStoreError> {
        make_private_directory(data_dir)?;
        let directory = data_dir.join("keys");
        make_private_directory(&directory)?;
        Ok(Self { directory })
    }

    /// Removes files that killed processes left unfinished. The caller must hold the lock on the data
    /// directory, because a file that another process is still writing looks the same.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be removed.
    pub(crate) fn remove_leftovers(&self) -> Result<(), KeyStoreError> {
        durable::remove_leftovers(&self.directory)
            .map_err(KeyStoreError::io(&self.directory, "cannot be cleaned"))
    }

    /// Whether the file exists.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn has(&self, name: &'static str) -> Result<bool, KeyStoreError> {
        let path = self.path(name);
        path.try_exists()
            .map_err(KeyStoreError::io(&path, "cannot be read"))
    }

    pub(crate) fn path(&self, name: &'static str) -> PathBuf {
        self.directory.join(name)
    }

    /// Loads a private key (PKCS#8, PEM), or generates and stores it if the file does not exist.
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

    /// Like [`Self::load_or_create_key`], with a PKCS#8 document (DER) from the caller.
    ///
    /// # Errors
    /// See [`KeyStoreError`], and the errors of `generate`.
    pub(crate) fn load_or_create_key_with<E: From<KeyStoreError>>(
        &self,
        name: &'static str,
        generate: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<SigningKey, E> {
        let pem = self.load_or_create(name, || Ok::<_, E>(key_file::to_pem(&generate()?)))?;
        Ok(key_file::parse_key(&self.path(name), &pem)?)
    }

    /// Loads a secret, or generates and stores it if the file does not exist. Durable on return.
    ///
    /// # Errors
    /// See [`KeyStoreError`], and the errors of `generate`.
    pub(crate) fn load_or_create<E: From<KeyStoreError>>(
        &self,
        name: &'static str,
        generate: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Zeroizing<Vec<u8>>, E> {
        if let Some(secret) = self.load(name)? {
            return Ok(secret);
        }
        let secret = generate()?;
        self.write(name, &secret, Mode::Secret, Existing::Keep)?;
        Ok(secret)
    }

    /// Loads a secret; none if the file does not exist.
    ///
    /// # Errors
    /// It cannot be read, or other users may read it.
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

    /// Loads a public file; none if it does not exist.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn load_public(&self, name: &'static str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(KeyStoreError::io(&path, "cannot be read")(error)),
        }
    }

    /// Stores a private key, a PKCS#8 document, as PEM (0600). Durable on return.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_key(&self, name: &'static str, pkcs8: &[u8]) -> Result<(), KeyStoreError> {
        self.write_secret(name, &key_file::to_pem(pkcs8))
    }

    /// Loads a private key; none if the file does not exist.
    ///
    /// # Errors
    /// It is not a key, or other users may read it.
    pub(crate) fn load_key(&self, name: &'static str) -> Result<Option<SigningKey>, KeyStoreError> {
        let pem = self.load(name)?;
        pem.map(|pem| key_file::parse_key(&self.path(name), &pem))
            .transpose()
    }

    /// Replaces a secret (0600), whole or not at all. Durable on return.
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

    /// Replaces a public file (0644), whole or not at all. Durable on return.
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

/// Creates a directory that only its owner may enter. An existing one must be private already, unless it
/// is empty: then it was created for us, and its mode is changed.
fn make_private_directory(path: &Path) -> Result<(), KeyStoreError> {
    if !path.is_dir() {
        durable::create_directory(path).map_err(KeyStoreError::io(path, "cannot be created"))?;
    }
    let metadata = fs::metadata(path).map_err(KeyStoreError::io(path, "cannot be read"))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let mut entries = fs::read_dir(path).map_err(KeyStoreError::io(path, "cannot be read"))?;
    if entries.next().is_some() {
        return Err(KeyStoreError::DirectoryNotPrivate {
            path: path.to_owned(),
            mode,
        });
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .map_err(KeyStoreError::io(path, "cannot be made private"))
}

#[cfg(test)]
mod tests;
