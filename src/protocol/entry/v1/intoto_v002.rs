//! intoto 0.0.2: an envelope as JSON, each signature with its key. The payload does not stay.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::super::search::SearchTerms;
use super::envelope::{self, Envelope, EnvelopeError};
use super::hash::Sha256Hash;
use super::verifier::{Message, Verifier};
use super::{EntryError, body};
use crate::protocol::bytes::{Base64, from_base64_lenient, to_base64};

/// The spec as it is proposed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntotoV002 {
    content: Content,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Content {
    envelope: EnvelopeForm,
    /// What the client says is its envelope's hash. Nobody can check it, for the keys are not part
    /// of an envelope: it is kept, and not searched by.
    hash: Sha256Hash,
    /// Clients send it, and the log makes its own.
    #[serde(rename = "payloadHash")]
    _payload_hash: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EnvelopeForm {
    payload: Twice,
    payload_type: String,
    signatures: Vec<SignatureForm>,
}

/// A signature as it is proposed, and as it is logged: only the PEM text may differ.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignatureForm {
    #[serde(rename = "keyid", default, skip_serializing_if = "is_absent")]
    key_id: Option<String>,
    public_key: Base64,
    sig: Twice,
}

fn is_absent(key_id: &Option<String>) -> bool {
    key_id.as_ref().is_none_or(String::is_empty)
}

/// Base64 of base64: an envelope's own text, once more encoded by the schema's type for bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Base64", into = "Base64")]
struct Twice(Vec<u8>);

impl TryFrom<Base64> for Twice {
    type Error = EnvelopeError;

    fn try_from(outer: Base64) -> Result<Self, EnvelopeError> {
        let inner = std::str::from_utf8(&outer.0).map_err(|_| EnvelopeError::Base64)?;
        let bytes = from_base64_lenient(inner).map_err(|_| EnvelopeError::Base64)?;
        Ok(Self(bytes))
    }
}

impl From<Twice> for Base64 {
    fn from(twice: Twice) -> Self {
        Self(to_base64(&twice.0).into_bytes())
    }
}

/// The spec as it is logged.
#[derive(Serialize)]
struct Logged<'a> {
    content: LoggedContent<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoggedContent<'a> {
    envelope: LoggedEnvelope<'a>,
    hash: &'a Sha256Hash,
    payload_hash: Sha256Hash,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoggedEnvelope<'a> {
    payload_type: &'a str,
    signatures: Vec<SignatureForm>,
}

const ENVELOPE: &str = "spec.content.envelope";
const SIGNATURE: &str = "spec.content.envelope.signatures.sig";
const PUBLIC_KEY: &str = "spec.content.envelope.signatures.publicKey";

impl IntotoV002 {
    pub(super) fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, EntryError> {
        let envelope = self.envelope()?;
        let verifiers = self.verifiers()?;
        let encoding = envelope.encoding();
        let message = Message::new(&encoding);
        for (verifier, signature) in verifiers.iter().zip(&envelope.signatures) {
            let _valid = verifier
                .verify_message(&message, signature)
                .map_err(EntryError::signature(SIGNATURE))?;
            envelope::add_verifier_terms(verifier, terms)?;
        }
        envelope.add_terms(terms)?;
        self.body(&envelope, &verifiers)
    }

    pub(super) fn canonical_body(&self) -> Result<Vec<u8>, EntryError> {
        self.body(&self.envelope()?, &self.verifiers()?)
    }

    fn envelope(&self) -> Result<Envelope, EntryError> {
        let form = &self.content.envelope;
        let signatures = form.signatures.iter();
        let envelope = Envelope {
            payload: form.payload.0.clone(),
            payload_type: form.payload_type.clone(),
            signatures: signatures.map(|one| one.sig.0.clone()).collect(),
        };
        envelope.check().map_err(EntryError::envelope(ENVELOPE))?;
        Ok(envelope)
    }

    /// One for each signature, in their order.
    fn verifiers(&self) -> Result<Vec<Verifier>, EntryError> {
        let signatures = self.content.envelope.signatures.iter();
        signatures
            .map(|one| Verifier::from_pem(&one.public_key.0))
            .collect::<Result<_, _>>()
            .map_err(EntryError::verifier(PUBLIC_KEY))
    }

    fn body(&self, envelope: &Envelope, verifiers: &[Verifier]) -> Result<Vec<u8>, EntryError> {
        let form = &self.content.envelope;
        let signature = |(one, verifier): (&SignatureForm, &Verifier)| SignatureForm {
            public_key: Base64(verifier.canonical_pem().as_bytes().to_vec()),
            ..one.clone()
        };
        let logged = Logged {
            content: LoggedContent {
                envelope: LoggedEnvelope {
                    payload_type: &form.payload_type,
                    signatures: form
                        .signatures
                        .iter()
                        .zip(verifiers)
                        .map(signature)
                        .collect(),
                },
                hash: &self.content.hash,
                payload_hash: Sha256Hash(envelope.payload_hash()),
            },
        };
        body::write("intoto", "0.0.2", &logged)
    }
}
