//! Steps 2 and 8: what was signed is the caller's artifact, and the signature over it holds.

use super::form::Form;
use super::signer::Signer;
use super::trail::Trail;
use super::{CheckName, Refusal};
use crate::protocol::bundle::artifact::digest_text;
use crate::protocol::bundle::dsse::Envelope;
use crate::protocol::bundle::statement::{PAYLOAD_TYPE, Statement};
use crate::protocol::bundle::{Artifact, Content};
use crate::protocol::bytes::Digest;
use crate::protocol::keys::{KeyAlgorithm, PublicKey, SignatureInvalid, SignatureValid};

/// Evidence that what the bundle says was signed is about the caller's artifact.
pub(super) enum SignedContent<'a> {
    /// The artifact itself, by its digest under the signing key's hash function
    Message { digest: Digest },
    /// A statement that names the artifact
    Envelope {
        envelope: &'a Envelope,
        encoding: Vec<u8>,
    },
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
                    format!("the artifact is {}", digest_text(&digest)),
                );
                Ok(Self::Message { digest })
            }
            Content::Envelope(envelope) => {
                let statement = statement_about(envelope, artifact)?;
                trail.passed(
                    CheckName::Artifact,
                    format!(
                        "the artifact is a subject of a statement of type {:?}",
                        statement.predicate_type()
                    ),
                );
                Ok(Self::Envelope {
                    envelope,
                    encoding: envelope.pre_authentication_encoding(),
                })
            }
        }
    }

    /// The digest under which a Rekor v2 log knows the content: of the artifact, or of the
    /// envelope's pre-authentication encoding.
    pub(super) fn logged_digest(&self, key: &PublicKey) -> Digest {
        match self {
            Self::Message { digest } => digest.clone(),
            Self::Envelope { encoding, .. } => key.algorithm().hash().digest(encoding),
        }
    }

    pub(super) fn verify_signature(
        &self,
        form: &Form<'_>,
        signer: &Signer,
        trail: &mut Trail,
    ) -> Result<SignatureValid, Refusal> {
        let key = signer.key();
        let signature = form.signature();
        let valid = match self {
            Self::Message { digest } => key.verify_digest(digest, signature),
            Self::Envelope { encoding, .. } => envelope_signature(key, encoding, signature),
        }
        .map_err(|SignatureInvalid| Refusal::Signature)?;
        trail.passed(
            CheckName::Signature,
            format!("holds with the signer's {} key", key.algorithm().name()),
        );
        Ok(valid)
    }
}

/// Ed25519 keys sign envelopes either directly or, for Rekor v2, as Ed25519ph.
fn envelope_signature(
    key: &PublicKey,
    encoding: &[u8],
    signature: &[u8],
) -> Result<SignatureValid, SignatureInvalid> {
    let direct = key.verify_message(encoding, signature);
    if direct.is_err() && key.algorithm() == KeyAlgorithm::Ed25519 {
        return key.verify_digest(&key.algorithm().hash().digest(encoding), signature);
    }
    direct
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
        actual: digest_text(actual),
        stated: digest_text(hint),
    })
}

fn statement_about(envelope: &Envelope, artifact: &Artifact) -> Result<Statement, Refusal> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Refusal::PayloadType);
    }
    let statement = Statement::parse(&envelope.payload).map_err(Refusal::Statement)?;
    if !statement.names(artifact) {
        return Err(Refusal::NotASubject);
    }
    Ok(statement)
}
