//! What a certificate log keeps of a precertificate (RFC 6962 §3.2, §3.4, §4.6).

use super::super::Certificate;
use super::super::extensions::SCT_LIST;
use super::super::tbs;
use super::super::tls::{VectorTooLong, push_vector16, push_vector24};
use crate::protocol::hash::Sha256;
use crate::protocol::time::UnixTime;

/// What a certificate log records of a precertificate (RFC 6962 §3.2, `PreCert`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrecertEntry {
    /// SHA-256 of the issuer's SubjectPublicKeyInfo.
    pub issuer_key_hash: Sha256,
    /// The certificate's TBS without poison and without SCT list.
    pub tbs: Vec<u8>,
}

impl PrecertEntry {
    /// The entry that a certificate with embedded SCTs was logged as; none if it has no SCT list.
    pub fn rebuilt_from(certificate: &Certificate, issuer: &Certificate) -> Option<Self> {
        Some(Self {
            issuer_key_hash: issuer.public_key().fingerprint(),
            tbs: tbs::without_extension(certificate.tbs(), SCT_LIST)?,
        })
    }

    /// The entry for a precertificate; none if it has no poison.
    #[cfg(any(test, feature = "testing"))]
    pub fn of_precertificate(precertificate: &Certificate, issuer: &Certificate) -> Option<Self> {
        Some(Self {
            issuer_key_hash: issuer.public_key().fingerprint(),
            tbs: tbs::without_extension(precertificate.tbs(), super::super::extensions::POISON)?,
        })
    }

    /// The entry with its time and extensions: these bytes are the log's MerkleTreeLeaf
    /// (RFC 6962 §3.4), and the same bytes are what an SCT signs (§3.2), because both begin with
    /// two zeros: version 1, and "timestamped entry" or "certificate timestamp".
    ///
    /// # Errors
    /// More bytes than the format's length fields can say.
    pub fn leaf(&self, time: UnixTime, extensions: &[u8]) -> Result<Vec<u8>, VectorTooLong> {
        const PRECERT_ENTRY: [u8; 2] = [0, 1];
        let mut out = Vec::with_capacity(self.tbs.len().saturating_add(64));
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&time.millis().to_be_bytes());
        out.extend_from_slice(&PRECERT_ENTRY);
        out.extend_from_slice(self.issuer_key_hash.as_bytes());
        push_vector24(&mut out, &self.tbs)?;
        push_vector16(&mut out, extensions)?;
        Ok(out)
    }

    /// The leaf in its full length, with time and index still zero: for
    /// [`place_leaf`](super::place_leaf).
    ///
    /// # Errors
    /// More bytes than the format's length fields can say.
    pub fn unplaced_leaf(&self) -> Result<Vec<u8>, VectorTooLong> {
        self.leaf(UnixTime::from_millis(0), &LEAF_INDEX_ZERO)
    }
}

/// The `leaf_index` extension of the first leaf (C2SP static-ct-api).
const LEAF_INDEX_ZERO: [u8; 8] = [0, 0, 5, 0, 0, 0, 0, 0];

/// A `PrecertChainEntry` (RFC 6962 §4.6): the precertificate and the chain above it.
///
/// # Errors
/// More bytes than the format's length fields can say.
pub(crate) fn precert_chain_entry<'a>(
    precertificate: &[u8],
    chain: impl IntoIterator<Item = &'a Certificate>,
) -> Result<Vec<u8>, VectorTooLong> {
    let mut certificates = Vec::new();
    for certificate in chain {
        push_vector24(&mut certificates, certificate.der())?;
    }
    let mut out = Vec::new();
    push_vector24(&mut out, precertificate)?;
    push_vector24(&mut out, &certificates)?;
    Ok(out)
}
