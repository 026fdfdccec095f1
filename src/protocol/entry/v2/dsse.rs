//! dsse 0.0.2: the hash of an envelope's payload, and each signature with the certificate or key that
//! verifies it.

use serde::Deserialize;

use super::super::binding::{BoundContent, BoundEnvelope, BoundSignature, EntryBinding};
use super::super::verifier::{RawVerifier, RawVerifierError};
use super::super::{EntryKind, MAX_BODY, logged_spec};
use super::{LoggedSignature, RequestVerifier, SubmissionError, VerifiedEntry};
use crate::protocol::attestation::dsse::{Envelope, EnvelopeSignature};
use crate::protocol::bytes::{Base64, ProtoBytes, to_base64};
use crate::protocol::hash::{Digest, HashAlgorithm, Sha256};
use crate::protocol::keys::{KeyAlgorithm, KeyDetails, PublicKey, SignatureValid};

pub(in super::super) const KIND: EntryKind = EntryKind {
    name: "dsse",
    version: "0.0.2",
    parse_proposal: None,
    parse_logged: Some(parse_logged),
};

/// Maximum number of signatures, and of verifiers. Every verifier may be tried on every signature.
const MAX_SIGNATURES: usize = 4;

/// `DSSERequestV002`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DsseRequest {
    envelope: RequestEnvelope,
    verifiers: Vec<RequestVerifier>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestEnvelope {
    payload: ProtoBytes,
    #[serde(rename = "payloadType", alias = "payload_type")]
    payload_type: String,
    signatures: Vec<RequestSignature>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestSignature {
    sig: ProtoBytes,
    keyid: Option<String>,
}

/// The `spec` of a logged body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoggedSpec {
    #[serde(rename = "dsseV002")]
    entry: LoggedDsse,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoggedDsse {
    payload_hash: LoggedDigest,
    signatures: Vec<LoggedSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoggedDigest {
    algorithm: HashAlgorithm,
    digest: Base64,
}

/// An unverified envelope, and the verifiers of its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedDsse {
    /// Payload and signatures. Key IDs are ignored.
    pub envelope: Envelope,
    /// In any order.
    pub verifiers: Vec<DsseVerifier>,
}

/// A certificate or key, and the details that the client declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsseVerifier {
    /// The unparsed certificate or key.
    pub raw: RawVerifier,
    /// The key's algorithm, hash function and padding.
    pub key_details: KeyDetails,
}

/// Error verifying an envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    #[error("envelope.signatures has {0} entries; it must have 1 to {MAX_SIGNATURES}")]
    Signatures(usize),
    #[error("verifiers has {0} entries; it must have 1 to {MAX_SIGNATURES}")]
    Verifiers(usize),
    #[error("envelope.signatures[{0}].sig is empty")]
    NoSignature(usize),
    #[error("envelope.signatures[{0}].sig is a duplicate of an earlier signature")]
    DuplicateSignature(usize),
    #[error("verifiers[{index}].{error}")]
    Verifier {
        index: usize,
        error: RawVerifierError,
    },
    #[error("envelope.signatures[{0}].sig is not verified by any of the verifiers")]
    Signature(usize),
    /// Rejected because nothing binds such a verifier to the entry.
    #[error("verifiers[{0}] does not verify any of the envelope's signatures")]
    UnusedVerifier(usize),
    /// The body does not fit in an entry bundle.
    #[error("the canonical entry has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
}

/// A verified signature and its canonical form.
struct CanonicalSignature<'a> {
    signature: &'a [u8],
    canonical: String,
    valid: SignatureValid,
}

impl UnverifiedDsse {
    /// Verifies all signatures over the envelope's pre-authentication encoding. Each signature must have a
    /// verifier, and each verifier a signature.
    ///
    /// # Errors
    /// See [`DsseError`].
    pub fn verify(&self) -> Result<VerifiedEntry, DsseError> {
        self.check_counts()?;
        let keys = self.keys()?;
        let message = self.envelope.pre_authentication_encoding();
        let mut is_unused = vec![true; keys.len()];
        let mut verified = Vec::with_capacity(self.envelope.signatures.len());
        for (index, signature) in self.envelope.signatures.iter().enumerate() {
            let signature = signature.signature.as_slice();
            let (verifier, is_unused, valid) = self
                .verifiers
                .iter()
                .zip(&keys)
                .zip(&mut is_unused)
                .find_map(|((verifier, key), is_unused)| {
                    let valid = key.verify_message(&message, signature).ok()?;
                    Some((verifier, is_unused, valid))
                })
                .ok_or(DsseError::Signature(index))?;
            *is_unused = false;
            verified.push(CanonicalSignature {
                signature,
                canonical: verifier
                    .raw
                    .canonical_signature(verifier.key_details, signature),
                valid,
            });
        }
        if let Some(index) = is_unused.iter().position(|is_unused| *is_unused) {
            return Err(DsseError::UnusedVerifier(index));
        }
        verified.sort_by_key(|one| one.signature);
        let body = canonical_body(&self.envelope.payload, &verified);
        if body.len() > MAX_BODY {
            return Err(DsseError::TooLarge(body.len()));
        }
        let signatures = verified.into_iter().map(|one| one.valid).collect();
        Ok(VerifiedEntry::new(&KIND, body, signatures))
    }

    fn check_counts(&self) -> Result<(), DsseError> {
        let signatures = &self.envelope.signatures;
        if !(1..=MAX_SIGNATURES).contains(&signatures.len()) {
            return Err(DsseError::Signatures(signatures.len()));
        }
        if !(1..=MAX_SIGNATURES).contains(&self.verifiers.len()) {
            return Err(DsseError::Verifiers(self.verifiers.len()));
        }
        for (index, one) in signatures.iter().enumerate() {
            if one.signature.is_empty() {
                return Err(DsseError::NoSignature(index));
            }
            let mut earlier = signatures.iter().take(index);
            if earlier.any(|other| other.signature == one.signature) {
                return Err(DsseError::DuplicateSignature(index));
            }
        }
        Ok(())
    }

    fn keys(&self) -> Result<Vec<PublicKey>, DsseError> {
        let key = |(index, verifier): (usize, &DsseVerifier)| {
            // The request contains the whole message, so Ed25519 is pure Ed25519.
            verifier
                .raw
                .key(verifier.key_details, KeyAlgorithm::default_details)
                .map_err(|error| DsseError::Verifier { index, error })
        };
        self.verifiers.iter().enumerate().map(key).collect()
    }
}

/// The canonical body (RFC 8785). As in a hashedrekord, no value needs escaping.
fn canonical_body(payload: &[u8], signatures: &[CanonicalSignature<'_>]) -> Vec<u8> {
    let signatures: Vec<&str> = signatures
        .iter()
        .map(|one| one.canonical.as_str())
        .collect();
    [
        r#"{"apiVersion":"0.0.2","kind":"dsse","spec":{"dsseV002":{"payloadHash":{"algorithm":""#,
        HashAlgorithm::Sha256.registry_name(),
        r#"","digest":""#,
        &to_base64(Sha256::of(payload).as_bytes()),
        r#""},"signatures":["#,
        &signatures.join(","),
        "]}}}",
    ]
    .concat()
    .into_bytes()
}

impl TryFrom<DsseRequest> for UnverifiedDsse {
    type Error = SubmissionError;

    fn try_from(request: DsseRequest) -> Result<Self, SubmissionError> {
        let signature = |one: RequestSignature| EnvelopeSignature {
            signature: one.sig.0,
            key_id: one.keyid,
        };
        let verifier = |one: RequestVerifier| {
            let (raw, key_details) = one.into_parts()?;
            Ok(DsseVerifier { raw, key_details })
        };
        let envelope = request.envelope;
        Ok(Self {
            envelope: Envelope {
                payload: envelope.payload.0,
                payload_type: envelope.payload_type,
                signatures: envelope.signatures.into_iter().map(signature).collect(),
            },
            verifiers: request
                .verifiers
                .into_iter()
                .map(verifier)
                .collect::<Result<_, SubmissionError>>()?,
        })
    }
}

fn parse_logged(body: &[u8]) -> Option<EntryBinding> {
    let LoggedSpec { entry } = logged_spec(&KIND, body)?;
    let signature = |one: LoggedSignature| {
        let (signature, verifier, key_details) = one.into_parts()?;
        Some(BoundSignature {
            signature: Some(signature),
            verifier,
            key_details: Some(key_details),
        })
    };
    let LoggedDigest { algorithm, digest } = entry.payload_hash;
    Some(EntryBinding {
        signatures: entry
            .signatures
            .into_iter()
            .map(signature)
            .collect::<Option<_>>()?,
        content: BoundContent::Envelope(BoundEnvelope::hashed(
            Digest::new(algorithm, digest.0).ok()?,
        )),
    })
}

#[cfg(test)]
mod tests;
