//! The signature log in the Rekor v1 dialect: entries become bundles that verify, can be searched, and
//! survive a restart.

use serde_json::{Value, json};
use signet::testing::{
    Certificate, EphemeralKey, Sha256, TreeSize, from_base64, to_base64, verify_consistency,
};
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::Bundle;
use sigstore_verify::{VerificationPolicy, Verifier};

use crate::support::account::EMAIL;
use crate::support::http::{Reply, Request};
use crate::support::server::TestServer;
use crate::support::signing::{
    entry_v1_in_bundle, entry_v1_request, key_request, request_chain, verify,
};

const CONTENT: &[u8] = b"what is signed";
const ENTRIES: &str = "/api/v1/log/entries";
const RETRIEVE: &str = "/api/v1/log/entries/retrieve";
const SEARCH: &str = "/api/v1/index/retrieve";
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// A server, and a signer with a certificate from it.
struct World {
    server: TestServer,
    key: EphemeralKey,
    leaf: Certificate,
}

impl World {
    fn new() -> Self {
        let server = TestServer::start();
        let token = server.new_token(EMAIL);
        let key = EphemeralKey::generate().unwrap();
        let leaf = request_chain(&server, &key_request(&token, &key, EMAIL)).remove(0);
        Self { server, key, leaf }
    }

    fn proposal(&self, content: &[u8]) -> Value {
        entry_v1_request(content, &self.key.sign(content).unwrap(), &self.leaf)
    }

    fn post(&self, proposal: &Value) -> Reply {
        self.server.post_json(ENTRIES, proposal)
    }

    /// Logs an entry over content and returns its ID.
    fn log(&self, content: &[u8]) -> String {
        let reply = self.post(&self.proposal(content));
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.header("etag").unwrap().to_owned()
    }

    fn search(&self, query: &Value) -> Vec<String> {
        let found = self.server.post_json(SEARCH, query);
        assert_eq!(found.status, 200, "{}", found.text());
        serde_json::from_slice(&found.body).unwrap()
    }

    fn pem(&self) -> String {
        to_base64(self.leaf.to_pem().as_bytes())
    }

    /// An envelope with an in-toto statement about the content.
    fn envelope(&self) -> Envelope {
        let digest = Sha256::of(CONTENT).to_hex();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "artifact", "digest": { "sha256": digest } }],
            "predicateType": "https://example.com/predicate/v1",
            "predicate": { "made": "here" },
        })
        .to_string();
        let (type_length, length) = (IN_TOTO.len(), statement.len());
        let encoding = format!("DSSEv1 {type_length} {IN_TOTO} {length} {statement}");
        Envelope {
            signature: self.key.sign(encoding.as_bytes()).unwrap(),
            payload: statement,
        }
    }

    /// A bundle whose only time is the entry's promise.
    fn bundle(&self, reply: Reply, content: (&str, Value)) -> Value {
        let mut bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": { "rawBytes": to_base64(self.leaf.der()) },
                "tlogEntries": [entry_v1_in_bundle(&reply.success())],
            },
        });
        bundle[content.0] = content.1;
        bundle
    }

    /// This verifier and another one accept the bundle, and both refuse it for other content.
    fn assert_verifies(&self, bundle: &Value) {
        let (status, report) = verify(&self.server, bundle, CONTENT, EMAIL);
        assert_eq!(status, 200, "{report}");
        assert_eq!(verify(&self.server, bundle, b"other", EMAIL).0, 422);
        let root = self.server.get("/trust/trusted_root.json").text();
        let verifier = Verifier::new(&TrustedRoot::from_json(&root).unwrap()).unwrap();
        let policy = VerificationPolicy::new(EMAIL, self.server.url());
        let theirs = Bundle::from_json(&bundle.to_string()).unwrap();
        verifier.verify(CONTENT, &theirs, &policy).unwrap();
        assert!(
            verifier
                .verify(b"other".as_slice(), &theirs, &policy)
                .is_err()
        );
    }
}

struct Envelope {
    payload: String,
    signature: Vec<u8>,
}

impl Envelope {
    fn to_json(&self) -> Value {
        json!({
            "payload": to_base64(self.payload.as_bytes()),
            "payloadType": IN_TOTO,
            "signatures": [{ "sig": to_base64(&self.signature) }],
        })
    }
}

/// The name and the value of a map's only member.
fn only(map: &Value) -> (&str, &Value) {
    let members = map.as_object().unwrap();
    assert_eq!(members.len(), 1);
    let (name, entry) = members.iter().next().unwrap();
    (name, entry)
}

#[test]
fn a_signature_becomes_a_bundle_whose_time_is_the_logs_promise() {
    let world = World::new();
    let signature = world.key.sign(CONTENT).unwrap();
    let proposal = entry_v1_request(CONTENT, &signature, &world.leaf);

    let reply = world.post(&proposal);

    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let location = reply.header("location").unwrap();
    let id = reply.header("etag").unwrap();
    assert_eq!(location, format!("{ENTRIES}/{id}"));
    let bundle = world.bundle(
        reply,
        (
            "messageSignature",
            json!({
                "messageDigest": {
                    "algorithm": "SHA2_256",
                    "digest": to_base64(Sha256::of(CONTENT).as_bytes()),
                },
                "signature": to_base64(&signature),
            }),
        ),
    );
    world.assert_verifies(&bundle);

    // The canonical body equals the proposal byte for byte: some clients compare the two.
    let body = &bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"];
    let body = from_base64(body.as_str().unwrap()).unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), proposal.to_string());
}

#[test]
fn an_attestation_is_logged_as_dsse_and_as_intoto() {
    let world = World::new();
    let envelope = world.envelope();
    let dsse = json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        // sigstore-python writes every member of the schema.
        "spec": {
            "envelopeHash": null, "payloadHash": null, "signatures": null,
            "proposedContent": {
                "envelope": envelope.to_json().to_string(),
                "verifiers": [world.pem()],
            },
        },
    });
    let twice = |bytes: &[u8]| to_base64(to_base64(bytes).as_bytes());
    let payload_hash = Sha256::of(envelope.payload.as_bytes()).to_hex();
    let intoto = json!({
        "apiVersion": "0.0.2",
        "kind": "intoto",
        "spec": { "content": {
            "envelope": {
                "payload": twice(envelope.payload.as_bytes()),
                "payloadType": IN_TOTO,
                "signatures": [{ "sig": twice(&envelope.signature), "publicKey": world.pem() }],
            },
            "hash": { "algorithm": "sha256", "value": Sha256::of(b"the envelope").to_hex() },
            "payloadHash": { "algorithm": "sha256", "value": payload_hash },
        }},
    });
    let mut ids = Vec::new();
    for proposal in [dsse, intoto] {
        let reply = world.post(&proposal);
        ids.push(reply.header("etag").unwrap_or_default().to_owned());
        let bundle = world.bundle(reply, ("dsseEnvelope", envelope.to_json()));
        world.assert_verifies(&bundle);
    }

    ids.reverse();
    let subject = Sha256::of(CONTENT).to_hex();
    for query in [
        json!({ "hash": subject }),
        json!({ "hash": format!("sha256:{payload_hash}") }),
        json!({ "email": EMAIL }),
        json!({ "publicKey": { "format": "x509", "content": world.pem() } }),
    ] {
        assert_eq!(world.search(&query), ids, "{query}");
    }
}

#[test]
fn a_duplicate_is_409_with_the_first_entry() {
    let world = World::new();
    let proposal = world.proposal(CONTENT);
    let first = world.post(&proposal);

    let second = world.post(&proposal);

    assert_eq!(second.status, 409);
    assert_eq!(second.header("location"), first.header("location"));
    let refusal = second.json();
    assert_eq!(refusal["code"], 409);
    let message = refusal["message"].as_str().unwrap();
    assert!(
        message.ends_with(first.header("etag").unwrap()),
        "{message}"
    );
    let existing = world.server.get(second.header("location").unwrap());
    assert_eq!(only(&existing.success()).0, first.header("etag").unwrap());
}

#[test]
fn entries_are_found_by_hash_email_and_key() {
    let world = World::new();
    let one = world.log(b"one");
    let two = world.log(b"two");
    let hash = Sha256::of(b"one").to_hex();
    let key = json!({ "format": "x509", "content": world.pem() });
    for (query, expected) in [
        (json!({ "hash": format!("sha256:{hash}") }), vec![&one]),
        (json!({ "hash": hash }), vec![&one]),
        (json!({ "email": EMAIL.to_uppercase() }), vec![&two, &one]),
        (json!({ "subject": EMAIL }), vec![&two, &one]),
        (json!({ "publicKey": key }), vec![&two, &one]),
        (
            json!({ "publicKey": key, "hash": hash, "operator": "and" }),
            vec![&one],
        ),
        (json!({ "email": "unknown@example.com" }), vec![]),
        (
            json!({ "email": "unknown@example.com", "hash": hash, "operator": "and" }),
            vec![],
        ),
        (
            json!({ "email": "unknown@example.com", "hash": hash, "operator": "or" }),
            vec![&one],
        ),
    ] {
        assert_eq!(
            world.search(&query).iter().collect::<Vec<_>>(),
            expected,
            "{query}"
        );
    }
}

#[test]
fn every_tree_head_is_consistent_with_the_later_ones() {
    let world = World::new();
    let mut heads = Vec::new();
    for number in 0..7_u8 {
        let id = world.log(&[number]);
        let info = world.server.get("/api/v1/log/").success();
        // The log's own first entry has index 0.
        let size = u64::from(number) + 2;
        assert_eq!(info["treeSize"], size);
        let root = Sha256::from_hex(info["rootHash"].as_str().unwrap()).unwrap();
        heads.push((TreeSize::new(size), root, info["treeID"].clone()));
        // Every entry has an inclusion proof for the newest tree.
        for wanted in [&id, &id[16..]] {
            let entry = world.server.get(&format!("{ENTRIES}/{wanted}")).success();
            let proof = &only(&entry).1["verification"]["inclusionProof"];
            assert_eq!(proof["rootHash"], info["rootHash"]);
            assert_eq!(proof["checkpoint"], info["signedTreeHead"]);
        }
    }
    for (new, new_root, tree) in &heads {
        for (old, old_root, _) in heads.iter().take_while(|(old, _, _)| old < new) {
            let path = format!(
                "/api/v1/log/proof?firstSize={}&lastSize={}&treeID={}",
                old.get(),
                new.get(),
                tree.as_str().unwrap()
            );
            let proof = world.server.get(&path).success();
            let hashes = proof["hashes"].as_array().unwrap().iter();
            let hashes: Vec<_> = hashes
                .map(|hash| Sha256::from_hex(hash.as_str().unwrap()).unwrap())
                .collect();
            verify_consistency((*old, old_root), (*new, new_root), &hashes).unwrap();
        }
    }
}

#[test]
fn a_restart_keeps_the_log_its_ids_its_times_and_its_index() {
    let world = World::new();
    let ids = [b"one", b"two", b"six"].map(|content| world.log(content));
    let info = world.server.get("/api/v1/log").body;
    let key = world.server.get("/api/v1/log/publicKey").body;
    let entry = |server: &TestServer| {
        let entry = server.get("/api/v1/log/entries?logIndex=1").success();
        let mut entry = only(&entry).1.clone();
        // The log signs a new promise for each reply.
        entry["verification"]["signedEntryTimestamp"] = Value::Null;
        entry
    };
    let before = entry(&world.server);

    let world = World {
        server: world.server.restart(),
        ..world
    };

    assert_eq!(world.server.get("/api/v1/log").body, info);
    assert_eq!(world.server.get("/api/v1/log/publicKey").body, key);
    assert_eq!(entry(&world.server), before);
    let newest_first: Vec<_> = ids.iter().rev().cloned().collect();
    assert_eq!(world.search(&json!({ "email": EMAIL })), newest_first);
    let again = world.post(&world.proposal(b"ten"));
    assert_eq!(only(&again.success()).1["logIndex"], 4);
}

#[test]
fn a_missing_index_is_rebuilt_from_the_journal() {
    let world = World::new();
    let ids = [b"one", b"two"].map(|content| world.log(content));
    let stopped = world.server.stop();
    std::fs::remove_dir_all(stopped.data_dir().join("state")).unwrap();

    let world = World {
        server: stopped.start(),
        ..world
    };

    let newest_first: Vec<_> = ids.iter().rev().cloned().collect();
    assert_eq!(world.search(&json!({ "email": EMAIL })), newest_first);
}

#[test]
fn variants_of_paths_and_headers_are_accepted() {
    let world = World::new();
    let id = world.log(CONTENT);
    let wanted = json!({ "entryUUIDs": [id], "logIndexes": null }).to_string();
    for (path, kind) in [
        (RETRIEVE.to_owned(), "application/json"),
        (format!("{RETRIEVE}/"), "application/json; charset=utf-8"),
        (RETRIEVE.to_owned(), "text/plain"),
    ] {
        let request = Request::post(&path, kind, wanted.clone()).header("accept", "text/html");
        let found = world.server.send(&request).success();
        assert_eq!(only(&found[0]).0, id, "{path}");
    }
    let key = world.server.get("/api/v1/log/publicKey");
    assert_eq!(key.header("content-type"), Some("application/x-pem-file"));
    assert_eq!(key.body, world.server.get("/trust/rekor-v1.pem").body);
}

#[test]
fn framework_errors_have_the_error_format_of_this_api() {
    let world = World::new();
    for (request, status) in [
        (Request::new("DELETE", ENTRIES), 405),
        (Request::get("/api/v1/log/nothing"), 404),
        (Request::get("/api/v1/index/retrieve"), 405),
        (
            Request::post(ENTRIES, "application/json", vec![b' '; 5 << 20]),
            413,
        ),
    ] {
        let reply = world.server.send(&request);
        let refusal = reply.json();
        assert_eq!((reply.status, &refusal["code"]), (status, &json!(status)));
        assert_eq!(refusal.as_object().unwrap().len(), 2, "{refusal}");
    }
    let missing = world.server.get(&format!("{ENTRIES}/{}", "0".repeat(64)));
    assert_eq!((missing.status, missing.body.len()), (404, 0));
}

#[test]
fn hostile_documents_are_refused_quickly_and_log_nothing() {
    let world = World::new();
    let good = world.proposal(CONTENT);
    let deep = format!("{{\"entries\":{}", "[".repeat(1_000_000));
    let mut wrong_hash = good.clone();
    wrong_hash["spec"]["data"]["hash"]["value"] = json!("0".repeat(64));
    let mut bad_hex = good.clone();
    bad_hex["spec"]["data"]["hash"]["value"] = json!("zz");
    for (path, body) in [
        (ENTRIES, wrong_hash.to_string()),
        (ENTRIES, bad_hex.to_string()),
        (ENTRIES, "[".repeat(1_000_000)),
        (ENTRIES, format!("{{\"spec\":{}", "[".repeat(1_000_000))),
        (RETRIEVE, deep.clone()),
        (RETRIEVE, json!({ "logIndexes": vec![0; 11] }).to_string()),
        (
            RETRIEVE,
            json!({ "logIndexes": vec![0; 100_000] }).to_string(),
        ),
        (
            RETRIEVE,
            r#"{"logIndexes":[18446744073709551616]}"#.to_owned(),
        ),
        (RETRIEVE, r#"{"logIndexes":[-1]}"#.to_owned()),
        (
            RETRIEVE,
            r#"{"logIndexes":[0],"logIndexes":[0]}"#.to_owned(),
        ),
        (
            RETRIEVE,
            json!({ "entryUUIDs": ["0".repeat(1_000_000)] }).to_string(),
        ),
        (SEARCH, deep),
        (SEARCH, json!({ "hash": "f".repeat(1_000_000) }).to_string()),
        (
            SEARCH,
            json!({ "subject": "f".repeat(1_000_000) }).to_string(),
        ),
    ] {
        let begun = std::time::Instant::now();
        let reply = world
            .server
            .send(&Request::post(path, "application/json", body));
        assert!(
            matches!(reply.status, 400 | 422),
            "{path}: {}",
            reply.text()
        );
        assert!(reply.body.len() < 4096, "{path}");
        assert!(begun.elapsed().as_secs() < 5, "{path}");
    }
    assert_eq!(world.server.get("/api/v1/log").success()["treeSize"], 1);
}
