//! The certificates that Signet makes, and no others: the signing leaf of Fulcio's profile, the
//! authorities above it, and the timestamp authority's leaf.
//!
//! rcgen lays out the fields; it can write neither every subject key nor every issuer name, so
//! both are put in afterwards, byte for byte, and the signature is made by our own keys.

mod build;
mod name;
mod unsigned;

use std::time::Duration;

use const_oid::db::rfc5280;
use der::Encode;
use rcgen::{ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, SanType};
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::chain::Purpose;
use super::extensions::{TIME_STAMPING, utf8_string};
use super::{Certificate, CertificateError, VectorTooLong};
use crate::protocol::identity::SubjectName;
use crate::protocol::keys::{KeyAlgorithm, PublicKey, SigningFailed};
use crate::protocol::time::UnixTime;
use build::{blank, build, custom, fulcio, key_id, name, subject_key_id};

pub(crate) use name::AuthorityName;
pub(crate) use name::AuthorityNameError;
pub use name::Principal;
pub(crate) use name::TokenSubjectError;
pub(crate) use unsigned::UnsignedCertificate;

/// A certificate's serial number: positive, 20 bytes, 158 of its bits random (RFC 5280 §4.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialNumber([u8; 20]);

impl SerialNumber {
    /// Takes random bytes; the two highest bits are set so that the number is positive and has
    /// always the same length.
    pub const fn from_random(bytes: [u8; 20]) -> Self {
        let [first, rest @ ..] = bytes;
        let mut number = [0; 20];
        let (head, tail) = number.split_at_mut(1);
        tail.copy_from_slice(&rest);
        head.copy_from_slice(&[(first & 0x3f) | 0x40]);
        Self(number)
    }
}

/// notBefore and notAfter, to the second, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// The first second.
    pub not_before: UnixTime,
    /// The last second.
    pub not_after: UnixTime,
}

impl Lifetime {
    /// How long an authority that is made at `now` lasts: ten years of 365.25 days.
    pub fn of_new_authority(now: UnixTime) -> Self {
        const TEN_YEARS: Duration = Duration::from_secs(315_576_000);
        let not_before = now.floor_to_second();
        Self {
            not_before,
            not_after: not_before.after(TEN_YEARS),
        }
    }
}

/// Who issues, as a certificate names it: the exact subject and key identifier of the authority.
#[derive(Clone, Debug)]
pub struct Issuer {
    name: Vec<u8>,
    key_id: Vec<u8>,
    algorithm: KeyAlgorithm,
}

impl Issuer {
    /// The authority whose certificate this is.
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

/// Why a certificate could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The issuer's certificate lacks a subject key identifier
    #[error("the issuer's certificate has no subject key identifier")]
    NoKeyIdentifier,
    /// The signing key is of another kind than the issuer's certificate says
    #[error("the signing key does not fit the issuer's certificate")]
    OtherKey,
    /// notAfter lies before notBefore
    #[error("the certificate would end before it begins")]
    Lifetime,
    /// A field could not be written
    #[error("the certificate could not be encoded")]
    Encoding,
    /// What was made cannot be read back
    #[error("the certificate that was made cannot be read: {0}")]
    Unreadable(#[from] CertificateError),
    /// The SCT list does not fit
    #[error(transparent)]
    SctList(#[from] VectorTooLong),
    /// There was no randomness
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

/// A signing leaf of Fulcio's profile, still without poison or SCT list: empty subject, one
/// critical name, digitalSignature, codeSigning, and the identity's extensions .1, .8 and .24.
///
/// # Errors
/// See [`ProfileError`].
pub fn signing_certificate(
    principal: &Principal,
    key: &PublicKey,
    issuer: &Issuer,
    serial: SerialNumber,
    lifetime: Lifetime,
) -> Result<UnsignedCertificate, ProfileError> {
    let name = principal.subject().as_str().try_into().map_err(encoding)?;
    let idp = principal.issuer().as_str();
    let text = |text: &str| utf8_string(text).map_err(encoding);
    let mut params = blank();
    params.subject_alt_names = vec![match principal.subject() {
        SubjectName::Email(_) => SanType::Rfc822Name(name),
        SubjectName::Uri(_) => SanType::URI(name),
    }];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params.custom_extensions = vec![
        subject_key_id(key)?,
        // The first extension holds the bare text, later ones a UTF8String: contract §1.6.
        fulcio(1, idp.as_bytes().to_vec())?,
        fulcio(8, text(idp)?)?,
        fulcio(24, text(principal.token_subject())?)?,
    ];
    build(params, key, Some(issuer), serial, lifetime)
}

/// The timestamp authority's leaf: digitalSignature, and timeStamping as the only extended key
/// usage, critical (RFC 3161 §2.3).
///
/// # Errors
/// See [`ProfileError`].
pub(crate) fn timestamping_certificate(
    subject: &AuthorityName,
    key: &PublicKey,
    issuer: &Issuer,
    serial: SerialNumber,
    lifetime: Lifetime,
) -> Result<UnsignedCertificate, ProfileError> {
    let usage = ExtendedKeyUsage(vec![TIME_STAMPING])
        .to_der()
        .map_err(encoding)?;
    let mut usage = custom(rfc5280::ID_CE_EXT_KEY_USAGE, usage);
    usage.set_criticality(true);
    let mut params = blank();
    name(&mut params, subject);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.custom_extensions = vec![subject_key_id(key)?, usage];
    build(params, key, Some(issuer), serial, lifetime)
}

/// What an authority's certificate says.
#[derive(Clone, Debug)]
pub(crate) struct AuthorityProfile<'a> {
    /// Its name.
    pub subject: &'a AuthorityName,
    /// Its key.
    pub key: &'a PublicKey,
    /// Who issues it; none for a root, which signs itself.
    pub issuer: Option<&'a Issuer>,
    /// What the leaves below are for, if that is limited. A root has no such limit.
    pub purpose: Option<Purpose>,
    /// How many intermediates may stand below it, if that is limited.
    pub path_length: Option<u8>,
    /// Its serial number.
    pub serial: SerialNumber,
    /// How long it is valid.
    pub lifetime: Lifetime,
}

/// An authority's certificate: CA, keyCertSign and cRLSign, with both key identifiers.
///
/// # Errors
/// See [`ProfileError`].
pub(crate) fn authority_certificate(
    profile: &AuthorityProfile<'_>,
) -> Result<UnsignedCertificate, ProfileError> {
    let mut params = blank();
    name(&mut params, profile.subject);
    params.is_ca = IsCa::Ca(match profile.path_length {
        Some(limit) => rcgen::BasicConstraints::Constrained(limit),
        None => rcgen::BasicConstraints::Unconstrained,
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
        profile.lifetime,
    )
}

fn encoding<E>(_: E) -> ProfileError {
    ProfileError::Encoding
}

#[cfg(test)]
mod tests;
