//! Certificates, parsed once and stored with their bytes (RFC 5280 §4.1).

use std::fmt;
use std::sync::{Arc, OnceLock};

use der::asn1::IntRef;
use der::{Decode, Encode};

use super::extensions::{ExtensionError, Extensions};
use super::names::parse_name;
use super::signature::SignatureAlgorithm;
use super::tbs::{RawCertificate, RawTbs};
use crate::protocol::hash::Sha256;
use crate::protocol::identity::SubjectName;
use crate::protocol::keys::{KeyError, PublicKey, SignatureInvalid, SignatureValid};
use crate::protocol::time::{UnixTime, Validity};

/// Maximum length of a certificate, in bytes.
pub(super) const MAX_CERTIFICATE_LENGTH: usize = 65_535;

/// A certificate that was parsed to the last byte. Nothing about it was verified.
/// Clones share the bytes.
#[derive(Clone)]
pub struct Certificate(Arc<ParsedCertificate>);

struct ParsedCertificate {
    der: Vec<u8>,
    tbs: Vec<u8>,
    serial: Vec<u8>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    subject_is_empty: bool,
    validity: Validity,
    public_key: PublicKey,
    extensions: Extensions,
    signature_algorithm: Option<SignatureAlgorithm>,
    signature: Vec<u8>,
    /// The key with which the signature was verified. That result does not expire, so the certificates
    /// of a trust root are verified once, not for each bundle.
    signer: OnceLock<(PublicKey, SignatureValid)>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("not a valid DER certificate of X.509 version 3")]
    Malformed,
    #[error("the certificate has {0} bytes; the limit is {MAX_CERTIFICATE_LENGTH}")]
    TooLarge(usize),
    /// Not PEM blocks labelled `CERTIFICATE`, or another number of them than expected
    #[error("not the expected PEM block labelled CERTIFICATE")]
    Pem,
    /// Inside and outside the TBSCertificate (RFC 5280 §4.1.1.2)
    #[error("the certificate names two signature algorithms")]
    AlgorithmMismatch,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Extensions(#[from] ExtensionError),
}

impl Certificate {
    /// Parses one DER certificate.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_LENGTH {
            return Err(CertificateError::TooLarge(der.len()));
        }
        let malformed = |_| CertificateError::Malformed;
        let raw = RawCertificate::from_der(der).map_err(malformed)?;
        let tbs = raw.tbs.to_der().map_err(malformed)?;
        let fields = RawTbs::from_der(&tbs).map_err(malformed)?;
        if fields.version != RawTbs::V3 {
            return Err(CertificateError::Malformed);
        }
        if fields.signature_algorithm != raw.signature_algorithm {
            return Err(CertificateError::AlgorithmMismatch);
        }
        let subject = fields.subject.to_der().map_err(malformed)?;
        let subject_name = parse_name(&subject).ok_or(CertificateError::Malformed)?;
        let issuer = fields.issuer.to_der().map_err(malformed)?;
        parse_name(&issuer).ok_or(CertificateError::Malformed)?;
        let serial: IntRef<'_> = fields.serial.decode_as().map_err(malformed)?;
        let algorithm = raw.signature_algorithm.to_der().map_err(malformed)?;
        let parsed = ParsedCertificate {
            serial: serial.as_bytes().to_vec(),
            subject_is_empty: subject_name.0.is_empty(),
            validity: validity_of(&fields.validity.decode_as().map_err(malformed)?),
            public_key: PublicKey::from_spki_der(&fields.public_key.to_der().map_err(malformed)?)?,
            extensions: Extensions::of(&fields)?,
            signature_algorithm: SignatureAlgorithm::from_der(&algorithm),
            signature: raw
                .signature
                .as_bytes()
                .ok_or(CertificateError::Malformed)?
                .to_vec(),
            signer: OnceLock::new(),
            der: der.to_vec(),
            issuer,
            subject,
            tbs,
        };
        Ok(Self(Arc::new(parsed)))
    }

    /// Parses one PEM certificate.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let [certificate] =
            <[Self; 1]>::try_from(Self::chain_from_pem(pem)?).map_err(|_| CertificateError::Pem)?;
        Ok(certificate)
    }

    /// Parses one or more PEM certificates, in their order.
    ///
    /// # Errors
    /// See [`CertificateError`]; also if there is no certificate.
    pub fn chain_from_pem(pem: &str) -> Result<Vec<Self>, CertificateError> {
        let blocks = pem::parse_many(pem).map_err(|_| CertificateError::Pem)?;
        if blocks.is_empty() || blocks.iter().any(|block| block.tag() != PEM_LABEL) {
            return Err(CertificateError::Pem);
        }
        blocks
            .iter()
            .map(|block| Self::from_der(block.contents()))
            .collect()
    }

    /// The DER that was parsed.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// PEM with lines of 64 characters and a final newline.
    pub fn to_pem(&self) -> String {
        let block = pem::Pem::new(PEM_LABEL, self.0.der.clone());
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&block, config)
    }

    /// The TBSCertificate, byte for byte as in the certificate.
    pub fn tbs(&self) -> &[u8] {
        &self.0.tbs
    }

    /// The subject's public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// notBefore to notAfter.
    pub fn validity(&self) -> Validity {
        self.0.validity
    }

    /// The serial number's content bytes, big-endian.
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// The issuer's DER Name.
    pub fn issuer_name(&self) -> &[u8] {
        &self.0.issuer
    }

    /// The subject's DER Name.
    pub fn subject_name_der(&self) -> &[u8] {
        &self.0.subject
    }

    /// Whether the subject's Name has no attribute.
    pub fn subject_is_empty(&self) -> bool {
        self.0.subject_is_empty
    }

    /// The extensions, parsed.
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// The algorithm of the issuer's signature; none if it is not accepted here.
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        self.0.signature_algorithm
    }

    /// The subjectAltName; none unless there is exactly one and its form is known.
    pub fn subject_name(&self) -> Option<&SubjectName> {
        self.0.extensions.subject_name()
    }

    /// The OpenID Connect issuer: Fulcio extension .8, else .1.
    pub fn oidc_issuer(&self) -> Option<&str> {
        self.0.extensions.oidc_issuer()
    }

    /// SHA-256 of the whole DER.
    pub fn fingerprint(&self) -> Sha256 {
        Sha256::of(&self.0.der)
    }

    /// Whether issuer and subject have the same Name, byte for byte.
    pub fn is_self_issued(&self) -> bool {
        self.0.issuer == self.0.subject
    }

    /// Verifies the issuer's signature with this key, under the algorithm that the certificate names.
    ///
    /// # Errors
    /// The algorithm is not accepted, does not match the key, or the signature is invalid.
    pub fn verify_signed_by(&self, key: &PublicKey) -> Result<SignatureValid, SignatureInvalid> {
        if let Some((signer, evidence)) = self.0.signer.get()
            && signer == key
        {
            return Ok(*evidence);
        }
        let algorithm = self.0.signature_algorithm.ok_or(SignatureInvalid)?;
        let evidence = algorithm.verify(key, &self.0.tbs, &self.0.signature)?;
        // Another thread may have stored another key that verified; either may stay.
        let _ = self.0.signer.set((key.clone(), evidence));
        Ok(evidence)
    }
}

/// An INTEGER's content without leading zeros.
pub(crate) fn integer_magnitude(content: &[u8]) -> &[u8] {
    let zeros = content.iter().take_while(|byte| **byte == 0).count();
    content.get(zeros..).unwrap_or_default()
}

const PEM_LABEL: &str = "CERTIFICATE";

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {}", self.fingerprint())
    }
}

fn validity_of(validity: &x509_cert::time::Validity) -> Validity {
    let moment =
        |time: &x509_cert::time::Time| UnixTime::from_seconds(time.to_unix_duration().as_secs());
    Validity {
        start: moment(&validity.not_before),
        end: Some(moment(&validity.not_after)),
    }
}

#[cfg(test)]
mod tests {
    use const_oid::db::rfc5280;

    use super::super::testing::{TestAuthority, extension, forged};
    use super::*;

    #[test]
    fn der_and_pem_are_read_and_written_unchanged() {
        let ca = TestAuthority::new("Intermediate");
        let leaf = ca.signed_leaf();
        let file = ca.intermediate.to_pem() + &ca.root.to_pem();

        assert_eq!(Certificate::from_pem(&leaf.to_pem()).unwrap(), leaf);
        assert_eq!(
            Certificate::chain_from_pem(&file).unwrap(),
            [ca.intermediate, ca.root]
        );
        assert_eq!(Certificate::from_pem(&file), Err(CertificateError::Pem));
        assert_eq!(Certificate::from_pem(""), Err(CertificateError::Pem));
        let key = leaf.public_key().to_pem();
        assert_eq!(Certificate::from_pem(&key), Err(CertificateError::Pem));
        assert!(Certificate::from_der(leaf.public_key().spki_der()).is_err());
    }

    #[test]
    fn a_signature_verified_with_one_key_is_invalid_for_another() {
        let authority = TestAuthority::new("Intermediate");
        let (root, other) = (authority.root.public_key(), authority.key.public_key());
        let certificate = &authority.intermediate;

        for _ in 0..2 {
            let _ = certificate.verify_signed_by(root).unwrap();
            assert!(certificate.verify_signed_by(other).is_err());
        }
    }

    #[test]
    fn a_truncated_or_extended_certificate_is_refused() {
        let leaf = TestAuthority::new("Intermediate").signed_leaf();
        for length in 0..leaf.der().len() {
            assert!(Certificate::from_der(&leaf.der()[..length]).is_err());
        }
        let longer = [leaf.der(), &[0]].concat();
        assert_eq!(
            Certificate::from_der(&longer),
            Err(CertificateError::Malformed)
        );
    }

    #[test]
    fn a_repeated_extension_is_refused() {
        let ca = TestAuthority::new("Intermediate");
        let doubled = forged(&ca.signed_leaf(), &ca.key, |tbs| {
            let again = extension(tbs, rfc5280::ID_CE_KEY_USAGE).clone();
            tbs.extensions.as_mut().unwrap().push(again);
        });

        assert_eq!(
            Certificate::from_der(&doubled),
            Err(CertificateError::Extensions(ExtensionError::Duplicate(
                rfc5280::ID_CE_KEY_USAGE
            )))
        );
    }

    #[test]
    fn empty_lists_in_extensions_are_refused() {
        let ca = TestAuthority::new("Intermediate");
        for id in [
            rfc5280::ID_CE_EXT_KEY_USAGE,
            rfc5280::ID_CE_SUBJECT_ALT_NAME,
        ] {
            let empty = forged(&ca.signed_leaf(), &ca.key, |tbs| {
                extension(tbs, id).extn_value = der::asn1::OctetString::new([0x30, 0]).unwrap();
            });
            assert_eq!(
                Certificate::from_der(&empty),
                Err(CertificateError::Extensions(ExtensionError::Value(id)))
            );
        }
    }

    #[test]
    fn malformed_der_is_refused_without_a_panic() {
        let nested = (0..200).fold(vec![5, 0], |inner, _| {
            let mut out = vec![0x30];
            match u8::try_from(inner.len()) {
                Ok(length) if length < 0x80 => out.push(length),
                _ => {
                    let length = u16::try_from(inner.len()).unwrap();
                    out.push(0x82);
                    out.extend_from_slice(&length.to_be_bytes());
                }
            }
            out.extend_from_slice(&inner);
            out
        });
        let samples: [&[u8]; 7] = [
            &[],
            &nested,
            &[1, 1, 0, 0],
            &[0x30, 0x81, 1, 0],
            &[1, 1, 1],
            &[3, 2, 8, 0x57],
            &[0x30, 0x80, 0, 0],
        ];
        for sample in samples {
            assert_eq!(
                Certificate::from_der(sample),
                Err(CertificateError::Malformed)
            );
        }
    }

    #[test]
    fn a_malformed_issuer_extension_does_not_fall_back_to_its_predecessor() {
        let ca = TestAuthority::new("Intermediate");
        let id = super::super::extensions::FULCIO.push_arc(8).unwrap();
        let bare = forged(&ca.signed_leaf(), &ca.key, |tbs| {
            extension(tbs, id).extn_value = der::asn1::OctetString::new(*b"https://x").unwrap();
        });

        assert_eq!(Certificate::from_der(&bare).unwrap().oidc_issuer(), None);
    }
}
