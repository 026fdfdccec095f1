//! The certificate-transparency log (RFC 6962). It accepts precertificates only from this instance's
//! certificate authority.

mod head;
mod read;
mod submit;

use std::sync::Arc;

use crate::classify::{Classify, ErrorClass};
use crate::log::{AppendError, Log, ReadError};
use crate::protocol::keys::SigningKey;
use crate::protocol::merkle::OutOfRange;
use crate::protocol::note::{NoteError, TreeHeadKey};
use crate::protocol::x509::Certificate;
use crate::protocol::x509::VectorTooLong;
use crate::protocol::x509::sct::LogSigningError;
use submit::Issuers;

pub(crate) use head::CtHeadSigner;
pub(crate) use read::LogEntry;
pub(crate) use submit::{Precertificate, Promise};

/// The log engine with RFC 6962 leaves and signatures.
pub(crate) struct CtLog {
    log: Log,
    key: Arc<SigningKey>,
    head_key: TreeHeadKey,
    issuers: Issuers,
}

/// Error submitting a precertificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CtSubmitError {
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The SCT could not be signed
    #[error(transparent)]
    Signing(#[from] LogSigningError),
    /// The entry exceeds a length field of RFC 6962
    #[error(transparent)]
    TooLong(#[from] VectorTooLong),
}

/// Error reading the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CtReadError {
    #[error(transparent)]
    Read(#[from] ReadError),
    /// This log did not sign the newest head
    #[error("the log's newest head cannot be read: {0}")]
    Head(#[from] NoteError),
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    #[error("start must not be greater than end")]
    Range,
    #[error("start must be less than the tree size, which is {size}")]
    StartBeyondTree {
        /// The published size
        size: u64,
    },
    #[error("the tree size must be 1 to {size}, the published size")]
    TreeSize {
        /// The published size
        size: u64,
    },
    #[error("first must not be greater than second")]
    SizeOrder,
    #[error("the log has no issuer with this fingerprint")]
    UnknownIssuer,
    #[error("the tree has no leaf with this hash")]
    UnknownHash,
}

impl Classify for CtSubmitError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Append(error) => match error.class() {
                // The authority built the entry: what is wrong with it is not the client's fault.
                ErrorClass::Busy => ErrorClass::Busy,
                ErrorClass::OperatorNeeded => ErrorClass::OperatorNeeded,
                _ => ErrorClass::Internal,
            },
            Self::Signing(_) | Self::TooLong(_) => ErrorClass::Internal,
        }
    }
}

impl Classify for CtReadError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Range
            | Self::StartBeyondTree { .. }
            | Self::TreeSize { .. }
            | Self::SizeOrder
            | Self::OutOfRange(_) => ErrorClass::Invalid,
            Self::UnknownHash | Self::UnknownIssuer => ErrorClass::NotFound,
            Self::Read(ReadError::IndexBehind { .. }) => ErrorClass::Busy,
            Self::Read(_) | Self::Head(_) => ErrorClass::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Range
            | Self::StartBeyondTree { .. }
            | Self::TreeSize { .. }
            | Self::SizeOrder
            | Self::OutOfRange(_) => "outside-tree",
            Self::UnknownHash => "unknown-leaf",
            Self::UnknownIssuer => "unknown-issuer",
            Self::Read(ReadError::IndexBehind { .. }) => "index-behind",
            Self::Read(_) | Self::Head(_) => "log-unreadable",
        }
    }
}

impl CtLog {
    /// `signer` must be the one that signs the engine's heads. `chain` is the submitting authority's,
    /// the issuing certificate first, the root last.
    pub(crate) fn new(log: Log, signer: &CtHeadSigner, chain: Vec<Certificate>) -> Self {
        Self {
            log,
            key: Arc::clone(signer.signing_key()),
            head_key: signer.head_key().clone(),
            issuers: Issuers::new(chain),
        }
    }

    /// The log engine.
    pub(crate) const fn log(&self) -> &Log {
        &self.log
    }

    #[cfg(test)]
    pub(crate) fn key(&self) -> &crate::protocol::keys::PublicKey {
        self.key.public_key()
    }

    /// Roots of the certificates in the log (RFC 6962 §4.7).
    pub(crate) fn roots(&self) -> &[Certificate] {
        let root = self.issuers.current.last();
        root.map_or(&[], std::slice::from_ref)
    }
}

#[cfg(test)]
pub(crate) mod tests;
