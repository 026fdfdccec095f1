//! Checkpoints and tiles of a log as static files (C2SP tlog-tiles, static-ct-api).

use actix_web::HttpResponse;
use actix_web::http::header::{self, ContentType};

use super::refusal::Refusal;
use crate::log::{ReadError, SignedHead};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::{TILE_WIDTH, TileId, TilePathError, TileSpan};

/// `Cache-Control` of files that never change.
pub(super) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// A tile, as named by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TilePath {
    /// `tile/<level>/<index>[.p/<width>]`
    Hashes(TileId),
    /// `tile/<data row>/<index>[.p/<width>]`: the leaves themselves
    Leaves(TileSpan),
}

impl TilePath {
    /// Reads the path as sent, without decoding escapes, so that a tile has one path. `data_row` is the
    /// log type's name for the row of leaves.
    pub(super) fn parse(path: &str, data_row: &str) -> Result<Self, TilePathError> {
        let (_, path) = path.split_once("/tile/").ok_or(TilePathError)?;
        let (row, span) = path.split_once('/').ok_or(TilePathError)?;
        if row == data_row {
            TileSpan::parse(span).map(Self::Leaves)
        } else {
            TileId::parse(row, span).map(Self::Hashes)
        }
    }

    pub(super) fn respond(self, bytes: Vec<u8>) -> HttpResponse {
        let span = match self {
            Self::Hashes(tile) => tile.span(),
            Self::Leaves(span) => span,
        };
        // A full tile never changes; a partial one is soon replaced by a wider one.
        let caching = if span.width() == TILE_WIDTH {
            IMMUTABLE
        } else {
            "public, max-age=60"
        };
        HttpResponse::Ok()
            .content_type(ContentType::octet_stream())
            .insert_header((header::CACHE_CONTROL, caching))
            .body(bytes)
    }
}

/// Encodes a tile of hashes.
pub(super) fn hash_tile(hashes: &[Sha256]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

pub(super) fn no_tile() -> Refusal {
    let status = actix_web::http::StatusCode::NOT_FOUND;
    Refusal::new(status, "unknown-tile", "the log has no such tile")
}

/// The refusal of a tile that is missing or cannot be read.
pub(super) fn refuse_tile(error: ReadError) -> Refusal {
    match error {
        ReadError::OutOfRange { .. } => no_tile(),
        error => error.into(),
    }
}

pub(super) fn checkpoint(head: &SignedHead) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(head.note.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_found_below_any_base() {
        let hashes = TilePath::Hashes(TileId::parse("1", "x001/x234/067.p/8").unwrap());
        let leaves = TilePath::Leaves(TileSpan::parse("000").unwrap());

        for base in ["", "/api/v2", "/ct"] {
            let parse = |path: &str| TilePath::parse(&format!("{base}{path}"), "entries");
            assert_eq!(parse("/tile/1/x001/x234/067.p/8"), Ok(hashes));
            assert_eq!(parse("/tile/entries/000"), Ok(leaves));
        }
        let caching = |tile: TilePath| {
            let response = tile.respond(Vec::new());
            let value = response.headers().get(header::CACHE_CONTROL).unwrap();
            value.to_str().unwrap().to_owned()
        };
        assert!(caching(leaves).ends_with("immutable"));
        assert!(!caching(hashes).ends_with("immutable"));
    }

    #[test]
    fn paths_that_do_not_name_a_tile_are_refused() {
        for path in [
            "/tile/",
            "/tile/0",
            "/tile/0/",
            "/tile/64/000",
            "/tile/01/000",
            "/tile/0/000.p/0",
            "/tile/0/000.p/256",
            "/tile/0/000.p/257",
            "/tile/0/../000",
            "/tile/0/%2e%2e/000",
            "/tile/0/x001%2f000",
            "/tile//000",
            "/tile/entries/",
            "/tile/entries/x001/..",
            "/tile/entries/1",
            "/tile/data/000",
            "/tile/0/000/",
            "/tile/0/000?x",
            "/tile/0/000/tile/0/000",
        ] {
            assert_eq!(
                TilePath::parse(path, "entries"),
                Err(TilePathError),
                "{path}"
            );
        }
    }
}
