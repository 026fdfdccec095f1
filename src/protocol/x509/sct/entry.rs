//! Log entries of precertificates (RFC 6962 §3.2, §3.4, §4.6; C2SP static-ct-api).

use super::super::Certificate;
use super::super::extensions::SCT_LIST;
use super::super::tbs;
use super::super::tls::{VectorTooLong, push_vector16, push_vector24};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::LeafIndex;
use crate::protocol::time::UnixTime;

/// A `PreCert` (RFC 6962 §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrecertEntry {
    /// SHA-256 of the issuer's SubjectPublicKeyInfo.
    pub issuer_key_hash: Sha256,
    /// The DER TBSCertificate without the poison and SCT list extensions.
    pub tbs: Vec<u8>,
}

impl PrecertEntry {
    /// Rebuilds the entry from a certificate with embedded SCTs. None if there is no SCT list.
    pub fn rebuilt_from(certificate: &Certificate, issuer: &Certificate) -> Option<Self> {
        Some(Self {
            issuer_key_hash: issuer.public_key().fingerprint(),
            tbs: tbs::without_extension(certificate.tbs(), SCT_LIST)?,
        })
    }

    /// None if the precertificate has no poison extension.
    #[cfg(any(test, feature = "testing"))]
    pub fn of_precertificate(precertificate: &Certificate, issuer: &Certificate) -> Option<Self> {
        Some(Self {
            issuer_key_hash: issuer.public_key().fingerprint(),
            tbs: tbs::without_extension(precertificate.tbs(), super::super::extensions::POISON)?,
        })
    }

    /// Encodes the MerkleTreeLeaf (RFC 6962 §3.4). An SCT signs the same bytes (§3.2), because both
    /// structures start with two zero bytes: version 1, and `timestamped_entry` or
    /// `certificate_timestamp`.
    ///
    /// # Errors
    /// A field is longer than its length prefix can express.
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

    /// Encodes the leaf with time and index zero, to be set with [`set_leaf_time_and_index`].
    ///
    /// # Errors
    /// A field is longer than its length prefix can express.
    pub fn leaf_template(&self) -> Result<Vec<u8>, VectorTooLong> {
        self.leaf(UnixTime::from_millis(0), &LEAF_INDEX_ZERO)
    }
}

/// The `leaf_index` extension of the first leaf (C2SP static-ct-api).
const LEAF_INDEX_ZERO: [u8; LEAF_INDEX_EXTENSION_LENGTH] = [0, 0, 5, 0, 0, 0, 0, 0];

/// Encodes a `PrecertChainEntry` (RFC 6962 §4.6): the precertificate and the chain above it.
///
/// # Errors
/// A field is longer than its length prefix can express.
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

/// The index does not fit in the 40 bits of the extension, or the bytes are not a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leaf's index does not fit in 40 bits")]
pub struct LeafIndexError;

/// Length of the CtExtensions that [`leaf_index_extension`] encodes.
const LEAF_INDEX_EXTENSION_LENGTH: usize = 8;

/// Encodes CtExtensions with only `leaf_index`: type 0, a length of two bytes, the index in 40 bits.
///
/// # Errors
/// The index has more than 40 bits.
pub(crate) fn leaf_index_extension(
    index: LeafIndex,
) -> Result<[u8; LEAF_INDEX_EXTENSION_LENGTH], LeafIndexError> {
    const LEAF_INDEX: u8 = 0;
    match index.get().to_be_bytes() {
        [0, 0, 0, a, b, c, d, e] => Ok([LEAF_INDEX, 0, 5, a, b, c, d, e]),
        _ => Err(LeafIndexError),
    }
}

/// Sets time and index in a leaf from [`PrecertEntry::leaf_template`].
///
/// # Errors
/// The index has more than 40 bits, or the leaf is too short.
pub(crate) fn set_leaf_time_and_index(
    leaf: &mut [u8],
    time: UnixTime,
    index: LeafIndex,
) -> Result<(), LeafIndexError> {
    // RFC 6962 §3.4: the time follows version and type; the extensions are last.
    let (head, extensions) = leaf
        .split_last_chunk_mut::<LEAF_INDEX_EXTENSION_LENGTH>()
        .ok_or(LeafIndexError)?;
    let timestamp = head.get_mut(2..10).ok_or(LeafIndexError)?;
    *extensions = leaf_index_extension(index)?;
    timestamp.copy_from_slice(&time.millis().to_be_bytes());
    Ok(())
}
