//! The signature log's read side: checkpoint, tiles and entry bundles (C2SP tlog-tiles), under
//! `/api/v2` and at the log's root, where generic tile readers look.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::{HttpRequest, HttpResponse, web};

use super::problem::{GatewayError, GrpcCode};
use crate::log::{Log, ReadError};
use crate::protocol::merkle::{TILE_WIDTH, TileId, TilePathError, TileSpan};
use crate::services::rekor::SignatureLog;

/// Registers the routes; the service is taken from the application's data.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    for base in ["", "/api/v2"] {
        cfg.service(
            web::resource(format!("{base}/checkpoint"))
                .route(web::get().to(checkpoint))
                .route(web::head().to(checkpoint)),
        );
        cfg.service(
            web::resource(format!("{base}/tile/{{tile:.*}}"))
                .route(web::get().to(tile))
                .route(web::head().to(tile)),
        );
    }
}

async fn checkpoint(log: web::Data<SignatureLog>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(log.log().head().note.clone())
}

async fn tile(
    log: web::Data<SignatureLog>,
    request: HttpRequest,
) -> Result<HttpResponse, GatewayError> {
    // The path as it was sent: an escape is not another way to write a tile.
    let wanted = Wanted::parse(request.uri().path()).map_err(|_| not_found())?;
    let log = log.log().clone();
    let bytes = web::block(move || wanted.read(&log))
        .await
        .map_err(|_| unreadable())??;
    Ok(HttpResponse::Ok()
        .content_type(ContentType::octet_stream())
        .insert_header((header::CACHE_CONTROL, wanted.cache_control()))
        .body(bytes))
}

/// What a tile path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Hashes(TileId),
    Entries(TileSpan),
}

impl Wanted {
    fn parse(path: &str) -> Result<Self, TilePathError> {
        let (_, path) = path.split_once("/tile/").ok_or(TilePathError)?;
        let (row, span) = path.split_once('/').ok_or(TilePathError)?;
        if row == "entries" {
            TileSpan::parse(span).map(Self::Entries)
        } else {
            TileId::parse(row, span).map(Self::Hashes)
        }
    }

    fn read(self, log: &Log) -> Result<Vec<u8>, ReadError> {
        match self {
            Self::Hashes(tile) => {
                let hashes = log.tile(tile)?;
                Ok(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
            }
            Self::Entries(span) => log.entry_bundle(span),
        }
    }

    /// A full tile never changes; a partial one is superseded soon.
    const fn cache_control(self) -> &'static str {
        let width = match self {
            Self::Hashes(tile) => tile.span().width(),
            Self::Entries(span) => span.width(),
        };
        if width == TILE_WIDTH {
            "public, max-age=31536000, immutable"
        } else {
            "public, max-age=60"
        }
    }
}

impl From<ReadError> for GatewayError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::OutOfRange { .. } => not_found(),
            ReadError::Storage => unreadable(),
        }
    }
}

fn not_found() -> GatewayError {
    GatewayError::new(
        StatusCode::NOT_FOUND,
        GrpcCode::NotFound,
        "the log has no such tile",
    )
}

fn unreadable() -> GatewayError {
    GatewayError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        GrpcCode::Internal,
        "the log's storage could not be read",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_found_under_both_bases() {
        let hashes = Wanted::Hashes(TileId::parse("1", "x001/x234/067.p/8").unwrap());
        let entries = Wanted::Entries(TileSpan::parse("000").unwrap());

        for base in ["", "/api/v2"] {
            let parse = |path: &str| Wanted::parse(&format!("{base}{path}"));
            assert_eq!(parse("/tile/1/x001/x234/067.p/8"), Ok(hashes));
            assert_eq!(parse("/tile/entries/000"), Ok(entries));
        }
        assert!(entries.cache_control().ends_with("immutable"));
        assert!(!hashes.cache_control().ends_with("immutable"));
    }

    #[test]
    fn paths_that_are_no_tiles_are_refused() {
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
            assert_eq!(Wanted::parse(path), Err(TilePathError), "{path}");
        }
    }
}
