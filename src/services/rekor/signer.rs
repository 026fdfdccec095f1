//! Signs the heads of signature logs as C2SP checkpoints.

use super::TreeId;
use crate::log::HeadSigner;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{PublicKey, SigningFailed, SigningKey};
use crate::protocol::merkle::TreeSize;
use crate::protocol::note::{Checkpoint, NoteError, NoteKey, UnverifiedNote, sign_checkpoint_of};
use crate::protocol::time::UnixTime;

/// A log's key, key name and origin.
#[derive(Debug)]
pub(crate) struct CheckpointSigner {
    key: SigningKey,
    note_key: NoteKey,
    origin: String,
}

impl CheckpointSigner {
    /// The signer of a Rekor v2 log. `name` is the host name of the log's URL; it is the key name and
    /// the origin.
    ///
    /// # Errors
    /// The name is not a valid key name of a note.
    pub(crate) fn v2(key: SigningKey, name: &str) -> Result<Self, NoteError> {
        let note_key = NoteKey::new(name, key.public_key().clone())?;
        Ok(Self {
            key,
            origin: name.to_owned(),
            note_key,
        })
    }

    /// The signer of a Rekor v1 log. The origin is the name, ` - ` and the tree ID, as in Rekor.
    ///
    /// # Errors
    /// The name is not a valid key name of a note.
    pub(crate) fn v1(key: SigningKey, name: &str) -> Result<Self, NoteError> {
        let note_key = NoteKey::new(name, key.public_key().clone())?;
        let tree_id = TreeId::of(note_key.key());
        Ok(Self {
            key,
            origin: format!("{name} - {tree_id}"),
            note_key,
        })
    }

    /// The public key with its name. Its hash is the log ID of a v2 log.
    pub(crate) const fn note_key(&self) -> &NoteKey {
        &self.note_key
    }

    /// The private key, which also signs the SETs of a v1 log.
    pub(crate) const fn key(&self) -> &SigningKey {
        &self.key
    }
}

impl HeadSigner for CheckpointSigner {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn key(&self) -> &PublicKey {
        self.note_key.key()
    }

    fn log_id(&self) -> Sha256 {
        *self.note_key.hash()
    }

    fn sign(&self, size: TreeSize, root: &Sha256, _: UnixTime) -> Result<String, SigningFailed> {
        sign_checkpoint_of(&self.origin, &self.key, &self.note_key, size, root)
    }

    fn recognises(&self, note: &str, size: TreeSize, root: &Sha256) -> bool {
        let opened = UnverifiedNote::parse(note)
            .and_then(|note| Checkpoint::open(&note, self.note_key.id(), self.note_key.key()));
        opened.is_ok_and(|checkpoint| {
            checkpoint.origin == self.origin && checkpoint.size == size && checkpoint.root == *root
        })
    }
}
