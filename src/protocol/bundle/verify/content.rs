//! Steps 2 and 7: the signed content is or names the caller's artifact, and the signature is valid.

use super::recorder::CheckRecorder;
use super::signer::ProvenSigner;
use super::well_formed::WellFormedBundle;
use super::{CheckEvidence, CheckName, EntryEvidence, Refusal};
use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::attestation::statement::{PAYLOAD_TYPE, Statement};
use crate::protocol::bundle::{Artifact, Content};
use crate::protocol::evidence::KeyEvidence;
use crate::protocol::hash::Digest;
use crate::protocol::keys::{
    KeyAlgorithm, KeyDetails, PublicKey, SignatureInvalid, SignatureValid,
};

/// Content of the bundle that matches the caller's artifact. Its signature is not verified yet.
pub(super) enum SignedContent<'a> {
    /// The artifact itself, as its digest with the hash function of the signing key
    Message { digest: Digest },
    /// A statement that names the artifact
    Envelope {
        envelope: &'a Envelope,
        encoding: Vec<u8>,
        statement: Statement,
    },
}

/// Evidence that the signature is valid.
pub(super) struct VerifiedSignature {
    key: KeyEvidence,
    _valid: SignatureValid,
}

impl VerifiedSignature {
    pub(super) fn into_evidence(self) -> KeyEvidence {
        self.key
    }
}

impl<'a> SignedContent<'a> {
    pub(super) fn of(
        bundle: &WellFormedBundle<'a>,
        artifact: &Artifact,
        recorder: &mut CheckRecorder,
    ) -> Result<Self, Refusal> {
        match &bundle.bundle().content {
            Content::Message { digest: hint, .. } => {
                if let Some(hint) = hint {
                    check_hint(hint, artifact)?;
                }
                let algorithm = bundle.claimed().key().algorithm().hash();
                let digest = artifact
                    .digest(algorithm)
                    .ok_or(Refusal::DigestRequired(algorithm))?
                    .clone();
                let detail = format!("the artifact is {digest}");
                let evidence = CheckEvidence::Artifact {
                    digest: digest.clone(),
                    predicate_type: None,
                };
                recorder.passed(CheckName::Artifact, evidence, detail);
                Ok(Self::Message { digest })
            }
            Content::Envelope(envelope) => {
                if envelope.payload_type != PAYLOAD_TYPE {
                    return Err(Refusal::PayloadType);
                }
                let statement = Statement::parse(&envelope.payload).map_err(Refusal::Statement)?;
                let digest = statement.names(artifact).ok_or(Refusal::NotASubject)?;
                let predicate_type = statement.predicate_type().to_owned();
                let detail = format!(
                    "the artifact is a subject of a statement with predicate type {predicate_type:?}"
                );
                let evidence = CheckEvidence::Artifact {
                    digest: digest.clone(),
                    predicate_type: Some(predicate_type),
                };
                recorder.passed(CheckName::Artifact, evidence, detail);
                Ok(Self::Envelope {
                    envelope,
                    encoding: envelope.pre_authentication_encoding(),
                    statement,
                })
            }
        }
    }

    pub(super) fn into_statement(self) -> Option<Statement> {
        match self {
            Self::Message { .. } => None,
            Self::Envelope { statement, .. } => Some(statement),
        }
    }

    /// Tries each signature scheme that Sigstore's algorithm registry allows for the signer's key. If a log
    /// entry states the scheme, tries only that one.
    pub(super) fn verify_signature(
        &self,
        bundle: &WellFormedBundle<'_>,
        signer: &ProvenSigner<'_>,
        entries: &[EntryEvidence],
        recorder: &mut CheckRecorder,
    ) -> Result<VerifiedSignature, Refusal> {
        let key = signer.key();
        let is_as_logged = |details: &KeyDetails| {
            let mut stated = entries.iter().filter_map(|entry| entry.key_details);
            stated.all(|stated| stated == *details)
        };
        for details in key.algorithm().schemes().filter(is_as_logged) {
            if let Ok(valid) = self.verify_as(details, key, bundle.signature()) {
                let evidence = KeyEvidence {
                    fingerprint: key.fingerprint(),
                    details,
                };
                let detail = format!("valid for the signer's {} key", key.algorithm().name());
                let check_evidence = CheckEvidence::Signature(evidence.clone());
                recorder.passed(CheckName::Signature, check_evidence, detail);
                return Ok(VerifiedSignature {
                    key: evidence,
                    _valid: valid,
                });
            }
        }
        Err(match (self, key.algorithm()) {
            (Self::Message { .. }, KeyAlgorithm::Ed25519) => Refusal::PrehashedSignature,
            _ => Refusal::Signature,
        })
    }

    fn verify_as(
        &self,
        details: KeyDetails,
        key: &PublicKey,
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        match self {
            // A hashedrekord entry contains only the digest, so no log accepts a pure Ed25519 signature
            // over an artifact, and no bundle with one can be valid.
            Self::Message { digest } => key.verify_digest_as(details, digest, signature),
            Self::Envelope { encoding, .. } => key.verify_message_as(details, encoding, signature),
        }
    }
}

/// The bundle's `messageDigest` is not signed, but a bundle with a wrong one is inconsistent.
fn check_hint(hint: &Digest, artifact: &Artifact) -> Result<(), Refusal> {
    let actual = artifact
        .digest(hint.algorithm())
        .ok_or(Refusal::DigestRequired(hint.algorithm()))?;
    if actual == hint {
        return Ok(());
    }
    Err(Refusal::DigestMismatch {
        actual: actual.to_string(),
        stated: hint.to_string(),
    })
}
