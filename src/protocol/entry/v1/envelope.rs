//! DSSE envelopes in proposed entries: verification and search terms.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::search::{SearchTerm, SearchTerms, TooManyTerms};
use super::V1EntryError;
use super::verifier::{HashedMessage, PemVerifier};
use crate::protocol::attestation::dsse::pre_authentication_encoding;
use crate::protocol::attestation::statement::PAYLOAD_TYPE;
use crate::protocol::bytes::from_base64_lenient;
use crate::protocol::hash::Sha256;
use crate::protocol::json;
use crate::protocol::keys::SignatureValid;

/// Maximum number of signatures of an envelope, and of its verifiers. Every verifier may be tried on
/// every signature.
pub(super) const MAX_SIGNATURES: usize = 8;

/// Error parsing an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or without the members of an envelope.
    #[error("must be a DSSE envelope in JSON, with payload, payloadType and signatures")]
    Malformed,
    #[error("payload and sig must be base64")]
    Base64,
    #[error("{0} is empty")]
    Empty(&'static str),
    #[error("the envelope has {0} signatures; the limit is {MAX_SIGNATURES}")]
    TooManySignatures(usize),
}

/// An unverified envelope without empty members.
#[derive(Clone, Debug)]
pub(super) struct ProposedEnvelope {
    payload: Vec<u8>,
    payload_type: String,
    signatures: Vec<Vec<u8>>,
}

/// A signature with the verifier that verified it.
#[derive(Clone, Debug)]
pub(super) struct VerifiedSignature<'a> {
    pub(super) signature: &'a [u8],
    pub(super) verifier: &'a PemVerifier,
    _valid: SignatureValid,
}

impl ProposedEnvelope {
    pub(super) fn new(
        payload: Vec<u8>,
        payload_type: String,
        signatures: Vec<Vec<u8>>,
    ) -> Result<Self, EnvelopeError> {
        if payload.is_empty() {
            return Err(EnvelopeError::Empty("payload"));
        }
        if payload_type.is_empty() {
            return Err(EnvelopeError::Empty("payloadType"));
        }
        if signatures.is_empty() || signatures.iter().any(Vec::is_empty) {
            return Err(EnvelopeError::Empty("signatures"));
        }
        if signatures.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::TooManySignatures(signatures.len()));
        }
        Ok(Self {
            payload,
            payload_type,
            signatures,
        })
    }

    /// Parses the standard JSON form. Both base64 alphabets are accepted.
    pub(super) fn from_json(text: &str) -> Result<Self, EnvelopeError> {
        // DSSE envelope.md: unknown members must be ignored, unlike in entries.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Envelope {
            payload: String,
            payload_type: String,
            signatures: Vec<Signature>,
        }
        #[derive(Deserialize)]
        struct Signature {
            sig: String,
        }
        let envelope: Envelope =
            json::from_slice(text.as_bytes()).map_err(|_| EnvelopeError::Malformed)?;
        let decode = |text: &str| from_base64_lenient(text).map_err(|_| EnvelopeError::Base64);
        let signatures = envelope.signatures.iter().map(|one| decode(&one.sig));
        Self::new(
            decode(&envelope.payload)?,
            envelope.payload_type,
            signatures.collect::<Result<_, _>>()?,
        )
    }

    pub(super) fn signatures(&self) -> &[Vec<u8>] {
        &self.signatures
    }

    pub(super) fn payload_hash(&self) -> Sha256 {
        Sha256::of(&self.payload)
    }

    pub(super) fn pre_authentication_encoding(&self) -> Vec<u8> {
        pre_authentication_encoding(&self.payload_type, &self.payload)
    }

    /// Verifies every signature, and finds its verifier. Each verifier must verify at least one signature.
    /// If two verify the same signature, the last one is logged, as in Rekor. `field` is the path of the
    /// verifiers.
    pub(super) fn verify<'a>(
        &'a self,
        verifiers: &'a [PemVerifier],
        field: &'static str,
    ) -> Result<Vec<VerifiedSignature<'a>>, V1EntryError> {
        let encoding = self.pre_authentication_encoding();
        let message = HashedMessage::new(&encoding);
        let mut verified: Vec<Option<VerifiedSignature<'a>>> = vec![None; self.signatures.len()];
        for verifier in verifiers {
            if verified.iter().all(Option::is_some) {
                break;
            }
            let mut last_error = None;
            let mut verified_one = false;
            for (slot, signature) in verified.iter_mut().zip(&self.signatures) {
                match verifier.verify_message(&message, signature) {
                    Ok(valid) => {
                        *slot = Some(VerifiedSignature {
                            signature,
                            verifier,
                            _valid: valid,
                        });
                        verified_one = true;
                    }
                    Err(error) => last_error = Some(error),
                }
            }
            if let (false, Some(error)) = (verified_one, last_error) {
                return Err(V1EntryError::signature(field)(error));
            }
        }
        verified
            .into_iter()
            .collect::<Option<_>>()
            .ok_or(V1EntryError::UnverifiedSignature)
    }

    /// Adds the payload hash and, for an in-toto statement, the digests that it contains.
    pub(super) fn add_terms(&self, terms: &mut SearchTerms) -> Result<(), TooManyTerms> {
        terms.add(SearchTerm::sha256(&self.payload_hash()))?;
        if self.payload_type == PAYLOAD_TYPE {
            add_statement_terms(&self.payload, terms)?;
        }
        Ok(())
    }
}

/// Adds the terms of an envelope's verifier. Rekor indexes the hash of its PEM also as an artifact digest,
/// so clients search for it in both ways.
pub(super) fn add_verifier_terms(
    verifier: &PemVerifier,
    terms: &mut SearchTerms,
) -> Result<(), TooManyTerms> {
    let pem = verifier.canonical_pem();
    terms.add(SearchTerm::sha256(&Sha256::of(pem.as_bytes())))?;
    verifier.add_terms(terms)
}

/// Adds the digests of a statement's subjects and of a provenance's materials. A payload that is not a
/// valid statement adds none; the log accepts it because its signature verifies.
fn add_statement_terms(payload: &[u8], terms: &mut SearchTerms) -> Result<(), TooManyTerms> {
    #[derive(Deserialize)]
    struct Subjects {
        subject: Vec<Described>,
    }
    #[derive(Deserialize)]
    struct Provenance {
        predicate: Predicate,
    }
    #[derive(Deserialize)]
    struct Predicate {
        materials: Vec<Described>,
    }
    #[derive(Deserialize)]
    struct Described {
        #[serde(default)]
        digest: BTreeMap<String, String>,
    }
    fn read<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
        json::from_slice(payload).ok()
    }
    let subjects = read::<Subjects>(payload).map(|statement| statement.subject);
    let materials = read::<Provenance>(payload).map(|statement| statement.predicate.materials);
    for described in [subjects, materials].into_iter().flatten().flatten() {
        let digests = described.digest.iter();
        terms.extend(digests.map(|(name, value)| SearchTerm::named_digest(name, value)))?;
    }
    Ok(())
}
