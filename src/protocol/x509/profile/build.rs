//! How a certificate is laid out by rcgen and made exact afterwards.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Encode};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, KeyIdMethod,
    SignatureAlgorithm as RcgenAlgorithm,
};

use super::super::SignatureAlgorithm;
use super::super::extensions::fulcio_id;
use super::super::tbs::{RawCertificate, RawTbs};
use super::{
    AuthorityName, Issuer, Lifetime, ProfileError, SerialNumber, UnsignedCertificate, encoding,
};
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::PublicKey;

/// Lets rcgen write the certificate around a placeholder, then puts in the exact subject key,
/// issuer name and algorithm. Without an issuer the certificate names itself.
pub(super) fn build(
    mut params: CertificateParams,
    key: &PublicKey,
    issuer: Option<&Issuer>,
    serial: SerialNumber,
    lifetime: Lifetime,
) -> Result<UnsignedCertificate, ProfileError> {
    if lifetime.not_after < lifetime.not_before {
        return Err(ProfileError::Lifetime);
    }
    params.not_before = lifetime.not_before.floor_to_second().to_offset_date_time();
    params.not_after = lifetime.not_after.floor_to_second().to_offset_date_time();
    params.serial_number = Some(serial.0.to_vec().into());
    params.use_authority_key_identifier_extension = issuer.is_some();
    let mut above = blank();
    if let Some(issuer) = issuer {
        above.key_identifier_method = KeyIdMethod::PreSpecified(issuer.key_id.clone());
    }
    let laid_out = params
        .signed_by(
            &Placeholder,
            &rcgen::Issuer::from_params(&above, Placeholder),
        )
        .map_err(encoding)?;

    let kind = issuer.map_or_else(|| key.algorithm(), |issuer| issuer.algorithm);
    let algorithm = SignatureAlgorithm::of_key(kind);
    let algorithm_der = algorithm.to_der().map_err(encoding)?;
    let certificate = RawCertificate::from_der(laid_out.der()).map_err(encoding)?;
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

/// Parameters without rcgen's own common name.
pub(super) fn blank() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
}

/// A key identifier: the first 160 bits of the key's SHA-256 (RFC 7093 §2, method 1).
pub(super) fn key_id(key: &PublicKey) -> Vec<u8> {
    let digest = Sha256::of(key.raw());
    digest.as_bytes().iter().take(20).copied().collect()
}

pub(super) fn subject_key_id(key: &PublicKey) -> Result<CustomExtension, ProfileError> {
    let value = OctetStringRef::new(&key_id(key))
        .and_then(|id| id.to_der())
        .map_err(encoding)?;
    Ok(custom(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, value))
}

pub(super) fn fulcio(number: u8, value: Vec<u8>) -> Result<CustomExtension, ProfileError> {
    let id = fulcio_id(number).ok_or(ProfileError::Encoding)?;
    Ok(custom(id, value))
}

pub(super) fn custom(id: ObjectIdentifier, value: Vec<u8>) -> CustomExtension {
    let arcs: Vec<u64> = id.arcs().map(u64::from).collect();
    CustomExtension::from_oid_content(&arcs, value)
}

pub(super) fn name(params: &mut CertificateParams, name: &AuthorityName) {
    let subject = &mut params.distinguished_name;
    subject.push(DnType::OrganizationName, name.organization());
    subject.push(DnType::CommonName, name.common_name());
}

/// Stands where rcgen wants keys; everything it yields is overwritten.
struct Placeholder;

impl rcgen::PublicKeyData for Placeholder {
    fn der_bytes(&self) -> &[u8] {
        &[0]
    }

    fn algorithm(&self) -> &'static RcgenAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Placeholder {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(vec![0])
    }
}
