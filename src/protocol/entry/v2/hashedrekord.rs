//! hashedrekord 0.0.2: a digest, a signature over it, and a certificate or key that verifies it.

use serde::{Deserialize, Serialize};

use super::super::binding::{BoundContent, BoundSignature, EntryBinding};
use super::super::verifier::{RawVerifier, RawVerifierError};
use super::super::{EntryKind, MAX_BODY, logged_spec};
use super::{LoggedSignature, RequestVerifier, SubmissionError, VerifiedEntry};
use crate::protocol::bytes::{Base64, ProtoBytes, to_base64};
use crate::protocol::hash::{Digest, HashAlgorithm, WrongDigestLength};
use crate::protocol::keys::{KeyAlgorithm, KeyDetails, SignatureInvalid};

pub(in super::super) const KIND: EntryKind = EntryKind {
    name: "hashedrekord",
    version: "0.0.2",
    parse_proposal: None,
    parse_logged: Some(parse_logged),
};

/// `HashedRekordRequestV002`
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HashedRekordRequest {
    digest: ProtoBytes,
    signature: RequestSignature,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RequestSignature {
    content: ProtoBytes,
    verifier: RequestVerifier,
}

/// The `spec` of a logged body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoggedSpec {
    #[serde(rename = "hashedRekordV002")]
    entry: LoggedHashedRekord,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoggedHashedRekord {
    data: LoggedData,
    signature: LoggedSignature,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoggedData {
    algorithm: HashAlgorithm,
    digest: Base64,
}

/// A hashedrekord with an unverified signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedHashedRekord {
    /// Digest of the artifact, under the hash function of `key_details`.
    pub digest: Digest,
    /// The signature over the digest.
    pub signature: Vec<u8>,
    /// The certificate or key that verifies the signature.
    pub verifier: RawVerifier,
    /// The key's algorithm, hash function and padding.
    pub key_details: KeyDetails,
}

/// Error verifying a hashedrekord.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashedRekordError {
    /// Pure Ed25519 requires the whole message, but the log receives only a digest.
    #[error(
        "keyDetails PKIX_ED25519 is not supported, because the log verifies signatures over a digest; \
         use PKIX_ED25519_PH"
    )]
    PureEd25519,
    #[error("digest does not match keyDetails: {0}")]
    Digest(#[from] WrongDigestLength),
    #[error("signature.content is empty")]
    NoSignature,
    #[error("signature.verifier.{0}")]
    Verifier(#[from] RawVerifierError),
    #[error("signature.content: {0}")]
    Signature(#[from] SignatureInvalid),
    /// The body does not fit in an entry bundle.
    #[error("the canonical entry has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
}

/// Error parsing the canonical body of a hashedrekord 0.0.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashedRekordBodyError {
    /// The body does not fit in an entry bundle.
    #[error("the entry has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
    /// Not the body of a hashedrekord 0.0.2.
    #[error("the entry is not a hashedrekord 0.0.2")]
    Malformed,
    #[error("the entry's digest algorithm does not match its key details")]
    Algorithm,
    #[error("the entry's digest: {0}")]
    Digest(#[from] WrongDigestLength),
    #[error("the entry is not in canonical form (RFC 8785)")]
    NotCanonical,
}

impl UnverifiedHashedRekord {
    /// Checks that the digest has the length that the key details require.
    ///
    /// # Errors
    /// [`HashedRekordError::PureEd25519`] or [`HashedRekordError::Digest`]
    pub fn new(
        digest: Vec<u8>,
        signature: Vec<u8>,
        verifier: RawVerifier,
        key_details: KeyDetails,
    ) -> Result<Self, HashedRekordError> {
        let hash = key_details.hash().ok_or(HashedRekordError::PureEd25519)?;
        Ok(Self {
            digest: Digest::new(hash, digest)?,
            signature,
            verifier,
            key_details,
        })
    }

    /// Parses a body, which must be in canonical form.
    ///
    /// # Errors
    /// See [`HashedRekordBodyError`].
    pub fn parse_body(body: &[u8]) -> Result<Self, HashedRekordBodyError> {
        use HashedRekordBodyError as Error;
        if body.len() > MAX_BODY {
            return Err(Error::TooLarge(body.len()));
        }
        let spec: Option<LoggedSpec> = logged_spec(&KIND, body);
        let entry = spec.ok_or(Error::Malformed)?.entry;
        let signature = entry.signature.into_parts();
        let (signature, verifier, key_details) = signature.ok_or(Error::Malformed)?;
        if key_details.hash() != Some(entry.data.algorithm) {
            return Err(Error::Algorithm);
        }
        let entry = Self {
            digest: Digest::new(entry.data.algorithm, entry.data.digest.0)?,
            signature,
            verifier,
            key_details,
        };
        if entry.canonical_body() != body {
            return Err(Error::NotCanonical);
        }
        Ok(entry)
    }

    /// The canonical body (RFC 8785). The members are fixed, and every value is base64 or a registry name,
    /// so no sorting or escaping is needed.
    pub fn canonical_body(&self) -> Vec<u8> {
        let signature = self
            .verifier
            .canonical_signature(self.key_details, &self.signature);
        [
            r#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"#,
            r#""algorithm":""#,
            self.digest.algorithm().registry_name(),
            r#"","digest":""#,
            &to_base64(self.digest.as_bytes()),
            r#""},"signature":"#,
            &signature,
            "}}}",
        ]
        .concat()
        .into_bytes()
    }

    /// Verifies the signature over the digest. The key must match the declared details.
    ///
    /// # Errors
    /// See [`HashedRekordError`].
    pub fn verify(&self) -> Result<VerifiedEntry, HashedRekordError> {
        if self.signature.is_empty() {
            return Err(HashedRekordError::NoSignature);
        }
        let body = self.canonical_body();
        if body.len() > MAX_BODY {
            return Err(HashedRekordError::TooLarge(body.len()));
        }
        let key = self.verifier.key(self.key_details, loggable_details)?;
        let valid = key.verify_digest(&self.digest, &self.signature)?;
        Ok(VerifiedEntry::new(&KIND, body, vec![valid]))
    }
}

/// The key details that are logged for a kind of key: those for signatures over a digest.
const fn loggable_details(key: KeyAlgorithm) -> KeyDetails {
    match key {
        KeyAlgorithm::Ed25519 => KeyDetails::Ed25519Ph,
        other => other.default_details(),
    }
}

impl TryFrom<HashedRekordRequest> for UnverifiedHashedRekord {
    type Error = SubmissionError;

    fn try_from(request: HashedRekordRequest) -> Result<Self, SubmissionError> {
        let (verifier, key_details) = request.signature.verifier.into_parts()?;
        let signature = request.signature.content.0;
        Ok(Self::new(
            request.digest.0,
            signature,
            verifier,
            key_details,
        )?)
    }
}

impl From<&UnverifiedHashedRekord> for HashedRekordRequest {
    fn from(entry: &UnverifiedHashedRekord) -> Self {
        Self {
            digest: ProtoBytes(entry.digest.as_bytes().to_vec()),
            signature: RequestSignature {
                content: ProtoBytes(entry.signature.clone()),
                verifier: RequestVerifier::new(&entry.verifier, entry.key_details),
            },
        }
    }
}

fn parse_logged(body: &[u8]) -> Option<EntryBinding> {
    let entry = UnverifiedHashedRekord::parse_body(body).ok()?;
    Some(EntryBinding {
        signatures: vec![BoundSignature {
            signature: Some(entry.signature),
            verifier: entry.verifier,
            key_details: Some(entry.key_details),
        }],
        content: BoundContent::SignedBytes(entry.digest),
    })
}

#[cfg(test)]
mod tests;
