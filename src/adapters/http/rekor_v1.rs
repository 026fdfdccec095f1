//! The signature log in the Rekor v1 dialect: `/api/v1/log` and `/api/v1/index`.

mod query;
mod refusal;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpRequest, HttpResponse, Resource, Route, web};

use self::query::QueryParameters;
use self::refusal::read_json;
use super::body::{Body, OpenApi};
use super::problem::{OpenApiError, SchemaFault};
use crate::adapters::wire::rekor_v1::{
    ConsistencyProof, LogEntry, LogInfo, RequestError, SearchIndex, SearchLogQuery,
};
use crate::protocol::entry::v1::ProposedEntry;
use crate::services::rekor::v1::{EntryName, MAX_WANTED, Query, SignatureLogV1, V1Error, Wanted};

/// Registers the routes; the service is taken from the application's data.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    let entries = "/api/v1/log/entries";
    for (path, routes) in [
        ("/api/v1/log", vec![web::get().to(log_info)]),
        ("/api/v1/log/publicKey", vec![web::get().to(public_key)]),
        ("/api/v1/log/proof", vec![web::get().to(proof)]),
        (
            entries,
            vec![web::post().to(create_entry), web::get().to(entry_by_index)],
        ),
        (
            "/api/v1/log/entries/retrieve",
            vec![web::post().to(retrieve)],
        ),
        ("/api/v1/log/entries/{id}", vec![web::get().to(entry_by_id)]),
        ("/api/v1/index/retrieve", vec![web::post().to(search)]),
    ] {
        register(cfg, path, routes);
    }
}

/// Browsers of every origin may call it: pages that search the log are served from elsewhere.
fn register(cfg: &mut web::ServiceConfig, path: &str, routes: Vec<Route>) {
    let preflight = web::method(Method::OPTIONS).to(preflight);
    let resource = routes
        .into_iter()
        .fold(web::resource(path), Resource::route);
    cfg.service(
        resource
            .route(preflight)
            .wrap(DefaultHeaders::new().add((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))),
    );
}

/// The question that browsers ask first.
async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(86_400)))
        .finish()
}

/// `POST /api/v1/log/entries`
async fn create_entry(
    log: web::Data<SignatureLogV1>,
    body: Body<OpenApi>,
) -> Result<HttpResponse, OpenApiError> {
    let json = body.bytes().clone();
    let is_quick = json.len() <= QUICK_PROPOSAL;
    let admit = move || {
        let proposed = ProposedEntry::parse(&json);
        let proposed = proposed.map_err(|error| refusal::of_proposal(&error, &json))?;
        proposed
            .admit()
            .map_err(V1Error::from)
            .map_err(OpenApiError::from)
    };
    let admitted = if is_quick {
        admit()?
    } else {
        on_blocking_thread(admit).await?
    };
    let logged = log.append(admitted).await?;
    let id = logged.id.to_string();
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, entry_path(&id)))
        // Without quotes, as clients expect it: they use it as a key.
        .insert_header((header::ETAG, id))
        .json(LogEntry(&logged)))
}

/// The longest proposal, in bytes, that is checked at once, which then costs less than changing
/// threads: it holds few signatures and keys, and nothing that takes long to hash.
const QUICK_PROPOSAL: usize = 8 * 1024;

/// A path, not a URL: clients put their base before it.
fn entry_path(id: &str) -> String {
    format!("/api/v1/log/entries/{id}")
}

/// `GET /api/v1/log/entries?logIndex=…`
async fn entry_by_index(
    log: web::Data<SignatureLogV1>,
    request: HttpRequest,
) -> Result<HttpResponse, OpenApiError> {
    let query = QueryParameters::of(&request)?;
    let index = query.number("logIndex", 0)?;
    let index = index.ok_or_else(|| query::required("logIndex"))?;
    answer_with(log, Wanted::Index(index)).await
}

/// `GET /api/v1/log/entries/{id}`
async fn entry_by_id(
    log: web::Data<SignatureLogV1>,
    id: web::Path<String>,
) -> Result<HttpResponse, OpenApiError> {
    let name =
        EntryName::parse(&id).map_err(|error| OpenApiError::schema(SchemaFault::Pattern, error))?;
    answer_with(log, Wanted::Name(name)).await
}

async fn answer_with(
    log: web::Data<SignatureLogV1>,
    wanted: Wanted,
) -> Result<HttpResponse, OpenApiError> {
    let found = on_blocking_thread(move || log.entry(&wanted)).await?;
    let entry = found.ok_or_else(OpenApiError::not_found)?;
    Ok(fresh().json(LogEntry(&entry)))
}

/// `POST /api/v1/log/entries/retrieve`
async fn retrieve(
    log: web::Data<SignatureLogV1>,
    body: Body<OpenApi>,
) -> Result<HttpResponse, OpenApiError> {
    let query: SearchLogQuery = read_json(body.bytes())?;
    if query.count() > MAX_WANTED {
        return Err(V1Error::TooManyWanted(query.count()).into());
    }
    let find = move || Ok::<_, OpenApiError>(log.entries(&Vec::<Wanted>::try_from(query)?)?);
    let found = on_blocking_thread(find).await?;
    let entries: Vec<_> = found.iter().map(LogEntry).collect();
    Ok(fresh().json(entries))
}

/// `POST /api/v1/index/retrieve`
async fn search(
    log: web::Data<SignatureLogV1>,
    body: Body<OpenApi>,
) -> Result<HttpResponse, OpenApiError> {
    let query: SearchIndex = read_json(body.bytes())?;
    let find = move || Ok::<_, OpenApiError>(log.search(&Query::try_from(query)?)?);
    let found = on_blocking_thread(find).await?;
    let names: Vec<_> = found.iter().map(ToString::to_string).collect();
    Ok(fresh().json(names))
}

/// `GET /api/v1/log`. Every head that is published is stable, so `stable` chooses nothing.
async fn log_info(log: web::Data<SignatureLogV1>) -> HttpResponse {
    fresh().json(LogInfo::new(log.tree_id(), &log.head()))
}

/// `GET /api/v1/log/proof?firstSize=…&lastSize=…&treeID=…`
async fn proof(
    log: web::Data<SignatureLogV1>,
    request: HttpRequest,
) -> Result<HttpResponse, OpenApiError> {
    let query = QueryParameters::of(&request)?;
    let first = query.number("firstSize", 1)?.unwrap_or(1);
    let last = query.number("lastSize", 1)?;
    let last = last.ok_or_else(|| query::required("lastSize"))?;
    let tree_id = query.tree_id()?;
    let proof = on_blocking_thread(move || log.consistency(tree_id, first, last)).await?;
    Ok(fresh().json(ConsistencyProof::from(proof)))
}

/// `GET /api/v1/log/publicKey?treeID=…`
async fn public_key(
    log: web::Data<SignatureLogV1>,
    request: HttpRequest,
) -> Result<HttpResponse, OpenApiError> {
    log.check_tree_id(QueryParameters::of(&request)?.tree_id()?)?;
    Ok(fresh()
        .content_type("application/x-pem-file")
        .body(log.public_key_pem()))
}

/// A success that the next leaf may outdate.
fn fresh() -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    response
}

/// Checks signatures and reads storage off the threads that serve connections.
async fn on_blocking_thread<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, OpenApiError>
where
    T: Send + 'static,
    E: Into<OpenApiError> + Send + 'static,
{
    match web::block(work).await {
        Ok(result) => result.map_err(E::into),
        Err(_) => Err(OpenApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the server is shutting down",
        )),
    }
}

#[cfg(test)]
mod tests;
