//! intoto 0.0.2: an envelope as a JSON object, in which each signature has its key. The payload is not
//! logged.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::super::binding::{BoundContent, BoundEnvelope, BoundSignature, EntryBinding};
use super::super::search::SearchTerms;
use super::super::verifier::RawVerifier;
use super::super::{EntryKind, logged_spec};
use super::envelope::{self, EnvelopeError, ProposedEnvelope};
use super::spec::{LoggedHash, ProposedSha256, write_body};
use super::verifier::{HashedMessage, PemVerifier};
use super::{Proposal, V1EntryError, parse_spec};
use crate::protocol::bytes::{Base64, from_base64, from_base64_lenient, to_base64};

pub(in super::super) const KIND: EntryKind = EntryKind {
    name: "intoto",
    version: "0.0.2",
    parse_proposal: Some(parse_spec::<IntotoV002>),
    parse_logged: Some(parse_logged),
};

/// The proposed spec.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IntotoV002 {
    content: ProposedContent,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProposedContent {
    envelope: ProposedObject,
    /// The client's hash of the envelope. It cannot be checked, because the hashed envelope does not
    /// contain the keys. It is logged but not indexed.
    hash: ProposedSha256,
    // Sent by clients and ignored; the log computes the hash.
    #[serde(rename = "payloadHash")]
    _payload_hash: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProposedObject {
    payload: TwiceBase64,
    payload_type: String,
    signatures: Vec<ProposedSignature>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProposedSignature {
    #[serde(rename = "keyid")]
    key_id: Option<String>,
    public_key: Base64,
    sig: TwiceBase64,
}

/// Base64 of base64 (Rekor `pkg/types/intoto/v0.0.2`). The inner text is that of the envelope, in either
/// alphabet.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Base64")]
struct TwiceBase64(Vec<u8>);

impl TryFrom<Base64> for TwiceBase64 {
    type Error = EnvelopeError;

    fn try_from(outer: Base64) -> Result<Self, EnvelopeError> {
        let inner = std::str::from_utf8(&outer.0).map_err(|_| EnvelopeError::Base64)?;
        let bytes = from_base64_lenient(inner).map_err(|_| EnvelopeError::Base64)?;
        Ok(Self(bytes))
    }
}

/// The logged spec.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoggedIntoto {
    content: LoggedContent,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoggedContent {
    envelope: LoggedEnvelope,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<LoggedHash>,
    payload_hash: LoggedHash,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoggedEnvelope {
    /// Not logged by Signet, but other logs may contain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Base64>,
    payload_type: String,
    signatures: Vec<LoggedSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoggedSignature {
    #[serde(rename = "keyid", skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    public_key: Base64,
    sig: Base64,
}

const ENVELOPE: &str = "spec.content.envelope";
const SIGNATURE: &str = "spec.content.envelope.signatures.sig";
const PUBLIC_KEY: &str = "spec.content.envelope.signatures.publicKey";

impl IntotoV002 {
    fn envelope(&self) -> Result<ProposedEnvelope, V1EntryError> {
        let object = &self.content.envelope;
        let signatures = object.signatures.iter();
        ProposedEnvelope::new(
            object.payload.0.clone(),
            object.payload_type.clone(),
            signatures.map(|one| one.sig.0.clone()).collect(),
        )
        .map_err(V1EntryError::envelope(ENVELOPE))
    }

    /// The verifier of each signature, in the order of the signatures.
    fn verifiers(&self) -> Result<Vec<PemVerifier>, V1EntryError> {
        let signatures = self.content.envelope.signatures.iter();
        signatures
            .map(|one| PemVerifier::parse(&one.public_key.0))
            .collect::<Result<_, _>>()
            .map_err(V1EntryError::verifier(PUBLIC_KEY))
    }

    fn body(
        &self,
        envelope: &ProposedEnvelope,
        verifiers: &[PemVerifier],
    ) -> Result<Vec<u8>, V1EntryError> {
        let object = &self.content.envelope;
        let signature = |(one, verifier): (&ProposedSignature, &PemVerifier)| LoggedSignature {
            key_id: one.key_id.clone().filter(|id| !id.is_empty()),
            public_key: Base64(verifier.canonical_pem().as_bytes().to_vec()),
            sig: Base64(to_base64(&one.sig.0).into_bytes()),
        };
        let signatures = object.signatures.iter().zip(verifiers).map(signature);
        let spec = LoggedIntoto {
            content: LoggedContent {
                envelope: LoggedEnvelope {
                    payload: None,
                    payload_type: object.payload_type.clone(),
                    signatures: signatures.collect(),
                },
                hash: Some(LoggedHash::sha256(self.content.hash.0)),
                payload_hash: LoggedHash::sha256(envelope.payload_hash()),
            },
        };
        write_body(&KIND, &spec)
    }
}

impl Proposal for IntotoV002 {
    fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, V1EntryError> {
        let envelope = self.envelope()?;
        let verifiers = self.verifiers()?;
        let encoding = envelope.pre_authentication_encoding();
        let message = HashedMessage::new(&encoding);
        for (verifier, signature) in verifiers.iter().zip(envelope.signatures()) {
            let _valid = verifier
                .verify_message(&message, signature)
                .map_err(V1EntryError::signature(SIGNATURE))?;
            envelope::add_verifier_terms(verifier, terms)?;
        }
        envelope.add_terms(terms)?;
        self.body(&envelope, &verifiers)
    }

    fn canonical_body(&self) -> Result<Vec<u8>, V1EntryError> {
        self.body(&self.envelope()?, &self.verifiers()?)
    }
}

fn parse_logged(body: &[u8]) -> Option<EntryBinding> {
    let LoggedIntoto { content } = logged_spec(&KIND, body)?;
    let decode = |outer: &Base64| from_base64(std::str::from_utf8(&outer.0).ok()?).ok();
    let signature = |one: &LoggedSignature| {
        Some(BoundSignature {
            signature: Some(decode(&one.sig)?),
            verifier: RawVerifier::from_pem(&one.public_key.0)?,
            key_details: None,
        })
    };
    let envelope = content.envelope;
    let payload = match &envelope.payload {
        Some(payload) => Some(decode(payload)?),
        None => None,
    };
    Some(EntryBinding {
        signatures: envelope
            .signatures
            .iter()
            .map(signature)
            .collect::<Option<_>>()?,
        content: BoundContent::Envelope(BoundEnvelope {
            payload_type: Some(envelope.payload_type),
            payload,
            ..BoundEnvelope::hashed(content.payload_hash.digest()?)
        }),
    })
}
