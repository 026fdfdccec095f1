//! Signed certificate timestamps and what a certificate log keeps and signs (RFC 6962 §3).

mod digitally_signed;
mod entry;
mod leaf_index;
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
pub(crate) use entry::precert_chain_entry;
pub(crate) use leaf_index::{NoPlace, leaf_index_extension, place_leaf};
pub(crate) use tile_leaf::{PrecertChain, tile_leaf};

/// A certificate-transparency log of a trust root.
#[derive(Clone, Debug)]
pub struct TrustedCtLog {
    /// Where the log is, for messages.
    pub base_url: String,
    /// The log's key; its ID is the key's fingerprint.
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
    /// When the log saw the precertificate.
    pub time: UnixTime,
}

/// In JSON, logs write their IDs in base64.
pub(crate) fn serialize_log_id<S: Serializer>(
    log_id: &Sha256,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_base64(log_id.as_bytes()))
}

/// Why a certificate's SCTs do not suffice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SctError {
    /// The certificate has no SCT list
    #[error("the certificate carries no signed certificate timestamp")]
    Missing,
    /// The list is not what RFC 6962 §3.3 describes
    #[error("the certificate's list of signed certificate timestamps is malformed")]
    Malformed,
    /// No SCT is by a trusted log
    #[error("no signed certificate timestamp is by a trusted log")]
    NoTrustedLog,
    /// An SCT names a trusted log that did not sign it
    #[error("the signed certificate timestamp by log {0} does not verify")]
    Invalid(Sha256),
    /// An SCT is from outside the time in which its log is trusted
    #[error("the log {log_id} is not trusted at {time}, when it timestamped the certificate")]
    OutsideValidity {
        /// Which log.
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
    /// When the log saw the entry.
    pub time: UnixTime,
    /// CtExtensions: empty, or where the leaf stands (C2SP static-ct-api).
    pub extensions: Vec<u8>,
    /// The log's signature over the entry.
    pub signature: DigitallySigned,
}

impl SignedCertificateTimestamp {
    /// Signs the promise for an entry, without extensions.
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

    /// Signs the promise for an entry that stands at an index, and tells the index
    /// (C2SP static-ct-api).
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

    /// Verifies the promise for an entry.
    ///
    /// # Errors
    /// The signature does not hold.
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

    /// Reads one, behind its version byte.
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

/// The value of the SCT list extension (RFC 6962 §3.3): a DER octet string with the TLS list.
///
/// # Errors
/// More bytes than the format's length fields can say.
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

/// Reads the value of the SCT list extension. SCTs of versions other than 1 are left out.
///
/// # Errors
/// [`SctError::Malformed`], also for an empty list.
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

/// Verifies the embedded SCTs (RFC 6962 §3.2): returns one for each distinct trusted log whose
/// SCT holds over the precertificate rebuilt from `leaf`, at least one. An SCT of an unknown log
/// is skipped; one of a known log that does not verify is an error.
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

/// One SCT; none if it is of an unknown log.
fn verify_sct(
    sct: &SignedCertificateTimestamp,
    entry: &PrecertEntry,
    logs: &[TrustedCtLog],
) -> Result<Option<VerifiedSct>, SctError> {
    let SignedCertificateTimestamp { log_id, time, .. } = *sct;
    let mut of_this_id = logs
        .iter()
        .filter(|log| log.key.fingerprint() == log_id)
        .peekable();
    let Some(first) = of_this_id.peek() else {
        return Ok(None);
    };
    let _ = sct
        .verify(&first.key, entry)
        .map_err(|_| SctError::Invalid(log_id))?;
    // A trust root may list one log several times, with a window each.
    match of_this_id.find(|log| log.validity.contains(time)) {
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
