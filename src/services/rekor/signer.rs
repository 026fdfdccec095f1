//! How the signature logs sign their heads: as C2SP checkpoints, under their own name.

use super::TreeId;
use crate::log::HeadSigner;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{PublicKey, SigningFailed, SigningKey};
use crate::protocol::merkle::TreeSize;
use crate::protocol::note::{Checkpoint, NoteError, NoteKey, UnverifiedNote, sign_checkpoint_of};
use crate::protocol::time::UnixTime;

/// A log's key, the name it signs under, and its origin.
#[derive(Debug)]
pub(crate) struct CheckpointSigner {
    key: SigningKey,
    note_key: NoteKey,
    origin: String,
}

impl CheckpointSigner {
    /// A signer in the Rekor v2 dialect under this name, the host name of the log's URL, which is
    /// also the origin.
    ///
    /// # Errors
    /// A name that a note cannot carry.
    pub(crate) fn v2(key: SigningKey, name: &str) -> Result<Self, NoteError> {
        let note_key = NoteKey::new(name, key.public_key().clone())?;
        Ok(Self {
            key,
            origin: name.to_owned(),
            note_key,
        })
    }

    /// A signer in the Rekor v1 dialect, whose origin has the log's tree ID behind the name.
    ///
    /// # Errors
    /// A name that a note cannot carry.
    pub(crate) fn v1(key: SigningKey, name: &str) -> Result<Self, NoteError> {
        let note_key = NoteKey::new(name, key.public_key().clone())?;
        let tree_id = TreeId::of(note_key.key());
        Ok(Self {
            key,
            origin: format!("{name} - {tree_id}"),
            note_key,
        })
    }

    /// The public half with the name; its hash is the log's identity.
    pub(crate) const fn note_key(&self) -> &NoteKey {
        &self.note_key
    }

    /// The key itself: a v1 log signs its promises with it too.
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
