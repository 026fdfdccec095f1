use actix_web::body::MessageBody as _;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service};
use serde_json::{Value, json};

use super::*;
use crate::adapters::http::route::Mount;
use crate::adapters::http::route::testing::serve;
use crate::doubles::keys;
use crate::log::{AppendError, ReadError};
use crate::protocol::bytes::{from_base64, to_base64};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::leaf_hash;
use crate::services::rekor::v1::tests::{TestLog, proposal};

/// The API over an in-memory log.
struct TestApi {
    log: web::Data<SignatureLogV1>,
    tree_id: String,
}

impl TestApi {
    fn new() -> Self {
        let log = TestLog::new().log;
        Self {
            tree_id: log.tree_id().to_string(),
            log: web::Data::new(log),
        }
    }

    async fn call(&self, request: TestRequest) -> Reply {
        let app = serve(vec![Mount::new(&API)], |cfg| {
            cfg.app_data(self.log.clone());
        });
        Reply::of(call_service(&app.await, request.to_request()).await)
    }

    async fn get(&self, path: &str) -> Reply {
        let uri = format!("/api/v1/{path}");
        self.call(TestRequest::get().uri(&uri)).await
    }

    async fn post(&self, path: &str, body: impl ToString) -> Reply {
        let uri = format!("/api/v1/{path}");
        let request = TestRequest::post().uri(&uri);
        self.call(request.set_payload(body.to_string())).await
    }

    async fn submit(&self, artifact: &[u8]) -> Reply {
        let proposal = proposal(&keys::p256(), artifact);
        self.post("log/entries", proposal).await
    }
}

#[derive(Debug)]
struct Reply {
    status: u16,
    headers: header::HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn of(response: ServiceResponse) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.into_body().try_into_bytes().unwrap().to_vec();
        Self {
            status,
            headers,
            body,
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status and code of a refusal in the API's format.
    fn refusal(&self) -> (u16, u64) {
        let body = self.json();
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        assert!(!body["message"].as_str().unwrap().is_empty());
        (self.status, body["code"].as_u64().unwrap())
    }
}

/// The only member of an entry map.
fn only(map: &Value) -> (&str, &Value) {
    let mut members = map.as_object().unwrap().iter();
    let (name, entry) = members.next().unwrap();
    assert!(members.next().is_none());
    (name, entry)
}

#[actix_web::test]
async fn a_new_entry_gets_201_with_its_uuid_and_index() {
    let api = TestApi::new();

    let reply = api.submit(b"artifact").await;

    assert_eq!(reply.status, 201);
    let entries = reply.json();
    let (id, entry) = only(&entries);
    assert_eq!(id.len(), 80);
    assert_eq!(reply.header("etag"), id);
    assert_eq!(
        reply.header("location"),
        format!("/api/v1/log/entries/{id}")
    );
    let body = from_base64(entry["body"].as_str().unwrap()).unwrap();
    assert_eq!(id[16..], leaf_hash(&body).to_hex());
    let head = api.log.head();
    assert_eq!(entry["integratedTime"], 1_800_000_000);
    assert_eq!(entry["logIndex"], 0);
    assert_eq!(entry["logID"].as_str().unwrap().len(), 64);
    assert_eq!(
        entry["verification"]["inclusionProof"],
        json!({
            "checkpoint": head.note, "hashes": [], "logIndex": 0,
            "rootHash": head.root.to_hex(), "treeSize": 1,
        })
    );
    let promise = entry["verification"]["signedEntryTimestamp"].as_str();
    assert!(!from_base64(promise.unwrap()).unwrap().is_empty());
}

#[actix_web::test]
async fn a_duplicate_gets_409_and_the_location_of_the_first() {
    let api = TestApi::new();
    let proposal = proposal(&keys::p256(), b"artifact");
    let first = api.post("log/entries", &proposal).await;

    let reply = api.post("log/entries", &proposal).await;

    assert_eq!(reply.refusal(), (409, 409));
    assert_eq!(reply.header("location"), first.header("location"));
    let expected = format!(
        "an equivalent entry already exists in the transparency log with UUID {}",
        first.header("etag")
    );
    assert_eq!(reply.json()["message"], expected);
}

#[actix_web::test]
async fn an_entry_is_read_by_uuid_by_leaf_hash_and_by_index() {
    let api = TestApi::new();
    let id = api.submit(b"artifact").await.header("etag").to_owned();
    let later = api.submit(b"later").await.header("etag").to_owned();

    for path in [
        format!("log/entries/{id}"),
        format!("log/entries/{}", id.to_uppercase()),
        format!("log/entries/{}", &id[16..]),
        "log/entries?logIndex=0".to_owned(),
        "log/entries?logIndex=0&unknown=1".to_owned(),
    ] {
        let reply = api.get(&path).await;
        assert_eq!(reply.status, 200, "{path}");
        let reply = reply.json();
        let (name, entry) = only(&reply);
        assert_eq!(name, id, "{path}");
        assert_eq!(entry["verification"]["inclusionProof"]["treeSize"], 2);
    }

    let wanted = json!({"entryUUIDs": [&id, &later[16..]], "logIndexes": [1, 7], "entries": null});
    let found = api.post("log/entries/retrieve", wanted).await;
    assert_eq!(found.status, 200);
    let names: Vec<_> = found
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|e| only(e).0.to_owned())
        .collect();
    assert_eq!(names, [&id, &later, &later].map(String::clone));
    let none = api.post("log/entries/retrieve", "{}").await;
    assert_eq!((none.status, none.json()), (200, json!([])));
}

#[actix_web::test]
async fn an_entry_is_found_by_its_proposal() {
    let api = TestApi::new();
    let known = proposal(&keys::p256(), b"artifact");
    let id = api
        .post("log/entries", &known)
        .await
        .header("etag")
        .to_owned();
    let unknown = proposal(&keys::p256(), b"artifact");

    let query = format!(r#"{{"entryUUIDs":null,"logIndexes":null,"entries":[{unknown},{known}]}}"#);
    let found = api.post("log/entries/retrieve", query).await;

    assert_eq!(found.status, 200, "{found:?}");
    let found = found.json();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(only(&found[0]).0, id);
}

#[actix_web::test]
async fn a_missing_entry_gets_404_without_a_body() {
    let api = TestApi::new();
    let id = api.submit(b"artifact").await.header("etag").to_owned();
    let in_another_tree = format!("{}{}", "0".repeat(16), &id[16..]);

    for path in [
        format!("log/entries/{in_another_tree}"),
        format!("log/entries/{}", "0".repeat(64)),
        format!("log/entries/{}", "f".repeat(80)),
        "log/entries?logIndex=1".to_owned(),
        format!("log/entries?logIndex={}", i64::MAX),
    ] {
        let reply = api.get(&path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.body.is_empty(), "{path}");
    }
}

#[actix_web::test]
async fn parameters_outside_the_schema_get_422_and_the_code_of_the_fault() {
    let api = TestApi::new();
    api.submit(b"artifact").await;
    for (path, code) in [
        ("log/entries/retrieved", 605),
        ("log/entries/0", 605),
        ("log/entries/%20", 605),
        ("log/entries", 602),
        ("log/entries?logIndex=", 602),
        ("log/entries?logIndex=-1", 609),
        ("log/entries?logIndex=+1", 601),
        ("log/entries?logIndex=01", 601),
        ("log/entries?logIndex=1e3", 601),
        ("log/entries?logIndex=0x1", 601),
        ("log/entries?logIndex=9223372036854775808", 601),
        ("log/entries?logIndex=18446744073709551616", 601),
        ("log/entries?logIndex=-9223372036854775809", 609),
        ("log/entries?logIndex=0&logIndex=1", 601),
        ("log/proof", 602),
        ("log/proof?firstSize=1", 602),
        ("log/proof?firstSize=0&lastSize=1", 609),
        ("log/proof?lastSize=0", 609),
        ("log/proof?lastSize=-1", 609),
        ("log/proof?lastSize=1&treeID=abc", 605),
        ("log/proof?lastSize=1&treeID=-1", 605),
        ("log/publicKey?treeID=99999999999999999999", 605),
    ] {
        assert_eq!(api.get(path).await.refusal(), (422, code), "{path}");
    }
}

#[actix_web::test]
async fn proofs_for_sizes_beyond_the_log_are_refused() {
    let api = TestApi::new();
    for number in 0..3_u8 {
        api.submit(&[number]).await;
    }
    let path = format!("log/proof?firstSize=1&lastSize=3&treeID={}", api.tree_id);
    let proof = api.get(&path).await.json();
    assert_eq!(proof["hashes"].as_array().unwrap().len(), 2);
    assert_eq!(proof["rootHash"], api.log.head().root.to_hex());
    let equal = api.get("log/proof?firstSize=2&lastSize=2").await.json();
    assert_eq!(equal["hashes"], json!([]));

    for path in [
        "log/proof?firstSize=3&lastSize=2",
        "log/proof?lastSize=4",
        "log/proof?firstSize=9223372036854775807&lastSize=9223372036854775807",
        "log/proof?lastSize=3&treeID=1",
        "log/proof?lastSize=3&treeID=18446744073709551615",
        "log/publicKey?treeID=1",
    ] {
        assert_eq!(api.get(path).await.refusal(), (400, 400), "{path}");
    }
}

#[actix_web::test]
async fn the_log_serves_its_head_and_its_key() {
    let api = TestApi::new();
    let empty = api.get("log").await.json();
    api.submit(b"artifact").await;

    let info = api.get("log?stable=true").await;
    let key = api
        .get(&format!("log/publicKey?treeID={}", api.tree_id))
        .await;

    assert_eq!(empty["treeSize"], 0);
    let head = api.log.head();
    assert_eq!(
        info.json(),
        json!({
            "inactiveShards": [], "rootHash": head.root.to_hex(), "treeSize": 1,
            "signedTreeHead": head.note, "treeID": api.tree_id,
        })
    );
    assert_eq!(info.header("cache-control"), "no-cache");
    assert_eq!(key.status, 200);
    assert_eq!(key.header("content-type"), "application/x-pem-file");
    assert_eq!(key.body, api.log.public_key_pem().into_bytes());
}

#[actix_web::test]
async fn entries_are_searched_by_their_content() {
    let api = TestApi::new();
    let key = keys::p256();
    let (one, two) = (proposal(&key, b"one"), proposal(&key, b"two"));
    let one = api.post("log/entries", one).await.header("etag").to_owned();
    let two = api.post("log/entries", two).await.header("etag").to_owned();
    let digest = Sha256::of(b"one").to_hex();
    let by_key =
        json!({"format": "x509", "content": to_base64(key.public_key().to_pem().as_bytes())});

    for (query, expected) in [
        (json!({"hash": digest}), json!([one])),
        (json!({"hash": format!("sha256:{digest}")}), json!([one])),
        (json!({"publicKey": by_key}), json!([two, one])),
        (
            json!({"publicKey": by_key, "hash": digest}),
            json!([two, one]),
        ),
        (
            json!({"publicKey": by_key, "hash": digest, "operator": "and"}),
            json!([one]),
        ),
        (json!({"hash": "0".repeat(64)}), json!([])),
        (json!({"email": "nobody@example.com"}), json!([])),
        (json!({"subject": "https://example.com/nothing"}), json!([])),
        (
            json!({"email": "", "hash": null, "operator": "or"}),
            json!([]),
        ),
        (json!({}), json!([])),
    ] {
        let found = api.post("index/retrieve", &query).await;
        assert_eq!((found.status, found.json()), (200, expected), "{query}");
    }
}

#[actix_web::test]
async fn bodies_outside_the_schema_get_422_and_the_code_of_the_fault() {
    let api = TestApi::new();
    for (path, query, code) in [
        ("index/retrieve", json!({"hash": "xyz"}), 605),
        (
            "index/retrieve",
            json!({"hash": format!("sha512:{}", "0".repeat(64))}),
            605,
        ),
        ("index/retrieve", json!({"email": "nobody"}), 601),
        ("index/retrieve", json!({"email": ["a@b"]}), 601),
        ("index/retrieve", json!({"subject": "s".repeat(513)}), 603),
        ("index/retrieve", json!({"operator": "xor"}), 606),
        (
            "index/retrieve",
            json!({"publicKey": {"format": "rot13", "content": ""}}),
            606,
        ),
        (
            "index/retrieve",
            json!({"publicKey": {"format": "x509"}}),
            602,
        ),
        ("index/retrieve", json!({"publicKey": {"content": ""}}), 601),
        ("index/retrieve", json!({"query": ""}), 601),
        ("index/retrieve", json!([]), 601),
        ("log/entries/retrieve", json!({"entryUUIDs": ["0a"]}), 605),
        ("log/entries/retrieve", json!({"logIndexes": [-1]}), 601),
        ("log/entries/retrieve", json!({"logIndexes": ["1"]}), 601),
        (
            "log/entries/retrieve",
            json!({"logIndexes": vec![0; 11]}),
            611,
        ),
        (
            "log/entries/retrieve",
            json!({"logIndexes": vec![0; 10], "entryUUIDs": ["0".repeat(64)]}),
            611,
        ),
        ("log/entries/retrieve", json!({"entries": [{}]}), 601),
        ("log/entries/retrieve", json!(null), 601),
        ("log/entries", json!({}), 601),
        ("log/entries", json!([]), 601),
        (
            "log/entries",
            json!({"kind": "hashedrekord", "apiVersion": "0.0.1"}),
            601,
        ),
        (
            "log/entries",
            json!({"kind": "jar", "apiVersion": "0.0.1", "spec": {}}),
            422,
        ),
    ] {
        let reply = api.post(path, &query).await;
        assert_eq!(reply.refusal(), (422, code), "{path} {query}");
    }
}

#[actix_web::test]
async fn malformed_json_unknown_versions_and_wrong_signatures_get_400() {
    let api = TestApi::new();
    let good = proposal(&keys::p256(), b"artifact");
    let other_digest = Sha256::of(b"other").to_hex();
    let wrong_signature = good.replace(&Sha256::of(b"artifact").to_hex(), &other_digest);
    for body in [
        String::new(),
        "{".to_owned(),
        good.replace("0.0.1", "0.0.9"),
        wrong_signature,
        format!("{good}{good}"),
    ] {
        assert_eq!(
            api.post("log/entries", &body).await.refusal(),
            (400, 400),
            "{body}"
        );
    }
    let deep = "[".repeat(100_000);
    for path in ["log/entries", "log/entries/retrieve", "index/retrieve"] {
        assert_eq!(api.post(path, &deep).await.refusal(), (400, 400), "{path}");
    }
    assert_eq!(api.log.head().size.get(), 0);
}

#[actix_web::test]
async fn pages_of_every_origin_may_search() {
    let api = TestApi::new();
    let origin = ("origin", "https://page.example");
    let preflight = TestRequest::with_uri("/api/v1/index/retrieve")
        .method(Method::OPTIONS)
        .insert_header(origin)
        .insert_header(("access-control-request-method", "POST"))
        .insert_header(("access-control-request-headers", "content-type"));
    let get = TestRequest::with_uri("/api/v1/log").insert_header(origin);

    let asked = api.call(preflight).await;
    let reply = api.call(get).await;

    assert_eq!(asked.status, 200);
    let allowed = asked.header("access-control-allow-headers");
    assert!(
        allowed.to_ascii_lowercase().contains("content-type"),
        "{allowed}"
    );
    for reply in [asked, reply] {
        assert_eq!(reply.header("access-control-allow-origin"), "*");
    }
}

#[test]
fn errors_have_the_status_and_headers_that_clients_read() {
    let reply = |error: V1Error| Refusal::from(error).render(ErrorFormat::OpenApi);
    let behind = ReadError::IndexBehind {
        indexed: 1,
        size: 2,
    };
    for error in [
        V1Error::Append(AppendError::Overloaded),
        V1Error::Append(AppendError::Stopped),
        V1Error::Read(behind),
    ] {
        let response = reply(error);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().get("retry-after").unwrap(), "1");
    }
    let response = reply(V1Error::Append(AppendError::ReadOnly { missing: 3 }));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!response.headers().contains_key("retry-after"));
    let too_large = reply(V1Error::Append(AppendError::TooLarge(70_000)));
    assert_eq!(too_large.status(), StatusCode::BAD_REQUEST);
    let unreadable = reply(V1Error::Read(ReadError::Storage));
    assert_eq!(unreadable.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
