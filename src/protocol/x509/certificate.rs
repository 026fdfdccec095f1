//! One certificate, parsed once and kept with its bytes (RFC 5280 §4.1).

use std::fmt;
use std::sync::{Arc, OnceLock};

use const_oid::ObjectIdentifier;
use der::asn1::IntRef;
use der::{Decode, Encode};

use super::extensions::Extensions;
use super::names::parse_name;
use super::signature::SignatureAlgorithm;
use super::tbs::{RawCertificate, RawTbs};
use crate::protocol::bytes::Sha256;
use crate::protocol::identity::SubjectName;
use crate::protocol::keys::{KeyError, PublicKey, SignatureInvalid, SignatureValid};
use crate::protocol::time::{UnixTime, Validity};

/// The longest certificate that is read, in bytes.
pub(super) const MAX_CERTIFICATE_LENGTH: usize = 65_535;

/// A certificate that was parsed, every byte consumed. Nothing about it was verified.
/// Cloning is cheap: it gives another handle to the same bytes.
#[derive(Clone)]
pub struct Certificate(Arc<Parts>);

struct Parts {
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
    /// The key that made the signature, once that is verified. It stays true for ever, so the
    /// certificates of a trust root are checked once and not for each bundle.
    signer: OnceLock<(PublicKey, SignatureValid)>,
}

/// Why bytes are no certificate that is accepted here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not one DER certificate of version 3
    #[error("not a valid DER certificate of X.509 version 3")]
    Malformed,
    /// More bytes than any certificate here needs
    #[error("the certificate has {0} bytes; the limit is {MAX_CERTIFICATE_LENGTH}")]
    TooLarge(usize),
    /// Not PEM blocks labelled `CERTIFICATE`, or another number of them than expected
    #[error("not the expected PEM block labelled CERTIFICATE")]
    Pem,
    /// The two places that name the signature algorithm disagree (RFC 5280 §4.1.1.2)
    #[error("the certificate names two signature algorithms")]
    AlgorithmMismatch,
    /// The subject's key is not one that is accepted
    #[error(transparent)]
    Key(#[from] KeyError),
    /// More extensions than any real certificate has
    #[error("the certificate has too many extensions")]
    TooManyExtensions,
    /// An extension stands twice (RFC 5280 §4.2)
    #[error("the certificate has extension {0} twice")]
    DuplicateExtension(ObjectIdentifier),
    /// A known extension whose value is malformed
    #[error("the value of certificate extension {0} is malformed")]
    Extension(ObjectIdentifier),
}

impl Certificate {
    /// Reads one DER certificate.
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
        let parts = Parts {
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
        Ok(Self(Arc::new(parts)))
    }

    /// Reads one PEM certificate.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let [certificate] =
            <[Self; 1]>::try_from(Self::chain_from_pem(pem)?).map_err(|_| CertificateError::Pem)?;
        Ok(certificate)
    }

    /// Reads a PEM file of one certificate or more, in the order of the file.
    ///
    /// # Errors
    /// See [`CertificateError`]; also a file without any certificate.
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

    /// The DER form, as it was read.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// PEM: 64 columns, a newline at the end.
    pub fn to_pem(&self) -> String {
        let block = pem::Pem::new(PEM_LABEL, self.0.der.clone());
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&block, config)
    }

    /// The part that is signed, as its bytes stand in the certificate.
    pub fn tbs(&self) -> &[u8] {
        &self.0.tbs
    }

    /// The subject's public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// notBefore to notAfter, both ends included.
    pub fn validity(&self) -> Validity {
        self.0.validity
    }

    /// The serial number's content bytes, big-endian.
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// The issuer's name in DER.
    pub fn issuer_name(&self) -> &[u8] {
        &self.0.issuer
    }

    /// The subject's name in DER.
    pub fn subject_name_der(&self) -> &[u8] {
        &self.0.subject
    }

    /// Whether the subject's name has no attribute at all.
    pub fn subject_is_empty(&self) -> bool {
        self.0.subject_is_empty
    }

    /// The extensions.
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// The algorithm of the issuer's signature; none if it is not one that is accepted here.
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        self.0.signature_algorithm
    }

    /// The one subjectAltName, if it has exactly one of a known form.
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

    /// Whether issuer and subject are the same name, byte for byte.
    pub fn is_self_issued(&self) -> bool {
        self.0.issuer == self.0.subject
    }

    /// Verifies the issuer's signature with this key, by the algorithm that the certificate names.
    ///
    /// # Errors
    /// The algorithm is not accepted, does not fit the key, or the signature does not hold.
    pub fn verify_signed_by(&self, key: &PublicKey) -> Result<SignatureValid, SignatureInvalid> {
        if let Some((signer, evidence)) = self.0.signer.get()
            && signer == key
        {
            return Ok(*evidence);
        }
        let algorithm = self.0.signature_algorithm.ok_or(SignatureInvalid)?;
        let evidence = algorithm.verify(key, &self.0.tbs, &self.0.signature)?;
        // Another key may have been kept meanwhile; either is right.
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
    fn der_and_pem_are_read_and_written_without_change() {
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
    fn a_signature_that_was_verified_with_one_key_does_not_hold_for_another() {
        let authority = TestAuthority::new("Intermediate");
        let (root, other) = (authority.root.public_key(), authority.key.public_key());
        let certificate = &authority.intermediate;

        for _ in 0..2 {
            let _ = certificate.verify_signed_by(root).unwrap();
            assert!(certificate.verify_signed_by(other).is_err());
        }
    }

    #[test]
    fn no_cut_and_no_addition_is_read() {
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
    fn an_extension_that_stands_twice_is_refused() {
        let ca = TestAuthority::new("Intermediate");
        let doubled = forged(&ca.signed_leaf(), &ca.key, |tbs| {
            let again = extension(tbs, rfc5280::ID_CE_KEY_USAGE).clone();
            tbs.extensions.as_mut().unwrap().push(again);
        });

        assert_eq!(
            Certificate::from_der(&doubled),
            Err(CertificateError::DuplicateExtension(
                rfc5280::ID_CE_KEY_USAGE
            ))
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
                Err(CertificateError::Extension(id))
            );
        }
    }

    #[test]
    fn der_that_only_looks_like_der_is_refused_without_a_panic() {
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
    fn a_newer_issuer_extension_that_is_malformed_hides_the_older_one() {
        let ca = TestAuthority::new("Intermediate");
        let id = super::super::extensions::FULCIO.push_arc(8).unwrap();
        let bare = forged(&ca.signed_leaf(), &ca.key, |tbs| {
            extension(tbs, id).extn_value = der::asn1::OctetString::new(*b"https://x").unwrap();
        });

        assert_eq!(Certificate::from_der(&bare).unwrap().oidc_issuer(), None);
    }
}
