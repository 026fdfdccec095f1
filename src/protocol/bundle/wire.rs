//! JSON form of the bundle (`dev.sigstore.bundle.v1`, proto3 JSON).
//!
//! The parser accepts members in camelCase and in the spelling of the `.proto` file. It refuses unknown
//! members, and repeated members even if their spellings differ.

use serde::{Deserialize, Serialize};

use super::{
    Bundle, BundleError, BundleVersion, Content, InclusionProof, LogEntry, SigningMaterial,
};
use crate::protocol::attestation::dsse::{Envelope, EnvelopeSignature};
use crate::protocol::hash::{Digest, HashAlgorithm, Sha256};
use crate::protocol::proto_json::{Bytes, Decimal, at_most};

// Limits on lists, enforced while parsing.
pub(super) const MAX_ENTRIES: usize = 32;
pub(super) const MAX_TIMESTAMPS: usize = 32;
const MAX_CERTIFICATES: usize = 10;
const MAX_SIGNATURES: usize = 32;
/// Inclusion proofs for trees of up to 2⁶⁴ leaves have at most 64 hashes.
const MAX_PROOF_HASHES: usize = 64;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BundleJson {
    #[serde(alias = "media_type")]
    media_type: String,
    #[serde(alias = "verification_material")]
    verification_material: VerificationMaterialJson,
    #[serde(alias = "message_signature", skip_serializing_if = "Option::is_none")]
    message_signature: Option<MessageSignatureJson>,
    #[serde(alias = "dsse_envelope", skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<EnvelopeJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VerificationMaterialJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateJson>,
    #[serde(
        alias = "x509_certificate_chain",
        skip_serializing_if = "Option::is_none"
    )]
    x509_certificate_chain: Option<CertificateChainJson>,
    #[serde(alias = "public_key", skip_serializing_if = "Option::is_none")]
    public_key: Option<PublicKeyIdentifierJson>,
    #[serde(
        default,
        alias = "tlog_entries",
        deserialize_with = "at_most::<_, _, MAX_ENTRIES>"
    )]
    tlog_entries: Vec<LogEntryJson>,
    #[serde(
        alias = "timestamp_verification_data",
        skip_serializing_if = "Option::is_none"
    )]
    timestamp_verification_data: Option<TimestampsJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CertificateJson {
    #[serde(alias = "raw_bytes")]
    raw_bytes: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateChainJson {
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_CERTIFICATES>")]
    certificates: Vec<CertificateJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKeyIdentifierJson {
    #[serde(default)]
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TimestampsJson {
    #[serde(
        default,
        alias = "rfc3161_timestamps",
        deserialize_with = "at_most::<_, _, MAX_TIMESTAMPS>"
    )]
    rfc3161_timestamps: Vec<TimestampJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TimestampJson {
    #[serde(alias = "signed_timestamp")]
    signed_timestamp: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LogEntryJson {
    #[serde(default, alias = "log_index")]
    log_index: Decimal,
    #[serde(alias = "log_id")]
    log_id: LogIdJson,
    #[serde(alias = "kind_version")]
    kind_version: KindVersionJson,
    #[serde(
        default,
        alias = "integrated_time",
        skip_serializing_if = "Decimal::is_zero"
    )]
    integrated_time: Decimal,
    #[serde(alias = "inclusion_promise", skip_serializing_if = "Option::is_none")]
    inclusion_promise: Option<InclusionPromiseJson>,
    #[serde(alias = "inclusion_proof", skip_serializing_if = "Option::is_none")]
    inclusion_proof: Option<InclusionProofJson>,
    #[serde(alias = "canonicalized_body")]
    canonicalized_body: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogIdJson {
    #[serde(alias = "key_id")]
    key_id: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KindVersionJson {
    kind: String,
    version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InclusionPromiseJson {
    #[serde(alias = "signed_entry_timestamp")]
    signed_entry_timestamp: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InclusionProofJson {
    #[serde(default, alias = "log_index")]
    log_index: Decimal,
    #[serde(alias = "root_hash")]
    root_hash: Bytes,
    #[serde(default, alias = "tree_size")]
    tree_size: Decimal,
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_PROOF_HASHES>")]
    hashes: Vec<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<CheckpointJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointJson {
    envelope: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MessageSignatureJson {
    #[serde(alias = "message_digest", skip_serializing_if = "Option::is_none")]
    message_digest: Option<MessageDigestJson>,
    signature: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageDigestJson {
    algorithm: HashAlgorithm,
    digest: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EnvelopeJson {
    payload: Bytes,
    #[serde(alias = "payload_type")]
    payload_type: String,
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_SIGNATURES>")]
    signatures: Vec<EnvelopeSignatureJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignatureJson {
    sig: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
}

impl TryFrom<BundleJson> for Bundle {
    type Error = BundleError;

    fn try_from(json: BundleJson) -> Result<Self, BundleError> {
        let version =
            BundleVersion::from_media_type(&json.media_type).ok_or(BundleError::MediaType)?;
        let content = match (json.message_signature, json.dsse_envelope) {
            (Some(message), None) => message.try_into()?,
            (None, Some(envelope)) => Content::Envelope(envelope.into()),
            _ => return Err(BundleError::ContentChoice),
        };
        let VerificationMaterialJson {
            certificate,
            x509_certificate_chain,
            public_key,
            tlog_entries,
            timestamp_verification_data,
        } = json.verification_material;
        let material = match (certificate, x509_certificate_chain, public_key) {
            (Some(one), None, None) => SigningMaterial::Certificate(one.raw_bytes.0),
            (None, Some(chain), None) => {
                let certificates = chain.certificates.into_iter();
                SigningMaterial::Chain(certificates.map(|one| one.raw_bytes.0).collect())
            }
            (None, None, Some(key)) => SigningMaterial::PublicKey { hint: key.hint },
            _ => return Err(BundleError::MaterialChoice),
        };
        let entries = tlog_entries.into_iter().map(LogEntry::try_from);
        let timestamps = timestamp_verification_data
            .map(|data| data.rfc3161_timestamps)
            .unwrap_or_default();
        Ok(Self {
            version,
            material,
            entries: entries.collect::<Result<_, _>>()?,
            timestamps: timestamps
                .into_iter()
                .map(|timestamp| timestamp.signed_timestamp.0)
                .collect(),
            content,
        })
    }
}

impl From<&Bundle> for BundleJson {
    fn from(bundle: &Bundle) -> Self {
        let (message_signature, dsse_envelope) = match &bundle.content {
            Content::Message { digest, signature } => {
                let message = MessageSignatureJson {
                    message_digest: digest.as_ref().map(|digest| MessageDigestJson {
                        algorithm: digest.algorithm(),
                        digest: Bytes(digest.as_bytes().to_vec()),
                    }),
                    signature: Bytes(signature.clone()),
                };
                (Some(message), None)
            }
            Content::Envelope(envelope) => (None, Some(envelope.into())),
        };
        let certificate = |der: &Vec<u8>| CertificateJson {
            raw_bytes: Bytes(der.clone()),
        };
        let timestamps = bundle.timestamps.iter().map(|der| TimestampJson {
            signed_timestamp: Bytes(der.clone()),
        });
        let mut verification_material = VerificationMaterialJson {
            certificate: None,
            x509_certificate_chain: None,
            public_key: None,
            tlog_entries: bundle.entries.iter().map(Into::into).collect(),
            timestamp_verification_data: (!bundle.timestamps.is_empty()).then(|| TimestampsJson {
                rfc3161_timestamps: timestamps.collect(),
            }),
        };
        match &bundle.material {
            SigningMaterial::Certificate(der) => {
                verification_material.certificate = Some(certificate(der));
            }
            SigningMaterial::Chain(chain) => {
                verification_material.x509_certificate_chain = Some(CertificateChainJson {
                    certificates: chain.iter().map(certificate).collect(),
                });
            }
            SigningMaterial::PublicKey { hint } => {
                verification_material.public_key =
                    Some(PublicKeyIdentifierJson { hint: hint.clone() });
            }
        }
        Self {
            media_type: bundle.version.media_type().to_owned(),
            verification_material,
            message_signature,
            dsse_envelope,
        }
    }
}

impl TryFrom<MessageSignatureJson> for Content {
    type Error = BundleError;

    fn try_from(json: MessageSignatureJson) -> Result<Self, BundleError> {
        let digest = json
            .message_digest
            .map(|hint| Digest::new(hint.algorithm, hint.digest.0))
            .transpose()
            .map_err(BundleError::MessageDigest)?;
        Ok(Self::Message {
            digest,
            signature: json.signature.0,
        })
    }
}

impl From<EnvelopeJson> for Envelope {
    fn from(json: EnvelopeJson) -> Self {
        let signatures = json.signatures.into_iter().map(|one| EnvelopeSignature {
            signature: one.sig.0,
            key_id: one.keyid,
        });
        Self {
            payload: json.payload.0,
            payload_type: json.payload_type,
            signatures: signatures.collect(),
        }
    }
}

impl From<&Envelope> for EnvelopeJson {
    fn from(envelope: &Envelope) -> Self {
        let signatures = envelope.signatures.iter().map(|one| EnvelopeSignatureJson {
            sig: Bytes(one.signature.clone()),
            keyid: one.key_id.clone(),
        });
        Self {
            payload: Bytes(envelope.payload.clone()),
            payload_type: envelope.payload_type.clone(),
            signatures: signatures.collect(),
        }
    }
}

impl TryFrom<LogEntryJson> for LogEntry {
    type Error = BundleError;

    fn try_from(json: LogEntryJson) -> Result<Self, BundleError> {
        Ok(Self {
            index: json.log_index.0,
            log_id: json.log_id.key_id.0,
            kind: json.kind_version.kind,
            version: json.kind_version.version,
            integrated_time: json.integrated_time.0,
            promise: json
                .inclusion_promise
                .map(|promise| promise.signed_entry_timestamp.0),
            proof: json
                .inclusion_proof
                .map(InclusionProof::try_from)
                .transpose()?,
            body: json.canonicalized_body.0,
        })
    }
}

impl From<&LogEntry> for LogEntryJson {
    fn from(entry: &LogEntry) -> Self {
        Self {
            log_index: Decimal(entry.index),
            log_id: LogIdJson {
                key_id: Bytes(entry.log_id.clone()),
            },
            kind_version: KindVersionJson {
                kind: entry.kind.clone(),
                version: entry.version.clone(),
            },
            integrated_time: Decimal(entry.integrated_time),
            inclusion_promise: entry.promise.as_ref().map(|set| InclusionPromiseJson {
                signed_entry_timestamp: Bytes(set.clone()),
            }),
            inclusion_proof: entry.proof.as_ref().map(Into::into),
            canonicalized_body: Bytes(entry.body.clone()),
        }
    }
}

impl TryFrom<InclusionProofJson> for InclusionProof {
    type Error = BundleError;

    fn try_from(json: InclusionProofJson) -> Result<Self, BundleError> {
        let hash = |bytes: &Bytes, name| {
            Sha256::try_from(bytes.0.as_slice()).map_err(|_| BundleError::ProofHash(name))
        };
        let hashes = json.hashes.iter().map(|bytes| hash(bytes, "hashes"));
        Ok(Self {
            index: json.log_index.0,
            tree_size: json.tree_size.0,
            root: hash(&json.root_hash, "rootHash")?,
            hashes: hashes.collect::<Result<_, _>>()?,
            checkpoint: json.checkpoint.map(|checkpoint| checkpoint.envelope),
        })
    }
}

impl From<&InclusionProof> for InclusionProofJson {
    fn from(proof: &InclusionProof) -> Self {
        let bytes = |hash: &Sha256| Bytes(hash.as_bytes().to_vec());
        let checkpoint = proof.checkpoint.clone();
        Self {
            log_index: Decimal(proof.index),
            root_hash: bytes(&proof.root),
            tree_size: Decimal(proof.tree_size),
            hashes: proof.hashes.iter().map(bytes).collect(),
            checkpoint: checkpoint.map(|envelope| CheckpointJson { envelope }),
        }
    }
}
