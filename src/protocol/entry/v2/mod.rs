//! Rekor v2: requests in proto3 JSON (`dev.sigstore.rekor.v2`), and verified entries.

pub(crate) mod dsse;
pub(crate) mod hashedrekord;

use serde::{Deserialize, Serialize};

use super::EntryKind;
use super::verifier::RawVerifier;
use crate::protocol::bytes::{Base64, ProtoBytes};
use crate::protocol::keys::{KeyDetails, SignatureValid};
use dsse::DsseRequest;
use hashedrekord::HashedRekordRequest;

pub(crate) use dsse::{DsseError, UnverifiedDsse};
pub(crate) use hashedrekord::HashedRekordError;
pub use hashedrekord::UnverifiedHashedRekord;

/// `CreateEntryRequest`. Unknown members are rejected.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CreateEntryRequest {
    #[serde(
        rename = "hashedRekordRequestV002",
        alias = "hashed_rekord_request_v002",
        skip_serializing_if = "Option::is_none"
    )]
    hashed_rekord: Option<HashedRekordRequest>,
    // Signet's client does not submit envelopes.
    #[serde(
        rename = "dsseRequestV002",
        alias = "dsse_request_v002",
        skip_serializing
    )]
    dsse: Option<DsseRequest>,
}

/// `Verifier` of a request.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestVerifier {
    #[serde(alias = "public_key", skip_serializing_if = "Option::is_none")]
    public_key: Option<RequestBytes>,
    #[serde(alias = "x509_certificate", skip_serializing_if = "Option::is_none")]
    x509_certificate: Option<RequestBytes>,
    #[serde(alias = "key_details")]
    key_details: KeyDetails,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestBytes {
    #[serde(alias = "raw_bytes")]
    raw_bytes: ProtoBytes,
}

/// A signature in a logged body. Parsed strictly: a canonical body does not use the alternative spellings
/// of proto3 JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoggedSignature {
    content: Base64,
    verifier: LoggedVerifier,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoggedVerifier {
    key_details: KeyDetails,
    public_key: Option<LoggedBytes>,
    x509_certificate: Option<LoggedBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoggedBytes {
    raw_bytes: Base64,
}

impl LoggedSignature {
    fn into_parts(self) -> Option<(Vec<u8>, RawVerifier, KeyDetails)> {
        let LoggedVerifier {
            key_details,
            public_key,
            x509_certificate,
        } = self.verifier;
        let bytes = |member: Option<LoggedBytes>| member.map(|bytes| bytes.raw_bytes.0);
        let verifier = RawVerifier::one_of(bytes(x509_certificate), bytes(public_key))?;
        Some((self.content.0, verifier, key_details))
    }
}

impl RequestVerifier {
    fn new(verifier: &RawVerifier, key_details: KeyDetails) -> Self {
        let bytes = |bytes: &[u8]| {
            Some(RequestBytes {
                raw_bytes: ProtoBytes(bytes.to_vec()),
            })
        };
        let (x509_certificate, public_key) = match verifier {
            RawVerifier::Certificate(der) => (bytes(der), None),
            RawVerifier::PublicKey(spki) => (None, bytes(spki)),
        };
        Self {
            public_key,
            x509_certificate,
            key_details,
        }
    }

    fn into_parts(self) -> Result<(RawVerifier, KeyDetails), SubmissionError> {
        let bytes = |member: Option<RequestBytes>| member.map(|bytes| bytes.raw_bytes.0);
        let verifier = RawVerifier::one_of(bytes(self.x509_certificate), bytes(self.public_key));
        Ok((verifier.ok_or(SubmissionError::Verifier)?, self.key_details))
    }
}

impl From<&UnverifiedHashedRekord> for CreateEntryRequest {
    /// Builds the request that submits this entry.
    fn from(entry: &UnverifiedHashedRekord) -> Self {
        Self {
            hashed_rekord: Some(entry.into()),
            dsse: None,
        }
    }
}

/// An entry with unverified signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnverifiedEntry {
    /// hashedrekord 0.0.2.
    HashedRekord(UnverifiedHashedRekord),
    /// dsse 0.0.2.
    Dsse(UnverifiedDsse),
}

/// Error converting a request to an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    #[error("the request must have exactly one of hashedRekordRequestV002 and dsseRequestV002")]
    NoEntry,
    #[error("every verifier must have exactly one of x509Certificate and publicKey")]
    Verifier,
    #[error(transparent)]
    HashedRekord(#[from] HashedRekordError),
}

impl TryFrom<CreateEntryRequest> for UnverifiedEntry {
    type Error = SubmissionError;

    fn try_from(request: CreateEntryRequest) -> Result<Self, SubmissionError> {
        match (request.hashed_rekord, request.dsse) {
            (Some(entry), None) => Ok(Self::HashedRekord(entry.try_into()?)),
            (None, Some(entry)) => Ok(Self::Dsse(entry.try_into()?)),
            (None, None) | (Some(_), Some(_)) => Err(SubmissionError::NoEntry),
        }
    }
}

impl UnverifiedEntry {
    /// Whether verification is slow enough to move it to another thread. Every verifier may hash the whole
    /// payload of an envelope; a hashedrekord needs one signature verification of about 50 µs.
    pub(crate) const fn is_costly(&self) -> bool {
        matches!(self, Self::Dsse(_))
    }

    /// Verifies all signatures.
    ///
    /// # Errors
    /// See [`HashedRekordError`] and [`DsseError`].
    pub(crate) fn verify(&self) -> Result<VerifiedEntry, V2EntryError> {
        match self {
            Self::HashedRekord(entry) => Ok(entry.verify()?),
            Self::Dsse(entry) => Ok(entry.verify()?),
        }
    }
}

/// A verified entry in canonical form. The only constructors are the `verify` methods of the kinds.
#[derive(Clone, Debug)]
pub struct VerifiedEntry {
    kind: &'static str,
    body: Vec<u8>,
    /// Proof that the signatures were verified.
    _signatures: Vec<SignatureValid>,
}

/// Error verifying an entry of Rekor v2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum V2EntryError {
    #[error(transparent)]
    HashedRekord(#[from] HashedRekordError),
    #[error(transparent)]
    Dsse(#[from] DsseError),
}

impl VerifiedEntry {
    const fn new(kind: &EntryKind, body: Vec<u8>, signatures: Vec<SignatureValid>) -> Self {
        Self {
            kind: kind.name,
            body,
            _signatures: signatures,
        }
    }

    /// Name of the kind. The version is 0.0.2 for both kinds.
    pub(crate) const fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns the canonical body, which is the leaf of the log.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

#[cfg(test)]
mod tests;
