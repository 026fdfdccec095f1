//! The certificate or key that was sent with a signature to verify it.

use crate::protocol::bytes::to_base64;
use crate::protocol::keys::{KeyAlgorithm, KeyDetails, KeyError, PublicKey};
use crate::protocol::x509::{Certificate, CertificateError};

/// A certificate or key as it was sent. Nothing in it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawVerifier {
    /// A DER certificate
    Certificate(Vec<u8>),
    /// A DER SubjectPublicKeyInfo
    PublicKey(Vec<u8>),
}

/// Error accepting a certificate or key for an entry of Rekor v2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawVerifierError {
    /// The certificate cannot be read
    #[error("x509Certificate.rawBytes: {0}")]
    Certificate(#[from] CertificateError),
    /// An authority's certificate signs certificates, not artifacts
    #[error("x509Certificate.rawBytes: a certificate authority's certificate")]
    NotALeaf,
    /// The key cannot be read or is too weak
    #[error("publicKey.rawBytes: {0}")]
    Key(#[from] KeyError),
    /// The details are of another kind of key
    #[error("keyDetails is {declared}, and the key is {}; use {expected}", .key.name())]
    KeyDetails {
        /// The details that were sent.
        declared: KeyDetails,
        /// The kind of the key that was sent.
        key: KeyAlgorithm,
        /// The details of such a key.
        expected: KeyDetails,
    },
}

impl RawVerifier {
    /// Exactly one of the two, as every format demands that has a member for each.
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

    /// The one block of a PEM text.
    pub(super) fn from_pem(text: &[u8]) -> Option<Self> {
        let [block] = <[pem::Pem; 1]>::try_from(pem::parse_many(text).ok()?).ok()?;
        match block.tag() {
            "CERTIFICATE" => Some(Self::Certificate(block.into_contents())),
            "PUBLIC KEY" => Some(Self::PublicKey(block.into_contents())),
            _ => None,
        }
    }

    /// Reads the key, which must be of the declared details. `loggable` gives the only details under
    /// which a key of each kind is logged: clients rebuild the body from the key alone.
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

    /// A signature in the canonical body of a Rekor v2 entry: `{"content":…,"verifier":{…}}`.
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
