//! Leaves of data tiles (C2SP static-ct-api), converted from RFC 6962 entries.

use super::super::tls::{VectorTooLong, push_vector16, push_vector24};
use crate::protocol::cursor::Cursor;
use crate::protocol::hash::Sha256;

/// A parsed `PrecertChainEntry` (RFC 6962 §4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrecertChain<'a> {
    /// The precertificate in DER.
    pub precertificate: &'a [u8],
    /// The certificates above it in DER, the issuer's first.
    pub issuers: Vec<&'a [u8]>,
}

impl<'a> PrecertChain<'a> {
    /// Parses the `extra_data` of a precertificate entry. None if it is malformed.
    pub(crate) fn parse(extra_data: &'a [u8]) -> Option<Self> {
        let mut reader = Cursor::new(extra_data);
        let precertificate = reader.field::<3>()?;
        let mut chain = Cursor::new(reader.field::<3>()?);
        let mut issuers = Vec::new();
        while !chain.is_empty() {
            issuers.push(chain.field::<3>()?);
        }
        reader.is_empty().then_some(Self {
            precertificate,
            issuers,
        })
    }
}

/// Converts the `MerkleTreeLeaf` and `extra_data` of a precertificate entry to a `TileLeaf`: the
/// timestamped entry, the precertificate, and the fingerprints of its issuers. None if the entry is
/// malformed or not a precertificate's.
pub(crate) fn tile_leaf(leaf_input: &[u8], extra_data: &[u8]) -> Option<Vec<u8>> {
    let timestamped_entry = leaf_input.strip_prefix(&[0, 0])?;
    is_of_precertificate(timestamped_entry).then_some(())?;
    let chain = PrecertChain::parse(extra_data)?;
    compose(timestamped_entry, &chain).ok()
}

fn compose(timestamped_entry: &[u8], chain: &PrecertChain<'_>) -> Result<Vec<u8>, VectorTooLong> {
    let fingerprints: Vec<_> = chain
        .issuers
        .iter()
        .flat_map(|issuer| *Sha256::of(issuer).as_bytes())
        .collect();
    let mut out = timestamped_entry.to_vec();
    push_vector24(&mut out, chain.precertificate)?;
    push_vector16(&mut out, &fingerprints)?;
    Ok(out)
}

/// Whether these bytes are one whole `TimestampedEntry` of a precertificate (RFC 6962 §3.4).
fn is_of_precertificate(timestamped_entry: &[u8]) -> bool {
    let mut reader = Cursor::new(timestamped_entry);
    let mut read = || {
        let _timestamp = reader.u64()?;
        let entry_type = reader.array()?;
        let _issuer_key_hash = reader.array::<32>()?;
        let _tbs = reader.field::<3>()?;
        let _extensions = reader.field::<2>()?;
        Some(entry_type == [0, 1] && reader.is_empty())
    };
    read() == Some(true)
}
