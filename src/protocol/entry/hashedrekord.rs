//! hashedrekord 0.0.2: a digest, a signature over it, and the certificate or key that verifies it.

mod body;

use body::Body;

use super::verifier::{RawVerifier, VerifierError};
use crate::protocol::bytes::{Digest, WrongDigestLength, to_base64};
use crate::protocol::keys::{KeyAlgorithm, KeyDetails, SignatureInvalid, SignatureValid};

/// The longest body, in bytes: entry bundles carry a 16-bit length (C2SP tlog-tiles).
pub const MAX_BODY: usize = 65_535;

/// The parts of a hashedrekord, whose signature was not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedHashedRekord {
    /// The digest of what was signed; its algorithm follows from the key details.
    pub digest: Digest,
    /// The signature over the digest.
    pub signature: Vec<u8>,
    /// The certificate or key.
    pub verifier: RawVerifier,
    /// The key's kind, hash and padding.
    pub key_details: KeyDetails,
}

/// A hashedrekord whose signature was verified over its digest, in canonical form.
#[derive(Clone, Debug)]
pub struct HashedRekord {
    body: Vec<u8>,
    /// The evidence that let it come into being.
    _signature: SignatureValid,
}

/// Why an entry is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Pure Ed25519 needs the whole message, and the log has a digest
    #[error(
        "keyDetails PKIX_ED25519 is not accepted: the log checks signatures over a digest; \
         use PKIX_ED25519_PH"
    )]
    PureEd25519,
    /// The digest is not one of the hash that goes with the key
    #[error("digest does not fit keyDetails: {0}")]
    Digest(#[from] WrongDigestLength),
    /// There is no signature
    #[error("signature.content is empty")]
    NoSignature,
    /// The certificate or key is not accepted
    #[error("signature.verifier.{0}")]
    Verifier(#[from] VerifierError),
    /// The signature is not one over this digest with this key
    #[error("signature.content: {0}")]
    Signature(#[from] SignatureInvalid),
    /// More bytes than an entry can have
    #[error("the canonical entry has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
}

/// Why bytes are not the canonical body of a hashedrekord 0.0.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than an entry can have
    #[error("the entry has {0} bytes; the limit is {MAX_BODY}")]
    TooLarge(usize),
    /// Not a hashedrekord 0.0.2, or with other members than it has
    #[error("the entry is not a hashedrekord 0.0.2")]
    Malformed,
    /// The hash that it names is not the one of its key details
    #[error("the entry names a hash that is not its key's")]
    Algorithm,
    /// Its digest does not fit its hash
    #[error("the entry's digest: {0}")]
    Digest(#[from] WrongDigestLength),
    /// The same content has another canonical form (RFC 8785)
    #[error("the entry is not in canonical form")]
    NotCanonical,
}

impl UnverifiedHashedRekord {
    /// Puts together what a client submits.
    ///
    /// # Errors
    /// Details that name no digest, or a digest of another length than theirs.
    pub fn new(
        digest: Vec<u8>,
        signature: Vec<u8>,
        verifier: RawVerifier,
        key_details: KeyDetails,
    ) -> Result<Self, EntryError> {
        let hash = key_details.hash().ok_or(EntryError::PureEd25519)?;
        Ok(Self {
            digest: Digest::new(hash, digest)?,
            signature,
            verifier,
            key_details,
        })
    }

    /// Reads a canonical body, refusing every other way to write it.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn parse_body(body: &[u8]) -> Result<Self, BodyError> {
        if body.len() > MAX_BODY {
            return Err(BodyError::TooLarge(body.len()));
        }
        let parsed: Body = serde_json::from_slice(body).map_err(|_| BodyError::Malformed)?;
        let entry = Self::try_from(parsed)?;
        if entry.canonical_body() != body {
            return Err(BodyError::NotCanonical);
        }
        Ok(entry)
    }

    /// The canonical body (RFC 8785): its members are fixed and every value is base64 or a name of
    /// the registry, so that it is written straight out, in order and without an escape.
    pub fn canonical_body(&self) -> Vec<u8> {
        let algorithm = self.digest.algorithm().registry_name();
        let digest = to_base64(self.digest.as_bytes());
        let signature = self
            .verifier
            .canonical_signature(self.key_details, &self.signature);
        [
            r#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"#,
            r#""algorithm":""#,
            algorithm,
            r#"","digest":""#,
            &digest,
            r#""},"signature":"#,
            &signature,
            "}}}",
        ]
        .concat()
        .into_bytes()
    }

    /// Verifies the signature over the digest with the key that came along, which must be what the
    /// details say and nothing else.
    ///
    /// # Errors
    /// See [`EntryError`].
    pub fn verify(&self) -> Result<HashedRekord, EntryError> {
        if self.signature.is_empty() {
            return Err(EntryError::NoSignature);
        }
        let body = self.canonical_body();
        if body.len() > MAX_BODY {
            return Err(EntryError::TooLarge(body.len()));
        }
        let key = self.verifier.key(self.key_details, loggable_details)?;
        let signature = key.verify_digest(&self.digest, &self.signature)?;
        Ok(HashedRekord {
            body,
            _signature: signature,
        })
    }
}

impl HashedRekord {
    /// The canonical body, given away.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// The details under which a key of this kind is logged: those that go with a digest.
const fn loggable_details(key: KeyAlgorithm) -> KeyDetails {
    match key {
        KeyAlgorithm::Ed25519 => KeyDetails::Ed25519Ph,
        other => other.default_details(),
    }
}

#[cfg(test)]
mod tests;
