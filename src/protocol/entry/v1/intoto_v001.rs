//! intoto 0.0.1: an envelope as text and the one key that signed it. Only hashes and the key stay.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::super::search::{SearchTerm, SearchTerms};
use super::envelope::{self, Envelope};
use super::hash::Sha256Hash;
use super::verifier::Verifier;
use super::{EntryError, body};
use crate::protocol::bytes::{Base64, Sha256};

/// The spec as it is proposed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IntotoV001 {
    content: Content,
    public_key: Base64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Content {
    envelope: String,
    /// Clients send hashes, and the log makes its own.
    #[serde(rename = "hash")]
    _hash: Option<IgnoredAny>,
    #[serde(rename = "payloadHash")]
    _payload_hash: Option<IgnoredAny>,
}

/// The spec as it is logged.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Logged {
    content: LoggedContent,
    public_key: Base64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoggedContent {
    hash: Sha256Hash,
    payload_hash: Sha256Hash,
}

const ENVELOPE: &str = "spec.content.envelope";
const PUBLIC_KEY: &str = "spec.publicKey";

impl IntotoV001 {
    pub(super) fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, EntryError> {
        let envelope = self.envelope()?;
        let verifier = self.verifier()?;
        let _signed = envelope.verify(std::slice::from_ref(&verifier), ENVELOPE)?;
        envelope::add_verifier_terms(&verifier, terms)?;
        envelope.add_terms(terms)?;
        terms.add(SearchTerm::sha256(&self.envelope_hash()))?;
        self.body(&envelope, &verifier)
    }

    pub(super) fn canonical_body(&self) -> Result<Vec<u8>, EntryError> {
        self.body(&self.envelope()?, &self.verifier()?)
    }

    fn envelope(&self) -> Result<Envelope, EntryError> {
        Envelope::from_json(&self.content.envelope).map_err(EntryError::envelope(ENVELOPE))
    }

    fn verifier(&self) -> Result<Verifier, EntryError> {
        Verifier::from_pem(&self.public_key.0).map_err(EntryError::verifier(PUBLIC_KEY))
    }

    fn envelope_hash(&self) -> Sha256 {
        Sha256::of(self.content.envelope.as_bytes())
    }

    fn body(&self, envelope: &Envelope, verifier: &Verifier) -> Result<Vec<u8>, EntryError> {
        let logged = Logged {
            content: LoggedContent {
                hash: Sha256Hash(self.envelope_hash()),
                payload_hash: Sha256Hash(envelope.payload_hash()),
            },
            public_key: Base64(verifier.canonical_pem().as_bytes().to_vec()),
        };
        body::write("intoto", "0.0.1", &logged)
    }
}
