//! Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, static-ct-api), and the inclusion
//! promises of Rekor v1. Pure: no I/O, no clock.
//!
//! A note is parsed into an [`UnverifiedNote`]. Only opening it with a key yields a [`Checkpoint`] or a
//! `SignedTreeHead`: these prove that a signature on the note verified.

pub(crate) mod checkpoint;
mod key;
mod promise;
pub(crate) mod signed;
mod tree_head;

pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::sign_checkpoint_of;
pub(crate) use key::{NoteKey, NoteKeyId};
pub(crate) use promise::EntryPromise;
pub use signed::UnverifiedNote;
pub use tree_head::TreeHeadKey;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("the note is malformed")]
    Malformed,
    #[error("the key's name is empty or contains whitespace or a plus sign")]
    Name,
    #[error("the key is of a kind that does not sign notes")]
    Key,
    #[error("the note has no signature by this key")]
    NotSigned,
    #[error("the note's signature does not match its text and the key")]
    Signature,
    #[error("the note's text is not a checkpoint: origin, size and root hash, a line each")]
    NotACheckpoint,
}
