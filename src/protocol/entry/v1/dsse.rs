//! dsse 0.0.1: an envelope as text, and the keys that verify it. Of the envelope only hashes and
//! signatures stay.

use serde::{Deserialize, Serialize};

use super::super::search::{SearchTerm, SearchTerms};
use super::envelope::{self, Envelope, MAX_SIGNATURES, Signed};
use super::hash::Sha256Hash;
use super::verifier::Verifier;
use super::{EntryError, body};
use crate::protocol::bytes::{Base64, Sha256, to_base64};

/// The spec as it is proposed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Dsse {
    proposed_content: ProposedContent,
    // Members of the logged form: Go's clients send null for the list, sigstore-python for all.
    #[serde(rename = "signatures", default)]
    _signatures: (),
    #[serde(rename = "envelopeHash", default)]
    _envelope_hash: (),
    #[serde(rename = "payloadHash", default)]
    _payload_hash: (),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProposedContent {
    envelope: String,
    verifiers: Vec<Base64>,
}

/// The spec as it is logged.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Logged {
    envelope_hash: Sha256Hash,
    payload_hash: Sha256Hash,
    signatures: Vec<LoggedSignature>,
}

#[derive(Serialize)]
struct LoggedSignature {
    signature: String,
    verifier: Base64,
}

const ENVELOPE: &str = "spec.proposedContent.envelope";
const VERIFIERS: &str = "spec.proposedContent.verifiers";

impl Dsse {
    pub(super) fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, EntryError> {
        let envelope = self.envelope()?;
        let verifiers = self.verifiers()?;
        let signed = envelope.verify(&verifiers, VERIFIERS)?;
        for one in &signed {
            envelope::add_verifier_terms(one.verifier, terms)?;
        }
        envelope.add_terms(terms)?;
        terms.add(SearchTerm::sha256(&self.envelope_hash()))?;
        self.body(&envelope, &signed)
    }

    /// Each signature is logged with its key, so that here too they are verified.
    pub(super) fn canonical_body(&self) -> Result<Vec<u8>, EntryError> {
        let envelope = self.envelope()?;
        let verifiers = self.verifiers()?;
        let signed = envelope.verify(&verifiers, VERIFIERS)?;
        self.body(&envelope, &signed)
    }

    fn envelope(&self) -> Result<Envelope, EntryError> {
        Envelope::from_json(&self.proposed_content.envelope).map_err(EntryError::envelope(ENVELOPE))
    }

    fn verifiers(&self) -> Result<Vec<Verifier>, EntryError> {
        let verifiers = &self.proposed_content.verifiers;
        if verifiers.is_empty() {
            return Err(EntryError::Empty(VERIFIERS));
        }
        if verifiers.len() > MAX_SIGNATURES {
            return Err(EntryError::TooManyVerifiers(verifiers.len()));
        }
        verifiers
            .iter()
            .map(|pem| Verifier::from_pem(&pem.0).map_err(EntryError::verifier(VERIFIERS)))
            .collect()
    }

    fn envelope_hash(&self) -> Sha256 {
        Sha256::of(self.proposed_content.envelope.as_bytes())
    }

    fn body(&self, envelope: &Envelope, signed: &[Signed<'_>]) -> Result<Vec<u8>, EntryError> {
        let logged = |one: &Signed<'_>| LoggedSignature {
            signature: to_base64(one.signature),
            verifier: Base64(one.verifier.canonical_pem().as_bytes().to_vec()),
        };
        let mut signatures: Vec<_> = signed.iter().map(logged).collect();
        // SPEC rekor dsse 0.0.1: in the order of the base64 text, each once.
        signatures.sort_by(|one, other| one.signature.cmp(&other.signature));
        signatures.dedup_by(|one, other| one.signature == other.signature);
        let logged = Logged {
            envelope_hash: Sha256Hash(self.envelope_hash()),
            payload_hash: Sha256Hash(envelope.payload_hash()),
            signatures,
        };
        body::write("dsse", "0.0.1", &logged)
    }
}
