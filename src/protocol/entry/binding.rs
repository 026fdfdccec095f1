//! What a logged body binds: signature, key and content, which the log verified together.

use super::verifier::RawVerifier;
use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::hash::{Digest, Sha256};
use crate::protocol::keys::{KeyDetails, PublicKey};

/// What a logged body binds, in a form that is common to all kinds.
#[derive(Debug)]
pub(crate) struct EntryBinding {
    pub(super) signatures: Vec<BoundSignature>,
    pub(super) content: BoundContent,
}

#[derive(Debug)]
pub(super) struct BoundSignature {
    /// `None` for intoto 0.0.1, which contains the hash of the whole envelope instead.
    pub(super) signature: Option<Vec<u8>>,
    pub(super) verifier: RawVerifier,
    /// The key details with which a Rekor v2 log verified the signature.
    pub(super) key_details: Option<KeyDetails>,
}

#[derive(Debug)]
pub(super) enum BoundContent {
    /// Digest of an artifact.
    Artifact(Digest),
    /// Digest of the signed bytes: an artifact, or an envelope's pre-authentication encoding.
    SignedBytes(Digest),
    Envelope(BoundEnvelope),
}

#[derive(Debug)]
pub(super) struct BoundEnvelope {
    pub(super) payload_hash: Digest,
    pub(super) payload_type: Option<String>,
    pub(super) payload: Option<Vec<u8>>,
    /// Hash of the uploaded envelope's JSON, for kinds in which nothing else binds the signature. If
    /// one of [`Envelope::uploaded_forms`] has this hash, it is what the log received and verified.
    pub(super) uploaded_hash: Option<Digest>,
}

/// What a bundle claims about its log entry.
pub(crate) struct EntryClaim<'a> {
    pub(crate) signature: &'a [u8],
    pub(crate) verifier: RawVerifier,
    /// The parsed key of `verifier`.
    pub(crate) key: &'a PublicKey,
    pub(crate) content: ClaimedContent<'a>,
}

pub(crate) enum ClaimedContent<'a> {
    Artifact(&'a Digest),
    Envelope {
        envelope: &'a Envelope,
        /// Pre-authentication encoding of `envelope`.
        encoding: &'a [u8],
    },
}

/// Why an entry does not match a bundle's claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindingError {
    /// The kind is unknown or does not fit the content.
    Kind,
    /// The body does not parse as its kind.
    Malformed,
    /// The named part of the entry differs: signature, key, artifact, payload or payload type.
    Mismatch(&'static str),
}

impl EntryBinding {
    /// Binding of an entry with one signature.
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

    /// Compares the entry with the claim, byte by byte. A different signature over the same content or a
    /// different certificate for the same key is a mismatch.
    ///
    /// Returns the key details with which the log verified the signature, if the entry contains them.
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
        let is_same_key = bound.verifier == claim.verifier
            && algorithm.is_none_or(|algorithm| algorithm == claim.key.algorithm());
        require(is_same_key, "key")?;
        content?;
        Ok(bound.key_details)
    }
}

impl BoundEnvelope {
    /// Binding of an envelope of which only the payload hash is logged.
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

fn require(is_equal: bool, part: &'static str) -> Result<(), BindingError> {
    is_equal.then_some(()).ok_or(BindingError::Mismatch(part))
}
