//! The log as static files: checkpoint, tiles and data tiles (C2SP static-ct-api). All but the
//! checkpoint may block on storage.

use super::{CtError, CtLog};
use crate::log::ReadError;
use crate::protocol::bytes::Sha256;
use crate::protocol::merkle::{TileId, TileSpan};
use crate::protocol::x509::sct::tile_leaf;

impl CtLog {
    /// The newest published tree head as a signed note.
    pub(crate) fn checkpoint(&self) -> String {
        self.log.head().note.clone()
    }

    /// The hashes of a tile that the published tree fills.
    ///
    /// # Errors
    /// The tree has no such tile yet, or storage cannot be read.
    pub(crate) fn tile(&self, tile: TileId) -> Result<Vec<Sha256>, CtError> {
        self.log.tile(tile).map_err(no_tile)
    }

    /// A data tile: the leaves of a span that the published tree fills, one behind the other.
    ///
    /// # Errors
    /// The tree has not so many leaves yet, or storage cannot be read.
    pub(crate) fn data_tile(&self, span: TileSpan) -> Result<Vec<u8>, CtError> {
        let mut tile = Vec::new();
        for leaf in self.log.leaves(span.range()).map_err(no_tile)? {
            let entry = tile_leaf(&leaf.data, &leaf.extra).ok_or(ReadError::Storage)?;
            tile.extend_from_slice(&entry);
        }
        Ok(tile)
    }
}

fn no_tile(error: ReadError) -> CtError {
    match error {
        ReadError::OutOfRange { .. } => CtError::NoTile,
        ReadError::Storage => error.into(),
    }
}
