//! From the JSON form to a bundle, with the rules that a JSON type cannot state.

use super::{
    Bundle, BundleError, BundleVersion, Content, InclusionProof, LogEntry, SigningMaterial, wire,
};
use crate::protocol::attestation::dsse::{Envelope, EnvelopeSignature};
use crate::protocol::bytes::{Digest, Sha256};

impl TryFrom<wire::Bundle> for Bundle {
    type Error = BundleError;

    fn try_from(wire: wire::Bundle) -> Result<Self, BundleError> {
        let version =
            BundleVersion::from_media_type(&wire.media_type).ok_or(BundleError::MediaType)?;
        let content = match (wire.message_signature, wire.dsse_envelope) {
            (Some(message), None) => Content::try_from(message)?,
            (None, Some(envelope)) => Content::Envelope(envelope.into()),
            _ => return Err(BundleError::ContentChoice),
        };
        let wire::VerificationMaterial {
            certificate,
            x509_certificate_chain,
            public_key,
            tlog_entries,
            timestamp_verification_data,
        } = wire.verification_material;
        let material = match (certificate, x509_certificate_chain, public_key) {
            (Some(one), None, None) => SigningMaterial::Certificate(one.raw_bytes.0),
            (None, Some(chain), None) => SigningMaterial::Chain(
                chain
                    .certificates
                    .into_iter()
                    .map(|c| c.raw_bytes.0)
                    .collect(),
            ),
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

impl TryFrom<wire::MessageSignature> for Content {
    type Error = BundleError;

    fn try_from(wire: wire::MessageSignature) -> Result<Self, BundleError> {
        let digest = wire
            .message_digest
            .map(|hint| Digest::new(hint.algorithm, hint.digest.0))
            .transpose()
            .map_err(BundleError::MessageDigest)?;
        Ok(Self::Message {
            digest,
            signature: wire.signature.0,
        })
    }
}

impl From<wire::Envelope> for Envelope {
    fn from(wire: wire::Envelope) -> Self {
        let signatures = wire.signatures.into_iter().map(|one| EnvelopeSignature {
            signature: one.sig.0,
            key_id: one.keyid,
        });
        Self {
            payload: wire.payload.0,
            payload_type: wire.payload_type,
            signatures: signatures.collect(),
        }
    }
}

impl TryFrom<wire::TransparencyLogEntry> for LogEntry {
    type Error = BundleError;

    fn try_from(wire: wire::TransparencyLogEntry) -> Result<Self, BundleError> {
        Ok(Self {
            index: wire.log_index.0,
            log_id: wire.log_id.key_id.0,
            kind: wire.kind_version.kind,
            version: wire.kind_version.version,
            integrated_time: wire.integrated_time.0,
            promise: wire
                .inclusion_promise
                .map(|promise| promise.signed_entry_timestamp.0),
            proof: wire
                .inclusion_proof
                .map(InclusionProof::try_from)
                .transpose()?,
            body: wire.canonicalized_body.0,
        })
    }
}

impl TryFrom<wire::InclusionProof> for InclusionProof {
    type Error = BundleError;

    fn try_from(wire: wire::InclusionProof) -> Result<Self, BundleError> {
        let hash =
            |bytes: &[u8], name| Sha256::try_from(bytes).map_err(|_| BundleError::ProofHash(name));
        Ok(Self {
            index: wire.log_index.0,
            tree_size: wire.tree_size.0,
            root: hash(&wire.root_hash.0, "rootHash")?,
            hashes: wire
                .hashes
                .iter()
                .map(|bytes| hash(&bytes.0, "hashes"))
                .collect::<Result<_, _>>()?,
            checkpoint: wire.checkpoint.map(|checkpoint| checkpoint.envelope),
        })
    }
}
