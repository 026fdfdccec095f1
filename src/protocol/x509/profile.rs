//! The only certificates that Signet issues: the signing leaf of Fulcio's profile, the authorities
//! above it, and the timestamp authority's leaf.
//!
//! This is the only file that uses rcgen outside tests. rcgen encodes names, times and extensions; it
//! can write neither every accepted key nor every issuer name, so both are inserted afterwards byte
//! for byte, and Signet's own keys sign (docs/adr/0008-rcgen-encodes-and-does-not-sign.md).

mod name;
mod unsigned;

use std::time::Duration;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Encode};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, SanType,
};
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::chain::Purpose;
use super::extensions::{TIME_STAMPING, fulcio_id, utf8_string};
use super::signature::SignatureAlgorithm;
use super::tbs::{RawCertificate, RawTbs};
use super::{Certificate, CertificateError, VectorTooLong};
use crate::protocol::hash::Sha256;
use crate::protocol::identity::SubjectName;
use crate::protocol::keys::{KeyAlgorithm, PublicKey, SigningFailed};
use crate::protocol::time::{UnixTime, Validity};

pub use name::Principal;
pub(crate) use name::{AuthorityName, AuthorityNameError, TokenSubjectError};
pub(crate) use unsigned::UnsignedCertificate;

/// A certificate's serial number: positive, 20 bytes, 158 of its bits random (RFC 5280 §4.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialNumber([u8; 20]);

impl SerialNumber {
    /// Sets the two highest bits so that the number is positive and always has the same length.
    pub const fn from_random(bytes: [u8; 20]) -> Self {
        let [first, rest @ ..] = bytes;
        let mut number = [0; 20];
        let (head, tail) = number.split_at_mut(1);
        tail.copy_from_slice(&rest);
        head.copy_from_slice(&[(first & 0x3f) | 0x40]);
        Self(number)
    }
}

/// The validity of an authority that is generated at `now`: ten years of 365.25 days.
pub(crate) fn authority_validity(now: UnixTime) -> Validity {
    const TEN_YEARS: Duration = Duration::from_secs(315_576_000);
    let start = now.floor_to_second();
    Validity {
        start,
        end: Some(start.after(TEN_YEARS)),
    }
}

/// The authority that issues a certificate, by the exact bytes of its name and key identifier.
#[derive(Clone, Debug)]
pub struct CertificateIssuer {
    name: Vec<u8>,
    key_id: Vec<u8>,
    algorithm: KeyAlgorithm,
}

impl CertificateIssuer {
    /// The authority with this certificate.
    ///
    /// # Errors
    /// It has no subject key identifier, which clients look for.
    pub fn of(certificate: &Certificate) -> Result<Self, ProfileError> {
        let key_id = certificate
            .extensions()
            .subject_key_id()
            .ok_or(ProfileError::NoKeyIdentifier)?;
        Ok(Self {
            name: certificate.subject_name_der().to_vec(),
            key_id: key_id.to_vec(),
            algorithm: certificate.public_key().algorithm(),
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    #[error("the issuer's certificate has no subject key identifier")]
    NoKeyIdentifier,
    #[error("the signing key does not fit the issuer's certificate")]
    OtherKey,
    #[error("the certificate must end, and not before it starts")]
    Validity,
    #[error("the certificate could not be encoded")]
    Encoding,
    #[error("the new certificate cannot be parsed: {0}")]
    Unreadable(#[from] CertificateError),
    #[error(transparent)]
    SctList(#[from] VectorTooLong),
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

/// A signing leaf of Fulcio's profile without poison or SCT list: empty subject, one critical
/// subjectAltName, digitalSignature, codeSigning, and the identity's extensions .1, .8 and .24.
///
/// # Errors
/// See [`ProfileError`].
pub fn signing_certificate(
    principal: Principal<'_>,
    key: &PublicKey,
    issuer: &CertificateIssuer,
    serial: SerialNumber,
    validity: Validity,
) -> Result<UnsignedCertificate, ProfileError> {
    let name = principal.subject().as_str().try_into().map_err(encoding)?;
    let idp = principal.issuer().as_str();
    let text = |text: &str| utf8_string(text).map_err(encoding);
    let fulcio = |number, value| {
        let id = fulcio_id(number).ok_or(ProfileError::Encoding);
        id.map(|id| custom(id, value))
    };
    let mut params = blank();
    params.subject_alt_names = vec![match principal.subject() {
        SubjectName::Email(_) => SanType::Rfc822Name(name),
        SubjectName::Uri(_) => SanType::URI(name),
    }];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params.custom_extensions = vec![
        subject_key_id(key)?,
        // Fulcio docs/oid-info.md: .1 contains the bare text, .8 and later a DER UTF8String.
        fulcio(1, idp.as_bytes().to_vec())?,
        fulcio(8, text(idp)?)?,
        fulcio(24, text(principal.token_subject())?)?,
    ];
    build(params, key, Some(issuer), serial, validity)
}

/// The timestamp authority's leaf: digitalSignature, and a critical timeStamping as the only extended
/// key usage (RFC 3161 §2.3).
///
/// # Errors
/// See [`ProfileError`].
pub(crate) fn timestamping_certificate(
    subject: &AuthorityName,
    key: &PublicKey,
    issuer: &CertificateIssuer,
    serial: SerialNumber,
    validity: Validity,
) -> Result<UnsignedCertificate, ProfileError> {
    // rcgen never marks extended key usages as critical.
    let usage = ExtendedKeyUsage(vec![TIME_STAMPING])
        .to_der()
        .map_err(encoding)?;
    let mut usage = custom(rfc5280::ID_CE_EXT_KEY_USAGE, usage);
    usage.set_criticality(true);
    let mut params = named(subject);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.custom_extensions = vec![subject_key_id(key)?, usage];
    build(params, key, Some(issuer), serial, validity)
}

/// The contents of an authority's certificate.
#[derive(Clone, Debug)]
pub(crate) struct AuthorityProfile<'a> {
    pub subject: &'a AuthorityName,
    pub key: &'a PublicKey,
    /// None for a root, which signs itself.
    pub issuer: Option<&'a CertificateIssuer>,
    /// What the leaves below are for. A root is not limited.
    pub purpose: Option<Purpose>,
    /// How many intermediates may be below it, if that is limited.
    pub path_length: Option<u8>,
    pub serial: SerialNumber,
    pub validity: Validity,
}

/// An authority's certificate: CA, keyCertSign and cRLSign, with both key identifiers.
///
/// # Errors
/// See [`ProfileError`].
pub(crate) fn authority_certificate(
    profile: &AuthorityProfile<'_>,
) -> Result<UnsignedCertificate, ProfileError> {
    let mut params = named(profile.subject);
    params.is_ca = IsCa::Ca(match profile.path_length {
        Some(limit) => BasicConstraints::Constrained(limit),
        None => BasicConstraints::Unconstrained,
    });
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = match profile.purpose {
        Some(Purpose::CodeSigning) => vec![ExtendedKeyUsagePurpose::CodeSigning],
        Some(Purpose::TimeStamping) => vec![ExtendedKeyUsagePurpose::TimeStamping],
        None => Vec::new(),
    };
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_id(profile.key));
    build(
        params,
        profile.key,
        profile.issuer,
        profile.serial,
        profile.validity,
    )
}

/// Lets rcgen encode the certificate around a placeholder, then inserts the exact subject key, issuer
/// name and algorithm. Without an issuer the certificate names itself.
fn build(
    mut params: CertificateParams,
    key: &PublicKey,
    issuer: Option<&CertificateIssuer>,
    serial: SerialNumber,
    validity: Validity,
) -> Result<UnsignedCertificate, ProfileError> {
    let end = validity.end.filter(|_| !validity.is_empty());
    let end = end.ok_or(ProfileError::Validity)?;
    params.not_before = validity.start.floor_to_second().to_offset_date_time();
    params.not_after = end.floor_to_second().to_offset_date_time();
    params.serial_number = Some(serial.0.to_vec().into());
    params.use_authority_key_identifier_extension = issuer.is_some();
    let mut above = blank();
    if let Some(issuer) = issuer {
        above.key_identifier_method = KeyIdMethod::PreSpecified(issuer.key_id.clone());
    }
    let encoded = params
        .signed_by(
            &Placeholder,
            &rcgen::Issuer::from_params(&above, Placeholder),
        )
        .map_err(encoding)?;

    let kind = issuer.map_or_else(|| key.algorithm(), |issuer| issuer.algorithm);
    let algorithm = SignatureAlgorithm::of_key(kind);
    let algorithm_der = algorithm.to_der().map_err(encoding)?;
    let certificate = RawCertificate::from_der(encoded.der()).map_err(encoding)?;
    let mut tbs: RawTbs<'_> = certificate.tbs.decode_as().map_err(encoding)?;
    tbs.signature_algorithm = AnyRef::from_der(&algorithm_der).map_err(encoding)?;
    tbs.public_key = AnyRef::from_der(key.spki_der()).map_err(encoding)?;
    tbs.issuer = match issuer {
        Some(issuer) => AnyRef::from_der(&issuer.name).map_err(encoding)?,
        None => tbs.subject,
    };
    Ok(UnsignedCertificate {
        tbs: tbs.to_der().map_err(encoding)?,
        algorithm,
    })
}

/// Parameters without the common name that rcgen sets by default.
fn blank() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
}

fn named(name: &AuthorityName) -> CertificateParams {
    let mut params = blank();
    let subject = &mut params.distinguished_name;
    subject.push(DnType::OrganizationName, name.organization());
    subject.push(DnType::CommonName, name.common_name());
    params
}

/// A key identifier: the first 160 bits of the key's SHA-256 (RFC 7093 §2, method 1).
fn key_id(key: &PublicKey) -> Vec<u8> {
    let digest = Sha256::of(key.raw());
    digest.as_bytes().iter().take(20).copied().collect()
}

fn subject_key_id(key: &PublicKey) -> Result<CustomExtension, ProfileError> {
    let value = OctetStringRef::new(&key_id(key))
        .and_then(|id| id.to_der())
        .map_err(encoding)?;
    Ok(custom(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, value))
}

fn custom(id: ObjectIdentifier, value: Vec<u8>) -> CustomExtension {
    let arcs: Vec<u64> = id.arcs().map(u64::from).collect();
    CustomExtension::from_oid_content(&arcs, value)
}

fn encoding<E>(_: E) -> ProfileError {
    ProfileError::Encoding
}

/// Replaces the keys that rcgen requires; everything that it returns is overwritten.
struct Placeholder;

impl rcgen::PublicKeyData for Placeholder {
    fn der_bytes(&self) -> &[u8] {
        &[0]
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Placeholder {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(vec![0])
    }
}

#[cfg(test)]
mod tests;
