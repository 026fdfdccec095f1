//! dsse 0.0.2: the hash of an envelope's payload, and every signature over the envelope with the
//! certificate or key that verifies it.

use super::hashedrekord::MAX_BODY;
use super::verifier::{RawVerifier, VerifierError};
use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::bytes::{HashAlgorithm, Sha256, to_base64};
use crate::protocol::keys::{KeyAlgorithm, KeyDetails, PublicKey, SignatureValid};

/// The most signatures, and the most verifiers: each may have to be tried with each.
pub(super) const MAX_SIGNATURES: usize = 4;

/// A certificate or key, and what kind of key it says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsseVerifier {
    /// The certificate or key.
    pub raw: RawVerifier,
    /// The key's kind, hash and padding.
    pub key_details: KeyDetails,
}

/// An envelope and what should verify its signatures; none was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedDsse {
    /// What was signed, with its signatures; key IDs are not looked at.
    pub envelope: Envelope,
    /// In any order.
    pub verifiers: Vec<DsseVerifier>,
}

/// A dsse entry, each of whose signatures was verified, in canonical form.
#[derive(Clone, Debug)]
pub struct Dsse {
    body: Vec<u8>,
    /// The evidence that let it come into being.
    _signatures: Vec<SignatureValid>,
}

/// Why an envelope is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// None, or too many to try
    #[error("envelope.signatures has {0} members; there must be 1 to {MAX_SIGNATURES}")]
    Signatures(usize),
    /// None, or too many to try
    #[error("verifiers has {0} members; there must be 1 to {MAX_SIGNATURES}")]
    Verifiers(usize),
    /// A signature without bytes
    #[error("envelope.signatures[{0}].sig is empty")]
    NoSignature(usize),
    /// The same signature twice
    #[error("envelope.signatures[{0}].sig is there a second time")]
    SameSignature(usize),
    /// A certificate or key that is not accepted
    #[error("verifiers[{index}].{error}")]
    Verifier {
        /// Which of them.
        index: usize,
        /// What is wrong with it.
        error: VerifierError,
    },
    /// No verifier verifies it
    #[error("envelope.signatures[{0}].sig does not match the envelope with any of the verifiers")]
    Signature(usize),
    /// It verifies nothing, so that nothing ties it to the entry
    #[error("verifiers[{0}] verifies none of the envelope's signatures")]
    IdleVerifier(usize),
    /// More bytes than an entry can have
    #[error("the canonical entry has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
}

/// A signature that holds, and its canonical form.
struct Verified<'a> {
    signature: &'a [u8],
    canonical: String,
    evidence: SignatureValid,
}

impl UnverifiedDsse {
    /// Verifies every signature over the envelope's pre-authentication encoding. Each needs a
    /// verifier, and each verifier a signature.
    ///
    /// # Errors
    /// See [`DsseError`].
    pub fn verify(&self) -> Result<Dsse, DsseError> {
        self.check_counts()?;
        let keys = self.keys()?;
        let message = self.envelope.pre_authentication_encoding();
        let mut idle: Vec<bool> = keys.iter().map(|_| true).collect();
        let mut verified = Vec::with_capacity(self.envelope.signatures.len());
        for (index, signature) in self.envelope.signatures.iter().enumerate() {
            let signature = signature.signature.as_slice();
            let (verifier, idle, evidence) = self
                .verifiers
                .iter()
                .zip(&keys)
                .zip(&mut idle)
                .find_map(|((verifier, key), idle)| {
                    let evidence = key.verify_message(&message, signature).ok()?;
                    Some((verifier, idle, evidence))
                })
                .ok_or(DsseError::Signature(index))?;
            *idle = false;
            let canonical = verifier
                .raw
                .canonical_signature(verifier.key_details, signature);
            verified.push(Verified {
                signature,
                canonical,
                evidence,
            });
        }
        if let Some(index) = idle.iter().position(|idle| *idle) {
            return Err(DsseError::IdleVerifier(index));
        }
        verified.sort_by_key(|one| one.signature);
        let body = canonical_body(&self.envelope.payload, &verified);
        if body.len() > MAX_BODY {
            return Err(DsseError::TooLarge(body.len()));
        }
        Ok(Dsse {
            body,
            _signatures: verified.into_iter().map(|one| one.evidence).collect(),
        })
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
                return Err(DsseError::SameSignature(index));
            }
        }
        Ok(())
    }

    fn keys(&self) -> Result<Vec<PublicKey>, DsseError> {
        let key = |(index, verifier): (usize, &DsseVerifier)| {
            // The whole message is at hand, so that Ed25519 signs it as it is.
            verifier
                .raw
                .key(verifier.key_details, KeyAlgorithm::default_details)
                .map_err(|error| DsseError::Verifier { index, error })
        };
        self.verifiers.iter().enumerate().map(key).collect()
    }
}

/// The canonical body (RFC 8785): as in a hashedrekord, no value needs an escape.
fn canonical_body(payload: &[u8], signatures: &[Verified<'_>]) -> Vec<u8> {
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

impl Dsse {
    /// The canonical body, given away.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

#[cfg(test)]
mod tests;
