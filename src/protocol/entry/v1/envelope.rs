//! DSSE envelopes inside proposed entries, and which key made which signature.

use serde::Deserialize;

use super::super::search::{SearchTerm, SearchTerms, TooManyTerms};
use super::verifier::{Message, Verifier};
use super::{EntryError, statement};
use crate::protocol::attestation::dsse::pre_authentication_encoding;
use crate::protocol::attestation::statement::PAYLOAD_TYPE;
use crate::protocol::bytes::{Sha256, from_base64_lenient};
use crate::protocol::json;
use crate::protocol::keys::SignatureValid;

/// The most signatures of one envelope, and the most keys proposed with it. Every key is tried on
/// every signature.
pub(super) const MAX_SIGNATURES: usize = 8;

/// Why a text is no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or without the members of an envelope
    #[error("must be the JSON of a DSSE envelope: payload, payloadType and signatures")]
    Malformed,
    /// A payload or signature that is not base64
    #[error("payload and sig must be base64")]
    Base64,
    /// A member that must have content has none
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Too many signatures
    #[error("the envelope has {0} signatures; the limit is {MAX_SIGNATURES}")]
    TooManySignatures(usize),
}

/// An envelope as it was read; its signatures were not verified.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    pub(super) payload: Vec<u8>,
    pub(super) payload_type: String,
    pub(super) signatures: Vec<Vec<u8>>,
}

/// A signature with the key that made it.
#[derive(Clone, Debug)]
pub(super) struct Signed<'a> {
    pub(super) signature: &'a [u8],
    pub(super) verifier: &'a Verifier,
    /// The evidence that let it come into being.
    _valid: SignatureValid,
}

// SPEC DSSE envelope.md: members that are not known are passed over, unlike elsewhere here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeForm {
    payload: String,
    payload_type: String,
    signatures: Vec<SignatureForm>,
}

#[derive(Deserialize)]
struct SignatureForm {
    sig: String,
}

impl Envelope {
    /// Reads the standard JSON form, whose base64 may be of either alphabet.
    pub(super) fn from_json(text: &str) -> Result<Self, EnvelopeError> {
        let form: EnvelopeForm =
            json::from_slice(text.as_bytes()).map_err(|_| EnvelopeError::Malformed)?;
        let decode = |text: &str| from_base64_lenient(text).map_err(|_| EnvelopeError::Base64);
        let signatures = form.signatures.iter();
        let envelope = Self {
            payload: decode(&form.payload)?,
            payload_type: form.payload_type,
            signatures: signatures
                .map(|signature| decode(&signature.sig))
                .collect::<Result<_, _>>()?,
        };
        envelope.check()?;
        Ok(envelope)
    }

    /// Insists on everything that an envelope needs, within the limit.
    pub(super) fn check(&self) -> Result<(), EnvelopeError> {
        if self.payload.is_empty() {
            return Err(EnvelopeError::Empty("payload"));
        }
        if self.payload_type.is_empty() {
            return Err(EnvelopeError::Empty("payloadType"));
        }
        if self.signatures.is_empty() || self.signatures.iter().any(Vec::is_empty) {
            return Err(EnvelopeError::Empty("signatures"));
        }
        if self.signatures.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::TooManySignatures(self.signatures.len()));
        }
        Ok(())
    }

    /// The bytes that are signed.
    pub(super) fn encoding(&self) -> Vec<u8> {
        pre_authentication_encoding(&self.payload_type, &self.payload)
    }

    /// Finds the key of every signature. Each key must have made one at least, and the last of two
    /// keys that fit a signature is the one that counts, as in Rekor.
    pub(super) fn verify<'a>(
        &'a self,
        verifiers: &'a [Verifier],
        field: &'static str,
    ) -> Result<Vec<Signed<'a>>, EntryError> {
        let encoding = self.encoding();
        let message = Message::new(&encoding);
        let mut signed: Vec<Option<Signed<'a>>> = vec![None; self.signatures.len()];
        for verifier in verifiers {
            if signed.iter().all(Option::is_some) {
                break;
            }
            let mut refusal = None;
            let mut fits = false;
            for (place, signature) in signed.iter_mut().zip(&self.signatures) {
                match verifier.verify_message(&message, signature) {
                    Ok(valid) => {
                        *place = Some(Signed {
                            signature,
                            verifier,
                            _valid: valid,
                        });
                        fits = true;
                    }
                    Err(error) => refusal = Some(error),
                }
            }
            if let (false, Some(error)) = (fits, refusal) {
                return Err(EntryError::signature(field)(error));
            }
        }
        signed
            .into_iter()
            .collect::<Option<_>>()
            .ok_or(EntryError::UnverifiedSignature)
    }

    /// Adds the payload's hash and, of an in-toto statement, what it is about.
    pub(super) fn add_terms(&self, terms: &mut SearchTerms) -> Result<(), TooManyTerms> {
        terms.add(SearchTerm::sha256(&self.payload_hash()))?;
        if self.payload_type == PAYLOAD_TYPE {
            statement::add_digests(&self.payload, terms)?;
        }
        Ok(())
    }

    /// SHA-256 of the payload.
    pub(super) fn payload_hash(&self) -> Sha256 {
        Sha256::of(&self.payload)
    }
}

/// Adds what the verifier of an envelope can be found by. Rekor keeps the hash of its PEM text as
/// if it were an artifact's, so that people look for it as either.
pub(super) fn add_verifier_terms(
    verifier: &Verifier,
    terms: &mut SearchTerms,
) -> Result<(), TooManyTerms> {
    let pem = verifier.canonical_pem();
    terms.add(SearchTerm::sha256(&Sha256::of(pem.as_bytes())))?;
    verifier.add_terms(terms)
}
