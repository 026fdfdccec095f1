//! A token's envelope: TimeStampResp, ContentInfo and SignedData, read as far as a token uses them
//! (RFC 3161 §2.4.2, RFC 5652 §5).

use const_oid::ObjectIdentifier;

use super::signer_id::{SignerId, SigningCertificates};
use super::{TimestampError, known_hash, oid, well_formed};
use crate::protocol::der::{self as der_form, DerReader as Fields, MalformedDer as Malformed};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::keys::{PublicKey, SignatureInvalid, SignatureValid};
use crate::protocol::x509::SignatureAlgorithm;

/// A token with its one signer, nothing about it verified.
pub(super) struct UnverifiedToken<'a> {
    /// The DER TSTInfo.
    pub(super) statement: &'a [u8],
    /// The certificates that came along, each in DER.
    pub(super) certificates: Vec<&'a [u8]>,
    pub(super) signer: SignerInfo<'a>,
}

/// The one SignerInfo.
pub(super) struct SignerInfo<'a> {
    pub(super) id: SignerId<'a>,
    pub(super) attributes: SignedAttributes<'a>,
    digest: HashAlgorithm,
    /// AlgorithmIdentifier in DER
    algorithm: &'a [u8],
    signature: &'a [u8],
}

/// What the signature is over, and what it says of the statement.
pub(super) struct SignedAttributes<'a> {
    /// DER SET OF, as it is signed (RFC 5652 §5.4).
    signed_bytes: Vec<u8>,
    message_digest: &'a [u8],
    pub(super) certificates: SigningCertificates<'a>,
}

impl<'a> UnverifiedToken<'a> {
    /// Reads a DER TimeStampResp that grants a token, consuming every byte.
    pub(super) fn parse_response(response: &'a [u8]) -> Result<Self, TimestampError> {
        well_formed::check(response)?;
        let mut fields = Fields::inside(response, der_form::SEQUENCE)?;
        let mut status = Fields::of(fields.take(der_form::SEQUENCE)?);
        // Clients refuse grantedWithMods (1), so here it is no grant either.
        if status.integer()? != [0] {
            return Err(TimestampError::NotGranted);
        }
        status.optional(der_form::SEQUENCE)?; // statusString: words for people
        status.optional(der_form::BIT_STRING)?; // failInfo
        status.finish()?;
        let mut info = Fields::of(fields.take(der_form::SEQUENCE)?);
        fields.finish()?;
        if info.oid()? != oid::SIGNED_DATA {
            return Err(TimestampError::Malformed);
        }
        let content = info.take(der_form::CONTEXT_0)?;
        info.finish()?;
        Self::parse_signed_data(content)
    }

    fn parse_signed_data(content: &'a [u8]) -> Result<Self, TimestampError> {
        let mut fields = Fields::inside(content, der_form::SEQUENCE)?;
        if fields.integer()? != [3] {
            return Err(TimestampError::Malformed);
        }
        check_digest_algorithms(fields.take(der_form::SET)?)?;
        let mut encapsulated = Fields::of(fields.take(der_form::SEQUENCE)?);
        if encapsulated.oid()? != oid::TST_INFO {
            return Err(TimestampError::Malformed);
        }
        let mut statement = Fields::of(encapsulated.take(der_form::CONTEXT_0)?);
        let certificates = fields.optional(der_form::CONTEXT_0)?;
        fields.optional(der_form::CONTEXT_1)?; // crls: not used
        let mut signers = Fields::of(fields.take(der_form::SET)?);
        let signer = SignerInfo::parse(signers.take(der_form::SEQUENCE)?)?;
        // SPEC RFC 3161 §2.4.2: no signature but the authority's.
        if !signers.is_finished() {
            return Err(TimestampError::SeveralSigners);
        }
        let token = Self {
            statement: statement.take(der_form::OCTET_STRING)?,
            certificates: split_certificates(certificates.unwrap_or_default())?,
            signer,
        };
        statement.finish()?;
        encapsulated.finish()?;
        fields.finish()?;
        Ok(token)
    }
}

/// digestAlgorithms is a hint, for the signer names its own; each is an AlgorithmIdentifier.
fn check_digest_algorithms(content: &[u8]) -> Result<(), Malformed> {
    let mut algorithms = Fields::of(content);
    while !algorithms.is_finished() {
        algorithms.plain_algorithm()?;
    }
    Ok(())
}

fn split_certificates(content: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let mut fields = Fields::of(content);
    let mut certificates = Vec::new();
    while !fields.is_finished() {
        let element = fields.next()?;
        // Other choices than a certificate (RFC 5652 §10.2.2) name no signer here.
        if element.tag == der_form::SEQUENCE {
            check_frame(element.content)?;
            certificates.push(element.whole);
        }
    }
    Ok(certificates)
}

/// A Certificate is three fields, whatever is inside them (RFC 5280 §4.1).
fn check_frame(certificate: &[u8]) -> Result<(), Malformed> {
    let mut fields = Fields::of(certificate);
    fields.take(der_form::SEQUENCE)?;
    fields.take(der_form::SEQUENCE)?;
    fields.take(der_form::BIT_STRING)?;
    fields.finish()
}

impl<'a> SignerInfo<'a> {
    fn parse(content: &'a [u8]) -> Result<Self, TimestampError> {
        let mut fields = Fields::of(content);
        let version = fields.integer()?;
        let id = SignerId::take(&mut fields)?;
        // SPEC RFC 5652 §5.3: the version follows from the kind of identifier.
        let expected: &[u8] = match id {
            SignerId::IssuerAndSerial(_) => &[1],
            SignerId::SubjectKeyId(_) => &[3],
        };
        if version != expected {
            return Err(TimestampError::Malformed);
        }
        let digest = known_hash(fields.plain_algorithm()?).ok_or(TimestampError::Algorithm)?;
        let attributes = fields
            .optional(der_form::CONTEXT_0)?
            .ok_or(TimestampError::NoSignedAttributes)?;
        let algorithm = fields.element(der_form::SEQUENCE)?.whole;
        let signature = fields.take(der_form::OCTET_STRING)?;
        fields.optional(der_form::CONTEXT_1)?; // unsigned attributes prove nothing
        fields.finish()?;
        Ok(Self {
            id,
            attributes: SignedAttributes::parse(attributes)?,
            digest,
            algorithm,
            signature,
        })
    }

    /// Verifies that this signer signed the attributes with `key`, and the attributes the
    /// statement.
    pub(super) fn verify(
        &self,
        key: &PublicKey,
        statement: &[u8],
    ) -> Result<SignatureValid, TimestampError> {
        if self.digest.digest(statement).as_bytes() != self.attributes.message_digest {
            return Err(TimestampError::MessageDigest);
        }
        let algorithm = self.signature_algorithm()?;
        algorithm
            .verify(key, &self.attributes.signed_bytes, self.signature)
            .map_err(|SignatureInvalid| TimestampError::Signature)
    }

    /// The algorithm that is declared; its hash is the one that is declared beside it.
    fn signature_algorithm(&self) -> Result<SignatureAlgorithm, TimestampError> {
        let plain = Fields::of(self.algorithm).plain_algorithm();
        // SPEC RFC 3370 §3.2: rsaEncryption leaves the hash to digestAlgorithm.
        if plain == Ok(oid::RSA) {
            return Ok(SignatureAlgorithm::RsaPkcs1(self.digest));
        }
        let algorithm =
            SignatureAlgorithm::from_der(self.algorithm).ok_or(TimestampError::Algorithm)?;
        let hash = match algorithm {
            SignatureAlgorithm::Ecdsa(hash) | SignatureAlgorithm::RsaPkcs1(hash) => hash,
            // SPEC RFC 8419 §3.1: SHA-512 goes with Ed25519.
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
        let mut fields = Fields::of(content);
        let mut seen: Vec<ObjectIdentifier> = Vec::new();
        let mut elements = Vec::new();
        let mut content_type = None;
        let mut message_digest = None;
        let mut certificates = SigningCertificates::default();
        while !fields.is_finished() {
            let attribute = fields.element(der_form::SEQUENCE)?;
            elements.push(attribute.whole);
            let (id, value) = parse_attribute(attribute.content)?;
            if seen.contains(&id) || seen.len() >= MAX_ATTRIBUTES {
                return Err(TimestampError::Malformed);
            }
            seen.push(id);
            match id {
                oid::CONTENT_TYPE => content_type = Some(Fields::of(value).oid()?),
                oid::MESSAGE_DIGEST => {
                    message_digest = Some(Fields::of(value).take(der_form::OCTET_STRING)?);
                }
                other => certificates.read(other, value)?,
            }
        }
        // SPEC RFC 5652 §5.3: the content type is required and must be the content's.
        if content_type != Some(oid::TST_INFO) {
            return Err(TimestampError::ContentType);
        }
        Ok(Self {
            signed_bytes: der_form::set_of(der_form::SET, elements),
            message_digest: message_digest.ok_or(TimestampError::MessageDigest)?,
            certificates,
        })
    }
}

/// More attributes than any authority signs.
const MAX_ATTRIBUTES: usize = 32;

/// An attribute with exactly one value: those that matter here must have one, and no authority
/// signs others that have more.
fn parse_attribute(content: &[u8]) -> Result<(ObjectIdentifier, &[u8]), Malformed> {
    let mut fields = Fields::of(content);
    let id = fields.oid()?;
    let mut values = Fields::of(fields.take(der_form::SET)?);
    fields.finish()?;
    let value = values.next()?.whole;
    values.finish()?;
    Ok((id, value))
}
