//! Proof of possession: a client proves that it holds the private key to be certified.

use crate::protocol::bytes::from_base64_lenient;
use crate::protocol::keys::{KeyError, PublicKey};
use crate::protocol::x509::request::{
    PossessionError, ProvenKey, verify_challenge, verify_request,
};

/// Maximum length of a public key or signing request, in bytes of text.
const MAX_KEY_TEXT: usize = 16 * 1024;

/// Maximum length of a signature, in bytes. RSA 4096 needs 512.
const MAX_PROOF: usize = 1024;

/// A public key with the proof of possession.
#[derive(Clone, Debug)]
pub(crate) enum KeyRequest {
    /// A PKCS#10 request, signed with the key that it contains (RFC 2986)
    SigningRequest {
        /// PEM
        pem: String,
    },
    /// A public key, and a signature over one of the identity's challenges
    PublicKey {
        /// PEM, or DER in base64
        key: String,
        /// Signature over a challenge; DER for ECDSA
        proof: Vec<u8>,
    },
}

/// Error in a key or its proof of possession.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyRequestError {
    #[error("the certificate signing request is not a PKCS#10 request in PEM")]
    SigningRequest,
    #[error("the public key is not a SubjectPublicKeyInfo in PEM")]
    PublicKey,
    /// An algorithm or strength that is not accepted
    #[error(transparent)]
    Insecure(KeyError),
    #[error("the proof of possession does not verify with the public key")]
    Proof,
}

impl KeyRequest {
    /// Verifies the proof of possession.
    ///
    /// # Errors
    /// See [`KeyRequestError`].
    pub(crate) fn verify(&self, challenges: &[&str]) -> Result<ProvenKey, KeyRequestError> {
        match self {
            Self::SigningRequest { pem } => {
                if pem.len() > MAX_KEY_TEXT {
                    return Err(KeyRequestError::SigningRequest);
                }
                verify_request(pem).map_err(|error| match error {
                    PossessionError::Request => KeyRequestError::SigningRequest,
                    PossessionError::Proof => KeyRequestError::Proof,
                    PossessionError::Key(error) => key_error(error),
                })
            }
            Self::PublicKey { key, proof } => {
                let key = parse_public_key(key)?;
                if proof.len() > MAX_PROOF {
                    return Err(KeyRequestError::Proof);
                }
                verify_challenge(key, challenges, proof).map_err(|_| KeyRequestError::Proof)
            }
        }
    }
}

fn parse_public_key(text: &str) -> Result<PublicKey, KeyRequestError> {
    if text.len() > MAX_KEY_TEXT {
        return Err(KeyRequestError::PublicKey);
    }
    let key = if text.contains("-----BEGIN") {
        PublicKey::from_pem(text)
    } else {
        let der = from_base64_lenient(text.trim()).map_err(|_| KeyRequestError::PublicKey)?;
        PublicKey::from_spki_der(&der)
    };
    key.map_err(key_error)
}

const fn key_error(error: KeyError) -> KeyRequestError {
    match error {
        KeyError::Malformed => KeyRequestError::PublicKey,
        KeyError::Unsupported | KeyError::Weak => KeyRequestError::Insecure(error),
    }
}
