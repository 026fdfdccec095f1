//! Steps 2 and 7: what was signed is the caller's artifact, and the signature over it holds.

use super::form::Form;
use super::signer::Signer;
use super::trail::Trail;
use super::{CheckEvidence, CheckName, LoggedEntry, Refusal};
use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::attestation::statement::{PAYLOAD_TYPE, Statement};
use crate::protocol::bundle::{Artifact, Content};
use crate::protocol::bytes::Digest;
use crate::protocol::keys::{
    KeyAlgorithm, KeyDetails, PublicKey, SignatureInvalid, SignatureValid,
};

/// Evidence that what the bundle says was signed is about the caller's artifact.
pub(super) enum SignedContent<'a> {
    /// The artifact itself, by its digest under the signing key's hash function
    Message { digest: Digest },
    /// A statement that names the artifact
    Envelope {
        envelope: &'a Envelope,
        encoding: Vec<u8>,
        statement: Statement,
    },
}

/// Evidence that the signature holds, and how it was made.
pub(super) struct SignatureHolds {
    pub(super) details: KeyDetails,
    _valid: SignatureValid,
}

impl<'a> SignedContent<'a> {
    pub(super) fn of(
        form: &Form<'a>,
        artifact: &Artifact,
        trail: &mut Trail,
    ) -> Result<Self, Refusal> {
        match &form.bundle().content {
            Content::Message { digest: hint, .. } => {
                if let Some(hint) = hint {
                    check_hint(hint, artifact)?;
                }
                let algorithm = form.claimed().key().algorithm().hash();
                let digest = artifact
                    .digest(algorithm)
                    .ok_or(Refusal::DigestNeeded(algorithm))?
                    .clone();
                trail.passed(
                    CheckName::Artifact,
                    CheckEvidence::Artifact(digest.clone()),
                    format!("the artifact is {digest}"),
                );
                Ok(Self::Message { digest })
            }
            Content::Envelope(envelope) => {
                let (statement, digest) = statement_about(envelope, artifact)?;
                let detail = format!(
                    "the artifact is a subject of a statement of type {:?}",
                    statement.predicate_type()
                );
                let evidence = CheckEvidence::Statement {
                    predicate_type: statement.predicate_type().to_owned(),
                    digest,
                };
                trail.passed(CheckName::Artifact, evidence, detail);
                Ok(Self::Envelope {
                    envelope,
                    encoding: envelope.pre_authentication_encoding(),
                    statement,
                })
            }
        }
    }

    /// The statement that was signed, if it was one.
    pub(super) fn into_statement(self) -> Option<Statement> {
        match self {
            Self::Message { .. } => None,
            Self::Envelope { statement, .. } => Some(statement),
        }
    }

    /// Verifies the signature in one of the ways in which the signer's key may sign; where a log
    /// says how the signature was made, in that way alone.
    pub(super) fn verify_signature(
        &self,
        form: &Form<'_>,
        signer: &Signer,
        entries: &[LoggedEntry],
        trail: &mut Trail,
    ) -> Result<SignatureHolds, Refusal> {
        let key = signer.key();
        let stated = |details: &&KeyDetails| {
            let mut said = entries.iter().filter_map(|entry| entry.key_details);
            said.all(|said| said == **details)
        };
        for details in key.algorithm().schemes().iter().filter(stated) {
            if let Ok(valid) = self.holds_as(*details, key, form.signature()) {
                let evidence = CheckEvidence::Signature {
                    key: key.fingerprint(),
                    details: *details,
                };
                let detail = format!("holds with the signer's {} key", key.algorithm().name());
                trail.passed(CheckName::Signature, evidence, detail);
                return Ok(SignatureHolds {
                    details: *details,
                    _valid: valid,
                });
            }
        }
        Err(self.refusal(key))
    }

    fn holds_as(
        &self,
        details: KeyDetails,
        key: &PublicKey,
        signature: &[u8],
    ) -> Result<SignatureValid, SignatureInvalid> {
        match self {
            // No log takes a pure Ed25519 signature over an artifact, since a hashedrekord entry
            // has the digest alone: there is no bundle in which it could count.
            Self::Message { digest } => key.verify_digest_as(details, digest, signature),
            Self::Envelope { encoding, .. } => key.verify_message_as(details, encoding, signature),
        }
    }

    fn refusal(&self, key: &PublicKey) -> Refusal {
        match (self, key.algorithm()) {
            (Self::Message { .. }, KeyAlgorithm::Ed25519) => Refusal::PrehashedSignature,
            _ => Refusal::Signature,
        }
    }
}

/// The hint is not authenticated, but a wrong one is a bundle that contradicts itself.
fn check_hint(hint: &Digest, artifact: &Artifact) -> Result<(), Refusal> {
    let actual = artifact
        .digest(hint.algorithm())
        .ok_or(Refusal::DigestNeeded(hint.algorithm()))?;
    if actual == hint {
        return Ok(());
    }
    Err(Refusal::DigestMismatch {
        actual: actual.to_string(),
        stated: hint.to_string(),
    })
}

fn statement_about(
    envelope: &Envelope,
    artifact: &Artifact,
) -> Result<(Statement, Digest), Refusal> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Refusal::PayloadType);
    }
    let statement = Statement::parse(&envelope.payload).map_err(Refusal::Statement)?;
    let digest = statement.names(artifact).ok_or(Refusal::NotASubject)?;
    let digest = digest.clone();
    Ok((statement, digest))
}
