//! Tokens as this authority writes them: CMS SignedData over a TSTInfo (RFC 3161 §2.4.2, RFC 5652
//! §5, RFC 5816).
//!
//! Everything that depends on the certificate alone is encoded once, in [`TokenSigner::new`].

use super::request::TimestampRequest;
use super::{POLICY, oid};
use crate::protocol::der as der_form;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{KeyAlgorithm, SigningFailed, SigningKey};
use crate::protocol::time::UnixTime;
use crate::protocol::x509::Certificate;

/// A token's serial number: 20 bytes, positive, without a leading zero byte (RFC 3161 §2.4.2
/// allows up to 160 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Serial([u8; 20]);

impl Serial {
    /// Takes 20 random bytes; the two highest bits are set to `01`, which leaves 158 of them
    /// random.
    pub const fn from_random(mut bytes: [u8; 20]) -> Self {
        let [first, ..] = &mut bytes;
        *first = (*first & 0x3f) | 0x40;
        Self(bytes)
    }

    /// The number, big-endian.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// Why a key cannot sign tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenSignerError {
    /// Another kind of key; clients exist that know ECDSA alone
    #[error("the timestamp authority's key must be an ECDSA P-256 key")]
    Algorithm,
    /// The certificate speaks for another key
    #[error("the timestamp authority's certificate is not for its key")]
    KeyMismatch,
}

/// The authority's key, and the parts of a token that stay the same.
#[derive(Debug)]
pub struct TokenSigner {
    key: SigningKey,
    /// AlgorithmIdentifier SHA-256
    sha256: Vec<u8>,
    /// AlgorithmIdentifier ecdsa-with-SHA256
    ecdsa_sha256: Vec<u8>,
    /// Version and policy of the TSTInfo
    statement_head: Vec<u8>,
    /// Its `tsa [0]` field
    authority_name: Vec<u8>,
    /// Version and issuerAndSerialNumber of the SignerInfo
    signer_head: Vec<u8>,
    /// Attribute contentType
    content_type: Vec<u8>,
    /// Attribute signingCertificateV2
    signing_certificate: Vec<u8>,
    /// The `certificates [0]` field
    certificates: Vec<u8>,
}

impl TokenSigner {
    /// Prepares the tokens of this certificate. Whether it is a good one is not looked at here.
    ///
    /// # Errors
    /// The key is not an ECDSA P-256 key, or not the certificate's.
    pub fn new(key: SigningKey, certificate: &Certificate) -> Result<Self, TokenSignerError> {
        if key.public_key().algorithm() != KeyAlgorithm::P256 {
            return Err(TokenSignerError::Algorithm);
        }
        if certificate.public_key() != key.public_key() {
            return Err(TokenSignerError::KeyMismatch);
        }
        let issuer = certificate.issuer_name();
        let serial = der_form::element(der_form::INTEGER, &[certificate.serial()]);
        let subject = directory_name(certificate.subject_name_der());
        let sha256 = sequence(&[&der_form::oid(oid::SHA_256)]);
        Ok(Self {
            key,
            ecdsa_sha256: sequence(&[&der_form::oid(oid::ECDSA_SHA_256)]),
            statement_head: [&VERSION_1[..], &der_form::oid(POLICY)].concat(),
            authority_name: der_form::element(der_form::CONTEXT_0, &[&subject]),
            signer_head: [&VERSION_1[..], &sequence(&[issuer, &serial])].concat(),
            content_type: attribute(oid::CONTENT_TYPE, &der_form::oid(oid::TST_INFO)),
            signing_certificate: signing_certificate_attribute(certificate, &serial),
            certificates: der_form::element(der_form::CONTEXT_0, &[certificate.der()]),
            sha256,
        })
    }

    /// Answers a request: a TimeStampResp with status `granted` and a token for this moment, of
    /// which whole seconds count.
    ///
    /// # Errors
    /// There was no randomness to sign with.
    pub fn grant(
        &self,
        request: &TimestampRequest,
        serial: Serial,
        time: UnixTime,
    ) -> Result<Vec<u8>, SigningFailed> {
        let statement = self.statement(request, serial, time);
        let signer = self.signer_info(&statement, time)?;
        let statement = der_form::element(der_form::OCTET_STRING, &[&statement]);
        let content = sequence(&[
            &der_form::oid(oid::TST_INFO),
            &der_form::element(der_form::CONTEXT_0, &[&statement]),
        ]);
        let certificates: &[u8] = if request.wants_certificate() {
            &self.certificates
        } else {
            &[]
        };
        let signed_data = sequence(&[
            &VERSION_3,
            &der_form::element(der_form::SET, &[&self.sha256]),
            &content,
            certificates,
            &der_form::element(der_form::SET, &[&signer]),
        ]);
        let token = sequence(&[
            &der_form::oid(oid::SIGNED_DATA),
            &der_form::element(der_form::CONTEXT_0, &[&signed_data]),
        ]);
        Ok(sequence(&[&STATUS_GRANTED, &token]))
    }

    /// The TSTInfo.
    fn statement(&self, request: &TimestampRequest, serial: Serial, time: UnixTime) -> Vec<u8> {
        let serial = der_form::element(der_form::INTEGER, &[serial.as_bytes()]);
        let time = der_form::element(der_form::GENERALIZED_TIME, &[full_time(time).as_bytes()]);
        let nonce = request.nonce().map_or_else(Vec::new, |nonce| {
            der_form::element(der_form::INTEGER, &[nonce])
        });
        sequence(&[
            &self.statement_head,
            request.imprint(),
            &serial,
            &time,
            &ACCURACY_ONE_SECOND,
            &nonce,
            &self.authority_name,
        ])
    }

    fn signer_info(&self, statement: &[u8], time: UnixTime) -> Result<Vec<u8>, SigningFailed> {
        let digest = der_form::element(der_form::OCTET_STRING, &[Sha256::of(statement).as_bytes()]);
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
        // SPEC RFC 5652 §5.4: the signature is over the attributes as a SET OF, the message has
        // them under [0] instead.
        let signed = der_form::set_of(der_form::SET, attributes());
        let signature = self.key.sign(&signed)?;
        Ok(sequence(&[
            &self.signer_head,
            &self.sha256,
            &der_form::set_of(der_form::CONTEXT_0, attributes()),
            &self.ecdsa_sha256,
            &der_form::element(der_form::OCTET_STRING, &[&signature]),
        ]))
    }
}

/// INTEGER 1
const VERSION_1: [u8; 3] = [der_form::INTEGER, 1, 1];
/// INTEGER 3: SignedData whose content is not plain data (RFC 5652 §5.1)
const VERSION_3: [u8; 3] = [der_form::INTEGER, 1, 3];
/// PKIStatusInfo with status granted (0)
const STATUS_GRANTED: [u8; 5] = [der_form::SEQUENCE, 3, der_form::INTEGER, 1, 0];
/// Accuracy of one second
const ACCURACY_ONE_SECOND: [u8; 5] = [der_form::SEQUENCE, 3, der_form::INTEGER, 1, 1];

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der_form::element(der_form::SEQUENCE, parts)
}

/// GeneralName directoryName, which is tagged explicitly because Name is a CHOICE.
fn directory_name(name: &[u8]) -> Vec<u8> {
    der_form::element(der_form::CONTEXT_4, &[name])
}

fn attribute(id: const_oid::ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    let values = der_form::element(der_form::SET, &[value]);
    sequence(&[&der_form::oid(id), &values])
}

/// SigningCertificateV2 with one ESSCertIDv2 whose hash is the default, SHA-256 (RFC 5035 §4).
fn signing_certificate_attribute(certificate: &Certificate, serial: &[u8]) -> Vec<u8> {
    let hash = der_form::element(
        der_form::OCTET_STRING,
        &[certificate.fingerprint().as_bytes()],
    );
    let issuer = sequence(&[&directory_name(certificate.issuer_name())]);
    let issuer_serial = sequence(&[&issuer, serial]);
    let certificate_id = sequence(&[&hash, &issuer_serial]);
    attribute(
        oid::SIGNING_CERTIFICATE_V2,
        &sequence(&[&sequence(&[&certificate_id])]),
    )
}

/// `YYYYMMDDhhmmssZ`
fn full_time(time: UnixTime) -> String {
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

/// UTCTime until 2049, GeneralizedTime from then on (RFC 5652 §11.3).
fn signing_time(time: UnixTime) -> Vec<u8> {
    let text = full_time(time);
    if time.to_offset_date_time().year() < 2050 {
        let short = text.as_bytes().get(2..).unwrap_or_default();
        der_form::element(der_form::UTC_TIME, &[short])
    } else {
        der_form::element(der_form::GENERALIZED_TIME, &[text.as_bytes()])
    }
}
