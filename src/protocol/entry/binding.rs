//! What a logged body binds: the signature, the key and the content that the log verified together.

use super::verifier::RawVerifier;
use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::hash::{Digest, Sha256};
use crate::protocol::keys::{KeyDetails, PublicKey};

/// What a logged body binds, in one form for all kinds.
#[derive(Debug)]
pub(crate) struct EntryBinding {
    pub(super) signatures: Vec<BoundSignature>,
    pub(super) content: BoundContent,
}

#[derive(Debug)]
pub(super) struct BoundSignature {
    /// None for intoto 0.0.1, which has the hash of the whole envelope instead.
    pub(super) signature: Option<Vec<u8>>,
    pub(super) verifier: RawVerifier,
    /// How a Rekor v2 log verified the signature.
    pub(super) key_details: Option<KeyDetails>,
}

#[derive(Debug)]
pub(super) enum BoundContent {
    /// The digest of an artifact
    Artifact(Digest),
    /// The digest of what was signed: an artifact or an envelope's pre-authentication encoding
    SignedBytes(Digest),
    Envelope(BoundEnvelope),
}

#[derive(Debug)]
pub(super) struct BoundEnvelope {
    pub(super) payload_hash: Digest,
    pub(super) payload_type: Option<String>,
    pub(super) payload: Option<Vec<u8>>,
    /// The hash of the envelope's JSON as it was uploaded, where nothing else binds the signature. If
    /// this envelope has a form with that hash, the form is what the log received and verified.
    pub(super) uploaded_hash: Option<Digest>,
}

/// What a bundle claims that a log entry is for.
pub(crate) struct EntryClaim<'a> {
    pub(crate) signature: &'a [u8],
    pub(crate) verifier: RawVerifier,
    /// The key in `verifier`.
    pub(crate) key: &'a PublicKey,
    pub(crate) content: ClaimedContent<'a>,
}

pub(crate) enum ClaimedContent<'a> {
    Artifact(&'a Digest),
    Envelope {
        envelope: &'a Envelope,
        /// The envelope's pre-authentication encoding.
        encoding: &'a [u8],
    },
}

/// Why an entry does not vouch for what a bundle claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindingError {
    /// The kind is unknown or not for this content
    Kind,
    /// The body is not one of the kind
    Malformed,
    /// The entry is for another signature, key, artifact, payload or payload type
    Mismatch(&'static str),
}

impl EntryBinding {
    /// The binding of an entry with one signature.
    pub(super) fn single(
        signature: Option<Vec<u8>>,
        verifier: RawVerifier,
        content: BoundContent,
    ) -> Self {
        Self {
            signatures: vec![BoundSignature {
                signature,
                verifier,
                key_details: None,
            }],
            content,
        }
    }

    /// Compares the entry with the claim, byte by byte: another signature by the same key over the same
    /// content is another entry, and so is another certificate for the same key.
    ///
    /// Returns how the log verified the signature, if its entries state it.
    ///
    /// # Errors
    /// [`BindingError::Kind`] or [`BindingError::Mismatch`]
    pub(crate) fn check(&self, claim: &EntryClaim<'_>) -> Result<Option<KeyDetails>, BindingError> {
        let content = match (&self.content, &claim.content) {
            (BoundContent::Artifact(bound), ClaimedContent::Artifact(digest))
            | (BoundContent::SignedBytes(bound), ClaimedContent::Artifact(digest)) => {
                require(bound == *digest, "artifact")
            }
            (BoundContent::SignedBytes(bound), ClaimedContent::Envelope { encoding, .. }) => {
                let digest = claim.key.algorithm().hash().digest(encoding);
                require(*bound == digest, "artifact")
            }
            (BoundContent::Envelope(bound), ClaimedContent::Envelope { envelope, .. }) => {
                bound.check(envelope)
            }
            (BoundContent::Artifact(_), ClaimedContent::Envelope { .. })
            | (BoundContent::Envelope(_), ClaimedContent::Artifact(_)) => {
                return Err(BindingError::Kind);
            }
        };
        let [bound] = self.signatures.as_slice() else {
            return Err(BindingError::Mismatch("signature"));
        };
        if let Some(signature) = &bound.signature {
            require(signature == claim.signature, "signature")?;
        }
        let algorithm = bound.key_details.map(KeyDetails::algorithm);
        let is_own_key = bound.verifier == claim.verifier
            && algorithm.is_none_or(|algorithm| algorithm == claim.key.algorithm());
        require(is_own_key, "key")?;
        content?;
        Ok(bound.key_details)
    }
}

impl BoundEnvelope {
    /// Only the payload's hash is known.
    pub(super) const fn hashed(payload_hash: Digest) -> Self {
        Self {
            payload_hash,
            payload_type: None,
            payload: None,
            uploaded_hash: None,
        }
    }

    fn check(&self, envelope: &Envelope) -> Result<(), BindingError> {
        if let Some(payload_type) = &self.payload_type {
            require(*payload_type == envelope.payload_type, "payload type")?;
        }
        if let Some(payload) = &self.payload {
            require(*payload == envelope.payload, "payload")?;
        }
        let digest = Digest::from(Sha256::of(&envelope.payload));
        require(self.payload_hash == digest, "payload")?;
        if let Some(hash) = &self.uploaded_hash {
            let mut forms = envelope.uploaded_forms().into_iter();
            let is_upload = forms.any(|form| Digest::from(Sha256::of(form.as_bytes())) == *hash);
            require(is_upload, "signature")?;
        }
        Ok(())
    }
}

fn require(holds: bool, what: &'static str) -> Result<(), BindingError> {
    holds.then_some(()).ok_or(BindingError::Mismatch(what))
}
