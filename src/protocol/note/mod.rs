//! Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint).

use crate::protocol::bytes::Sha256;
use crate::protocol::keys::{PublicKey, SigningFailed, SigningKey};
use crate::protocol::merkle::TreeSize;

/// The first four bytes of a key's hash, which signature lines carry (C2SP signed-note).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 4]);

/// A log's public key and the name under which it signs.
#[derive(Clone, Debug)]
pub struct NoteKey {
    name: String,
    hash: Sha256,
    key: PublicKey,
}

impl NoteKey {
    /// A key under a name. The name has no whitespace and no `+`.
    ///
    /// # Errors
    /// A name that the format cannot carry.
    pub fn new(_name: &str, _key: PublicKey) -> Result<Self, NoteError> {
        todo!("log engine: key hash by kind, contract §4.6")
    }

    /// The name in the signature line and the checkpoint's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole key hash: `logId.keyId` of the trust documents.
    pub const fn hash(&self) -> &Sha256 {
        &self.hash
    }

    /// Its first four bytes.
    pub fn id(&self) -> KeyId {
        todo!("log engine")
    }

    /// The key itself.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// A note whose form was read and whose signatures were not checked.
#[derive(Clone, Debug)]
pub struct UnverifiedNote {}

impl UnverifiedNote {
    /// Reads a note: text, a blank line, one signature line or more.
    ///
    /// # Errors
    /// Any departure from the format.
    pub fn parse(_note: &str) -> Result<Self, NoteError> {
        todo!("log engine")
    }
}

/// A log's statement of its size and root. It exists only if a signature on it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, the first line.
    pub origin: String,
    /// How many leaves the tree has.
    pub size: TreeSize,
    /// The tree's root hash.
    pub root: Sha256,
}

impl Checkpoint {
    /// Opens a note with the log's key, found by the key ID alone: the origin need not be the
    /// name under which we know the log, nor its signature the first.
    ///
    /// # Errors
    /// No signature by this key, a wrong one, or text that is no checkpoint.
    pub fn open(
        _note: &UnverifiedNote,
        _key_id: KeyId,
        _key: &PublicKey,
    ) -> Result<Self, NoteError> {
        todo!("log engine")
    }
}

/// Why a note or checkpoint was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not of the format
    #[error("the note is malformed")]
    Malformed,
}

/// Signs the checkpoint `origin, size, root` with an Ed25519 or ECDSA key; returns the whole note.
///
/// # Errors
/// There was no randomness.
pub fn sign_checkpoint(
    _key: &SigningKey,
    _note_key: &NoteKey,
    _size: TreeSize,
    _root: &Sha256,
) -> Result<String, SigningFailed> {
    todo!("log engine")
}
