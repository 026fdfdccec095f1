//! The certificate-transparency log (RFC 6962): precertificates in, promises and proofs out.
//!
//! Submission from outside is not offered: the authority is the one submitter.

mod head;
mod issuer;
mod read;
pub(crate) mod submit;
mod tile;

use std::sync::Arc;

use crate::log::{AppendError, Log, ReadError};
use crate::protocol::keys::SigningKey;
use crate::protocol::merkle::OutOfRange;
use crate::protocol::note::{NoteError, TreeHeadKey};
use crate::protocol::x509::Certificate;
use crate::protocol::x509::VectorTooLong;
use crate::protocol::x509::sct::LogSigningError;
use issuer::Issuers;

pub(crate) use head::CtHeadSigner;
pub(crate) use read::LogEntry;
pub(crate) use submit::{Precertificate, PrecertificateLog, Promise};

/// The certificate log: the engine with the leaves and signatures of RFC 6962.
pub(crate) struct CtLog {
    log: Log,
    key: Arc<SigningKey>,
    head_key: TreeHeadKey,
    issuers: Issuers,
}

/// Why the certificate log could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CtError {
    /// The entry was not appended
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The promise could not be signed
    #[error(transparent)]
    Signing(#[from] LogSigningError),
    /// The entry does not fit the format
    #[error(transparent)]
    TooLong(#[from] VectorTooLong),
    /// The log could not be read
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The newest head is not one that this log signed
    #[error("the log's newest head cannot be read: {0}")]
    Head(#[from] NoteError),
    /// The leaf is not in the tree that was named
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A range that ends before it starts
    #[error("start must not be greater than end")]
    Range,
    /// A range that starts behind the last entry
    #[error("start must be less than the tree's size, which is {size}")]
    StartBeyondTree {
        /// The published size.
        size: u64,
    },
    /// A tree that is empty or not yet published
    #[error("the tree size must be 1 to {size}, the published size")]
    TreeSize {
        /// The published size.
        size: u64,
    },
    /// The older tree is larger than the newer one
    #[error("first must not be greater than second")]
    SizeOrder,
    /// No entry was submitted with this certificate above it
    #[error("the log has no issuer with this fingerprint")]
    UnknownIssuer,
    /// Not a tile, or one that the tree does not fill yet
    #[error("the log has no such tile")]
    NoTile,
    /// No leaf has this hash
    #[error("the tree has no leaf with this hash")]
    UnknownHash,
}

impl CtLog {
    /// The log over an engine whose heads [`CtHeadSigner`] signs with the same key. `chain` is that
    /// of the authority whose certificates are found here, the issuing one first, the root last.
    pub(crate) fn new(log: Log, signer: &CtHeadSigner, chain: Vec<Certificate>) -> Self {
        Self {
            log,
            key: Arc::clone(signer.key()),
            head_key: signer.head_key().clone(),
            issuers: Issuers::new(chain),
        }
    }

    /// The authorities whose certificates are found here.
    pub(crate) fn roots(&self) -> &[Certificate] {
        let root = self.issuers.current.last();
        root.map_or(&[], std::slice::from_ref)
    }
}

#[cfg(test)]
pub(crate) mod tests;
