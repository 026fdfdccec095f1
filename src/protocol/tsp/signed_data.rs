//! The CMS part of a time-stamp token: TimeStampResp, ContentInfo and SignedData (RFC 3161 §2.4.2,
//! RFC 5652 §5).

use const_oid::ObjectIdentifier;

use super::signer_id::{SignerId, SigningCertificates};
use super::{TimestampError, accepted_hash, oid, well_formed};
use crate::protocol::der::{self, DerReader, MalformedDer};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::keys::{PublicKey, SignatureInvalid, SignatureValid};
use crate::protocol::x509::SignatureAlgorithm;

/// A parsed token. Nothing in it is verified.
pub(super) struct UnverifiedToken<'a> {
    /// DER
    pub(super) tst_info: &'a [u8],
    /// The embedded certificates, each in DER.
    pub(super) certificates: Vec<&'a [u8]>,
    pub(super) signer: SignerInfo<'a>,
}

/// A parsed SignerInfo (RFC 5652 §5.3).
pub(super) struct SignerInfo<'a> {
    pub(super) id: SignerId<'a>,
    pub(super) attributes: SignedAttributes<'a>,
    digest: HashAlgorithm,
    /// AlgorithmIdentifier in DER
    algorithm: &'a [u8],
    signature: &'a [u8],
}

/// The attributes that the signature covers. They bind the TSTInfo by its digest.
pub(super) struct SignedAttributes<'a> {
    /// The DER SET OF that is signed (RFC 5652 §5.4).
    signed_bytes: Vec<u8>,
    message_digest: &'a [u8],
    pub(super) signing_certificates: SigningCertificates<'a>,
}

impl<'a> UnverifiedToken<'a> {
    /// Parses a DER TimeStampResp that grants a token. Trailing bytes are an error.
    pub(super) fn parse_response(response: &'a [u8]) -> Result<Self, TimestampError> {
        well_formed::check(response)?;
        let mut fields = DerReader::inside(response, der::SEQUENCE)?;
        let mut status = DerReader::of(fields.take(der::SEQUENCE)?);
        // Clients reject grantedWithMods (1), so it is an error here too.
        if status.integer()? != [0] {
            return Err(TimestampError::NotGranted);
        }
        status.optional(der::SEQUENCE)?; // statusString
        status.optional(der::BIT_STRING)?; // failInfo
        status.finish()?;
        let mut info = DerReader::of(fields.take(der::SEQUENCE)?);
        fields.finish()?;
        if info.oid()? != oid::SIGNED_DATA {
            return Err(TimestampError::Malformed);
        }
        let content = info.take(der::CONTEXT_0)?;
        info.finish()?;
        Self::parse_signed_data(content)
    }

    fn parse_signed_data(content: &'a [u8]) -> Result<Self, TimestampError> {
        let mut fields = DerReader::inside(content, der::SEQUENCE)?;
        if fields.integer()? != [3] {
            return Err(TimestampError::Malformed);
        }
        check_digest_algorithms(fields.take(der::SET)?)?;
        let mut encapsulated = DerReader::of(fields.take(der::SEQUENCE)?);
        if encapsulated.oid()? != oid::TST_INFO {
            return Err(TimestampError::Malformed);
        }
        let mut content = DerReader::of(encapsulated.take(der::CONTEXT_0)?);
        let certificates = fields.optional(der::CONTEXT_0)?;
        fields.optional(der::CONTEXT_1)?; // crls: not used
        let mut signers = DerReader::of(fields.take(der::SET)?);
        let signer = SignerInfo::parse(signers.take(der::SEQUENCE)?)?;
        // RFC 3161 §2.4.2: the token has no signature other than the authority's.
        if !signers.is_finished() {
            return Err(TimestampError::SeveralSigners);
        }
        let token = Self {
            tst_info: content.take(der::OCTET_STRING)?,
            certificates: split_certificates(certificates.unwrap_or_default())?,
            signer,
        };
        content.finish()?;
        encapsulated.finish()?;
        fields.finish()?;
        Ok(token)
    }
}

/// Checks the form only: `digestAlgorithms` is a hint, and the SignerInfo has its own.
fn check_digest_algorithms(content: &[u8]) -> Result<(), MalformedDer> {
    let mut algorithms = DerReader::of(content);
    while !algorithms.is_finished() {
        algorithms.plain_algorithm()?;
    }
    Ok(())
}

fn split_certificates(content: &[u8]) -> Result<Vec<&[u8]>, MalformedDer> {
    let mut fields = DerReader::of(content);
    let mut certificates = Vec::new();
    while !fields.is_finished() {
        let element = fields.next()?;
        // Other choices (RFC 5652 §10.2.2) cannot be the signer's certificate.
        if element.tag == der::SEQUENCE {
            check_certificate_structure(element.content)?;
            certificates.push(element.whole);
        }
    }
    Ok(certificates)
}

/// Checks that there are the three fields of a Certificate (RFC 5280 §4.1), and not their contents.
fn check_certificate_structure(certificate: &[u8]) -> Result<(), MalformedDer> {
    let mut fields = DerReader::of(certificate);
    fields.take(der::SEQUENCE)?;
    fields.take(der::SEQUENCE)?;
    fields.take(der::BIT_STRING)?;
    fields.finish()
}

impl<'a> SignerInfo<'a> {
    fn parse(content: &'a [u8]) -> Result<Self, TimestampError> {
        let mut fields = DerReader::of(content);
        let version = fields.integer()?;
        let id = SignerId::parse(&mut fields)?;
        // RFC 5652 §5.3: the kind of identifier determines the version.
        let expected: &[u8] = match id {
            SignerId::IssuerAndSerial(_) => &[1],
            SignerId::SubjectKeyId(_) => &[3],
        };
        if version != expected {
            return Err(TimestampError::Malformed);
        }
        let digest = accepted_hash(fields.plain_algorithm()?).ok_or(TimestampError::Algorithm)?;
        let attributes = fields
            .optional(der::CONTEXT_0)?
            .ok_or(TimestampError::NoSignedAttributes)?;
        let algorithm = fields.element(der::SEQUENCE)?.whole;
        let signature = fields.take(der::OCTET_STRING)?;
        fields.optional(der::CONTEXT_1)?; // unsignedAttrs: not used
        fields.finish()?;
        Ok(Self {
            id,
            attributes: SignedAttributes::parse(attributes)?,
            digest,
            algorithm,
            signature,
        })
    }

    /// Verifies the signature over the attributes with `key`, and the attributes' digest of the TSTInfo.
    pub(super) fn verify(
        &self,
        key: &PublicKey,
        tst_info: &[u8],
    ) -> Result<SignatureValid, TimestampError> {
        if self.digest.digest(tst_info).as_bytes() != self.attributes.message_digest {
            return Err(TimestampError::MessageDigest);
        }
        let algorithm = self.signature_algorithm()?;
        algorithm
            .verify(key, &self.attributes.signed_bytes, self.signature)
            .map_err(|SignatureInvalid| TimestampError::Signature)
    }

    /// The declared signature algorithm. Its hash must be the declared digest algorithm.
    fn signature_algorithm(&self) -> Result<SignatureAlgorithm, TimestampError> {
        let plain = DerReader::of(self.algorithm).plain_algorithm();
        // RFC 3370 §3.2: with rsaEncryption, digestAlgorithm is the hash.
        if plain == Ok(oid::RSA) {
            return Ok(SignatureAlgorithm::RsaPkcs1(self.digest));
        }
        let algorithm =
            SignatureAlgorithm::from_der(self.algorithm).ok_or(TimestampError::Algorithm)?;
        let hash = match algorithm {
            SignatureAlgorithm::Ecdsa(hash) | SignatureAlgorithm::RsaPkcs1(hash) => hash,
            // RFC 8419 §3.1: Ed25519 requires SHA-512 as the digest algorithm.
            SignatureAlgorithm::Ed25519 => HashAlgorithm::Sha512,
        };
        if hash == self.digest {
            Ok(algorithm)
        } else {
            Err(TimestampError::Algorithm)
        }
    }
}

impl<'a> SignedAttributes<'a> {
    fn parse(content: &'a [u8]) -> Result<Self, TimestampError> {
        let mut fields = DerReader::of(content);
        let mut seen: Vec<ObjectIdentifier> = Vec::new();
        let mut elements = Vec::new();
        let mut content_type = None;
        let mut message_digest = None;
        let mut signing_certificates = SigningCertificates::default();
        while !fields.is_finished() {
            let attribute = fields.element(der::SEQUENCE)?;
            elements.push(attribute.whole);
            let (id, value) = parse_attribute(attribute.content)?;
            if seen.contains(&id) || seen.len() >= MAX_ATTRIBUTES {
                return Err(TimestampError::Malformed);
            }
            seen.push(id);
            match id {
                oid::CONTENT_TYPE => content_type = Some(DerReader::of(value).oid()?),
                oid::MESSAGE_DIGEST => {
                    message_digest = Some(DerReader::of(value).take(der::OCTET_STRING)?);
                }
                other => signing_certificates.read(other, value)?,
            }
        }
        // RFC 5652 §5.3: the attribute is required and equals the type of the content.
        if content_type != Some(oid::TST_INFO) {
            return Err(TimestampError::ContentType);
        }
        Ok(Self {
            signed_bytes: der::set_of(der::SET, elements),
            message_digest: message_digest.ok_or(TimestampError::MessageDigest)?,
            signing_certificates,
        })
    }
}

/// Maximum number of signed attributes. Authorities sign about four.
const MAX_ATTRIBUTES: usize = 32;

/// Parses an attribute with exactly one value. RFC 5652 §11 requires this of the attributes that are used
/// here, and authorities do not sign others with more.
fn parse_attribute(content: &[u8]) -> Result<(ObjectIdentifier, &[u8]), MalformedDer> {
    let mut fields = DerReader::of(content);
    let id = fields.oid()?;
    let mut values = DerReader::of(fields.take(der::SET)?);
    fields.finish()?;
    let value = values.next()?.whole;
    values.finish()?;
    Ok((id, value))
}
