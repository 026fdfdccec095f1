//! Rekor v1: parses proposed entries, verifies their signatures, and writes the canonical body.
//!
//! Each kind parses its `spec` strictly. Members that are not logged, such as a payload, are dropped.

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

/// The parsed `spec` of a proposed entry. Signatures are not verified yet.
pub(super) trait Proposal: fmt::Debug + Send + Sync {
    /// Verifies all signatures, adds search terms, and returns the canonical body.
    fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, V1EntryError>;

    /// Returns the canonical body, without verifying signatures where possible.
    fn canonical_body(&self) -> Result<Vec<u8>, V1EntryError>;
}

/// Parses a `spec`, for [`EntryKind::parse_proposal`]. The fast parser cannot locate errors, so the slow
/// one parses again after an error.
pub(super) fn parse_spec<T>(spec: &[u8]) -> Result<Arc<dyn Proposal>, LocatedError>
where
    T: Proposal + DeserializeOwned + 'static,
{
    match json::from_slice::<T>(spec) {
        Ok(proposal) => Ok(Arc::new(proposal)),
        Err(_) => Ok(Arc::new(json::from_slice_located::<T>(spec)?)),
    }
}

/// A parsed proposal. Signatures are not verified yet.
#[derive(Clone, Debug)]
pub struct ProposedEntry(Arc<dyn Proposal>);

/// A verified entry in canonical form.
#[derive(Clone, Debug)]
pub struct AdmittedEntry {
    body: Vec<u8>,
    search_terms: Vec<SearchTerm>,
}

impl ProposedEntry {
    /// Whether parsing and verifying this proposal is slow enough to move it to another thread. Smaller
    /// proposals contain few signatures and keys, and little to hash.
    pub(crate) const fn is_costly(json: &[u8]) -> bool {
        json.len() > 8 * 1024
    }

    /// Parses a proposed entry in JSON: `apiVersion`, `kind` and the `spec` of that kind.
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
            let is_known = EntryKind::accepted_by_v1().any(|known| known.name == proposed.kind);
            let kind = truncated(&proposed.kind);
            return Err(if is_known {
                let version = truncated(&proposed.api_version);
                ProposalError::Version { kind, version }
            } else {
                ProposalError::Kind { kind }
            });
        };
        parse(proposed.spec.get().as_bytes())
            .map(Self)
            .map_err(|error| ProposalError::malformed("spec", &error))
    }

    /// Builds a hashedrekord 0.0.1.
    pub(crate) fn hashedrekord(digest: Digest, signature: Vec<u8>, key: &PublicKey) -> Self {
        Self(Arc::new(HashedRekordV001::new(digest, signature, key)))
    }

    /// Verifies all signatures and builds the canonical body. The cost is at most one verification for
    /// each pair of signature and key.
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

    /// Returns the canonical body without verifying signatures, to look up an entry that is already
    /// logged. A dsse entry is verified, because its body depends on which key made which signature.
    ///
    /// # Errors
    /// The same as [`Self::admit`], except for errors in signatures that are not verified.
    pub fn canonical_body(&self) -> Result<Vec<u8>, V1EntryError> {
        self.0.canonical_body()
    }
}

impl AdmittedEntry {
    /// The canonical body, which is the leaf of the log.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Distinct search terms.
    pub fn search_terms(&self) -> &[SearchTerm] {
        &self.search_terms
    }

    /// Returns the canonical body and the search terms.
    pub fn into_parts(self) -> (Vec<u8>, Vec<SearchTerm>) {
        (self.body, self.search_terms)
    }
}

/// Error parsing a proposed entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// Not JSON, or not valid for the kind. The text contains the path of the member.
    #[error("malformed entry: {0}")]
    Malformed(String),
    #[error("unsupported entry kind {kind:?}; supported: {}", supported_kinds())]
    Kind { kind: String },
    /// The kind is known, but not this version.
    #[error(
        "unsupported version {version:?} of entry kind {kind}; supported: {}",
        supported_kinds()
    )]
    Version { kind: String, version: String },
}

impl ProposalError {
    fn malformed(parent: &str, error: &LocatedError) -> Self {
        let LocatedError { path, source } = error;
        let dot = if parent.is_empty() || path.is_empty() || path.starts_with('[') {
            ""
        } else {
            "."
        };
        Self::Malformed(truncated(&format!("{parent}{dot}{path}: {source}")))
    }
}

fn supported_kinds() -> String {
    let kinds: Vec<String> = EntryKind::accepted_by_v1()
        .map(ToString::to_string)
        .collect();
    kinds.join(", ")
}

/// Truncates text from a request, for error messages.
fn truncated(text: &str) -> String {
    const MAX_CHARACTERS: usize = 256;
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

/// Error verifying a proposed entry. `field` is the path of the invalid member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum V1EntryError {
    #[error("{0} is empty")]
    Empty(&'static str),
    #[error("{field}: {source}")]
    Verifier {
        field: &'static str,
        #[source]
        source: PemVerifierError,
    },
    #[error("{field}: {source}")]
    Pki {
        field: &'static str,
        #[source]
        source: PkiError,
    },
    #[error("spec.data.hash is not the SHA-256 of spec.data.content")]
    DataHash,
    #[error("{field}: {source}")]
    Envelope {
        field: &'static str,
        #[source]
        source: EnvelopeError,
    },
    #[error("spec.proposedContent.verifiers has {0} entries; the limit is {MAX_SIGNATURES}")]
    TooManyVerifiers(usize),
    #[error("the envelope has a signature that none of the verifiers verifies")]
    UnverifiedSignature,
    /// The log receives only the digest, so Ed25519 signatures must be Ed25519ph.
    #[error("data.hash: Ed25519 keys require a sha512 digest (Ed25519ph)")]
    Ed25519Digest,
    #[error("{field}: {source}")]
    Signature {
        field: &'static str,
        #[source]
        source: SignatureInvalid,
    },
    #[error("spec.tsr.content: {0}")]
    Timestamp(#[from] TimestampError),
    #[error("spec.tsr.content has {0} bytes; the limit is {MAX_TIMESTAMP}")]
    TimestampLength(usize),
    #[error(transparent)]
    TooManyTerms(#[from] TooManyTerms),
    /// The body does not fit in an entry bundle.
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
