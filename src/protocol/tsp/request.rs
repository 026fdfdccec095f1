//! Timestamp requests: DER TimeStampReq (RFC 3161 §2.4.1), or the JSON of Sigstore's authority.

use const_oid::ObjectIdentifier;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{PkiFailure, accepted_hash, hash_oid};
use crate::protocol::bytes::ProtoBytes;
use crate::protocol::der::{self, DerReader, MalformedDer};
use crate::protocol::hash::{Digest, HashAlgorithm, WrongDigestLength};
use crate::protocol::oid;

/// Maximum size of a DER request, in bytes. Clients send about 60.
pub const MAX_DER_REQUEST: usize = 1024;

/// Maximum size of a JSON request, in bytes.
pub const MAX_JSON_REQUEST: usize = 1024;

/// Maximum length of a nonce's INTEGER content, in bytes. Clients send 8.
const MAX_NONCE: usize = 64;

/// Maximum length of a nonce in JSON, in decimal digits.
const MAX_NONCE_DIGITS: usize = 64;

/// A valid timestamp request: an accepted hash, a digest of matching length, no extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampRequest {
    digest: Digest,
    /// The client's DER messageImprint, which the token repeats byte for byte.
    imprint: Vec<u8>,
    policy: Option<ObjectIdentifier>,
    nonce: Option<Vec<u8>>,
    wants_certificate: bool,
}

/// Error parsing a timestamp request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("the request has {actual} bytes; the limit is {limit}")]
    TooLarge { actual: usize, limit: usize },
    #[error("the request is not a valid DER TimeStampReq")]
    Malformed,
    #[error("the request's version is not 1")]
    Version,
    #[error("the request is not a valid JSON timestamp request: {0}")]
    Json(String),
    #[error("the hash algorithm is not accepted; use SHA-256, SHA-384 or SHA-512")]
    Hash,
    #[error("the message digest does not match its hash algorithm: {0}")]
    DigestLength(#[from] WrongDigestLength),
    #[error(
        "the nonce is not an integer of at most {MAX_NONCE} bytes or {MAX_NONCE_DIGITS} digits"
    )]
    Nonce,
    #[error("the policy is not an object identifier")]
    Policy,
    #[error("the request has extensions; none is supported")]
    Extensions,
}

impl RequestError {
    /// The PKIFailureInfo that is sent to the client (RFC 3161 §2.4.2).
    pub const fn failure(&self) -> PkiFailure {
        match self {
            Self::Hash => PkiFailure::BadAlgorithm,
            Self::Version => PkiFailure::BadRequest,
            Self::Extensions => PkiFailure::UnacceptedExtension,
            Self::Policy => PkiFailure::UnacceptedPolicy,
            Self::TooLarge { .. }
            | Self::Malformed
            | Self::Json(_)
            | Self::DigestLength(_)
            | Self::Nonce => PkiFailure::BadDataFormat,
        }
    }
}

impl From<MalformedDer> for RequestError {
    fn from(MalformedDer: MalformedDer) -> Self {
        Self::Malformed
    }
}

impl TimestampRequest {
    /// Creates a request without a policy.
    pub fn new(digest: Digest, nonce: Option<u64>, wants_certificate: bool) -> Self {
        Self {
            imprint: encode_imprint(&digest),
            digest,
            policy: None,
            nonce: nonce.map(|nonce| unsigned_integer(&nonce.to_be_bytes())),
            wants_certificate,
        }
    }

    /// Parses a DER TimeStampReq. Trailing bytes are an error.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        check_size(der, MAX_DER_REQUEST)?;
        let mut fields = DerReader::inside(der, der::SEQUENCE)?;
        if fields.integer()? != [1] {
            return Err(RequestError::Version);
        }
        let imprint = fields.element(der::SEQUENCE)?;
        let policy = fields
            .optional(der::OBJECT_IDENTIFIER)?
            .map(|bytes| oid::parse_content(bytes).ok_or(RequestError::Policy))
            .transpose()?;
        let nonce = fields.optional_integer()?;
        let wants_certificate = fields.default_false()?;
        let extensions = fields.optional(der::CONTEXT_0)?;
        fields.finish()?;
        if extensions.is_some() {
            return Err(RequestError::Extensions);
        }
        if nonce.is_some_and(|nonce| nonce.len() > MAX_NONCE) {
            return Err(RequestError::Nonce);
        }
        Ok(Self {
            digest: parse_imprint(imprint.content)?,
            imprint: imprint.whole.to_vec(),
            policy,
            nonce: nonce.map(<[u8]>::to_vec),
            wants_certificate,
        })
    }

    /// Parses a JSON request.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn from_json(json: &[u8]) -> Result<Self, RequestError> {
        check_size(json, MAX_JSON_REQUEST)?;
        let request: JsonRequest<'_> =
            serde_json::from_slice(json).map_err(|error| RequestError::Json(error.to_string()))?;
        let algorithm = HashAlgorithm::from_name(&request.hash_algorithm.to_ascii_lowercase())
            .ok_or(RequestError::Hash)?;
        let digest = Digest::new(algorithm, request.artifact_hash.0)?;
        let policy = request
            .tsa_policy_oid
            .map(|oid| oid::parse_text(&oid).ok_or(RequestError::Policy))
            .transpose()?;
        let nonce = request
            .nonce
            .map(|nonce| parse_decimal(nonce.get()).ok_or(RequestError::Nonce))
            .transpose()?;
        Ok(Self {
            imprint: encode_imprint(&digest),
            digest,
            policy,
            nonce,
            wants_certificate: request.certificates.unwrap_or(false),
        })
    }

    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The policy that the client requires.
    pub const fn policy(&self) -> Option<ObjectIdentifier> {
        self.policy
    }

    /// The nonce, as the content of a DER INTEGER.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// Whether the token must include the signer's certificate (`certReq`).
    pub const fn wants_certificate(&self) -> bool {
        self.wants_certificate
    }

    /// The DER messageImprint.
    pub(super) fn imprint(&self) -> &[u8] {
        &self.imprint
    }

    /// Encodes the request as DER.
    pub fn to_der(&self) -> Vec<u8> {
        let policy = self.policy.map(der::oid).unwrap_or_default();
        let nonce = self
            .nonce()
            .map_or_else(Vec::new, |nonce| der::element(der::INTEGER, &[nonce]));
        let certificate: &[u8] = if self.wants_certificate {
            &[der::BOOLEAN, 1, 0xff]
        } else {
            &[]
        };
        let version = [der::INTEGER, 1, 1];
        der::element(
            der::SEQUENCE,
            &[&version, &self.imprint, &policy, &nonce, certificate],
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonRequest<'a> {
    artifact_hash: ProtoBytes,
    hash_algorithm: String,
    certificates: Option<bool>,
    /// Raw, because a nonce may be longer than 64 bits.
    #[serde(borrow)]
    nonce: Option<&'a RawValue>,
    #[serde(rename = "tsaPolicyOID")]
    tsa_policy_oid: Option<String>,
}

const fn check_size(bytes: &[u8], limit: usize) -> Result<(), RequestError> {
    if bytes.len() > limit {
        return Err(RequestError::TooLarge {
            actual: bytes.len(),
            limit,
        });
    }
    Ok(())
}

fn parse_imprint(content: &[u8]) -> Result<Digest, RequestError> {
    let mut fields = DerReader::of(content);
    let algorithm = accepted_hash(fields.plain_algorithm()?).ok_or(RequestError::Hash)?;
    let digest = fields.take(der::OCTET_STRING)?;
    fields.finish()?;
    Ok(Digest::new(algorithm, digest.to_vec())?)
}

fn encode_imprint(digest: &Digest) -> Vec<u8> {
    let algorithm = der::element(
        der::SEQUENCE,
        &[&der::oid(hash_oid(digest.algorithm())), &[der::NULL, 0]],
    );
    let hashed = der::element(der::OCTET_STRING, &[digest.as_bytes()]);
    der::element(der::SEQUENCE, &[&algorithm, &hashed])
}

/// Converts a decimal number to the content of a DER INTEGER.
fn parse_decimal(digits: &str) -> Option<Vec<u8>> {
    if digits.len() > MAX_NONCE_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // 10⁶⁴ < 2²¹⁶: 27 bytes are enough for 64 digits.
    let mut number = [0u8; 27];
    for digit in digits.bytes() {
        let mut carry = u16::from(digit.checked_sub(b'0')?);
        for byte in number.iter_mut().rev() {
            let sum = u16::from(*byte).checked_mul(10)?.checked_add(carry)?;
            let [high, low] = sum.to_be_bytes();
            *byte = low;
            carry = u16::from(high);
        }
    }
    Some(unsigned_integer(&number))
}

/// The shortest INTEGER content for an unsigned big-endian number.
fn unsigned_integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(zeros..).unwrap_or_default();
    if digits.first().is_some_and(|byte| *byte < 0x80) {
        digits.to_vec()
    } else {
        [&[0], digits].concat()
    }
}

#[cfg(test)]
mod tests;
