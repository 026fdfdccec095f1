//! From a bundle back to its JSON form.

use super::{Bundle, Content, InclusionProof, LogEntry, SigningMaterial, wire};
use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::proto_json::{Bytes, Decimal};

impl From<&Bundle> for wire::Bundle {
    fn from(bundle: &Bundle) -> Self {
        let (message_signature, dsse_envelope) = match &bundle.content {
            Content::Message { digest, signature } => {
                let message = wire::MessageSignature {
                    message_digest: digest.as_ref().map(|digest| wire::MessageDigest {
                        algorithm: digest.algorithm(),
                        digest: Bytes(digest.as_bytes().to_vec()),
                    }),
                    signature: Bytes(signature.clone()),
                };
                (Some(message), None)
            }
            Content::Envelope(envelope) => (None, Some(envelope.into())),
        };
        Self {
            media_type: bundle.version.media_type().to_owned(),
            verification_material: bundle.into(),
            message_signature,
            dsse_envelope,
        }
    }
}

impl From<&Bundle> for wire::VerificationMaterial {
    fn from(bundle: &Bundle) -> Self {
        let certificate = |der: &Vec<u8>| wire::Certificate {
            raw_bytes: Bytes(der.clone()),
        };
        let timestamps = bundle.timestamps.iter().map(|der| wire::SignedTimestamp {
            signed_timestamp: Bytes(der.clone()),
        });
        let mut material = Self {
            certificate: None,
            x509_certificate_chain: None,
            public_key: None,
            tlog_entries: bundle.entries.iter().map(Into::into).collect(),
            timestamp_verification_data: (!bundle.timestamps.is_empty()).then(|| {
                wire::TimestampVerificationData {
                    rfc3161_timestamps: timestamps.collect(),
                }
            }),
        };
        match &bundle.material {
            SigningMaterial::Certificate(der) => material.certificate = Some(certificate(der)),
            SigningMaterial::Chain(chain) => {
                material.x509_certificate_chain = Some(wire::CertificateChain {
                    certificates: chain.iter().map(certificate).collect(),
                });
            }
            SigningMaterial::PublicKey { hint } => {
                material.public_key = Some(wire::PublicKeyIdentifier { hint: hint.clone() });
            }
        }
        material
    }
}

impl From<&LogEntry> for wire::TransparencyLogEntry {
    fn from(entry: &LogEntry) -> Self {
        Self {
            log_index: Decimal(entry.index),
            log_id: wire::LogId {
                key_id: Bytes(entry.log_id.clone()),
            },
            kind_version: wire::KindVersion {
                kind: entry.kind.clone(),
                version: entry.version.clone(),
            },
            integrated_time: Decimal(entry.integrated_time),
            inclusion_promise: entry.promise.as_ref().map(|set| wire::InclusionPromise {
                signed_entry_timestamp: Bytes(set.clone()),
            }),
            inclusion_proof: entry.proof.as_ref().map(Into::into),
            canonicalized_body: Bytes(entry.body.clone()),
        }
    }
}

impl From<&InclusionProof> for wire::InclusionProof {
    fn from(proof: &InclusionProof) -> Self {
        Self {
            log_index: Decimal(proof.index),
            root_hash: Bytes(proof.root.as_bytes().to_vec()),
            tree_size: Decimal(proof.tree_size),
            hashes: proof
                .hashes
                .iter()
                .map(|hash| Bytes(hash.as_bytes().to_vec()))
                .collect(),
            checkpoint: proof.checkpoint.as_ref().map(|envelope| wire::Checkpoint {
                envelope: envelope.clone(),
            }),
        }
    }
}

impl From<&Envelope> for wire::Envelope {
    fn from(envelope: &Envelope) -> Self {
        let signatures = envelope
            .signatures
            .iter()
            .map(|one| wire::EnvelopeSignature {
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
