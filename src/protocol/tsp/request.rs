//! What a client asks for: RFC 3161 §2.4.1 in DER, or the JSON form of Sigstore's authority.

use const_oid::ObjectIdentifier;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{PkiFailure, hash_oid, known_hash};
use crate::protocol::bytes::ProtoBytes;
use crate::protocol::der::{self as der_form, DerReader as Fields, MalformedDer as Malformed};
use crate::protocol::hash::{Digest, HashAlgorithm, WrongDigestLength};
use crate::protocol::oid;

/// The longest DER request that is read, in bytes. A real one has about 60.
pub const MAX_DER_REQUEST: usize = 1024;

/// The longest JSON request that is read, in bytes.
pub const MAX_JSON_REQUEST: usize = 1024;

/// The longest nonce, in bytes of its INTEGER. Clients send 8.
const MAX_NONCE: usize = 64;

/// The longest nonce in JSON, in decimal digits.
const MAX_NONCE_DIGITS: usize = 64;

/// A request that was read: a strong hash, a digest of its length, no extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampRequest {
    digest: Digest,
    /// The messageImprint as it came, to be echoed byte for byte.
    imprint: Vec<u8>,
    policy: Option<ObjectIdentifier>,
    nonce: Option<Vec<u8>>,
    wants_certificate: bool,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Longer than any request
    #[error("the request has {actual} bytes; the limit is {limit}")]
    TooLarge {
        /// How many bytes there were.
        actual: usize,
        /// How many are read.
        limit: usize,
    },
    /// Not one DER TimeStampReq
    #[error("the request is not one DER TimeStampReq")]
    Malformed,
    /// A version other than 1
    #[error("the request's version is not 1")]
    Version,
    /// Not the JSON form
    #[error("the request is not as expected: {0}")]
    Json(String),
    /// SHA-1, MD5 or anything else that is not on the list
    #[error("the hash algorithm is not accepted; use SHA-256, SHA-384 or SHA-512")]
    Hash,
    /// A digest that the hash algorithm cannot have made
    #[error("the message digest does not fit its algorithm: {0}")]
    DigestLength(#[from] WrongDigestLength),
    /// A nonce that is no non-negative integer, or too long
    #[error(
        "the nonce is not an integer of at most {MAX_NONCE} bytes or {MAX_NONCE_DIGITS} digits"
    )]
    Nonce,
    /// A policy that is no object identifier
    #[error("the policy is not an object identifier")]
    Policy,
    /// Extensions, of which none is known here
    #[error("the request has extensions, and none is accepted")]
    Extensions,
}

impl RequestError {
    /// What RFC 3161 §2.4.2 calls this failure.
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

impl From<Malformed> for RequestError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl TimestampRequest {
    /// A request made here, without a policy.
    pub fn new(digest: Digest, nonce: Option<u64>, wants_certificate: bool) -> Self {
        Self {
            imprint: encode_imprint(&digest),
            digest,
            policy: None,
            nonce: nonce.map(|nonce| unsigned_integer(&nonce.to_be_bytes())),
            wants_certificate,
        }
    }

    /// Reads a DER TimeStampReq, consuming every byte.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        check_size(der, MAX_DER_REQUEST)?;
        let mut fields = Fields::inside(der, der_form::SEQUENCE)?;
        if fields.integer()? != [1] {
            return Err(RequestError::Version);
        }
        let imprint = fields.element(der_form::SEQUENCE)?;
        let policy = fields
            .optional(der_form::OBJECT_IDENTIFIER)?
            .map(|bytes| oid::parse_content(bytes).ok_or(RequestError::Policy))
            .transpose()?;
        let nonce = fields.optional_integer()?;
        let wants_certificate = fields.default_false()?;
        let extensions = fields.optional(der_form::CONTEXT_0)?;
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

    /// Reads the JSON form.
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

    /// The digest to be stamped.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The policy that the client insists on, if it does.
    pub const fn policy(&self) -> Option<ObjectIdentifier> {
        self.policy
    }

    /// The nonce as the content of a DER INTEGER.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// Whether the signer's certificate is to be in the token.
    pub const fn wants_certificate(&self) -> bool {
        self.wants_certificate
    }

    /// The messageImprint, whole, as the token repeats it.
    pub(super) fn imprint(&self) -> &[u8] {
        &self.imprint
    }

    /// The request in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let policy = self.policy.map(der_form::oid).unwrap_or_default();
        let nonce = self.nonce().map_or_else(Vec::new, |nonce| {
            der_form::element(der_form::INTEGER, &[nonce])
        });
        let certificate: &[u8] = if self.wants_certificate {
            &[der_form::BOOLEAN, 1, 0xff]
        } else {
            &[]
        };
        let version = [der_form::INTEGER, 1, 1];
        der_form::element(
            der_form::SEQUENCE,
            &[&version, &self.imprint, &policy, &nonce, certificate],
        )
    }
}

/// The JSON form; unknown members are refused.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonRequest<'a> {
    artifact_hash: ProtoBytes,
    hash_algorithm: String,
    certificates: Option<bool>,
    /// Any integer: JSON's may be longer than a machine word.
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
    let mut fields = Fields::of(content);
    let algorithm = known_hash(fields.plain_algorithm()?).ok_or(RequestError::Hash)?;
    let digest = fields.take(der_form::OCTET_STRING)?;
    fields.finish()?;
    Ok(Digest::new(algorithm, digest.to_vec())?)
}

fn encode_imprint(digest: &Digest) -> Vec<u8> {
    let algorithm = der_form::element(
        der_form::SEQUENCE,
        &[
            &der_form::oid(hash_oid(digest.algorithm())),
            &[der_form::NULL, 0],
        ],
    );
    let hashed = der_form::element(der_form::OCTET_STRING, &[digest.as_bytes()]);
    der_form::element(der_form::SEQUENCE, &[&algorithm, &hashed])
}

/// A decimal number as the content of a DER INTEGER.
fn parse_decimal(digits: &str) -> Option<Vec<u8>> {
    if digits.len() > MAX_NONCE_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // 27 bytes hold every number of 64 digits.
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
