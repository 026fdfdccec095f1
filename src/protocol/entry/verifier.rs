//! What came along to verify a signature with, and the key in it.

use crate::protocol::bytes::to_base64;
use crate::protocol::keys::{KeyAlgorithm, KeyDetails, KeyError, PublicKey};
use crate::protocol::x509::{Certificate, CertificateError};

/// What verifies a signature, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawVerifier {
    /// A DER certificate
    Certificate(Vec<u8>),
    /// A DER SubjectPublicKeyInfo
    PublicKey(Vec<u8>),
}

/// Why a verifier is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// Not a certificate that can be read
    #[error("x509Certificate.rawBytes: {0}")]
    Certificate(#[from] CertificateError),
    /// An authority's certificate signs certificates, not artifacts
    #[error("x509Certificate.rawBytes: a certificate authority's certificate")]
    NotALeaf,
    /// Not a key that is accepted
    #[error("publicKey.rawBytes: {0}")]
    Key(#[from] KeyError),
    /// Details of another key than the one that was sent
    #[error("keyDetails is {declared}, and the key is {}; use {expected}", .key.name())]
    KeyDetails {
        /// What was sent.
        declared: KeyDetails,
        /// What kind of key there is.
        key: KeyAlgorithm,
        /// What goes with it.
        expected: KeyDetails,
    },
}

impl RawVerifier {
    /// The key inside, which must be what the details say. `loggable` gives the one form of
    /// details under which a key of each kind is logged: clients rebuild the body from the key
    /// alone, so there can be only one.
    pub(super) fn key(
        &self,
        declared: KeyDetails,
        loggable: fn(KeyAlgorithm) -> KeyDetails,
    ) -> Result<PublicKey, VerifierError> {
        let key = match self {
            Self::Certificate(der) => {
                let certificate = Certificate::from_der(der)?;
                if certificate.extensions().is_ca() {
                    return Err(VerifierError::NotALeaf);
                }
                certificate.public_key().clone()
            }
            Self::PublicKey(spki) => PublicKey::from_spki_der(spki)?,
        };
        let expected = loggable(key.algorithm());
        if declared != expected {
            return Err(VerifierError::KeyDetails {
                declared,
                key: key.algorithm(),
                expected,
            });
        }
        Ok(key)
    }

    /// A signature and its verifier in canonical form: `{"content":…,"verifier":{…}}`.
    pub(super) fn canonical_signature(&self, details: KeyDetails, signature: &[u8]) -> String {
        let (kind, raw) = match self {
            Self::Certificate(der) => ("x509Certificate", der),
            Self::PublicKey(spki) => ("publicKey", spki),
        };
        // Keys in ascending order: keyDetails, publicKey, x509Certificate.
        [
            r#"{"content":""#,
            &to_base64(signature),
            r#"","verifier":{"keyDetails":""#,
            details.registry_name(),
            r#"",""#,
            kind,
            r#"":{"rawBytes":""#,
            &to_base64(raw),
            r#""}}}"#,
        ]
        .concat()
    }
}
