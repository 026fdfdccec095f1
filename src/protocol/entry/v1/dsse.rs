//! dsse 0.0.1: an envelope as JSON text, and its verifiers. Hashes, signatures and verifiers are logged.

use serde::{Deserialize, Serialize};

use super::super::binding::{BoundContent, BoundEnvelope, BoundSignature, EntryBinding};
use super::super::search::{SearchTerm, SearchTerms};
use super::super::verifier::RawVerifier;
use super::super::{EntryKind, logged_spec};
use super::envelope::{self, MAX_SIGNATURES, ProposedEnvelope, VerifiedSignature};
use super::spec::{LoggedHash, write_body};
use super::verifier::PemVerifier;
use super::{Proposal, V1EntryError, parse_spec};
use crate::protocol::bytes::{Base64, to_base64};
use crate::protocol::hash::Sha256;

pub(in super::super) const KIND: EntryKind = EntryKind {
    name: "dsse",
    version: "0.0.1",
    parse_proposal: Some(parse_spec::<DsseV001>),
    parse_logged: Some(parse_logged),
};

/// The proposed spec.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DsseV001 {
    proposed_content: ProposedContent,
    // Members of the logged form. Go clients send null for `signatures`, sigstore-python for all three.
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

/// The logged spec.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoggedDsse {
    /// SHA-256 of the envelope's JSON as uploaded, which a bundle does not contain.
    envelope_hash: LoggedHash,
    payload_hash: LoggedHash,
    signatures: Vec<LoggedSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoggedSignature {
    signature: Base64,
    verifier: Base64,
}

const ENVELOPE: &str = "spec.proposedContent.envelope";
const VERIFIERS: &str = "spec.proposedContent.verifiers";

impl DsseV001 {
    fn envelope(&self) -> Result<ProposedEnvelope, V1EntryError> {
        ProposedEnvelope::from_json(&self.proposed_content.envelope)
            .map_err(V1EntryError::envelope(ENVELOPE))
    }

    fn verifiers(&self) -> Result<Vec<PemVerifier>, V1EntryError> {
        let verifiers = &self.proposed_content.verifiers;
        if verifiers.is_empty() {
            return Err(V1EntryError::Empty(VERIFIERS));
        }
        if verifiers.len() > MAX_SIGNATURES {
            return Err(V1EntryError::TooManyVerifiers(verifiers.len()));
        }
        verifiers
            .iter()
            .map(|pem| PemVerifier::parse(&pem.0).map_err(V1EntryError::verifier(VERIFIERS)))
            .collect()
    }

    fn envelope_hash(&self) -> Sha256 {
        Sha256::of(self.proposed_content.envelope.as_bytes())
    }

    fn body(
        &self,
        envelope: &ProposedEnvelope,
        signatures: &[VerifiedSignature<'_>],
    ) -> Result<Vec<u8>, V1EntryError> {
        let mut signatures: Vec<_> = signatures.iter().collect();
        // Rekor pkg/types/dsse/v0.0.1: sorted by base64 text, without duplicates.
        signatures.sort_by_cached_key(|one| to_base64(one.signature));
        signatures.dedup_by_key(|one| one.signature);
        let logged = |one: &VerifiedSignature<'_>| LoggedSignature {
            signature: Base64(one.signature.to_vec()),
            verifier: Base64(one.verifier.canonical_pem().as_bytes().to_vec()),
        };
        let spec = LoggedDsse {
            envelope_hash: LoggedHash::sha256(self.envelope_hash()),
            payload_hash: LoggedHash::sha256(envelope.payload_hash()),
            signatures: signatures.into_iter().map(logged).collect(),
        };
        write_body(&KIND, &spec)
    }
}

impl Proposal for DsseV001 {
    fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, V1EntryError> {
        let envelope = self.envelope()?;
        let verifiers = self.verifiers()?;
        let signatures = envelope.verify(&verifiers, VERIFIERS)?;
        for one in &signatures {
            envelope::add_verifier_terms(one.verifier, terms)?;
        }
        envelope.add_terms(terms)?;
        terms.add(SearchTerm::sha256(&self.envelope_hash()))?;
        self.body(&envelope, &signatures)
    }

    /// Verifies the signatures, because the body contains the verifier of each signature.
    fn canonical_body(&self) -> Result<Vec<u8>, V1EntryError> {
        let envelope = self.envelope()?;
        let verifiers = self.verifiers()?;
        self.body(&envelope, &envelope.verify(&verifiers, VERIFIERS)?)
    }
}

fn parse_logged(body: &[u8]) -> Option<EntryBinding> {
    let logged: LoggedDsse = logged_spec(&KIND, body)?;
    let signature = |one: LoggedSignature| {
        Some(BoundSignature {
            signature: Some(one.signature.0),
            verifier: RawVerifier::from_pem(&one.verifier.0)?,
            key_details: None,
        })
    };
    let signatures = logged.signatures.into_iter().map(signature);
    Some(EntryBinding {
        signatures: signatures.collect::<Option<_>>()?,
        content: BoundContent::Envelope(BoundEnvelope::hashed(logged.payload_hash.digest()?)),
    })
}
