//! The certificate or public key that accompanies a signature.

use crate::protocol::bytes::to_base64;
use crate::protocol::keys::{KeyAlgorithm, KeyDetails, KeyError, PublicKey};
use crate::protocol::x509::{Certificate, CertificateError};

/// An unparsed certificate or public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawVerifier {
    /// A certificate in DER.
    Certificate(Vec<u8>),
    /// A SubjectPublicKeyInfo in DER.
    PublicKey(Vec<u8>),
}

/// Error accepting a certificate or key for an entry of Rekor v2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawVerifierError {
    #[error("x509Certificate.rawBytes: {0}")]
    Certificate(#[from] CertificateError),
    /// CA certificates must not verify artifacts.
    #[error("x509Certificate.rawBytes: a CA certificate cannot verify an artifact's signature")]
    NotALeaf,
    /// The key is malformed or too weak.
    #[error("publicKey.rawBytes: {0}")]
    Key(#[from] KeyError),
    #[error("keyDetails is {declared}, but the key is {}; use {expected}", .key.name())]
    KeyDetails {
        declared: KeyDetails,
        key: KeyAlgorithm,
        /// The only details that are accepted for this kind of key.
        expected: KeyDetails,
    },
}

impl RawVerifier {
    /// Returns `None` unless exactly one of the two is present.
    pub(super) fn one_of(
        certificate: Option<Vec<u8>>,
        public_key: Option<Vec<u8>>,
    ) -> Option<Self> {
        match (certificate, public_key) {
            (Some(der), None) => Some(Self::Certificate(der)),
            (None, Some(spki)) => Some(Self::PublicKey(spki)),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// Parses PEM with exactly one block.
    pub(super) fn from_pem(text: &[u8]) -> Option<Self> {
        let [block] = <[pem::Pem; 1]>::try_from(pem::parse_many(text).ok()?).ok()?;
        match block.tag() {
            "CERTIFICATE" => Some(Self::Certificate(block.into_contents())),
            "PUBLIC KEY" => Some(Self::PublicKey(block.into_contents())),
            _ => None,
        }
    }

    /// Parses the key and checks that it matches the declared details. `loggable` maps each kind of key
    /// to the only details that are logged for it, because clients rebuild the body from the key.
    pub(super) fn key(
        &self,
        declared: KeyDetails,
        loggable: fn(KeyAlgorithm) -> KeyDetails,
    ) -> Result<PublicKey, RawVerifierError> {
        let key = match self {
            Self::Certificate(der) => {
                let certificate = Certificate::from_der(der)?;
                if certificate.extensions().is_ca() {
                    return Err(RawVerifierError::NotALeaf);
                }
                certificate.public_key().clone()
            }
            Self::PublicKey(spki) => PublicKey::from_spki_der(spki)?,
        };
        let expected = loggable(key.algorithm());
        if declared != expected {
            return Err(RawVerifierError::KeyDetails {
                declared,
                key: key.algorithm(),
                expected,
            });
        }
        Ok(key)
    }

    /// Formats a signature for the canonical body of a Rekor v2 entry: `{"content":…,"verifier":{…}}`.
    pub(super) fn canonical_signature(&self, details: KeyDetails, signature: &[u8]) -> String {
        let (member, raw) = match self {
            Self::Certificate(der) => ("x509Certificate", der),
            Self::PublicKey(spki) => ("publicKey", spki),
        };
        // RFC 8785 sorts the members: keyDetails, publicKey, x509Certificate.
        [
            r#"{"content":""#,
            &to_base64(signature),
            r#"","verifier":{"keyDetails":""#,
            details.registry_name(),
            r#"",""#,
            member,
            r#"":{"rawBytes":""#,
            &to_base64(raw),
            r#""}}}"#,
        ]
        .concat()
    }
}
