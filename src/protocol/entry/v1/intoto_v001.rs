//! intoto 0.0.1: an envelope as JSON text, and one key. Hashes and the key are logged.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::super::binding::{BoundContent, BoundEnvelope, EntryBinding};
use super::super::search::{SearchTerm, SearchTerms};
use super::super::verifier::RawVerifier;
use super::super::{EntryKind, logged_spec};
use super::envelope::{self, ProposedEnvelope};
use super::spec::{LoggedHash, write_body};
use super::verifier::PemVerifier;
use super::{Proposal, V1EntryError, parse_spec};
use crate::protocol::bytes::Base64;
use crate::protocol::hash::Sha256;

pub(in super::super) const KIND: EntryKind = EntryKind {
    name: "intoto",
    version: "0.0.1",
    parse_proposal: Some(parse_spec::<IntotoV001>),
    parse_logged: Some(parse_logged),
};

/// The proposed spec.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IntotoV001 {
    content: ProposedContent,
    public_key: Base64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProposedContent {
    envelope: String,
    // Sent by clients and ignored; the log computes the hashes.
    #[serde(rename = "hash")]
    _hash: Option<IgnoredAny>,
    #[serde(rename = "payloadHash")]
    _payload_hash: Option<IgnoredAny>,
}

/// The logged spec.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoggedIntoto {
    content: LoggedContent,
    public_key: Base64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoggedContent {
    /// SHA-256 of the envelope's JSON as uploaded.
    hash: LoggedHash,
    payload_hash: LoggedHash,
}

const ENVELOPE: &str = "spec.content.envelope";
const PUBLIC_KEY: &str = "spec.publicKey";

impl IntotoV001 {
    fn envelope(&self) -> Result<ProposedEnvelope, V1EntryError> {
        ProposedEnvelope::from_json(&self.content.envelope)
            .map_err(V1EntryError::envelope(ENVELOPE))
    }

    fn verifier(&self) -> Result<PemVerifier, V1EntryError> {
        PemVerifier::parse(&self.public_key.0).map_err(V1EntryError::verifier(PUBLIC_KEY))
    }

    fn envelope_hash(&self) -> Sha256 {
        Sha256::of(self.content.envelope.as_bytes())
    }

    fn body(
        &self,
        envelope: &ProposedEnvelope,
        verifier: &PemVerifier,
    ) -> Result<Vec<u8>, V1EntryError> {
        let spec = LoggedIntoto {
            content: LoggedContent {
                hash: LoggedHash::sha256(self.envelope_hash()),
                payload_hash: LoggedHash::sha256(envelope.payload_hash()),
            },
            public_key: Base64(verifier.canonical_pem().as_bytes().to_vec()),
        };
        write_body(&KIND, &spec)
    }
}

impl Proposal for IntotoV001 {
    fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, V1EntryError> {
        let envelope = self.envelope()?;
        let verifier = self.verifier()?;
        let _signatures = envelope.verify(std::slice::from_ref(&verifier), ENVELOPE)?;
        envelope::add_verifier_terms(&verifier, terms)?;
        envelope.add_terms(terms)?;
        terms.add(SearchTerm::sha256(&self.envelope_hash()))?;
        self.body(&envelope, &verifier)
    }

    fn canonical_body(&self) -> Result<Vec<u8>, V1EntryError> {
        self.body(&self.envelope()?, &self.verifier()?)
    }
}

fn parse_logged(body: &[u8]) -> Option<EntryBinding> {
    let logged: LoggedIntoto = logged_spec(&KIND, body)?;
    Some(EntryBinding::single(
        None,
        RawVerifier::from_pem(&logged.public_key.0)?,
        BoundContent::Envelope(BoundEnvelope {
            uploaded_hash: Some(logged.content.hash.digest()?),
            ..BoundEnvelope::hashed(logged.content.payload_hash.digest()?)
        }),
    ))
}
