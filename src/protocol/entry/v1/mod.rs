//! Rekor v1: what clients propose, the check of every signature in it, and the canonical body that is
//! logged.
//!
//! Each kind reads its `spec` strictly, verifies, and writes what the log keeps. Members that a client
//! sends and the log does not keep, such as a payload, are dropped.

pub(super) mod dsse;
mod envelope;
pub(super) mod hashedrekord;
pub(super) mod intoto_v001;
pub(super) mod intoto_v002;
mod pki;
pub(super) mod rekord;
pub(super) mod rfc3161;
mod spec;
mod verifier;

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::search::{SearchTerm, SearchTerms, TooManyTerms};
use super::{EntryKind, MAX_BODY};
use crate::protocol::hash::Digest;
use crate::protocol::json::{self, LocatedError};
use crate::protocol::keys::{PublicKey, SignatureInvalid};
use crate::protocol::tsp::TimestampError;
use envelope::{EnvelopeError, MAX_SIGNATURES};
use hashedrekord::HashedRekordV001;
use rfc3161::MAX_TIMESTAMP;
use verifier::PemVerifierError;

pub(crate) use pki::{PkiError, PkiFormat};

/// The `spec` of a proposed entry. Nothing in it was verified.
pub(super) trait Proposal: fmt::Debug + Send + Sync {
    /// Verifies every signature, adds what the entry is found by, and writes the canonical body.
    fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, V1EntryError>;

    /// The canonical body, without verification where that is possible.
    fn canonical_body(&self) -> Result<Vec<u8>, V1EntryError>;
}

/// For [`EntryKind`]'s table. The fast reader cannot locate an error, so the slower one repeats the
/// reading where there is one.
pub(super) fn parse_spec<T>(spec: &[u8]) -> Result<Arc<dyn Proposal>, LocatedError>
where
    T: Proposal + DeserializeOwned + 'static,
{
    match json::from_slice::<T>(spec) {
        Ok(proposal) => Ok(Arc::new(proposal)),
        Err(_) => Ok(Arc::new(json::from_slice_located::<T>(spec)?)),
    }
}

/// An entry that a client proposes. Nothing in it was verified.
#[derive(Clone, Debug)]
pub struct ProposedEntry(Arc<dyn Proposal>);

/// An entry whose signatures were all verified, in canonical form.
#[derive(Clone, Debug)]
pub struct AdmittedEntry {
    body: Vec<u8>,
    search_terms: Vec<SearchTerm>,
}

impl ProposedEntry {
    /// Whether reading and admitting this proposal takes longer than a change of threads. Up to this size
    /// it holds few signatures and keys, and nothing that takes long to hash.
    pub(crate) const fn is_costly(json: &[u8]) -> bool {
        json.len() > 8 * 1024
    }

    /// Reads a proposed entry in JSON: `apiVersion`, `kind` and the kind's own `spec`.
    ///
    /// # Errors
    /// See [`ProposalError`].
    pub fn parse(json: &[u8]) -> Result<Self, ProposalError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Proposed {
            api_version: String,
            kind: String,
            spec: Box<RawValue>,
        }
        let proposed: Proposed = json::from_slice(json)
            .or_else(|_| json::from_slice_located(json))
            .map_err(|error| ProposalError::malformed("", &error))?;
        let kind = EntryKind::find(&proposed.kind, &proposed.api_version);
        let Some(parse) = kind.and_then(|kind| kind.parse_proposal) else {
            let is_known = EntryKind::proposed().any(|known| known.name == proposed.kind);
            let kind = shortened(&proposed.kind);
            return Err(if is_known {
                let version = shortened(&proposed.api_version);
                ProposalError::Version { kind, version }
            } else {
                ProposalError::Kind { kind }
            });
        };
        parse(proposed.spec.get().as_bytes())
            .map(Self)
            .map_err(|error| ProposalError::malformed("spec", &error))
    }

    /// A hashedrekord 0.0.1 over an artifact's digest.
    pub(crate) fn hashedrekord(digest: Digest, signature: Vec<u8>, key: &PublicKey) -> Self {
        Self(Arc::new(HashedRekordV001::new(digest, signature, key)))
    }

    /// Verifies every signature and writes the canonical body. Costs as many signature checks as there
    /// are pairs of a signature and a key that could have made it.
    ///
    /// # Errors
    /// See [`V1EntryError`].
    pub fn admit(&self) -> Result<AdmittedEntry, V1EntryError> {
        let mut terms = SearchTerms::default();
        let body = self.0.admit(&mut terms)?;
        Ok(AdmittedEntry {
            body,
            search_terms: terms.into_vec(),
        })
    }

    /// The canonical body, even if a signature does not verify: an entry that is already in the log is
    /// found by it.
    ///
    /// # Errors
    /// As [`Self::admit`], except for most signatures.
    pub fn canonical_body(&self) -> Result<Vec<u8>, V1EntryError> {
        self.0.canonical_body()
    }
}

impl AdmittedEntry {
    /// The canonical body, which is hashed, stored and served.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What the entry is found by, without repetitions.
    pub fn search_terms(&self) -> &[SearchTerm] {
        &self.search_terms
    }

    /// Body and search terms.
    pub fn into_parts(self) -> (Vec<u8>, Vec<SearchTerm>) {
        (self.body, self.search_terms)
    }
}

/// Error reading a proposed entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// Not JSON, or not the members of the kind; the text names the member
    #[error("the proposed entry: {0}")]
    Malformed(String),
    /// The log does not accept this kind
    #[error(
        "entries of kind {kind:?} are not accepted; the log accepts {}",
        offered()
    )]
    Kind {
        /// The kind that was sent.
        kind: String,
    },
    /// The log accepts other versions of the kind
    #[error(
        "entries of kind {kind} are not accepted in version {version:?}; the log accepts {}",
        offered()
    )]
    Version {
        /// The kind that was sent.
        kind: String,
        /// The version that was sent.
        version: String,
    },
}

impl ProposalError {
    fn malformed(parent: &str, error: &LocatedError) -> Self {
        let LocatedError { path, source } = error;
        let dot = if parent.is_empty() || path.is_empty() || path.starts_with('[') {
            ""
        } else {
            "."
        };
        Self::Malformed(shortened(&format!("{parent}{dot}{path}: {source}")))
    }
}

fn offered() -> String {
    let kinds: Vec<String> = EntryKind::proposed().map(ToString::to_string).collect();
    kinds.join(", ")
}

/// Limits what a message repeats of a request.
fn shortened(text: &str) -> String {
    const MAX_CHARACTERS: usize = 256;
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

/// Error admitting a proposed entry. `field` is the path of a member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum V1EntryError {
    /// A member that must have content has none
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The key or certificate is not accepted
    #[error("{field}: {source}")]
    Verifier {
        /// The member.
        field: &'static str,
        /// The reason.
        #[source]
        source: PemVerifierError,
    },
    /// A key or signature is not of the stated format
    #[error("{field}: {source}")]
    Pki {
        /// The member.
        field: &'static str,
        /// The reason.
        #[source]
        source: PkiError,
    },
    /// The hash is of other content
    #[error("spec.data.hash is not the SHA-256 of spec.data.content")]
    DataHash,
    /// The envelope cannot be read
    #[error("{field}: {source}")]
    Envelope {
        /// The member.
        field: &'static str,
        /// The reason.
        #[source]
        source: EnvelopeError,
    },
    /// There are more keys than an envelope may have signatures
    #[error("spec.proposedContent.verifiers has {0} elements; the limit is {MAX_SIGNATURES}")]
    TooManyVerifiers(usize),
    /// None of the keys made one of the envelope's signatures
    #[error("the envelope has a signature that none of the keys sent with it made")]
    UnverifiedSignature,
    /// The log has the digest and not the message, so Ed25519 must be Ed25519ph
    #[error("data.hash: Ed25519 keys sign a sha512 digest here (Ed25519ph)")]
    Ed25519Digest,
    /// A signature does not verify
    #[error("{field}: {source}")]
    Signature {
        /// The member.
        field: &'static str,
        /// The reason.
        #[source]
        source: SignatureInvalid,
    },
    /// The timestamp does not verify
    #[error("spec.tsr.content: {0}")]
    Timestamp(#[from] TimestampError),
    /// The timestamp response is too long
    #[error("spec.tsr.content has {0} bytes; the limit is {MAX_TIMESTAMP}")]
    TimestampLength(usize),
    /// The search index holds fewer terms for an entry
    #[error(transparent)]
    TooManyTerms(#[from] TooManyTerms),
    /// The entry is larger than an entry bundle allows
    #[error("the canonical entry has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
}

impl V1EntryError {
    fn verifier(field: &'static str) -> impl Fn(PemVerifierError) -> Self {
        move |source| Self::Verifier { field, source }
    }

    fn pki(field: &'static str) -> impl Fn(PkiError) -> Self {
        move |source| Self::Pki { field, source }
    }

    fn envelope(field: &'static str) -> impl Fn(EnvelopeError) -> Self {
        move |source| Self::Envelope { field, source }
    }

    fn signature(field: &'static str) -> impl Fn(SignatureInvalid) -> Self {
        move |source| Self::Signature { field, source }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
