//! The certificates that Signet makes, and no others: the signing leaf of Fulcio's profile, the
//! authorities above it, and the timestamp authority's leaf.
//!
//! rcgen lays out the fields; it can write neither every subject key nor every issuer name, so
//! both are put in afterwards, byte for byte, and the signature is made by our own keys.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use der::{Decode, Encode};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyUsagePurpose, SanType, SignatureAlgorithm as RcgenAlgorithm,
};
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::chain::Purpose;
use super::extensions::{POISON, SCT_LIST, TIME_STAMPING, fulcio_id, utf8_string};
use super::sct::{SignedCertificateTimestamp, encode_sct_list};
use super::signature::SignatureAlgorithm;
use super::tbs::{self, RawCertificate, RawExtension, RawTbs};
use super::{Certificate, CertificateError, VectorTooLong};
use crate::protocol::bytes::Sha256;
use crate::protocol::identity::{IssuerUrl, MAX_NAME_LENGTH, SubjectName};
use crate::protocol::keys::{KeyAlgorithm, PublicKey, SigningFailed, SigningKey};
use crate::protocol::time::UnixTime;

/// The facts about a signer that a certificate states. Whoever builds one has verified them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    issuer: IssuerUrl,
    subject: SubjectName,
    token_subject: String,
}

/// A token's subject that no certificate carries (OpenID Connect Core §2 allows 255 characters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token's subject must have 1 to {MAX_NAME_LENGTH} printable ASCII characters")]
pub struct TokenSubjectError;

impl Principal {
    /// A signer under an issuer; `token_subject` is the token's `sub`, whatever the name is.
    ///
    /// # Errors
    /// A token subject that is empty, too long, or not printable ASCII.
    pub fn new(
        issuer: IssuerUrl,
        subject: SubjectName,
        token_subject: String,
    ) -> Result<Self, TokenSubjectError> {
        let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let fits = (1..=MAX_NAME_LENGTH).contains(&token_subject.len());
        if !fits || !token_subject.bytes().all(printable) {
            return Err(TokenSubjectError);
        }
        Ok(Self {
            issuer,
            subject,
            token_subject,
        })
    }

    /// The issuer of the identity.
    pub const fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// The name that the certificate carries.
    pub const fn subject(&self) -> &SubjectName {
        &self.subject
    }
}

/// An authority's name: organisation and common name, both present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityName {
    organization: String,
    common_name: String,
}

/// A name that no authority bears (RFC 5280 appendix A: ub-organization-name, ub-common-name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("organisation and common name must have 1 to 64 characters, none of them a control")]
pub struct AuthorityNameError;

impl AuthorityName {
    /// A name of these two parts.
    ///
    /// # Errors
    /// A part that is empty, longer than 64 characters, or has control characters.
    pub fn new(organization: &str, common_name: &str) -> Result<Self, AuthorityNameError> {
        let fits = |text: &str| {
            (1..=64).contains(&text.chars().count())
                && !text.trim().is_empty()
                && !text.chars().any(char::is_control)
        };
        if !fits(organization) || !fits(common_name) {
            return Err(AuthorityNameError);
        }
        Ok(Self {
            organization: organization.to_owned(),
            common_name: common_name.to_owned(),
        })
    }
}

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

/// A certificate that lacks only its signature.
#[derive(Clone, Debug)]
pub struct UnsignedCertificate {
    tbs: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

impl UnsignedCertificate {
    /// The bytes to be signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// The same with the precertificate poison as its last extension (RFC 6962 §3.1).
    ///
    /// # Errors
    /// [`ProfileError::Encoding`]
    pub fn with_poison(&self) -> Result<Self, ProfileError> {
        const NULL: &[u8] = &[5, 0];
        self.with_extension(POISON, true, NULL)
    }

    /// The same with the SCT list as its last extension (RFC 6962 §3.3).
    ///
    /// # Errors
    /// The list is too long, or [`ProfileError::Encoding`].
    pub fn with_scts(&self, scts: &[SignedCertificateTimestamp]) -> Result<Self, ProfileError> {
        self.with_extension(SCT_LIST, false, &encode_sct_list(scts)?)
    }

    fn with_extension(
        &self,
        id: ObjectIdentifier,
        critical: bool,
        value: &[u8],
    ) -> Result<Self, ProfileError> {
        let value = OctetStringRef::new(value).map_err(encoding)?;
        let extension = RawExtension {
            id,
            critical,
            value,
        };
        Ok(Self {
            tbs: tbs::with_extension(&self.tbs, &extension).map_err(encoding)?,
            algorithm: self.algorithm,
        })
    }

    /// Signs with the issuer's key and gives the DER certificate.
    ///
    /// # Errors
    /// The key is not of the issuer's kind, or there was no randomness.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, ProfileError> {
        if SignatureAlgorithm::of_key(key.public_key().algorithm()) != self.algorithm {
            return Err(ProfileError::OtherKey);
        }
        let signature = key.sign(&self.tbs)?;
        let algorithm = self.algorithm.to_der().map_err(encoding)?;
        RawCertificate {
            tbs: AnyRef::from_der(&self.tbs).map_err(encoding)?,
            signature_algorithm: AnyRef::from_der(&algorithm).map_err(encoding)?,
            signature: BitStringRef::from_bytes(&signature).map_err(encoding)?,
        }
        .to_der()
        .map_err(encoding)
    }

    /// Signs with the issuer's key and reads the result back.
    ///
    /// # Errors
    /// As [`Self::sign`]; also a result that our own reader refuses.
    pub fn sign_certificate(&self, key: &SigningKey) -> Result<Certificate, ProfileError> {
        Ok(Certificate::from_der(&self.sign(key)?)?)
    }
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
    let name = principal.subject.as_str().try_into().map_err(encoding)?;
    let idp = principal.issuer.as_str();
    let text = |text: &str| utf8_string(text).map_err(encoding);
    let mut params = blank();
    params.subject_alt_names = vec![match &principal.subject {
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
        fulcio(24, text(&principal.token_subject)?)?,
    ];
    build(params, key, Some(issuer), serial, lifetime)
}

/// The timestamp authority's leaf: digitalSignature, and timeStamping as the only extended key
/// usage, critical (RFC 3161 §2.3).
///
/// # Errors
/// See [`ProfileError`].
pub fn timestamping_certificate(
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
pub struct AuthorityProfile<'a> {
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
pub fn authority_certificate(
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

/// Lets rcgen write the certificate around a placeholder, then puts in the exact subject key,
/// issuer name and algorithm. Without an issuer the certificate names itself.
fn build(
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
fn blank() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
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

fn fulcio(number: u8, value: Vec<u8>) -> Result<CustomExtension, ProfileError> {
    let id = fulcio_id(number).ok_or(ProfileError::Encoding)?;
    Ok(custom(id, value))
}

fn custom(id: ObjectIdentifier, value: Vec<u8>) -> CustomExtension {
    let arcs: Vec<u64> = id.arcs().map(u64::from).collect();
    CustomExtension::from_oid_content(&arcs, value)
}

fn name(params: &mut CertificateParams, name: &AuthorityName) {
    let subject = &mut params.distinguished_name;
    subject.push(DnType::OrganizationName, name.organization.as_str());
    subject.push(DnType::CommonName, name.common_name.as_str());
}

fn encoding<E>(_: E) -> ProfileError {
    ProfileError::Encoding
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

#[cfg(test)]
mod tests {
    use super::super::extensions::{CODE_SIGNING, FULCIO};
    use super::super::testing::{TestAuthority, alice, lifetime, sample_keys, serial};
    use super::*;
    use crate::protocol::identity::SubjectUri;

    fn all_kinds_of_key() -> Vec<PublicKey> {
        let generated = [
            KeyAlgorithm::P256,
            KeyAlgorithm::P384,
            KeyAlgorithm::Ed25519,
        ]
        .map(|kind| SigningKey::generate(kind).unwrap().0.public_key().clone());
        generated.into_iter().chain(sample_keys()).collect()
    }

    #[test]
    fn a_leaf_has_the_fields_of_the_profile_and_no_others() {
        let ca = TestAuthority::new("Intermediate");
        let leaf = ca.signed_leaf();
        let extensions = leaf.extensions();

        assert!(leaf.subject_is_empty());
        assert_eq!(leaf.issuer_name(), ca.intermediate.subject_name_der());
        assert_eq!(leaf.serial().len(), 20);
        assert!(!extensions.is_ca());
        assert_eq!(leaf.subject_name(), Some(alice().subject()));
        assert_eq!(leaf.oidc_issuer(), Some("https://idp.example"));
        assert_eq!(extensions.fulcio(1), Some("https://idp.example"));
        assert_eq!(extensions.fulcio(24), Some("user-1"));
        assert_eq!(
            extensions.extended_key_usage().unwrap().purposes,
            [CODE_SIGNING]
        );
        assert_eq!(
            extensions.authority_key_id(),
            ca.intermediate.extensions().subject_key_id()
        );
        let listed: Vec<_> = extensions
            .all()
            .iter()
            .map(|extension| (extension.id, extension.critical))
            .collect();
        let fulcio = |number: u32| FULCIO.push_arc(number).unwrap();
        assert_eq!(
            listed,
            [
                (rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, false),
                (rfc5280::ID_CE_SUBJECT_ALT_NAME, true),
                (rfc5280::ID_CE_KEY_USAGE, true),
                (rfc5280::ID_CE_EXT_KEY_USAGE, false),
                (rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, false),
                (fulcio(1), false),
                (fulcio(8), false),
                (fulcio(24), false),
            ]
        );
    }

    #[test]
    fn the_issuer_extension_is_a_utf8_string_and_its_forerunner_is_bare() {
        let leaf = TestAuthority::new("Intermediate").signed_leaf();
        let value = |number| {
            let id = fulcio_id(number).unwrap();
            leaf.extensions().find(id).unwrap().value.clone()
        };

        // Contract, appendix A.
        assert_eq!(
            value(8),
            [b"\x0c\x13".as_slice(), b"https://idp.example"].concat()
        );
        assert_eq!(value(1), b"https://idp.example");
    }

    #[test]
    fn every_accepted_kind_of_key_is_certified_as_it_came() {
        let ca = TestAuthority::new("Intermediate");
        for key in all_kinds_of_key() {
            let leaf = ca.leaf(&key).sign_certificate(&ca.key).unwrap();

            assert_eq!(leaf.public_key(), &key);
            let _ = leaf.verify_signed_by(ca.key.public_key()).unwrap();
        }
    }

    #[test]
    fn a_uri_subject_is_written_as_it_came() {
        let ca = TestAuthority::new("Intermediate");
        let uri = SubjectName::Uri(SubjectUri::new("spiffe://example/ns/ci").unwrap());
        let issuer = IssuerUrl::new("https://idp.example").unwrap();
        let principal = Principal::new(issuer, uri.clone(), "ci".to_owned()).unwrap();

        let leaf = signing_certificate(
            &principal,
            ca.root.public_key(),
            &Issuer::of(&ca.intermediate).unwrap(),
            serial(3),
            lifetime(60),
        )
        .unwrap()
        .sign_certificate(&ca.key)
        .unwrap();

        assert_eq!(leaf.subject_name(), Some(&uri));
        assert_eq!(leaf.validity().end, Some(lifetime(60).not_after));
    }

    #[test]
    fn a_token_subject_that_readers_could_misread_is_refused() {
        let long = "x".repeat(MAX_NAME_LENGTH + 1);
        for text in ["", "a\0b", "a\nb", "\u{202e}a", "é", &long] {
            let refused = Principal::new(
                alice().issuer().clone(),
                alice().subject().clone(),
                text.to_owned(),
            );
            assert_eq!(refused, Err(TokenSubjectError), "{text:?}");
        }
    }

    #[test]
    fn a_name_with_repeated_attributes_is_copied_byte_for_byte() {
        // O=Test, OU=a, OU=b: a name that rcgen cannot hold.
        let ou = |letter: u8| [0x31, 0x0a, 0x30, 0x08, 6, 3, 0x55, 4, 11, 0x0c, 1, letter];
        let name = [&[0x30, 24][..], &ou(b'a'), &ou(b'b')].concat();
        let ca = TestAuthority::new("Intermediate");
        let mut issuer = Issuer::of(&ca.intermediate).unwrap();
        issuer.name.clone_from(&name);

        let leaf = signing_certificate(
            &alice(),
            ca.root.public_key(),
            &issuer,
            serial(3),
            lifetime(60),
        )
        .unwrap()
        .sign_certificate(&ca.key)
        .unwrap();

        assert_eq!(leaf.issuer_name(), name);
    }

    #[test]
    fn a_serial_is_positive_and_always_20_bytes_long() {
        for byte in [0, 0x7f, 0x80, 0xff] {
            let SerialNumber(bytes) = SerialNumber::from_random([byte; 20]);
            assert_eq!(bytes[0] & 0xc0, 0x40);
            assert_eq!(bytes[1..], [byte; 19]);
        }
    }

    #[test]
    fn an_authority_without_a_name_or_a_fitting_key_makes_nothing() {
        for (organization, common_name) in [("", "x"), ("x", " "), ("a\nb", "x")] {
            assert!(AuthorityName::new(organization, common_name).is_err());
        }
        let ca = TestAuthority::new("Intermediate");
        let leaf = ca.leaf(ca.root.public_key());
        assert_eq!(leaf.sign(&ca.root_key), Err(ProfileError::OtherKey));
    }

    #[test]
    fn a_timestamping_leaf_has_one_critical_purpose() {
        let ca = TestAuthority::new("Intermediate");
        let leaf = timestamping_certificate(
            &AuthorityName::new("Test", "TSA").unwrap(),
            ca.root.public_key(),
            &Issuer::of(&ca.intermediate).unwrap(),
            serial(4),
            lifetime(60),
        )
        .unwrap()
        .sign_certificate(&ca.key)
        .unwrap();

        let usage = leaf.extensions().extended_key_usage().unwrap();
        assert!(usage.critical);
        assert_eq!(usage.purposes, [TIME_STAMPING]);
    }
}
