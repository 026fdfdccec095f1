//! The certificate-transparency log: the read endpoints of RFC 6962 §4.3–4.8, and the same log as
//! static files (C2SP static-ct-api).

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::blocking::blocking;
use super::refusal::{ErrorFormat, Refusal};
use super::route::{Api, Route};
use super::tiles::{self, IMMUTABLE, TilePath, hash_tile, no_tile, refuse_tile};
use crate::protocol::bytes::{Base64, from_base64};
use crate::protocol::hash::Sha256;
use crate::services::ctlog::{CtLog, CtReadError, LogEntry};

/// Needs `web::Data<CtLog>`. Mounted below the log's base URL.
pub(crate) const API: Api = Api {
    name: "RFC 6962",
    errors: ErrorFormat::Problem,
    owns: &[],
    cors: false,
    routes: &[
        Route::get("/ct/v1/get-sth", || web::to(get_sth)),
        Route::get("/ct/v1/get-roots", || web::to(get_roots)),
        Route::get("/ct/v1/get-entries", || web::to(get_entries))
            .listed_as(&["/ct/v1/get-entries?start={index}&end={index}"]),
        Route::get("/ct/v1/get-sth-consistency", || {
            web::to(get_sth_consistency)
        })
        .listed_as(&["/ct/v1/get-sth-consistency?first={first}&second={last}"]),
        Route::get("/ct/v1/get-proof-by-hash", || web::to(get_proof_by_hash))
            .listed_as(&["/ct/v1/get-proof-by-hash?hash={hash}&tree_size={last}"]),
        Route::get("/ct/v1/get-entry-and-proof", || {
            web::to(get_entry_and_proof)
        })
        .listed_as(&["/ct/v1/get-entry-and-proof?leaf_index={index}&tree_size={last}"]),
        Route::get("/checkpoint", || web::to(checkpoint)),
        Route::get("/tile/{tile:.*}", || web::to(tile))
            .listed_as(&["/tile/{level}/{tile}", "/tile/data/{tile}"]),
        Route::get("/issuer/{fingerprint}", || web::to(issuer)),
    ],
};

#[derive(Serialize)]
struct SignedTreeHead {
    tree_size: u64,
    timestamp: u64,
    sha256_root_hash: Base64,
    tree_head_signature: Base64,
}

#[derive(Serialize)]
struct Entries {
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    leaf_input: Base64,
    extra_data: Base64,
}

#[derive(Serialize)]
struct Consistency {
    consistency: Vec<Base64>,
}

#[derive(Serialize)]
struct ProofByHash {
    leaf_index: u64,
    audit_path: Vec<Base64>,
}

#[derive(Serialize)]
struct EntryAndProof {
    #[serde(flatten)]
    entry: Entry,
    audit_path: Vec<Base64>,
}

#[derive(Serialize)]
struct Roots {
    certificates: Vec<Base64>,
}

#[derive(Deserialize)]
struct StartEnd {
    start: String,
    end: String,
}

#[derive(Deserialize)]
struct FirstSecond {
    first: String,
    second: String,
}

#[derive(Deserialize)]
struct HashAndSize {
    hash: String,
    tree_size: String,
}

#[derive(Deserialize)]
struct IndexAndSize {
    leaf_index: String,
    tree_size: String,
}

/// `GET /ct/ct/v1/get-sth`
async fn get_sth(log: web::Data<CtLog>) -> Result<HttpResponse, Refusal> {
    let head = log.tree_head()?;
    Ok(HttpResponse::Ok().json(SignedTreeHead {
        tree_size: head.size.get(),
        timestamp: head.time.millis(),
        sha256_root_hash: base64(&head.root),
        tree_head_signature: Base64(head.signature),
    }))
}

/// `GET /ct/ct/v1/get-entries?start=…&end=…`
async fn get_entries(request: HttpRequest, log: web::Data<CtLog>) -> Result<HttpResponse, Refusal> {
    let query: StartEnd = query(&request)?;
    let start = number("start", &query.start)?;
    let end = number("end", &query.end)?;
    let entries = blocking(move || log.entries(start, end)).await?;
    let entries = entries.into_iter().map(Entry::from).collect();
    Ok(HttpResponse::Ok().json(Entries { entries }))
}

/// `GET /ct/ct/v1/get-sth-consistency?first=…&second=…`
async fn get_sth_consistency(
    request: HttpRequest,
    log: web::Data<CtLog>,
) -> Result<HttpResponse, Refusal> {
    let query: FirstSecond = query(&request)?;
    let first = number("first", &query.first)?;
    let second = number("second", &query.second)?;
    let proof = blocking(move || log.consistency(first, second)).await?;
    let consistency = proof.iter().map(base64).collect();
    Ok(HttpResponse::Ok().json(Consistency { consistency }))
}

/// `GET /ct/ct/v1/get-proof-by-hash?hash=…&tree_size=…`
async fn get_proof_by_hash(
    request: HttpRequest,
    log: web::Data<CtLog>,
) -> Result<HttpResponse, Refusal> {
    let query: HashAndSize = query(&request)?;
    let hash = leaf_hash(&query.hash)?;
    let size = number("tree_size", &query.tree_size)?;
    let found = blocking(move || log.proof_by_hash(&hash, size)).await?;
    Ok(HttpResponse::Ok().json(ProofByHash {
        leaf_index: found.index.get(),
        audit_path: found.proof.iter().map(base64).collect(),
    }))
}

/// `GET /ct/ct/v1/get-entry-and-proof?leaf_index=…&tree_size=…`
async fn get_entry_and_proof(
    request: HttpRequest,
    log: web::Data<CtLog>,
) -> Result<HttpResponse, Refusal> {
    let query: IndexAndSize = query(&request)?;
    let index = number("leaf_index", &query.leaf_index)?;
    let size = number("tree_size", &query.tree_size)?;
    let found = blocking(move || log.entry_and_proof(index, size)).await?;
    Ok(HttpResponse::Ok().json(EntryAndProof {
        entry: found.entry.into(),
        audit_path: found.proof.iter().map(base64).collect(),
    }))
}

/// `GET /ct/ct/v1/get-roots`
async fn get_roots(log: web::Data<CtLog>) -> HttpResponse {
    let certificates = log.roots().iter();
    HttpResponse::Ok().json(Roots {
        certificates: certificates
            .map(|root| Base64(root.der().to_vec()))
            .collect(),
    })
}

impl From<LogEntry> for Entry {
    fn from(entry: LogEntry) -> Self {
        Self {
            leaf_input: Base64(entry.leaf_input),
            extra_data: Base64(entry.extra_data),
        }
    }
}

fn base64(hash: &Sha256) -> Base64 {
    Base64(hash.as_bytes().to_vec())
}

/// `GET /checkpoint`
async fn checkpoint(log: web::Data<CtLog>) -> HttpResponse {
    tiles::checkpoint(&log.log().head())
}

/// `GET /tile/<level>/<index>[.p/<width>]` and `GET /tile/data/<index>[.p/<width>]`
async fn tile(request: HttpRequest, log: web::Data<CtLog>) -> Result<HttpResponse, Refusal> {
    let path = TilePath::parse(request.uri().path(), "data").map_err(|_| no_tile())?;
    let read = move || match path {
        TilePath::Hashes(tile) => log.tile(tile).map(|hashes| hash_tile(&hashes)),
        TilePath::Leaves(span) => log.data_tile(span),
    };
    let bytes = blocking(move || read().map_err(refuse_tile)).await?;
    Ok(path.respond(bytes))
}

/// `GET /issuer/<SHA-256 in lower-case hexadecimal>`
async fn issuer(request: HttpRequest, log: web::Data<CtLog>) -> Result<HttpResponse, Refusal> {
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    // Only lower case is accepted, so that each certificate has one path and one cache entry.
    let fingerprint = Sha256::from_hex(name)
        .filter(|fingerprint| fingerprint.to_hex() == name)
        .ok_or(CtReadError::UnknownIssuer)?;
    let certificate = blocking(move || log.issuer(&fingerprint)).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/pkix-cert")
        .insert_header((header::CACHE_CONTROL, IMMUTABLE))
        .body(certificate))
}

fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Refusal> {
    web::Query::<T>::from_query(request.query_string())
        .map(web::Query::into_inner)
        .map_err(|error| bad_parameter(format!("the query parameters are not valid: {error}")))
}

/// Parses a decimal number without sign, exponent or leading zeros.
fn number(name: &str, text: &str) -> Result<u64, Refusal> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    match text.parse() {
        Ok(number) if plain => Ok(number),
        _ => Err(bad_parameter(format!(
            "{name} must be a decimal number from 0 to {}",
            u64::MAX
        ))),
    }
}

/// Parses a leaf hash in base64. An unescaped plus sign arrives as a space.
fn leaf_hash(text: &str) -> Result<Sha256, Refusal> {
    from_base64(&text.replace(' ', "+"))
        .ok()
        .and_then(|hash| Sha256::try_from(hash.as_slice()).ok())
        .ok_or_else(|| bad_parameter("hash must be 32 bytes in base64".to_owned()))
}

fn bad_parameter(detail: String) -> Refusal {
    Refusal::invalid("bad-parameter", detail)
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, call_service, read_body_json};
    use serde_json::Value;

    use super::*;
    use crate::adapters::http::route::Mount;
    use crate::adapters::http::route::testing::serve;
    use crate::protocol::x509::testing::TestAuthority;
    use crate::services::ctlog::tests::{log, submit};

    /// Requests paths from a log of three certificates; returns each status and JSON body.
    async fn ask(uris: &[&str]) -> Vec<(u16, Value)> {
        let ca = TestAuthority::new("Intermediate");
        let log = log(&ca);
        for _ in 0..3 {
            submit(&log, &ca).await;
        }
        let mount = Mount::new(&API).below("/ct").data(web::Data::new(log));
        let app = serve(vec![mount], |_| ()).await;
        let mut replies = Vec::new();
        for uri in uris {
            let uri = format!("/ct/ct/v1/{uri}");
            let request = TestRequest::get().uri(&uri).to_request();
            let response = call_service(&app, request).await;
            let status = response.status().as_u16();
            replies.push((status, read_body_json(response).await));
        }
        replies
    }

    #[actix_web::test]
    async fn every_endpoint_responds_as_rfc_6962_specifies() {
        let replies = ask(&[
            "get-sth",
            "get-entries?start=1&end=3",
            "get-sth-consistency?first=1&second=3",
            "get-entry-and-proof?leaf_index=2&tree_size=3",
            "get-roots",
        ])
        .await;

        assert!(replies.iter().all(|(status, _)| *status == 200));
        let [sth, entries, consistency, entry, roots] =
            [0, 1, 2, 3, 4].map(|place: usize| &replies[place].1);
        assert_eq!(sth["tree_size"], 3);
        assert_eq!(sth["timestamp"], 1_767_225_600_250_u64);
        let signature = from_base64(sth["tree_head_signature"].as_str().unwrap()).unwrap();
        assert_eq!(signature[..2], [4, 3]);
        assert_eq!(entries["entries"].as_array().unwrap().len(), 2);
        assert_eq!(entries["entries"][1]["leaf_input"], entry["leaf_input"]);
        assert_eq!(consistency["consistency"].as_array().unwrap().len(), 2);
        assert_eq!(entry["audit_path"].as_array().unwrap().len(), 1);
        assert_eq!(roots["certificates"].as_array().unwrap().len(), 1);
    }

    #[actix_web::test]
    async fn numbers_outside_the_tree_are_refused_with_a_problem() {
        let unknown = "get-proof-by-hash?tree_size=3&hash=".to_owned() + &"A".repeat(43) + "%3D";
        let uris = [
            "get-entries?start=3&end=3",
            "get-entries?start=2&end=1",
            "get-entries?start=-1&end=1",
            "get-entries?start=0",
            "get-sth-consistency?first=0&second=3",
            "get-sth-consistency?first=3&second=2",
            "get-sth-consistency?first=1&second=4",
            "get-entry-and-proof?leaf_index=3&tree_size=3",
            "get-entry-and-proof?leaf_index=0&tree_size=18446744073709551616",
            "get-proof-by-hash?tree_size=3&hash=AAAA",
            &unknown,
        ];

        let replies = ask(&uris).await;

        for (uri, (status, body)) in uris.iter().zip(&replies) {
            let expected = if *uri == unknown { 404 } else { 400 };
            assert_eq!(*status, expected, "{uri}");
            let kind = body["type"].as_str().unwrap();
            assert!(kind.starts_with("urn:signet:problem:"), "{uri}");
        }
    }

    #[test]
    fn numbers_are_plain_decimals() {
        assert_eq!(number("start", "0").unwrap(), 0);
        assert_eq!(number("start", "18446744073709551615").unwrap(), u64::MAX);
        for text in [
            "",
            "-1",
            "+1",
            "01",
            "1e3",
            "0x1",
            " 1",
            "18446744073709551616",
            "١",
        ] {
            assert!(number("start", text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_hash_is_32_bytes_of_base64() {
        let hash = Sha256::from_bytes([0xfb; 32]);
        let text = crate::protocol::bytes::to_base64(hash.as_bytes());

        assert_eq!(leaf_hash(&text).unwrap(), hash);
        assert_eq!(leaf_hash(&text.replace('+', " ")).unwrap(), hash);
        for text in ["", "AAAA", "?"] {
            assert!(leaf_hash(text).is_err());
        }
    }

    #[test]
    fn a_query_without_or_with_repeated_parameters_is_refused() {
        for uri in [
            "/x",
            "/x?start=1",
            "/x?start=1&start=2&end=3",
            "/x?start=1&end",
        ] {
            let request = TestRequest::with_uri(uri).to_http_request();
            let read: Result<StartEnd, _> = query(&request);
            let complete = read.is_ok_and(|query| number("end", &query.end).is_ok());
            assert!(!complete, "{uri} was accepted");
        }
    }

    /// Requests paths from a log of three certificates; returns each status, content type and body.
    async fn fetch(log: CtLog, paths: &[&str]) -> Vec<(StatusCode, String, Vec<u8>)> {
        let mount = Mount::new(&API).below("/ct").data(web::Data::new(log));
        let app = serve(vec![mount], |_| ()).await;
        let mut replies = Vec::new();
        for path in paths {
            let request = TestRequest::get().uri(path).to_request();
            let response = call_service(&app, request).await;
            let status = response.status();
            let kind = response.headers().get(header::CONTENT_TYPE).unwrap();
            let kind = kind.to_str().unwrap().to_owned();
            let body = to_bytes(response.into_body()).await.unwrap();
            replies.push((status, kind, body.to_vec()));
        }
        replies
    }

    async fn log_of_three(ca: &TestAuthority) -> CtLog {
        let log = log(ca);
        for _ in 0..3 {
            submit(&log, ca).await;
        }
        log
    }

    #[actix_web::test]
    async fn checkpoint_tiles_and_issuers_have_the_types_of_static_ct_api() {
        let ca = TestAuthority::new("Intermediate");
        let log = log_of_three(&ca).await;
        let issuer = Sha256::of(ca.intermediate.der());
        let issuer = format!("/ct/issuer/{}", issuer.to_hex());

        let paths = [
            "/ct/checkpoint",
            "/ct/tile/0/000.p/3",
            "/ct/tile/data/000.p/3",
            &issuer,
        ];
        let replies = fetch(log, &paths).await;

        let kinds = [
            "text/plain; charset=utf-8",
            "application/octet-stream",
            "application/octet-stream",
            "application/pkix-cert",
        ];
        for ((path, kind), answer) in paths.iter().zip(kinds).zip(&replies) {
            assert_eq!((answer.0, &answer.1[..]), (StatusCode::OK, kind), "{path}");
        }
        assert!(replies[0].2.starts_with(b"log.example/ct\n3\n"));
        assert_eq!(replies[1].2.len(), 3 * 32);
        assert_eq!(replies[3].2, ca.intermediate.der());
    }

    #[actix_web::test]
    async fn missing_files_and_non_canonical_paths_are_not_found() {
        let ca = TestAuthority::new("Intermediate");
        let log = log_of_three(&ca).await;
        let upper = Sha256::of(ca.root.der()).to_hex().to_uppercase();
        let upper = format!("/ct/issuer/{upper}");
        let unknown = format!("/ct/issuer/{}", "0".repeat(64));
        let paths = [
            "/ct/tile/0/000",
            "/ct/tile/0/000.p/4",
            "/ct/tile/1/000.p/1",
            "/ct/tile/data/000",
            "/ct/tile/data/001.p/1",
            "/ct/tile/entries/000.p/3",
            "/ct/tile/0/000.p/03",
            "/ct/tile/data/x000/000.p/3",
            "/ct/tile/data/000%2ep/3",
            "/ct/issuer/00",
            &upper,
            &unknown,
        ];

        let replies = fetch(log, &paths).await;

        for (path, (status, kind, _)) in paths.iter().zip(replies) {
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(kind, "application/problem+json", "{path}");
        }
    }
}
