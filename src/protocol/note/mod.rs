//! Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, static-ct-api), and the promises
//! of Rekor v1.
//! Pure: no I/O, no clock.
//!
//! A note is parsed into an [`UnverifiedNote`]; only opening it with a key yields a [`Checkpoint`]
//! or a [`SignedTreeHead`], so whoever holds one of those knows that a signature on it holds.

pub(crate) mod checkpoint;
mod key;
mod promise;
pub(crate) mod signed;
mod tree_head;

pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::sign_checkpoint_of;
pub(crate) use key::{KeyId, NoteKey};
pub(crate) use promise::EntryPromise;
pub use signed::UnverifiedNote;
pub use tree_head::TreeHeadKey;

/// Why a note or checkpoint was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not of the format
    #[error("the note is malformed")]
    Malformed,
    /// Key names are not empty and have neither whitespace nor a plus sign
    #[error("the key's name is empty or has whitespace or a plus sign in it")]
    Name,
    /// The key cannot sign notes of this kind
    #[error("the key is of a kind that does not sign notes")]
    Key,
    /// No signature line carries the key's ID
    #[error("the note has no signature by this key")]
    NotSigned,
    /// A line carries the key's ID and a signature that does not hold
    #[error("the note's signature does not match its text and the key")]
    Signature,
    /// The text is not origin, size and root
    #[error("the note's text is not a checkpoint: origin, size and root hash, a line each")]
    NotACheckpoint,
}
