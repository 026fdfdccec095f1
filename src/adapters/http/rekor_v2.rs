//! The Rekor v2 API of a signature log: `POST /api/v2/log/entries`, checkpoint and tiles. Tiles are
//! also served at the log's root, where generic tile readers look.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, ContentType, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::blocking::blocking;
use super::body::Body;
use super::refusal::{ErrorFormat, Refusal};
use super::route::{Api, Route, frozen_log};
use super::tiles::{self, TilePath, hash_tile, no_tile, refuse_tile};
use crate::adapters::wire::rekor::TransparencyLogEntry;
use crate::log::AppendError;
use crate::protocol::entry::UnverifiedEntry;
use crate::protocol::entry::v2::{CreateEntryRequest, SubmissionError, VerifiedEntry};
use crate::services::rekor::{RekorError, SignatureLog};

/// Needs `web::Data<SignatureLog>`.
pub(crate) const API: Api = Api {
    name: "Rekor v2",
    errors: ErrorFormat::Gateway,
    owns: &["/api/"],
    cors: false,
    routes: &[
        Route::post("/api/v2/log/entries", || web::to(create_entry))
            .unless_frozen(|| web::to(refuse_entry)),
        Route::get("/api/v2/checkpoint", || web::to(checkpoint)),
        Route::get("/api/v2/tile/{tile:.*}", || web::to(tile))
            .listed_as(&["/api/v2/tile/{level}/{tile}", "/api/v2/tile/entries/{tile}"]),
        Route::get("/checkpoint", || web::to(checkpoint)),
        Route::get("/tile/{tile:.*}", || web::to(tile))
            .listed_as(&["/tile/{level}/{tile}", "/tile/entries/{tile}"]),
    ],
};

async fn create_entry(log: web::Data<SignatureLog>, body: Body) -> Result<HttpResponse, Refusal> {
    let request: CreateEntryRequest = body.json()?;
    let entry = verify(request.try_into()?).await?;
    let logged = log.append(entry).await.map_err(refuse)?;
    Ok(HttpResponse::Created().json(TransparencyLogEntry::from(&logged)))
}

async fn verify(entry: UnverifiedEntry) -> Result<VerifiedEntry, Refusal> {
    let is_costly = entry.is_costly();
    let verify = move || entry.verify().map_err(RekorError::from);
    if is_costly {
        blocking(verify).await
    } else {
        Ok(verify()?)
    }
}

/// A conflict contains the index of the equivalent entry.
fn refuse(error: RekorError) -> Refusal {
    let duplicate = match &error {
        RekorError::Append(AppendError::Duplicate(index)) => Some(index.get()),
        _ => None,
    };
    let refusal = Refusal::from(error);
    match duplicate {
        Some(index) => refusal.header(LOG_INDEX, HeaderValue::from(index)),
        None => refusal,
    }
}

const LOG_INDEX: HeaderName = HeaderName::from_static("x-log-index");

impl From<SubmissionError> for Refusal {
    fn from(error: SubmissionError) -> Self {
        Self::invalid("invalid", error)
    }
}

/// The refusal of a frozen Rekor v2 log is plain text, unlike the other errors of the API.
async fn refuse_entry(request: HttpRequest) -> HttpResponse {
    let refusal = frozen_log(&request);
    HttpResponse::build(StatusCode::METHOD_NOT_ALLOWED)
        // RFC 9110 §10.2.1: an empty value says that no method is allowed.
        .insert_header((ALLOW, ""))
        .content_type(ContentType::plaintext())
        .body(refusal.detail().to_owned())
}

async fn checkpoint(log: web::Data<SignatureLog>) -> HttpResponse {
    tiles::checkpoint(&log.log().head())
}

async fn tile(log: web::Data<SignatureLog>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let path = TilePath::parse(request.uri().path(), "entries").map_err(|_| no_tile())?;
    let log = log.log().clone();
    let read = move || match path {
        TilePath::Hashes(tile) => log.tile(tile).map(|hashes| hash_tile(&hashes)),
        TilePath::Leaves(span) => log.entry_bundle(span),
    };
    let bytes = blocking(move || read().map_err(refuse_tile)).await?;
    Ok(path.respond(bytes))
}

#[cfg(test)]
mod tests;
