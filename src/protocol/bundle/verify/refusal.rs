//! The reasons for which a bundle is refused, each with a message and a stable machine code.

use super::CheckName;
use crate::protocol::attestation::statement::{PAYLOAD_TYPE, StatementError};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::merkle::{OutOfRange, ProofError};
use crate::protocol::note::NoteError;
use crate::protocol::policy::IdentityDenied;
use crate::protocol::time::UnixTime;
use crate::protocol::tsp::TimestampError;
use crate::protocol::x509::{CertificateError, PathError, SctError};

/// Reason for which a bundle is refused. `index` is the log index of an entry in the bundle.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the message of each variant describes it and its fields"
)]
pub enum Refusal {
    #[error("a bundle of this version must contain {0}")]
    MaterialForVersion(&'static str),
    #[error("the bundle's certificate chain is empty")]
    EmptyChain,
    #[error("the signing certificate is malformed: {0}")]
    Certificate(#[source] CertificateError),
    #[error("the bundle has no certificate: supply the public key that verifies it")]
    KeyRequired,
    #[error("the bundle has a certificate: supply the expected identity instead of a key")]
    UnexpectedKey,
    #[error("log entry {index} has no {missing}, which a bundle of this version requires")]
    EntryForVersion { index: u64, missing: &'static str },
    #[error("the bundle contains the same {0} twice")]
    Repeated(&'static str),
    #[error("the envelope has {0} signatures; exactly one is required")]
    SignatureCount(usize),
    #[error(
        "the artifact is not the one that was signed: its digest is {actual}, the bundle says {stated}"
    )]
    DigestMismatch { actual: String, stated: String },
    #[error("verifying this bundle requires the artifact or its {} digest", .0.name())]
    DigestRequired(HashAlgorithm),
    #[error("the envelope's payloadType is not {PAYLOAD_TYPE}")]
    PayloadType,
    #[error("{0}")]
    Statement(#[source] StatementError),
    #[error("the artifact is not a subject of the statement")]
    NotASubject,
    #[error(
        "no trusted party established the signing time: the bundle has neither a timestamp nor a promise of a trusted log"
    )]
    NoSigningTime,
    /// `number` is the timestamp's position in the bundle, from 1.
    #[error("timestamp {number}: {reason}")]
    Timestamp {
        number: usize,
        #[source]
        reason: TimestampError,
    },
    #[error("the promise for log entry {index} is not signed by {log}")]
    Promise { index: u64, log: String },
    #[error("log {log} of entry {index} is not trusted at {at}")]
    LogNotTrusted {
        index: u64,
        log: String,
        at: UnixTime,
    },
    #[error("log entry {index} is dated {at}, which is in the future")]
    FutureTime { index: u64, at: UnixTime },
    /// `at` is an established signing time. `reason` comes from the authority that issued the certificate,
    /// if one did.
    #[error("the signing certificate does not chain to a trusted authority at {at}: {reason}")]
    Path {
        at: UnixTime,
        #[source]
        reason: PathError,
    },
    #[error("certificate transparency: {0}")]
    Sct(#[source] SctError),
    #[error("the signing certificate has no {0}")]
    NoIdentity(&'static str),
    #[error("{0}")]
    Denied(#[source] IdentityDenied),
    #[error("the bundle was signed with a key other than the expected one")]
    KeyMismatch,
    #[error("the bundle has no entry from a trusted log")]
    NoEntry,
    #[error("log entry {index}: {reason}")]
    Position {
        index: u64,
        #[source]
        reason: OutOfRange,
    },
    #[error("log entry {index}: {reason}")]
    Inclusion {
        index: u64,
        #[source]
        reason: ProofError,
    },
    #[error("log entry {index} has an inclusion proof for index {proved}")]
    IndexMismatch { index: u64, proved: u64 },
    #[error("log entry {index}: {reason}")]
    Checkpoint {
        index: u64,
        #[source]
        reason: NoteError,
    },
    #[error("log entry {index}: the checkpoint and the inclusion proof are for different trees")]
    CheckpointMismatch { index: u64 },
    /// The body is malformed, or its kind is unknown.
    #[error("log entry {index} is not a valid {kind} {version} entry")]
    Body {
        index: u64,
        kind: String,
        version: String,
    },
    #[error("a log entry of kind {kind} {version} does not apply to the content of this bundle")]
    Kind { kind: String, version: String },
    #[error("log entry {index} is for a different {what}")]
    EntryMismatch { index: u64, what: &'static str },
    #[error("the signature does not match the artifact and the signer's key")]
    Signature,
    #[error(
        "the signature does not match the artifact and the signer's key; an Ed25519 key must sign \
         artifacts as Ed25519ph, because a log cannot verify a pure Ed25519 signature over a digest"
    )]
    PrehashedSignature,
}

impl Refusal {
    /// Stable machine-readable code, such as `artifact-mismatch`.
    pub const fn code(&self) -> &'static str {
        self.classify().1
    }

    /// The step that failed.
    pub const fn check(&self) -> CheckName {
        self.classify().0
    }

    const fn classify(&self) -> (CheckName, &'static str) {
        use CheckName::{
            Artifact, BundleForm, CertificatePath, CertificateTransparency, Identity, LogEntry,
            Signature, SigningTime,
        };
        match self {
            Self::MaterialForVersion(_) => (BundleForm, "material-for-version"),
            Self::EmptyChain => (BundleForm, "empty-chain"),
            Self::Certificate(_) => (BundleForm, "certificate-malformed"),
            Self::KeyRequired => (BundleForm, "key-needed"),
            Self::UnexpectedKey => (BundleForm, "key-not-wanted"),
            Self::EntryForVersion { .. } => (BundleForm, "entry-for-version"),
            Self::Repeated(_) => (BundleForm, "repeated-evidence"),
            Self::SignatureCount(_) => (BundleForm, "signature-count"),
            Self::DigestMismatch { .. } => (Artifact, "artifact-mismatch"),
            Self::DigestRequired(_) => (Artifact, "digest-needed"),
            Self::PayloadType => (Artifact, "payload-type"),
            Self::Statement(_) => (Artifact, "statement-malformed"),
            Self::NotASubject => (Artifact, "artifact-not-a-subject"),
            Self::NoSigningTime => (SigningTime, "no-time"),
            Self::Timestamp { .. } => (SigningTime, "timestamp-invalid"),
            Self::Promise { .. } => (SigningTime, "promise-invalid"),
            Self::LogNotTrusted { .. } => (SigningTime, "log-not-trusted-then"),
            Self::FutureTime { .. } => (SigningTime, "time-in-future"),
            Self::Path { .. } => (CertificatePath, "certificate-untrusted"),
            Self::Sct(_) => (CertificateTransparency, "certificate-not-published"),
            Self::NoIdentity(_) => (Identity, "no-identity"),
            Self::Denied(_) => (Identity, "identity-denied"),
            Self::KeyMismatch => (Identity, "other-key"),
            Self::NoEntry => (LogEntry, "no-log-entry"),
            Self::Position { .. } | Self::Inclusion { .. } => (LogEntry, "inclusion-proof-invalid"),
            Self::IndexMismatch { .. } => (LogEntry, "index-mismatch"),
            Self::Checkpoint { .. } => (LogEntry, "checkpoint-invalid"),
            Self::CheckpointMismatch { .. } => (LogEntry, "checkpoint-of-other-tree"),
            Self::Body { .. } => (LogEntry, "entry-malformed"),
            Self::Kind { .. } => (LogEntry, "entry-kind"),
            Self::EntryMismatch { .. } => (LogEntry, "entry-mismatch"),
            Self::Signature | Self::PrehashedSignature => (Signature, "signature-invalid"),
        }
    }
}
