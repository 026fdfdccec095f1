//! A signer that is independent of the program's: every request is written out, as other clients send it.

use rcgen::CertificateParams;
use serde_json::{Value, json};
use signet::testing::{
    Bundle, Certificate, Digest, EphemeralKey, HashAlgorithm, Sha256, TimestampRequest,
    from_base64, to_base64,
};

use super::http::Request;
use super::server::TestServer;

/// The body of a certificate request with a public key and a proof over the challenge.
pub fn key_request(token: &str, key: &EphemeralKey, challenge: &str) -> Value {
    let proof = key.sign(challenge.as_bytes()).unwrap();
    json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": key.public_key().to_pem() },
            "proofOfPossession": to_base64(&proof),
        },
    })
}

/// The body of a certificate request with a PKCS #10 request.
pub fn csr_request(token: &str, key: &rcgen::KeyPair) -> Value {
    let request = CertificateParams::default().serialize_request(key).unwrap();
    json!({
        "credentials": { "oidcIdentityToken": token },
        "certificateSigningRequest": to_base64(request.pem().unwrap().as_bytes()),
    })
}

/// The body of an entry for the signature log in the v2 dialect.
pub fn entry_request(content: &[u8], signature: &[u8], leaf: &Certificate) -> Value {
    json!({"hashedRekordRequestV002": {
        "digest": to_base64(Sha256::of(content).as_bytes()),
        "signature": {
            "content": to_base64(signature),
            "verifier": {
                "x509Certificate": { "rawBytes": to_base64(leaf.der()) },
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            },
        },
    }})
}

/// Requests a certificate and returns its chain, the leaf first.
pub fn request_chain(server: &TestServer, request: &Value) -> Vec<Certificate> {
    let reply = server.post_json("/api/v2/signingCert", request).success();
    let chain = &reply["signedCertificateEmbeddedSct"]["chain"]["certificates"];
    let pem = |certificate: &Value| Certificate::from_pem(certificate.as_str().unwrap()).unwrap();
    chain.as_array().unwrap().iter().map(pem).collect()
}

/// Requests a timestamp over a signature and returns the response.
pub fn request_timestamp(server: &TestServer, signature: &[u8]) -> Vec<u8> {
    let imprint = HashAlgorithm::Sha256.digest(signature);
    let query = TimestampRequest::new(imprint, Some(0x5157_7171), true).to_der();
    let kind = "application/timestamp-query";
    let reply = server.send(&Request::post("/api/v1/timestamp", kind, query));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        reply.header("content-type"),
        Some("application/timestamp-reply")
    );
    reply.body
}

/// Signs content as the token's subject and returns the bundle.
pub fn sign(server: &TestServer, token: &str, challenge: &str, content: &[u8]) -> Bundle {
    let key = EphemeralKey::generate().unwrap();
    let chain = request_chain(server, &key_request(token, &key, challenge));
    let leaf = chain.first().unwrap();
    let signature = key.sign(content).unwrap();
    let timestamp = request_timestamp(server, &signature);
    let submission = entry_request(content, &signature, leaf);
    let entry = server.post_json("/api/v2/log/entries", &submission);
    assert_eq!(entry.status, 201, "{}", entry.text());
    let digest = Digest::from(Sha256::of(content));
    Bundle::for_message(leaf, digest, signature, &entry.body, timestamp).unwrap()
}

/// [`sign`], with the bundle as JSON.
pub fn sign_json(server: &TestServer, token: &str, challenge: &str, content: &[u8]) -> Value {
    let bundle = sign(server, token, challenge, content).to_json();
    serde_json::from_str(&bundle).unwrap()
}

/// Asks the verification endpoint about a bundle; returns the status and the report.
pub fn verify(server: &TestServer, bundle: &Value, content: &[u8], subject: &str) -> (u16, Value) {
    let question = json!({
        "bundle": bundle,
        "artifact": { "sha256": Sha256::of(content).to_hex() },
        "identities": [{ "issuer": server.url(), "subject": subject }],
    });
    let reply = server.post_json("/signet/v1/verify", &question);
    (reply.status, reply.json())
}

/// The body of an entry for the signature log in the v1 dialect.
pub fn entry_v1_request(content: &[u8], signature: &[u8], leaf: &Certificate) -> Value {
    json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": Sha256::of(content).to_hex() } },
            "signature": {
                "content": to_base64(signature),
                "publicKey": { "content": to_base64(leaf.to_pem().as_bytes()) },
            },
        },
    })
}

/// Converts a v1 log's reply to the entry's form in a bundle: hexadecimal to base64, numbers to text.
pub fn entry_v1_in_bundle(reply: &Value) -> Value {
    let entry = reply.as_object().unwrap().values().next().unwrap();
    let bytes = |hex: &Value| json!(to_base64(&hex::decode(hex.as_str().unwrap()).unwrap()));
    let body = from_base64(entry["body"].as_str().unwrap()).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let proof = &entry["verification"]["inclusionProof"];
    let hashes: Vec<_> = proof["hashes"]
        .as_array()
        .unwrap()
        .iter()
        .map(bytes)
        .collect();
    json!({
        "logIndex": entry["logIndex"].to_string(),
        "logId": { "keyId": bytes(&entry["logID"]) },
        "kindVersion": { "kind": body["kind"], "version": body["apiVersion"] },
        "integratedTime": entry["integratedTime"].to_string(),
        "inclusionPromise": {
            "signedEntryTimestamp": entry["verification"]["signedEntryTimestamp"],
        },
        "inclusionProof": {
            "logIndex": proof["logIndex"].to_string(),
            "rootHash": bytes(&proof["rootHash"]),
            "treeSize": proof["treeSize"].to_string(),
            "hashes": hashes,
            "checkpoint": { "envelope": proof["checkpoint"] },
        },
        "canonicalizedBody": entry["body"],
    })
}
