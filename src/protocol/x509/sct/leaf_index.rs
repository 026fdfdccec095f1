//! The extension by which SCTs and leaves tell where the leaf stands (C2SP static-ct-api).

use crate::protocol::merkle::LeafIndex;
use crate::protocol::time::UnixTime;

/// The index does not fit the 40 bits of the extension, or the bytes are not a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leaf cannot stand there: its index has at most 40 bits")]
pub struct NoPlace;

/// How many bytes the extensions have that [`leaf_index_extension`] makes.
const LENGTH: usize = 8;

/// CtExtensions with `leaf_index` alone: type 0, a length of two bytes, the index in 40 bits.
///
/// # Errors
/// The index has more than 40 bits.
pub(crate) fn leaf_index_extension(index: LeafIndex) -> Result<[u8; LENGTH], NoPlace> {
    const LEAF_INDEX: u8 = 0;
    match index.get().to_be_bytes() {
        [0, 0, 0, a, b, c, d, e] => Ok([LEAF_INDEX, 0, 5, a, b, c, d, e]),
        _ => Err(NoPlace),
    }
}

/// Gives a leaf of [`PrecertEntry::unplaced_leaf`](super::PrecertEntry::unplaced_leaf) its time and
/// its index.
///
/// # Errors
/// The index has more than 40 bits, or the bytes are too few for a leaf.
pub(crate) fn place_leaf(leaf: &mut [u8], time: UnixTime, index: LeafIndex) -> Result<(), NoPlace> {
    // SPEC RFC 6962 §3.4: version, type, and then the time; the extensions come last.
    let (head, extensions) = leaf.split_last_chunk_mut::<LENGTH>().ok_or(NoPlace)?;
    let timestamp = head.get_mut(2..10).ok_or(NoPlace)?;
    *extensions = leaf_index_extension(index)?;
    timestamp.copy_from_slice(&time.millis().to_be_bytes());
    Ok(())
}
