//! The bundle as JSON (`dev.sigstore.bundle.v1`, proto3 JSON), member by member.
//!
//! Members may be spelled in camelCase or as in the `.proto` file; a member that is given twice,
//! in one spelling or in both, is refused, and so is one that is not listed here.

use serde::{Deserialize, Serialize};

use crate::protocol::bytes::HashAlgorithm;
use crate::protocol::proto_json::{Bytes, Decimal, at_most};

/// The limits on lists, kept while reading.
pub(super) const MAX_ENTRIES: usize = 32;
pub(super) const MAX_TIMESTAMPS: usize = 32;
const MAX_CERTIFICATES: usize = 10;
const MAX_SIGNATURES: usize = 32;
/// A tree of 2⁶³ leaves has proofs of 63 hashes.
const MAX_PROOF_HASHES: usize = 64;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Bundle {
    #[serde(alias = "media_type")]
    pub media_type: String,
    #[serde(alias = "verification_material")]
    pub verification_material: VerificationMaterial,
    #[serde(alias = "message_signature", skip_serializing_if = "Option::is_none")]
    pub message_signature: Option<MessageSignature>,
    #[serde(alias = "dsse_envelope", skip_serializing_if = "Option::is_none")]
    pub dsse_envelope: Option<Envelope>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VerificationMaterial {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    #[serde(
        alias = "x509_certificate_chain",
        skip_serializing_if = "Option::is_none"
    )]
    pub x509_certificate_chain: Option<CertificateChain>,
    #[serde(alias = "public_key", skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKeyIdentifier>,
    #[serde(
        default,
        alias = "tlog_entries",
        deserialize_with = "at_most::<_, _, MAX_ENTRIES>"
    )]
    pub tlog_entries: Vec<TransparencyLogEntry>,
    #[serde(
        alias = "timestamp_verification_data",
        skip_serializing_if = "Option::is_none"
    )]
    pub timestamp_verification_data: Option<TimestampVerificationData>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Certificate {
    #[serde(alias = "raw_bytes")]
    pub raw_bytes: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertificateChain {
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_CERTIFICATES>")]
    pub certificates: Vec<Certificate>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicKeyIdentifier {
    #[serde(default)]
    pub hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TimestampVerificationData {
    #[serde(
        default,
        alias = "rfc3161_timestamps",
        deserialize_with = "at_most::<_, _, MAX_TIMESTAMPS>"
    )]
    pub rfc3161_timestamps: Vec<SignedTimestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SignedTimestamp {
    #[serde(alias = "signed_timestamp")]
    pub signed_timestamp: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TransparencyLogEntry {
    #[serde(default, alias = "log_index")]
    pub log_index: Decimal,
    #[serde(alias = "log_id")]
    pub log_id: LogId,
    #[serde(alias = "kind_version")]
    pub kind_version: KindVersion,
    #[serde(
        default,
        alias = "integrated_time",
        skip_serializing_if = "Decimal::is_zero"
    )]
    pub integrated_time: Decimal,
    #[serde(alias = "inclusion_promise", skip_serializing_if = "Option::is_none")]
    pub inclusion_promise: Option<InclusionPromise>,
    #[serde(alias = "inclusion_proof", skip_serializing_if = "Option::is_none")]
    pub inclusion_proof: Option<InclusionProof>,
    #[serde(alias = "canonicalized_body")]
    pub canonicalized_body: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LogId {
    #[serde(alias = "key_id")]
    pub key_id: Bytes,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindVersion {
    pub kind: String,
    pub version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct InclusionPromise {
    #[serde(alias = "signed_entry_timestamp")]
    pub signed_entry_timestamp: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct InclusionProof {
    #[serde(default, alias = "log_index")]
    pub log_index: Decimal,
    #[serde(alias = "root_hash")]
    pub root_hash: Bytes,
    #[serde(default, alias = "tree_size")]
    pub tree_size: Decimal,
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_PROOF_HASHES>")]
    pub hashes: Vec<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    pub envelope: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MessageSignature {
    #[serde(alias = "message_digest", skip_serializing_if = "Option::is_none")]
    pub message_digest: Option<MessageDigest>,
    pub signature: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageDigest {
    pub algorithm: HashAlgorithm,
    pub digest: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Envelope {
    pub payload: Bytes,
    #[serde(alias = "payload_type")]
    pub payload_type: String,
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_SIGNATURES>")]
    pub signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvelopeSignature {
    pub sig: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyid: Option<String>,
}
