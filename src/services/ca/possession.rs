//! What a client sends to prove that it holds a private key.

use crate::protocol::bytes::from_base64_lenient;
use crate::protocol::keys::{KeyError, PublicKey};
use crate::protocol::x509::request::{
    PossessionError, ProvenKey, verify_challenge, verify_request,
};

/// The longest public key or signing request that is read, in bytes of text.
const MAX_KEY_TEXT: usize = 16 * 1024;

/// The longest signature that is read, in bytes: RSA 4096 makes 512.
const MAX_PROOF: usize = 1024;

/// A key and the proof that its owner holds the private half.
#[derive(Clone, Debug)]
pub(crate) enum KeyRequest {
    /// A PKCS#10 request in PEM, signed with the key it carries
    SigningRequest {
        /// The PEM text
        pem: String,
    },
    /// A public key, and a signature over one of the identity's challenges
    PublicKey {
        /// PEM, or the base64 of its DER
        key: String,
        /// The signature: DER for ECDSA
        proof: Vec<u8>,
    },
}

/// Why a key was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    /// The signing request cannot be read
    #[error("the certificate signing request cannot be read: one PKCS#10 request in PEM is needed")]
    SigningRequest,
    /// The public key cannot be read
    #[error("the public key cannot be read: one SubjectPublicKeyInfo in PEM is needed")]
    PublicKey,
    /// The public key is of a kind or strength that is not accepted
    #[error(transparent)]
    Insecure(KeyError),
    /// The proof does not hold
    #[error("the proof of possession does not verify with the public key")]
    Proof,
}

impl KeyRequest {
    /// Verifies the proof of possession.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub(crate) fn verify(&self, challenges: &[&str]) -> Result<ProvenKey, RequestError> {
        match self {
            Self::SigningRequest { pem } => {
                if pem.len() > MAX_KEY_TEXT {
                    return Err(RequestError::SigningRequest);
                }
                verify_request(pem).map_err(|error| match error {
                    PossessionError::Request => RequestError::SigningRequest,
                    PossessionError::Proof => RequestError::Proof,
                    PossessionError::Key(error) => key_error(error),
                })
            }
            Self::PublicKey { key, proof } => {
                let key = parse_public_key(key)?;
                if proof.len() > MAX_PROOF {
                    return Err(RequestError::Proof);
                }
                verify_challenge(key, challenges, proof).map_err(|_| RequestError::Proof)
            }
        }
    }
}

fn parse_public_key(text: &str) -> Result<PublicKey, RequestError> {
    if text.len() > MAX_KEY_TEXT {
        return Err(RequestError::PublicKey);
    }
    let key = if text.contains("-----BEGIN") {
        PublicKey::from_pem(text)
    } else {
        let der = from_base64_lenient(text.trim()).map_err(|_| RequestError::PublicKey)?;
        PublicKey::from_spki_der(&der)
    };
    key.map_err(key_error)
}

const fn key_error(error: KeyError) -> RequestError {
    match error {
        KeyError::Malformed => RequestError::PublicKey,
        KeyError::Unsupported | KeyError::Weak => RequestError::Insecure(error),
    }
}
