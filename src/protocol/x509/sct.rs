//! Signed certificate timestamps and certificate log entries (RFC 6962 §3).

mod digitally_signed;
mod entry;
mod tile_leaf;

use der::asn1::OctetStringRef;
use der::{Decode, Encode};
use serde::{Serialize, Serializer};

use super::Certificate;
use super::chain::VerifiedPath;
use super::extensions::SCT_LIST;
use super::tls::{VectorTooLong, push_vector16};
use crate::protocol::bytes::to_base64;
use crate::protocol::cursor::Cursor;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{PublicKey, SignatureInvalid, SignatureValid, SigningKey};
use crate::protocol::merkle::LeafIndex;
use crate::protocol::time::{UnixTime, Validity};

pub(crate) use digitally_signed::{DigitallySigned, LogSigningError};
pub use entry::PrecertEntry;
pub(crate) use entry::{
    LeafIndexError, leaf_index_extension, precert_chain_entry, set_leaf_time_and_index,
};
pub(crate) use tile_leaf::{PrecertChain, tile_leaf};

/// A certificate-transparency log of a trust root.
#[derive(Clone, Debug)]
pub struct TrustedCtLog {
    /// The log's URL, for error messages.
    pub base_url: String,
    /// The log's key. The log ID is its fingerprint.
    pub key: PublicKey,
    /// When its timestamps are trusted.
    pub validity: Validity,
}

/// Evidence that a trusted log promised to include the certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedSct {
    /// The log's URL in the trust root.
    pub log: String,
    /// The log's ID.
    #[serde(serialize_with = "serialize_log_id")]
    pub log_id: Sha256,
    /// The SCT's timestamp.
    pub time: UnixTime,
}

/// Serializes a log ID in base64, as RFC 6962 logs do in JSON.
pub(crate) fn serialize_log_id<S: Serializer>(
    log_id: &Sha256,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_base64(log_id.as_bytes()))
}

/// Error verifying a certificate's SCTs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SctError {
    #[error("the certificate has no signed certificate timestamp")]
    Missing,
    /// RFC 6962 §3.3
    #[error("the certificate's list of signed certificate timestamps is malformed")]
    Malformed,
    #[error("none of the certificate's signed certificate timestamps is from a trusted log")]
    NoTrustedLog,
    /// The SCT has the ID of a trusted log, whose key does not verify it
    #[error("the signed certificate timestamp of log {0} has an invalid signature")]
    Invalid(Sha256),
    #[error("log {log_id} is not trusted at {time}, the time of its signed certificate timestamp")]
    OutsideValidity {
        /// The log's ID.
        log_id: Sha256,
        /// The SCT's time.
        time: UnixTime,
    },
}

/// A signed certificate timestamp of version 1 (RFC 6962 §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCertificateTimestamp {
    /// SHA-256 of the log's SubjectPublicKeyInfo.
    pub log_id: Sha256,
    /// When the log issued the SCT.
    pub time: UnixTime,
    /// CtExtensions: empty, or the leaf's index (C2SP static-ct-api).
    pub extensions: Vec<u8>,
    /// The log's signature over the entry.
    pub signature: DigitallySigned,
}

impl SignedCertificateTimestamp {
    /// Signs an SCT without extensions.
    ///
    /// # Errors
    /// See [`LogSigningError`].
    #[cfg(any(test, feature = "testing"))]
    pub fn sign(
        key: &SigningKey,
        entry: &PrecertEntry,
        time: UnixTime,
    ) -> Result<Self, LogSigningError> {
        Self::sign_with(key, entry, time, Vec::new())
    }

    /// Signs an SCT with the `leaf_index` extension (C2SP static-ct-api).
    ///
    /// # Errors
    /// See [`LogSigningError`].
    pub fn sign_at(
        key: &SigningKey,
        entry: &PrecertEntry,
        time: UnixTime,
        index: LeafIndex,
    ) -> Result<Self, LogSigningError> {
        let extensions = leaf_index_extension(index)?.to_vec();
        Self::sign_with(key, entry, time, extensions)
    }

    fn sign_with(
        key: &SigningKey,
        entry: &PrecertEntry,
        time: UnixTime,
        extensions: Vec<u8>,
    ) -> Result<Self, LogSigningError> {
        let signature = DigitallySigned::sign(key, &entry.leaf(time, &extensions)?)?;
        Ok(Self {
            log_id: key.public_key().fingerprint(),
            time,
            extensions,
            signature,
        })
    }

    /// Verifies the SCT over an entry.
    ///
    /// # Errors
    /// The signature is invalid.
    pub fn verify(
        &self,
        key: &PublicKey,
        entry: &PrecertEntry,
    ) -> Result<SignatureValid, SignatureInvalid> {
        let signed = entry
            .leaf(self.time, &self.extensions)
            .map_err(|_| SignatureInvalid)?;
        self.signature.verify(key, &signed)
    }

    fn encode(&self) -> Result<Vec<u8>, VectorTooLong> {
        let mut out = vec![V1];
        out.extend_from_slice(self.log_id.as_bytes());
        out.extend_from_slice(&self.time.millis().to_be_bytes());
        push_vector16(&mut out, &self.extensions)?;
        out.extend_from_slice(&self.signature.encode()?);
        Ok(out)
    }

    /// Parses what follows the version byte.
    fn read(reader: &mut Cursor<'_>) -> Option<Self> {
        let sct = Self {
            log_id: Sha256::from_bytes(reader.array()?),
            time: UnixTime::from_millis(reader.u64()?),
            extensions: reader.field::<2>()?.to_vec(),
            signature: DigitallySigned::read(reader)?,
        };
        reader.is_empty().then_some(sct)
    }
}

const V1: u8 = 0;

/// Encodes the value of the SCT list extension (RFC 6962 §3.3): a DER OCTET STRING with a TLS vector.
///
/// # Errors
/// A field is longer than its length prefix can express.
pub fn encode_sct_list(scts: &[SignedCertificateTimestamp]) -> Result<Vec<u8>, VectorTooLong> {
    let mut items = Vec::new();
    for sct in scts {
        push_vector16(&mut items, &sct.encode()?)?;
    }
    let mut list = Vec::new();
    push_vector16(&mut list, &items)?;
    let too_long = |_| VectorTooLong(list.len());
    OctetStringRef::new(&list)
        .and_then(|list| list.to_der())
        .map_err(too_long)
}

/// Parses the value of the SCT list extension. SCTs of versions other than 1 are ignored.
///
/// # Errors
/// [`SctError::Malformed`]. An empty list is malformed.
pub fn parse_sct_list(value: &[u8]) -> Result<Vec<SignedCertificateTimestamp>, SctError> {
    read_sct_list(value).ok_or(SctError::Malformed)
}

fn read_sct_list(value: &[u8]) -> Option<Vec<SignedCertificateTimestamp>> {
    let list = OctetStringRef::from_der(value).ok()?;
    let mut outer = Cursor::new(list.as_bytes());
    let mut items = Cursor::new(outer.field::<2>()?);
    if !outer.is_empty() || items.is_empty() {
        return None;
    }
    let mut scts = Vec::new();
    while !items.is_empty() {
        let mut item = Cursor::new(items.field::<2>()?);
        if item.u8()? == V1 {
            scts.push(SignedCertificateTimestamp::read(&mut item)?);
        }
    }
    Some(scts)
}

/// Verifies the embedded SCTs over the precertificate rebuilt from `leaf` (RFC 6962 §3.2). Returns one for
/// each trusted log, at least one. An SCT of an unknown log is skipped; an SCT of a trusted log that does
/// not verify is an error.
///
/// # Errors
/// See [`SctError`].
pub fn verify_scts(
    leaf: &Certificate,
    path: &VerifiedPath,
    logs: &[TrustedCtLog],
) -> Result<Vec<VerifiedSct>, SctError> {
    let list = leaf.extensions().find(SCT_LIST).ok_or(SctError::Missing)?;
    let scts = parse_sct_list(&list.value)?;
    let entry = PrecertEntry::rebuilt_from(leaf, path.issuer()).ok_or(SctError::Malformed)?;
    let mut verified: Vec<VerifiedSct> = Vec::new();
    for sct in scts {
        if let Some(evidence) = verify_sct(&sct, &entry, logs)?
            && !verified.iter().any(|seen| seen.log_id == evidence.log_id)
        {
            verified.push(evidence);
        }
    }
    if verified.is_empty() {
        return Err(SctError::NoTrustedLog);
    }
    Ok(verified)
}

/// None for an SCT of an unknown log.
fn verify_sct(
    sct: &SignedCertificateTimestamp,
    entry: &PrecertEntry,
    logs: &[TrustedCtLog],
) -> Result<Option<VerifiedSct>, SctError> {
    let SignedCertificateTimestamp { log_id, time, .. } = *sct;
    let mut logs_with_id = logs
        .iter()
        .filter(|log| log.key.fingerprint() == log_id)
        .peekable();
    let Some(first) = logs_with_id.peek() else {
        return Ok(None);
    };
    let _ = sct
        .verify(&first.key, entry)
        .map_err(|_| SctError::Invalid(log_id))?;
    // A trust root may list one log several times, with different validities.
    match logs_with_id.find(|log| log.validity.contains(time)) {
        Some(log) => Ok(Some(VerifiedSct {
            log: log.base_url.clone(),
            log_id,
            time,
        })),
        None => Err(SctError::OutsideValidity { log_id, time }),
    }
}

#[cfg(test)]
mod tests;
