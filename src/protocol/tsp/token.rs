//! Issues tokens: CMS SignedData over a TSTInfo (RFC 3161 §2.4.2, RFC 5652 §5, RFC 5816).
//!
//! [`TokenSigner::new`] encodes everything that depends on the certificate alone.

use super::request::TimestampRequest;
use super::{POLICY, oid};
use crate::protocol::der;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{KeyAlgorithm, SigningFailed, SigningKey};
use crate::protocol::time::UnixTime;
use crate::protocol::x509::Certificate;

/// A token's serial number: 20 bytes, positive, without a leading zero byte (RFC 3161 §2.4.2
/// allows up to 160 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Serial([u8; 20]);

impl Serial {
    /// Sets the two highest bits to `01`; the other 158 stay random.
    pub const fn from_random(mut bytes: [u8; 20]) -> Self {
        let [first, ..] = &mut bytes;
        *first = (*first & 0x3f) | 0x40;
        Self(bytes)
    }

    /// Big-endian.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenSignerError {
    /// Some clients support ECDSA only
    #[error("the timestamp authority's key must be an ECDSA P-256 key")]
    Algorithm,
    #[error("the timestamp authority's certificate is not for its key")]
    KeyMismatch,
}

/// The authority's key, and the precomputed parts of its tokens.
#[derive(Debug)]
pub struct TokenSigner {
    key: SigningKey,
    /// AlgorithmIdentifier SHA-256
    sha256: Vec<u8>,
    /// AlgorithmIdentifier ecdsa-with-SHA256
    ecdsa_sha256: Vec<u8>,
    /// Version and policy of the TSTInfo
    tst_info_head: Vec<u8>,
    /// Field `tsa [0]` of the TSTInfo
    authority_name: Vec<u8>,
    /// Version and issuerAndSerialNumber of the SignerInfo
    signer_head: Vec<u8>,
    /// Attribute contentType
    content_type: Vec<u8>,
    /// Attribute signingCertificateV2
    signing_certificate: Vec<u8>,
    /// Field `certificates [0]` of the SignedData
    certificates: Vec<u8>,
}

impl TokenSigner {
    /// Creates a signer for this certificate. The certificate's profile is not checked.
    ///
    /// # Errors
    /// The key is not an ECDSA P-256 key, or does not match the certificate.
    pub fn new(key: SigningKey, certificate: &Certificate) -> Result<Self, TokenSignerError> {
        if key.public_key().algorithm() != KeyAlgorithm::P256 {
            return Err(TokenSignerError::Algorithm);
        }
        if certificate.public_key() != key.public_key() {
            return Err(TokenSignerError::KeyMismatch);
        }
        let issuer = certificate.issuer_name();
        let serial = der::element(der::INTEGER, &[certificate.serial()]);
        let subject = directory_name(certificate.subject_name_der());
        let sha256 = sequence(&[&der::oid(oid::SHA_256)]);
        Ok(Self {
            key,
            ecdsa_sha256: sequence(&[&der::oid(oid::ECDSA_SHA_256)]),
            tst_info_head: [&VERSION_1[..], &der::oid(POLICY)].concat(),
            authority_name: der::element(der::CONTEXT_0, &[&subject]),
            signer_head: [&VERSION_1[..], &sequence(&[issuer, &serial])].concat(),
            content_type: attribute(oid::CONTENT_TYPE, &der::oid(oid::TST_INFO)),
            signing_certificate: signing_certificate_attribute(certificate, &serial),
            certificates: der::element(der::CONTEXT_0, &[certificate.der()]),
            sha256,
        })
    }

    /// Creates a TimeStampResp with status `granted` and a token for `time`, truncated to seconds.
    ///
    /// # Errors
    /// No randomness was available for the signature.
    pub fn grant(
        &self,
        request: &TimestampRequest,
        serial: Serial,
        time: UnixTime,
    ) -> Result<Vec<u8>, SigningFailed> {
        let tst_info = self.tst_info(request, serial, time);
        let signer = self.signer_info(&tst_info, time)?;
        let tst_info = der::element(der::OCTET_STRING, &[&tst_info]);
        let content = sequence(&[
            &der::oid(oid::TST_INFO),
            &der::element(der::CONTEXT_0, &[&tst_info]),
        ]);
        let certificates: &[u8] = if request.wants_certificate() {
            &self.certificates
        } else {
            &[]
        };
        let signed_data = sequence(&[
            &VERSION_3,
            &der::element(der::SET, &[&self.sha256]),
            &content,
            certificates,
            &der::element(der::SET, &[&signer]),
        ]);
        let token = sequence(&[
            &der::oid(oid::SIGNED_DATA),
            &der::element(der::CONTEXT_0, &[&signed_data]),
        ]);
        Ok(sequence(&[&STATUS_GRANTED, &token]))
    }

    fn tst_info(&self, request: &TimestampRequest, serial: Serial, time: UnixTime) -> Vec<u8> {
        let serial = der::element(der::INTEGER, &[serial.as_bytes()]);
        let time = der::element(der::GENERALIZED_TIME, &[generalized_time(time).as_bytes()]);
        let nonce = request
            .nonce()
            .map_or_else(Vec::new, |nonce| der::element(der::INTEGER, &[nonce]));
        sequence(&[
            &self.tst_info_head,
            request.imprint(),
            &serial,
            &time,
            &ACCURACY_ONE_SECOND,
            &nonce,
            &self.authority_name,
        ])
    }

    fn signer_info(&self, tst_info: &[u8], time: UnixTime) -> Result<Vec<u8>, SigningFailed> {
        let digest = der::element(der::OCTET_STRING, &[Sha256::of(tst_info).as_bytes()]);
        let digest = attribute(oid::MESSAGE_DIGEST, &digest);
        let time = attribute(oid::SIGNING_TIME, &signing_time(time));
        let attributes = || -> Vec<&[u8]> {
            vec![
                &self.content_type,
                &time,
                &digest,
                &self.signing_certificate,
            ]
        };
        // RFC 5652 §5.4: the signed bytes have the tag of a SET OF, the message has [0].
        let signed = der::set_of(der::SET, attributes());
        let signature = self.key.sign(&signed)?;
        Ok(sequence(&[
            &self.signer_head,
            &self.sha256,
            &der::set_of(der::CONTEXT_0, attributes()),
            &self.ecdsa_sha256,
            &der::element(der::OCTET_STRING, &[&signature]),
        ]))
    }
}

/// INTEGER 1
const VERSION_1: [u8; 3] = [der::INTEGER, 1, 1];
/// INTEGER 3: the version of SignedData whose content is not `id-data` (RFC 5652 §5.1)
const VERSION_3: [u8; 3] = [der::INTEGER, 1, 3];
/// PKIStatusInfo with status granted (0)
const STATUS_GRANTED: [u8; 5] = [der::SEQUENCE, 3, der::INTEGER, 1, 0];
/// Accuracy of one second
const ACCURACY_ONE_SECOND: [u8; 5] = [der::SEQUENCE, 3, der::INTEGER, 1, 1];

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der::element(der::SEQUENCE, parts)
}

/// GeneralName directoryName. The tag is explicit because Name is a CHOICE.
fn directory_name(name: &[u8]) -> Vec<u8> {
    der::element(der::CONTEXT_4, &[name])
}

fn attribute(id: const_oid::ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    let values = der::element(der::SET, &[value]);
    sequence(&[&der::oid(id), &values])
}

/// SigningCertificateV2 with one ESSCertIDv2 whose hash is the default, SHA-256 (RFC 5035 §4).
fn signing_certificate_attribute(certificate: &Certificate, serial: &[u8]) -> Vec<u8> {
    let hash = der::element(der::OCTET_STRING, &[certificate.fingerprint().as_bytes()]);
    let issuer = sequence(&[&directory_name(certificate.issuer_name())]);
    let issuer_serial = sequence(&[&issuer, serial]);
    let certificate_id = sequence(&[&hash, &issuer_serial]);
    attribute(
        oid::SIGNING_CERTIFICATE_V2,
        &sequence(&[&sequence(&[&certificate_id])]),
    )
}

/// `YYYYMMDDhhmmssZ`
fn generalized_time(time: UnixTime) -> String {
    let time = time.to_offset_date_time();
    format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// UTCTime until the end of 2049, then GeneralizedTime (RFC 5652 §11.3).
fn signing_time(time: UnixTime) -> Vec<u8> {
    let text = generalized_time(time);
    if time.to_offset_date_time().year() < 2050 {
        let short = text.as_bytes().get(2..).unwrap_or_default();
        der::element(der::UTC_TIME, &[short])
    } else {
        der::element(der::GENERALIZED_TIME, &[text.as_bytes()])
    }
}
