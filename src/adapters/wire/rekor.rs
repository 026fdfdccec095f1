//! Rekor v2's messages in proto3 JSON (`dev.sigstore.rekor.v2`, `dev.sigstore.rekor.v1`).

use serde::{Deserialize, Serialize, Serializer};

use crate::protocol::attestation::dsse::{Envelope, EnvelopeSignature};
use crate::protocol::bytes::{ProtoBytes, to_base64};
use crate::protocol::entry::{
    DsseVerifier, EntryError, RawVerifier, UnverifiedDsse, UnverifiedEntry, UnverifiedHashedRekord,
};
use crate::protocol::keys::KeyDetails;
use crate::services::rekor::LoggedEntry;

/// `CreateEntryRequest`: exactly one of its members is there. Unknown members are refused.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CreateEntryRequest {
    /// A hashedrekord 0.0.2
    #[serde(
        rename = "hashedRekordRequestV002",
        alias = "hashed_rekord_request_v002",
        skip_serializing_if = "Option::is_none"
    )]
    hashed_rekord: Option<HashedRekordRequest>,
    /// A dsse 0.0.2, which our own client does not send
    #[serde(
        rename = "dsseRequestV002",
        alias = "dsse_request_v002",
        skip_serializing
    )]
    dsse: Option<DsseRequest>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DsseRequest {
    envelope: DsseEnvelope,
    verifiers: Vec<Verifier>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DsseEnvelope {
    payload: ProtoBytes,
    #[serde(rename = "payloadType", alias = "payload_type")]
    payload_type: String,
    signatures: Vec<DsseSignature>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DsseSignature {
    sig: ProtoBytes,
    keyid: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HashedRekordRequest {
    #[serde(serialize_with = "as_base64")]
    digest: ProtoBytes,
    signature: Signature,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    #[serde(serialize_with = "as_base64")]
    content: ProtoBytes,
    verifier: Verifier,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Verifier {
    #[serde(alias = "public_key", skip_serializing_if = "Option::is_none")]
    public_key: Option<RawBytes>,
    #[serde(alias = "x509_certificate", skip_serializing_if = "Option::is_none")]
    x509_certificate: Option<RawBytes>,
    #[serde(alias = "key_details")]
    key_details: KeyDetails,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBytes {
    #[serde(alias = "raw_bytes", serialize_with = "as_base64")]
    raw_bytes: ProtoBytes,
}

fn as_base64<S: Serializer>(bytes: &ProtoBytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_base64(&bytes.0))
}

impl From<&UnverifiedHashedRekord> for CreateEntryRequest {
    /// The request that a client sends for this entry.
    fn from(entry: &UnverifiedHashedRekord) -> Self {
        let raw = |bytes: &[u8]| {
            Some(RawBytes {
                raw_bytes: ProtoBytes(bytes.to_vec()),
            })
        };
        let (x509_certificate, public_key) = match &entry.verifier {
            RawVerifier::Certificate(der) => (raw(der), None),
            RawVerifier::PublicKey(spki) => (None, raw(spki)),
        };
        Self {
            hashed_rekord: Some(HashedRekordRequest {
                digest: ProtoBytes(entry.digest.as_bytes().to_vec()),
                signature: Signature {
                    content: ProtoBytes(entry.signature.clone()),
                    verifier: Verifier {
                        public_key,
                        x509_certificate,
                        key_details: entry.key_details,
                    },
                },
            }),
            dsse: None,
        }
    }
}

/// Why a request names no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// Neither kind, or both
    #[error("the request must have one member, hashedRekordRequestV002 or dsseRequestV002")]
    NoEntry,
    /// Neither a certificate nor a key, or both
    #[error("every verifier must have one of x509Certificate and publicKey")]
    Verifier,
    /// An entry whose parts do not fit
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl TryFrom<CreateEntryRequest> for UnverifiedEntry {
    type Error = SubmissionError;

    fn try_from(request: CreateEntryRequest) -> Result<Self, SubmissionError> {
        match (request.hashed_rekord, request.dsse) {
            (Some(entry), None) => Ok(Self::HashedRekord(entry.try_into()?)),
            (None, Some(entry)) => Ok(Self::Dsse(entry.try_into()?)),
            (None, None) | (Some(_), Some(_)) => Err(SubmissionError::NoEntry),
        }
    }
}

impl TryFrom<HashedRekordRequest> for UnverifiedHashedRekord {
    type Error = SubmissionError;

    fn try_from(entry: HashedRekordRequest) -> Result<Self, SubmissionError> {
        let key_details = entry.signature.verifier.key_details;
        Ok(Self::new(
            entry.digest.0,
            entry.signature.content.0,
            entry.signature.verifier.raw()?,
            key_details,
        )?)
    }
}

impl TryFrom<DsseRequest> for UnverifiedDsse {
    type Error = SubmissionError;

    fn try_from(entry: DsseRequest) -> Result<Self, SubmissionError> {
        let signature = |one: DsseSignature| EnvelopeSignature {
            signature: one.sig.0,
            key_id: one.keyid,
        };
        let verifier = |one: Verifier| {
            let key_details = one.key_details;
            let raw = one.raw()?;
            Ok(DsseVerifier { raw, key_details })
        };
        let envelope = entry.envelope;
        Ok(Self {
            envelope: Envelope {
                payload: envelope.payload.0,
                payload_type: envelope.payload_type,
                signatures: envelope.signatures.into_iter().map(signature).collect(),
            },
            verifiers: entry
                .verifiers
                .into_iter()
                .map(verifier)
                .collect::<Result<_, SubmissionError>>()?,
        })
    }
}

impl Verifier {
    /// Exactly one of the two.
    fn raw(self) -> Result<RawVerifier, SubmissionError> {
        match (self.x509_certificate, self.public_key) {
            (Some(certificate), None) => Ok(RawVerifier::Certificate(certificate.raw_bytes.0)),
            (None, Some(key)) => Ok(RawVerifier::PublicKey(key.raw_bytes.0)),
            (None, None) | (Some(_), Some(_)) => Err(SubmissionError::Verifier),
        }
    }
}

/// `TransparencyLogEntry`, every member written: 64-bit numbers are strings, and what a v2 log does
/// not have is written as its zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransparencyLogEntry {
    log_index: String,
    log_id: LogId,
    kind_version: KindVersion,
    integrated_time: &'static str,
    inclusion_promise: (),
    inclusion_proof: InclusionProof,
    canonicalized_body: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct KindVersion {
    kind: &'static str,
    version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    log_index: String,
    root_hash: String,
    tree_size: String,
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Checkpoint {
    envelope: String,
}

impl From<&LoggedEntry> for TransparencyLogEntry {
    fn from(entry: &LoggedEntry) -> Self {
        let index = entry.index.get().to_string();
        Self {
            log_index: index.clone(),
            log_id: LogId {
                key_id: to_base64(entry.log_key_id.as_bytes()),
            },
            kind_version: KindVersion {
                kind: entry.kind,
                version: "0.0.2",
            },
            integrated_time: "0",
            inclusion_promise: (),
            inclusion_proof: InclusionProof {
                log_index: index,
                root_hash: to_base64(entry.head.root.as_bytes()),
                tree_size: entry.head.size.get().to_string(),
                hashes: entry
                    .proof
                    .iter()
                    .map(|hash| to_base64(hash.as_bytes()))
                    .collect(),
                checkpoint: Checkpoint {
                    envelope: entry.head.note.clone(),
                },
            },
            canonicalized_body: to_base64(&entry.body),
        }
    }
}

#[cfg(test)]
mod tests;
