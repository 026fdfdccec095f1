//! Why a proposed entry is not read, and why one is not admitted.

use super::super::hashedrekord::MAX_BODY;
use super::TooManyTerms;
use super::envelope::{EnvelopeError, MAX_SIGNATURES};
use super::pki::PkiError;
use super::rfc3161::MAX_TIMESTAMP;
use super::verifier::VerifierError;
use crate::protocol::keys::SignatureInvalid;
use crate::protocol::tsp::TimestampError;

/// The kinds that are offered, for messages.
pub(super) const OFFERED: &str =
    "hashedrekord 0.0.1, dsse 0.0.1, intoto 0.0.1 and 0.0.2, rekord 0.0.1, rfc3161 0.0.1";

/// Why JSON is not a proposed entry.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// Not JSON, or not the members that the kind has; the message begins with the member's path
    #[error("the proposed entry: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A kind that is not offered
    #[error("entries of kind {kind:?} are not accepted; the log takes {OFFERED}")]
    Kind {
        /// What was sent.
        kind: String,
    },
    /// A version of the kind that is not offered
    #[error(
        "entries of kind {kind} are not accepted in version {version:?}; the log takes {OFFERED}"
    )]
    Version {
        /// The kind, one of those offered.
        kind: String,
        /// What was sent.
        version: String,
    },
}

/// Why a proposed entry is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A member that must have content has none
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The key or certificate is not one that is accepted
    #[error("{field}: {source}")]
    Verifier {
        /// The member's path in the spec.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: VerifierError,
    },
    /// A key or signature is not one of its format
    #[error("{field}: {source}")]
    Pki {
        /// The member's path in the spec.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: PkiError,
    },
    /// The hash that was sent is not the content's
    #[error("spec.data.hash is not the SHA-256 of spec.data.content")]
    DataHash,
    /// The envelope is not one that can be read
    #[error("{field}: {source}")]
    Envelope {
        /// The member's path in the spec.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: EnvelopeError,
    },
    /// More keys than an envelope may have signatures
    #[error("spec.proposedContent.verifiers has {0} elements; the limit is {MAX_SIGNATURES}")]
    TooManyVerifiers(usize),
    /// A signature of the envelope that none of the keys made
    #[error("the envelope has a signature that none of the keys sent with it made")]
    UnverifiedSignature,
    /// The log has a digest and not the message, and so Ed25519 must be Ed25519ph
    #[error("data.hash: Ed25519 keys sign a sha512 digest here (Ed25519ph)")]
    Ed25519Digest,
    /// A signature does not hold
    #[error("{field}: {source}")]
    Signature {
        /// The member's path in the spec.
        field: &'static str,
        /// That it does not hold.
        #[source]
        source: SignatureInvalid,
    },
    /// The timestamp response does not hold
    #[error("spec.tsr.content: {0}")]
    Timestamp(#[from] TimestampError),
    /// More bytes than a timestamp response may have here
    #[error("spec.tsr.content has {0} bytes; the limit is {MAX_TIMESTAMP}")]
    TimestampLength(usize),
    /// More than the index holds for one entry
    #[error(transparent)]
    TooManyTerms(#[from] TooManyTerms),
    /// More bytes than an entry can have
    #[error("the canonical entry has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
}

impl EntryError {
    /// Says which member holds the key.
    pub(super) const fn verifier(field: &'static str) -> impl Fn(VerifierError) -> Self {
        move |source| Self::Verifier { field, source }
    }

    /// Says which member holds the key or signature.
    pub(super) const fn pki(field: &'static str) -> impl Fn(PkiError) -> Self {
        move |source| Self::Pki { field, source }
    }

    /// Says which member holds the envelope.
    pub(super) const fn envelope(field: &'static str) -> impl Fn(EnvelopeError) -> Self {
        move |source| Self::Envelope { field, source }
    }

    /// Says which member holds the signature.
    pub(super) const fn signature(field: &'static str) -> impl Fn(SignatureInvalid) -> Self {
        move |source| Self::Signature { field, source }
    }
}
