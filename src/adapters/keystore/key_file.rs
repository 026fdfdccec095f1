//! Reading private keys from files: ours, and those that an organisation brings.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pem::{EncodeConfig, LineEnding, Pem};
use zeroize::Zeroizing;

use super::durable::{self, Existing, Mode};
use super::{KeyStoreError, MAX_SECRET_BYTES};
use crate::protocol::keys::{KeyAlgorithm, SigningKey};

/// Reads a private key that an organisation brings: PKCS#8 as PEM, readable by its owner only.
///
/// # Errors
/// Another form (the message has the command that converts it), a key of an unknown kind, or a
/// file that others may read.
pub(crate) fn load_key_file(path: &Path) -> Result<SigningKey, KeyStoreError> {
    parse_key(path, &read_secret_file(path)?)
}

/// Makes a private key of its own file (PKCS#8 as PEM, 0600). A file that is there stays, and is an
/// error. Durable on return.
///
/// # Errors
/// There was no randomness, or the file cannot be made.
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
        .map_err(KeyStoreError::io(path, "cannot be made"))?;
    Ok(key)
}

/// Reads a file that only its owner may read.
///
/// # Errors
/// It cannot be read, is no regular file or too large, or others may read it.
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
        return Err(KeyStoreError::FileOpen {
            path: path.to_owned(),
            mode,
        });
    }
    // Room for all at once: growing would leave copies of the secret behind.
    let room = usize::try_from(metadata.len()).unwrap_or_default();
    let mut secret = Zeroizing::new(Vec::with_capacity(room.saturating_add(1)));
    file.by_ref()
        .take(MAX_SECRET_BYTES)
        .read_to_end(&mut secret)
        .map_err(KeyStoreError::io(path, "cannot be read"))?;
    Ok(secret)
}

/// systemd hands credentials over through an access list, and the list's mask stands where the
/// group's bits are; the directory itself is the service's alone.
fn credentials_directory() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

pub(super) fn forbidden_bits(path: &Path, credentials: Option<&Path>) -> u32 {
    match credentials {
        Some(directory) if directory.is_absolute() && path.parent() == Some(directory) => 0o007,
        _ => 0o077,
    }
}

/// PEM of a PKCS#8 document.
pub(super) fn to_pem(pkcs8: &[u8]) -> Zeroizing<Vec<u8>> {
    let block = Pem::new("PRIVATE KEY", pkcs8);
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    Zeroizing::new(pem::encode_config(&block, config).into_bytes())
}

/// Reads the private key in a PEM text.
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
    if let Some(error) = other_form(path, &block) {
        return Err(error);
    }
    let pkcs8 = Zeroizing::new(block.into_contents());
    SigningKey::from_pkcs8(&pkcs8).map_err(|source| KeyStoreError::Key {
        path: path.to_owned(),
        source,
    })
}

fn other_form(path: &Path, block: &Pem) -> Option<KeyStoreError> {
    let encrypted = block
        .headers()
        .get("Proc-Type")
        .is_some_and(|kind| kind.contains("ENCRYPTED"));
    let (form, conversion) = match block.tag() {
        "PRIVATE KEY" => return None,
        "ENCRYPTED PRIVATE KEY" => ("an encrypted PKCS#8 key", "openssl pkcs8"),
        _ if encrypted => ("an encrypted key", "openssl pkcs8 -topk8 -nocrypt"),
        "EC PRIVATE KEY" => ("a SEC1 key", "openssl pkcs8 -topk8 -nocrypt"),
        "RSA PRIVATE KEY" => ("a PKCS#1 key", "openssl pkcs8 -topk8 -nocrypt"),
        _ => ("a key in a form of its own", "openssl pkey"),
    };
    let file = path.display();
    Some(KeyStoreError::OtherForm {
        path: path.to_owned(),
        form,
        command: format!("(umask 077; {conversion} -in {file} -out {file}.pkcs8)"),
    })
}
