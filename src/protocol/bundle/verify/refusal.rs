//! Why a bundle is refused: facts, each with a stable code and one sentence.

use super::CheckName;
use crate::protocol::attestation::statement::{PAYLOAD_TYPE, StatementError};
use crate::protocol::bytes::HashAlgorithm;
use crate::protocol::merkle::{OutOfRange, ProofError};
use crate::protocol::note::NoteError;
use crate::protocol::policy::Denied;
use crate::protocol::time::UnixTime;
use crate::protocol::tsp::TimestampError;
use crate::protocol::x509::{CertificateError, PathError, SctError};

/// The first reason for which a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// v0.3 with a chain, or an older one without
    #[error("a bundle of this version must carry {0}")]
    MaterialForVersion(&'static str),
    /// A chain of nothing
    #[error("the bundle's certificate chain is empty")]
    EmptyChain,
    /// The certificate slot holds no certificate
    #[error("the signing certificate cannot be read: {0}")]
    Certificate(#[source] CertificateError),
    /// The bundle names no certificate, and the caller brought no key
    #[error("the bundle was signed with a bare key: give that key to verify it")]
    KeyNeeded,
    /// The caller brought a key, and the bundle names a certificate
    #[error("the bundle was signed with a certificate: give the expected identity, not a key")]
    KeyNotWanted,
    /// A log entry lacks what the bundle's version asks for
    #[error("log entry {index} has no {missing}, which a bundle of this version needs")]
    EntryForVersion {
        /// The entry's log index.
        index: u64,
        /// The member that is missing.
        missing: &'static str,
    },
    /// The same entry or timestamp twice
    #[error("the bundle has the same {0} twice")]
    Repeated(&'static str),
    /// Not exactly one signature
    #[error("the envelope has {0} signatures; there must be exactly one")]
    SignatureCount(usize),
    /// The artifact is not the one in the bundle
    #[error(
        "the artifact is not the one that was signed: its digest is {actual}, the bundle says {stated}"
    )]
    DigestMismatch {
        /// What the caller has.
        actual: String,
        /// What the bundle says.
        stated: String,
    },
    /// The caller gave a digest under another function
    #[error("this bundle can be verified only with the artifact's {} digest, or the artifact itself", .0.name())]
    DigestNeeded(HashAlgorithm),
    /// An envelope of something else
    #[error("the envelope's payloadType is not {PAYLOAD_TYPE}")]
    PayloadType,
    /// The payload is no statement
    #[error("{0}")]
    Statement(#[source] StatementError),
    /// The statement is about other things
    #[error("the artifact is not among the statement's subjects")]
    NotASubject,
    /// No timestamp and no log's promise
    #[error("nothing trusted says when the signature was made: no timestamp, no log's promise")]
    NoTime,
    /// A timestamp does not hold
    #[error("timestamp {number}: {reason}")]
    Timestamp {
        /// Which one of the bundle, from 1.
        number: usize,
        /// Why.
        #[source]
        reason: TimestampError,
    },
    /// A signed entry timestamp does not hold
    #[error("the log's promise for entry {index} is not signed by {log}")]
    Promise {
        /// The entry's log index.
        index: u64,
        /// The log.
        log: String,
    },
    /// A log promised at a moment at which it is not trusted
    #[error("log {log} is not trusted at {at}, when it took entry {index}")]
    LogWindow {
        /// The entry's log index.
        index: u64,
        /// The log.
        log: String,
        /// When.
        at: UnixTime,
    },
    /// A moment that has not come
    #[error("log entry {index} was taken at {at}, which is in the future")]
    FutureTime {
        /// The entry's log index.
        index: u64,
        /// When.
        at: UnixTime,
    },
    /// No authority vouches
    #[error("no trusted authority vouches for the signing certificate at {at}: {reason}")]
    Path {
        /// The established moment.
        at: UnixTime,
        /// Why the nearest authority does not.
        #[source]
        reason: PathError,
    },
    /// Not published
    #[error("certificate transparency: {0}")]
    Sct(#[source] SctError),
    /// No name or no issuer
    #[error("the signing certificate has no {0}")]
    NoIdentity(&'static str),
    /// Someone else
    #[error("{0}")]
    Denied(#[source] Denied),
    /// Another key than the expected one
    #[error("the bundle was signed with another key than the expected one")]
    OtherKey,
    /// No log entry that counts
    #[error("the bundle has no entry of a trusted log")]
    NoEntry,
    /// An index outside its tree
    #[error("log entry {index}: {reason}")]
    Position {
        /// The entry's log index.
        index: u64,
        /// Why.
        #[source]
        reason: OutOfRange,
    },
    /// A proof that leads elsewhere
    #[error("log entry {index}: {reason}")]
    Inclusion {
        /// The entry's log index.
        index: u64,
        /// Why.
        #[source]
        reason: ProofError,
    },
    /// Index and proof disagree
    #[error("log entry {index} is proved at another index, {proved}")]
    IndexMismatch {
        /// The entry's log index.
        index: u64,
        /// The proof's.
        proved: u64,
    },
    /// A checkpoint that its log did not sign
    #[error("log entry {index}: {reason}")]
    Checkpoint {
        /// The entry's log index.
        index: u64,
        /// Why.
        #[source]
        reason: NoteError,
    },
    /// A checkpoint of another tree
    #[error("log entry {index}: the checkpoint is of another tree than the proof")]
    OtherTree {
        /// The entry's log index.
        index: u64,
    },
    /// A body that cannot be read, or a kind that is not known
    #[error("log entry {index} is not a {kind} {version} entry as it says")]
    Body {
        /// The entry's log index.
        index: u64,
        /// The kind that the bundle names.
        kind: String,
        /// Its version.
        version: String,
    },
    /// A kind that does not go with the content
    #[error("a log entry of kind {kind} {version} cannot vouch for this bundle")]
    Kind {
        /// The kind that the bundle names.
        kind: String,
        /// Its version.
        version: String,
    },
    /// The entry is for something else
    #[error("log entry {index} is for another {what}")]
    OtherEntry {
        /// The entry's log index.
        index: u64,
        /// What differs: signature, key, artifact.
        what: &'static str,
    },
    /// The signature does not hold
    #[error("the signature does not match the artifact and the signer's key")]
    Signature,
    /// An Ed25519 key over an artifact; the signature may be a pure one
    #[error(
        "the signature does not match the artifact and the signer's key, which must sign \
         artifacts as Ed25519ph: no log can vouch for a pure Ed25519 signature"
    )]
    PrehashedSignature,
}

impl Refusal {
    /// The stable machine code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MaterialForVersion(_) => "material-for-version",
            Self::EmptyChain => "empty-chain",
            Self::Certificate(_) => "certificate-malformed",
            Self::KeyNeeded => "key-needed",
            Self::KeyNotWanted => "key-not-wanted",
            Self::EntryForVersion { .. } => "entry-for-version",
            Self::Repeated(_) => "repeated-evidence",
            Self::SignatureCount(_) => "signature-count",
            Self::DigestMismatch { .. } => "artifact-mismatch",
            Self::DigestNeeded(_) => "digest-needed",
            Self::PayloadType => "payload-type",
            Self::Statement(_) => "statement-malformed",
            Self::NotASubject => "artifact-not-a-subject",
            Self::NoTime => "no-time",
            Self::Timestamp { .. } => "timestamp-invalid",
            Self::Promise { .. } => "promise-invalid",
            Self::LogWindow { .. } => "log-not-trusted-then",
            Self::FutureTime { .. } => "time-in-future",
            Self::Path { .. } => "certificate-untrusted",
            Self::Sct(_) => "certificate-not-published",
            Self::NoIdentity(_) => "no-identity",
            Self::Denied(_) => "identity-denied",
            Self::OtherKey => "other-key",
            Self::NoEntry => "no-log-entry",
            Self::Position { .. } | Self::Inclusion { .. } => "inclusion-proof-invalid",
            Self::IndexMismatch { .. } => "index-mismatch",
            Self::Checkpoint { .. } => "checkpoint-invalid",
            Self::OtherTree { .. } => "checkpoint-of-other-tree",
            Self::Body { .. } => "entry-malformed",
            Self::Kind { .. } => "entry-kind",
            Self::OtherEntry { .. } => "entry-mismatch",
            Self::Signature | Self::PrehashedSignature => "signature-invalid",
        }
    }

    /// The step that failed.
    pub const fn check(&self) -> CheckName {
        match self {
            Self::MaterialForVersion(_)
            | Self::EmptyChain
            | Self::Certificate(_)
            | Self::KeyNeeded
            | Self::KeyNotWanted
            | Self::EntryForVersion { .. }
            | Self::Repeated(_)
            | Self::SignatureCount(_) => CheckName::Form,
            Self::DigestMismatch { .. }
            | Self::DigestNeeded(_)
            | Self::PayloadType
            | Self::Statement(_)
            | Self::NotASubject => CheckName::Artifact,
            Self::NoTime
            | Self::Timestamp { .. }
            | Self::Promise { .. }
            | Self::LogWindow { .. }
            | Self::FutureTime { .. } => CheckName::SigningTime,
            Self::Path { .. } => CheckName::CertificatePath,
            Self::Sct(_) => CheckName::CertificateTransparency,
            Self::NoIdentity(_) | Self::Denied(_) | Self::OtherKey => CheckName::Identity,
            Self::NoEntry
            | Self::Position { .. }
            | Self::Inclusion { .. }
            | Self::IndexMismatch { .. }
            | Self::Checkpoint { .. }
            | Self::OtherTree { .. }
            | Self::Body { .. }
            | Self::Kind { .. }
            | Self::OtherEntry { .. } => CheckName::LogEntry,
            Self::Signature | Self::PrehashedSignature => CheckName::Signature,
        }
    }
}
