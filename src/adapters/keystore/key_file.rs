//! Private keys in files: the server's own, and those that the operator supplies.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pem::{EncodeConfig, LineEnding, Pem};
use zeroize::Zeroizing;

use super::durable::{self, Existing, Mode};
use super::{KeyStoreError, MAX_SECRET_BYTES};
use crate::protocol::keys::{KeyAlgorithm, SigningKey};

/// Reads a private key from the operator's file: PKCS#8 as PEM, readable by its owner only.
///
/// # Errors
/// Another format (the message contains the command that converts it), an unsupported kind of key, or a
/// file that other users may read.
pub(crate) fn load_key_file(path: &Path) -> Result<SigningKey, KeyStoreError> {
    parse_key(path, &read_secret_file(path)?)
}

/// Generates a private key and writes it to a new file (PKCS#8 as PEM, 0600). Durable on return.
///
/// # Errors
/// The file exists or cannot be created, or there is no randomness.
pub(crate) fn create_key_file(
    path: &Path,
    algorithm: KeyAlgorithm,
) -> Result<SigningKey, KeyStoreError> {
    let (key, pkcs8) = SigningKey::generate(algorithm).map_err(KeyStoreError::Generation)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| KeyStoreError::NotAFile {
        path: path.to_owned(),
    })?;
    durable::write(folder, name, &to_pem(&pkcs8), Mode::Secret, Existing::Keep)
        .map_err(KeyStoreError::io(path, "cannot be created"))?;
    Ok(key)
}

/// Reads a file that only its owner may read.
///
/// # Errors
/// It cannot be read, is not a regular file, is too large, or other users may read it.
pub(crate) fn read_secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
    let mut file = File::open(path).map_err(KeyStoreError::io(path, "cannot be opened"))?;
    let metadata = file
        .metadata()
        .map_err(KeyStoreError::io(path, "cannot be read"))?;
    if !metadata.is_file() {
        return Err(KeyStoreError::NotAFile {
            path: path.to_owned(),
        });
    }
    if metadata.len() > MAX_SECRET_BYTES {
        return Err(KeyStoreError::TooLarge {
            path: path.to_owned(),
            limit: MAX_SECRET_BYTES,
        });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden_bits(path, credentials_directory().as_deref()) != 0 {
        return Err(KeyStoreError::FileNotPrivate {
            path: path.to_owned(),
            mode,
        });
    }
    // Allocated at once: a buffer that grows leaves copies of the secret in freed memory.
    let size = usize::try_from(metadata.len()).unwrap_or_default();
    let mut secret = Zeroizing::new(Vec::with_capacity(size + 1));
    file.by_ref()
        .take(MAX_SECRET_BYTES)
        .read_to_end(&mut secret)
        .map_err(KeyStoreError::io(path, "cannot be read"))?;
    Ok(secret)
}

/// The directory of systemd's credentials. systemd grants access to them by an access control list,
/// whose mask shows in the group's permission bits; the directory itself belongs to the service alone.
fn credentials_directory() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

pub(super) fn forbidden_bits(path: &Path, credentials: Option<&Path>) -> u32 {
    match credentials {
        Some(directory) if directory.is_absolute() && path.parent() == Some(directory) => 0o007,
        _ => 0o077,
    }
}

pub(super) fn to_pem(pkcs8: &[u8]) -> Zeroizing<Vec<u8>> {
    let block = Pem::new("PRIVATE KEY", pkcs8);
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    Zeroizing::new(pem::encode_config(&block, config).into_bytes())
}

/// `path` is for messages.
pub(super) fn parse_key(path: &Path, text: &[u8]) -> Result<SigningKey, KeyStoreError> {
    let not_pem = || KeyStoreError::NotPem {
        path: path.to_owned(),
    };
    let blocks = pem::parse_many(text).map_err(|_| not_pem())?;
    // SEC1 files often begin with a block of curve parameters.
    let block = blocks
        .into_iter()
        .find(|block| block.tag().ends_with("PRIVATE KEY"))
        .ok_or_else(not_pem)?;
    if let Some(error) = other_format(path, &block) {
        return Err(error);
    }
    let pkcs8 = Zeroizing::new(block.into_contents());
    SigningKey::from_pkcs8(&pkcs8).map_err(|source| KeyStoreError::Key {
        path: path.to_owned(),
        source,
    })
}

fn other_format(path: &Path, block: &Pem) -> Option<KeyStoreError> {
    let encrypted = block
        .headers()
        .get("Proc-Type")
        .is_some_and(|kind| kind.contains("ENCRYPTED"));
    let (format, conversion) = match block.tag() {
        "PRIVATE KEY" => return None,
        "ENCRYPTED PRIVATE KEY" => ("an encrypted PKCS#8 key", "openssl pkcs8"),
        _ if encrypted => ("an encrypted key", "openssl pkcs8 -topk8 -nocrypt"),
        "EC PRIVATE KEY" => ("a SEC1 key", "openssl pkcs8 -topk8 -nocrypt"),
        "RSA PRIVATE KEY" => ("a PKCS#1 key", "openssl pkcs8 -topk8 -nocrypt"),
        _ => ("a key in another format", "openssl pkey"),
    };
    let file = path.display();
    Some(KeyStoreError::OtherFormat {
        path: path.to_owned(),
        format,
        command: format!("(umask 077; {conversion} -in {file} -out {file}.pkcs8)"),
    })
}
