//! How the signature log signs its heads: as C2SP checkpoints, under its own name.

use crate::protocol::bytes::Sha256;
use crate::protocol::keys::{SigningFailed, SigningKey};
use crate::protocol::merkle::TreeSize;
use crate::protocol::note::{Checkpoint, NoteError, NoteKey, UnverifiedNote, sign_checkpoint};
use crate::protocol::time::UnixTime;
use crate::services::log::HeadSigner;

/// The log's key and the name it signs under, which is also its origin.
#[derive(Debug)]
pub struct CheckpointSigner {
    key: SigningKey,
    note_key: NoteKey,
}

impl CheckpointSigner {
    /// A signer under this name, the host name of the log's URL.
    ///
    /// # Errors
    /// A name that a note cannot carry.
    pub fn new(key: SigningKey, name: &str) -> Result<Self, NoteError> {
        let note_key = NoteKey::new(name, key.public_key().clone())?;
        Ok(Self { key, note_key })
    }

    /// The public half with the name; its hash is the log's identity.
    pub const fn note_key(&self) -> &NoteKey {
        &self.note_key
    }
}

impl HeadSigner for CheckpointSigner {
    fn origin(&self) -> &str {
        self.note_key.name()
    }

    fn sign(&self, size: TreeSize, root: &Sha256, _: UnixTime) -> Result<String, SigningFailed> {
        sign_checkpoint(&self.key, &self.note_key, size, root)
    }

    fn recognises(&self, note: &str, size: TreeSize, root: &Sha256) -> bool {
        let opened = UnverifiedNote::parse(note)
            .and_then(|note| Checkpoint::open(&note, self.note_key.id(), self.note_key.key()));
        opened.is_ok_and(|checkpoint| {
            checkpoint.origin == self.origin()
                && checkpoint.size == size
                && checkpoint.root == *root
        })
    }
}
