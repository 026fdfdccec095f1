//! X.509 certificates as Sigstore uses them (RFC 5280, RFC 6962 §3.2–3.3, Fulcio's profile).
//! Pure: no I/O, no clock.

use crate::protocol::bytes::Sha256;
use crate::protocol::identity::SubjectName;
use crate::protocol::keys::PublicKey;
use crate::protocol::time::{UnixTime, Validity};

/// A certificate that was parsed, every byte consumed. Nothing about it was verified.
#[derive(Clone, Debug)]
pub struct Certificate {}

/// Why bytes are no certificate that is accepted here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not one DER certificate
    #[error("not a valid DER certificate")]
    Malformed,
}

impl Certificate {
    /// Reads one DER certificate.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn from_der(_der: &[u8]) -> Result<Self, CertificateError> {
        todo!("x509")
    }

    /// Reads one PEM certificate.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn from_pem(_pem: &str) -> Result<Self, CertificateError> {
        todo!("x509")
    }

    /// The DER form, as it was read.
    pub fn der(&self) -> &[u8] {
        todo!("x509")
    }

    /// PEM: 64 columns, a newline at the end.
    pub fn to_pem(&self) -> String {
        todo!("x509")
    }

    /// The subject's public key.
    pub fn public_key(&self) -> &PublicKey {
        todo!("x509")
    }

    /// notBefore to notAfter, both ends included.
    pub fn validity(&self) -> Validity {
        todo!("x509")
    }

    /// The serial number's content bytes, big-endian.
    pub fn serial(&self) -> &[u8] {
        todo!("x509")
    }

    /// The one subjectAltName, if it has exactly one of a known form.
    pub fn subject_name(&self) -> Option<&SubjectName> {
        todo!("x509")
    }

    /// The OpenID Connect issuer: Fulcio extension .8, else .1.
    pub fn oidc_issuer(&self) -> Option<&str> {
        todo!("x509")
    }

    /// SHA-256 of the whole DER.
    pub fn fingerprint(&self) -> Sha256 {
        todo!("x509")
    }
}

/// A certificate authority of a trust root.
#[derive(Clone, Debug)]
pub struct TrustedAuthority {
    /// Intermediates from the leaf's side upwards, then the root, which is last.
    pub chain: Vec<Certificate>,
    /// When the authority is trusted; bounds every moment at which it vouches.
    pub validity: Validity,
}

/// Evidence that a leaf chains to a trusted authority at one moment, as a code-signing leaf.
#[derive(Clone, Debug)]
pub struct VerifiedPath {
    issuer: Certificate,
}

impl VerifiedPath {
    /// The certificate that issued the leaf, found on the verified path.
    pub const fn issuer(&self) -> &Certificate {
        &self.issuer
    }
}

/// Why a leaf does not chain to an authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No issuer in the chain made this certificate
    #[error("the certificate was not issued by this authority")]
    NotIssued,
}

/// Verifies leaf → authority at `at` (RFC 5280 §6.1): signatures, names, validity of every
/// certificate, basic constraints, path length, key usage; the leaf has digitalSignature and
/// the codeSigning extended key usage, and every critical extension is known.
///
/// # Errors
/// See [`PathError`].
pub fn verify_path(
    _leaf: &Certificate,
    _authority: &TrustedAuthority,
    _at: UnixTime,
) -> Result<VerifiedPath, PathError> {
    todo!("x509")
}

/// A certificate-transparency log of a trust root.
#[derive(Clone, Debug)]
pub struct TrustedCtLog {
    /// The log's key; its ID is the key's fingerprint.
    pub key: PublicKey,
    /// When its timestamps are trusted.
    pub validity: Validity,
}

/// Evidence that a trusted log promised to include the certificate.
#[derive(Clone, Debug)]
pub struct VerifiedSct {
    /// The log's ID.
    pub log_id: Sha256,
    /// When the log saw the precertificate.
    pub time: UnixTime,
}

/// Why a certificate's SCTs do not suffice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SctError {
    /// The certificate has no SCT list
    #[error("the certificate carries no signed certificate timestamp")]
    Missing,
}

/// Verifies the embedded SCTs (RFC 6962 §3.2): returns one for each distinct trusted log whose
/// SCT holds over the precertificate rebuilt from `leaf`, at least one. An SCT of an unknown log
/// is skipped; one of a known log that does not verify is an error.
///
/// # Errors
/// See [`SctError`].
pub fn verify_scts(
    _leaf: &Certificate,
    _path: &VerifiedPath,
    _logs: &[TrustedCtLog],
) -> Result<Vec<VerifiedSct>, SctError> {
    todo!("x509")
}
