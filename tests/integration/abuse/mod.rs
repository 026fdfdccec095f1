//! Hostile input: none of it may cause a 5xx, keep a connection open, add metrics, or write a secret to the
//! log.

mod bodies;
mod documents;
mod paths;
mod traces;

use serde_json::{Value, json};
use signet::testing::{EphemeralKey, Sha256, to_base64};

use crate::support::server::TestServer;
use crate::support::signing::{
    csr_request, entry_request, entry_v1_request, key_request, request_chain, sign_json,
};

/// Another address than the one in the program's own messages, so that a trace of it is a leak.
const EMAIL: &str = "someone@example.org";
const CONTENT: &[u8] = b"what is signed";

/// The paths that accept a JSON document.
const SIGNING_CERT: &str = "/api/v2/signingCert";
const ENTRIES: &str = "/api/v2/log/entries";
const ENTRIES_V1: &str = "/api/v1/log/entries";
const RETRIEVE: &str = "/api/v1/log/entries/retrieve";
const SEARCH: &str = "/api/v1/index/retrieve";
const TIMESTAMP: &str = "/api/v1/timestamp";
const VERIFY: &str = "/signet/v1/verify";

/// A document that the instance accepts.
struct Good {
    path: &'static str,
    document: Value,
}

/// An instance, and a valid document for each form of each API. The entries are already in the log.
struct World {
    server: TestServer,
    token: String,
    good: Vec<Good>,
}

impl World {
    fn new() -> Self {
        let server = TestServer::start();
        let token = server.new_token(EMAIL);
        let good = good_documents(&server, &token);
        Self {
            server,
            token,
            good,
        }
    }
}

fn good_documents(server: &TestServer, token: &str) -> Vec<Good> {
    let key = EphemeralKey::generate().unwrap();
    let by_key = key_request(token, &key, EMAIL);
    let leaf = request_chain(server, &by_key).remove(0);
    let by_certificate = entry_request(CONTENT, &key.sign(CONTENT).unwrap(), &leaf);
    let mut by_public_key = by_certificate.clone();
    by_public_key["hashedRekordRequestV002"]["signature"]["verifier"] = json!({
        "publicKey": { "rawBytes": to_base64(key.public_key().spki_der()) },
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
    });
    for entry in [&by_certificate, &by_public_key] {
        assert_eq!(server.post_json(ENTRIES, entry).status, 201);
    }
    let by_v1 = entry_v1_request(CONTENT, &key.sign(CONTENT).unwrap(), &leaf);
    assert_eq!(server.post_json(ENTRIES_V1, &by_v1).status, 201);
    let wanted = json!({
        "entryUUIDs": ["0".repeat(64)],
        "logIndexes": [0],
        "entries": [by_v1],
    });
    let search = json!({
        "hash": Sha256::of(CONTENT).to_hex(),
        "email": EMAIL,
        "subject": EMAIL,
        "operator": "and",
        "publicKey": { "format": "x509", "content": to_base64(leaf.to_pem().as_bytes()) },
    });
    let question = json!({
        "bundle": sign_json(server, token, EMAIL, CONTENT),
        "artifact": { "sha256": Sha256::of(CONTENT).to_hex() },
        "identities": [{ "issuer": server.url(), "subject": EMAIL }],
    });
    let timestamp = json!({
        "artifactHash": to_base64(&[7; 32]),
        "hashAlgorithm": "sha256",
        "certificates": true,
        "nonce": 77,
        "tsaPolicyOID": "1.3.6.1.4.1.57264.2",
    });
    let by_csr = csr_request(token, &rcgen::KeyPair::generate().unwrap());
    [
        (SIGNING_CERT, by_key),
        (SIGNING_CERT, by_csr),
        (ENTRIES, by_certificate),
        (ENTRIES, by_public_key),
        (ENTRIES_V1, by_v1),
        (RETRIEVE, wanted),
        (SEARCH, search),
        (TIMESTAMP, timestamp),
        (VERIFY, question),
    ]
    .map(|(path, document)| Good { path, document })
    .into()
}
