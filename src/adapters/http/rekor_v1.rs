//! The Rekor v1 API of a signature log: `/api/v1/log` and `/api/v1/index`.

mod errors;
mod query;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use self::errors::read_json;
use self::query::QueryParameters;
use super::blocking::blocking;
use super::body::Body;
use super::refusal::{ErrorFormat, Refusal, SchemaFault};
use super::route::{Api, Route, frozen_log};
use crate::adapters::wire::rekor_v1::{
    ConsistencyProof, LogEntry, LogInfo, SearchIndex, SearchLogQuery, V1RequestError,
};
use crate::protocol::entry::v1::ProposedEntry;
use crate::services::rekor::v1::{
    EntryLookup, EntryName, MAX_LOOKUPS, SearchQuery, SignatureLogV1, V1Error,
};

/// Needs `web::Data<SignatureLogV1>`. CORS is for Rekor's search page, which other servers host.
pub(crate) const API: Api = Api {
    name: "Rekor v1",
    errors: ErrorFormat::OpenApi,
    owns: &["/api/v1/log", "/api/v1/index/"],
    cors: true,
    routes: &[
        Route::post(ENTRIES, || web::to(create_entry)).unless_frozen(|| web::to(refuse_entry)),
        Route::get(ENTRIES, || web::to(entry_by_index))
            .listed_as(&["/api/v1/log/entries?logIndex={index}"]),
        Route::post("/api/v1/log/entries/retrieve", || web::to(retrieve)),
        Route::get("/api/v1/log/entries/{entry}", || web::to(entry_by_id)),
        Route::get("/api/v1/log", || web::to(log_info)),
        Route::get("/api/v1/log/proof", || web::to(proof))
            .listed_as(&["/api/v1/log/proof?firstSize={first}&lastSize={last}"]),
        Route::get("/api/v1/log/publicKey", || web::to(public_key)),
        Route::post("/api/v1/index/retrieve", || web::to(search)),
    ],
};

const ENTRIES: &str = "/api/v1/log/entries";

async fn refuse_entry(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    Err(frozen_log(&request))
}

/// `POST /api/v1/log/entries`
async fn create_entry(log: web::Data<SignatureLogV1>, body: Body) -> Result<HttpResponse, Refusal> {
    let json = body.bytes().clone();
    let is_costly = ProposedEntry::is_costly(&json);
    let admit = move || {
        let proposed = ProposedEntry::parse(&json);
        let proposed = proposed.map_err(|error| errors::of_proposal(&error, &json))?;
        proposed
            .admit()
            .map_err(V1Error::from)
            .map_err(Refusal::from)
    };
    let admitted = if is_costly {
        blocking(admit).await?
    } else {
        admit()?
    };
    let logged = log.append(admitted).await?;
    let id = logged.id.to_string();
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, entry_path(&id)))
        // Without quotes: clients use the value as the entry's key.
        .insert_header((header::ETAG, id))
        .json(LogEntry(&logged)))
}

/// A path, not a URL, because clients prepend their base URL.
fn entry_path(id: &str) -> String {
    format!("/api/v1/log/entries/{id}")
}

/// `GET /api/v1/log/entries?logIndex=…`
async fn entry_by_index(
    log: web::Data<SignatureLogV1>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let query = QueryParameters::of(&request)?;
    let index = query.number("logIndex", 0)?;
    let index = index.ok_or_else(|| query::required("logIndex"))?;
    respond_with(log, EntryLookup::Index(index)).await
}

/// `GET /api/v1/log/entries/{id}`
async fn entry_by_id(
    log: web::Data<SignatureLogV1>,
    id: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let name =
        EntryName::parse(&id).map_err(|error| Refusal::schema(SchemaFault::Pattern, error))?;
    respond_with(log, EntryLookup::Name(name)).await
}

async fn respond_with(
    log: web::Data<SignatureLogV1>,
    lookup: EntryLookup,
) -> Result<HttpResponse, Refusal> {
    let found = blocking(move || log.entry(&lookup)).await?;
    let entry = found.ok_or_else(not_found)?;
    Ok(fresh().json(LogEntry(&entry)))
}

/// `POST /api/v1/log/entries/retrieve`
async fn retrieve(log: web::Data<SignatureLogV1>, body: Body) -> Result<HttpResponse, Refusal> {
    let query: SearchLogQuery = read_json(body.bytes())?;
    if query.count() > MAX_LOOKUPS {
        return Err(V1Error::TooManyLookups(query.count()).into());
    }
    let find = move || Ok::<_, Refusal>(log.entries(&Vec::<EntryLookup>::try_from(query)?)?);
    let found = blocking(find).await?;
    let entries: Vec<_> = found.iter().map(LogEntry).collect();
    Ok(fresh().json(entries))
}

/// `POST /api/v1/index/retrieve`
async fn search(log: web::Data<SignatureLogV1>, body: Body) -> Result<HttpResponse, Refusal> {
    let query: SearchIndex = read_json(body.bytes())?;
    let find = move || Ok::<_, Refusal>(log.search(&SearchQuery::try_from(query)?)?);
    let found = blocking(find).await?;
    let names: Vec<_> = found.iter().map(ToString::to_string).collect();
    Ok(fresh().json(names))
}

/// `GET /api/v1/log`. Every published head is stable, so `stable` has no effect.
async fn log_info(log: web::Data<SignatureLogV1>) -> HttpResponse {
    fresh().json(LogInfo::new(log.tree_id(), &log.head()))
}

/// `GET /api/v1/log/proof?firstSize=…&lastSize=…&treeID=…`
async fn proof(
    log: web::Data<SignatureLogV1>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let query = QueryParameters::of(&request)?;
    let first = query.number("firstSize", 1)?.unwrap_or(1);
    let last = query.number("lastSize", 1)?;
    let last = last.ok_or_else(|| query::required("lastSize"))?;
    let tree_id = query.tree_id()?;
    let proof = blocking(move || log.consistency(tree_id, first, last)).await?;
    Ok(fresh().json(ConsistencyProof::from(proof)))
}

/// `GET /api/v1/log/publicKey?treeID=…`
async fn public_key(
    log: web::Data<SignatureLogV1>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    log.check_tree_id(QueryParameters::of(&request)?.tree_id()?)?;
    Ok(fresh()
        .content_type("application/x-pem-file")
        .body(log.public_key_pem()))
}

/// 200 with a body that the next entry can make outdated.
fn fresh() -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    response
}

/// Rekor's 404 for a missing entry has no body.
fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not-found", "")
}

#[cfg(test)]
mod tests;
