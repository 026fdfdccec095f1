//! Signing through an instance: certificate, timestamp, log entry, verification.

use serde_json::{Value, json};
use signet::testing::{
    Certificate, Clock as _, EphemeralKey, HashAlgorithm, Sha256, SystemClock, TimestampRequest,
    TrustedRoot, from_base64, to_base64, verify_path, verify_reply, verify_scts,
};

use crate::support::account::EMAIL;
use crate::support::server::TestServer;
use crate::support::signing::{
    csr_request, entry_request, key_request, request_chain, request_timestamp, sign, sign_json,
    verify,
};

const CONTENT: &[u8] = b"what is signed";

fn trust_of(server: &TestServer) -> TrustedRoot {
    TrustedRoot::from_json(&server.get("/trust/trusted_root.json").body).unwrap()
}

/// Checks a certificate chain against the instance's trusted root.
fn check_chain(server: &TestServer, chain: &[Certificate]) {
    let trust = trust_of(server);
    let [authority] = trust.authorities.as_slice() else {
        panic!("there is not exactly one authority");
    };
    let (leaf, above) = chain.split_first().unwrap();
    assert_eq!(
        above, authority.chain,
        "the chain differs from that of the trusted root"
    );
    let path = verify_path(leaf, authority, SystemClock.now()).unwrap();
    let scts = verify_scts(leaf, &path, &trust.ct_logs).unwrap();
    assert_eq!(scts.len(), 1);
    assert_eq!(leaf.subject_name().unwrap().as_str(), EMAIL);
    assert_eq!(leaf.oidc_issuer(), Some(server.url()));
    assert!(leaf.subject_is_empty());
}

#[test]
fn possession_may_be_proved_over_the_address_or_the_subject() {
    let server = TestServer::start();
    let account = server.account(EMAIL);
    let token = server.token(&account);
    for challenge in [EMAIL, &account.client_id] {
        let key = EphemeralKey::generate().unwrap();

        let chain = request_chain(&server, &key_request(&token, &key, challenge));

        assert_eq!(chain[0].public_key(), key.public_key());
        check_chain(&server, &chain);
    }
}

#[test]
fn a_pkcs10_request_is_certified() {
    let server = TestServer::start();
    let token = server.new_token(EMAIL);
    let key = rcgen::KeyPair::generate().unwrap();

    let chain = request_chain(&server, &csr_request(&token, &key));

    assert_eq!(chain[0].public_key().raw(), key.public_key_raw());
    check_chain(&server, &chain);
}

#[test]
fn a_proof_over_another_name_or_by_another_key_is_refused() {
    let server = TestServer::start();
    let token = server.new_token(EMAIL);
    let (key, other) = (
        EphemeralKey::generate().unwrap(),
        EphemeralKey::generate().unwrap(),
    );
    let over_another_name = key_request(&token, &key, "other@example.com");
    let mut by_another_key = key_request(&token, &key, EMAIL);
    by_another_key["publicKeyRequest"]["publicKey"]["content"] = json!(other.public_key().to_pem());
    for request in [over_another_name, by_another_key] {
        let reply = server.post_json("/api/v2/signingCert", &request);

        assert_eq!(reply.status, 400);
        let error = reply.json();
        assert_eq!(error["code"], 3);
        assert_eq!(
            error["message"],
            "The signature supplied in the request could not be verified"
        );
    }
}

#[test]
fn the_endpoint_verifies_a_bundle_for_its_signer_and_artifact_only() {
    let server = TestServer::start();
    let token = server.new_token(EMAIL);
    let bundle = sign_json(&server, &token, EMAIL, CONTENT);

    let (status, verdict) = verify(&server, &bundle, CONTENT, EMAIL);

    assert_eq!(status, 200, "{verdict}");
    assert_eq!(verdict["verified"], true);
    assert_eq!(
        verdict["identity"],
        json!({"issuer": server.url(), "subject": EMAIL})
    );
    assert_eq!(verdict["times"].as_array().unwrap().len(), 1);
    assert_eq!(verdict["log_entries"][0]["index"], 1);
    for (content, subject, code) in [
        (&b"what was not signed"[..], EMAIL, "artifact-mismatch"),
        (CONTENT, "other@example.com", "identity-denied"),
    ] {
        let (status, verdict) = verify(&server, &bundle, content, subject);
        assert_eq!(status, 422, "{verdict}");
        assert_eq!(verdict["verified"], false);
        assert_eq!(verdict["code"], code);
    }
    let (status, problem) = verify(&server, &json!({"mediaType": "x"}), CONTENT, EMAIL);
    assert_eq!(status, 400);
    assert_eq!(problem["type"], "urn:signet:problem:not-a-bundle");
}

/// Flips a bit in a base64 member: in its middle or, for a timestamp, near its end, because the middle may
/// be in a certificate that the verifier does not use.
fn flip(bundle: &Value, pointer: &str) -> Value {
    let mut bundle = bundle.clone();
    let member = bundle
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("{pointer}"));
    let mut bytes = from_base64(member.as_str().unwrap()).unwrap();
    let at = if pointer.ends_with("/signedTimestamp") {
        bytes.len() - 10
    } else {
        bytes.len() / 2
    };
    bytes[at] ^= 1;
    *member = json!(to_base64(&bytes));
    bundle
}

#[test]
fn a_flipped_bit_in_any_evidence_is_refused_with_a_code() {
    let server = TestServer::start();
    let token = server.new_token(EMAIL);
    // Two earlier entries make the inclusion proof non-empty.
    for content in [b"a", b"b"] {
        sign(&server, &token, EMAIL, content);
    }
    let bundle = sign_json(&server, &token, EMAIL, CONTENT);
    assert_eq!(verify(&server, &bundle, CONTENT, EMAIL).0, 200);
    for pointer in [
        "/messageSignature/signature",
        "/messageSignature/messageDigest/digest",
        "/verificationMaterial/certificate/rawBytes",
        "/verificationMaterial/tlogEntries/0/canonicalizedBody",
        "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash",
        "/verificationMaterial/tlogEntries/0/inclusionProof/hashes/0",
        "/verificationMaterial/tlogEntries/0/logId/keyId",
        "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
    ] {
        let (status, verdict) = verify(&server, &flip(&bundle, pointer), CONTENT, EMAIL);

        assert!(matches!(status, 400 | 422), "{pointer}: {verdict}");
        if status == 422 {
            assert!(
                verdict["code"].is_string() && verdict["reason"].is_string(),
                "{verdict}"
            );
        } else {
            assert_eq!(
                verdict["type"], "urn:signet:problem:not-a-bundle",
                "{pointer}"
            );
        }
    }
}

#[test]
fn bundles_from_before_a_restart_verify_after_it_and_the_log_continues() {
    let server = TestServer::start();
    let account = server.account(EMAIL);
    let bundle = sign_json(&server, &server.token(&account), EMAIL, CONTENT);
    let (url, trust) = (
        server.url().to_owned(),
        server.get("/trust/trusted_root.json").body,
    );

    let server = server.restart();

    assert_eq!(server.url(), url);
    assert_eq!(server.get("/trust/trusted_root.json").body, trust);
    assert_eq!(verify(&server, &bundle, CONTENT, EMAIL).0, 200);
    let later = sign(&server, &server.token(&account), EMAIL, b"signed later");
    assert_eq!(later.entries()[0].index, 2);
    let later: Value = serde_json::from_str(&later.to_json()).unwrap();
    assert_eq!(verify(&server, &later, b"signed later", EMAIL).0, 200);
}

#[test]
fn concurrent_submissions_of_one_entry_create_one_entry() {
    let server = TestServer::start();
    let token = server.new_token(EMAIL);
    let key = EphemeralKey::generate().unwrap();
    let chain = request_chain(&server, &key_request(&token, &key, EMAIL));
    let request = entry_request(CONTENT, &key.sign(CONTENT).unwrap(), &chain[0]);

    let replies: Vec<_> = std::thread::scope(|scope| {
        let post = || server.post_json("/api/v2/log/entries", &request);
        let posting: Vec<_> = (0..100).map(|_| scope.spawn(post)).collect();
        posting
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });

    let created = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(created, 1);
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(reply.status, 409, "{}", reply.text());
        assert_eq!(reply.header("x-log-index"), Some("1"));
    }
    let checkpoint = server.get("/checkpoint").text();
    // The log's own first entry has index 0.
    assert_eq!(checkpoint.lines().nth(1), Some("2"));
}

/// The other valid ECDSA signature over the same message: (r, n − s) for (r, s).
fn malleated(signature: &[u8]) -> Vec<u8> {
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let integer = |at: usize| {
        let length = usize::from(signature[at + 1]);
        (&signature[at + 2..at + 2 + length], at + 2 + length)
    };
    let (r, next) = integer(2);
    let (s, _) = integer(next);
    let order = hex::decode(ORDER).unwrap();
    let mut rest = [
        vec![0; 32_usize.saturating_sub(s.len())],
        s[s.len().saturating_sub(32)..].to_vec(),
    ]
    .concat();
    let mut borrowed = false;
    for (digit, whole) in rest.iter_mut().zip(&order).rev() {
        let (less, first) = whole.overflowing_sub(*digit);
        let (less, second) = less.overflowing_sub(u8::from(borrowed));
        (*digit, borrowed) = (less, first || second);
    }
    let zeros = rest.iter().take_while(|byte| **byte == 0).count();
    let mut s = rest[zeros..].to_vec();
    if s[0] >= 0x80 {
        s.insert(0, 0);
    }
    let lengths = [r.len(), s.len()].map(|length| u8::try_from(length).unwrap());
    let content = [&[2, lengths[0]], r, &[2, lengths[1]], &s].concat();
    [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat()
}

#[test]
fn a_malleated_signature_is_another_entry_and_does_not_match_the_bundle() {
    let server = TestServer::start();
    let token = server.new_token(EMAIL);
    let mut bundle = sign_json(&server, &token, EMAIL, CONTENT);
    let leaf = &bundle["verificationMaterial"]["certificate"]["rawBytes"];
    let leaf = Certificate::from_der(&from_base64(leaf.as_str().unwrap()).unwrap()).unwrap();
    let signature = bundle.pointer_mut("/messageSignature/signature").unwrap();
    let other = malleated(&from_base64(signature.as_str().unwrap()).unwrap());
    assert!(leaf.public_key().verify_message(CONTENT, &other).is_ok());

    let entry = server.post_json(
        "/api/v2/log/entries",
        &entry_request(CONTENT, &other, &leaf),
    );
    *signature = json!(to_base64(&other));
    let (status, verdict) = verify(&server, &bundle, CONTENT, EMAIL);

    assert_eq!(entry.status, 201, "{}", entry.text());
    assert_eq!(status, 422, "{verdict}");
    // The timestamp and the entry are for the original signature.
    assert!(verdict["code"].is_string());
}

#[test]
fn timestamps_verify_with_the_trusted_root_and_are_unique() {
    let server = TestServer::start();
    let request = TimestampRequest::new(
        HashAlgorithm::Sha256.digest(b"a signature"),
        Some(0x5157_7171),
        true,
    );
    let replies = [(); 2].map(|()| request_timestamp(&server, b"a signature"));

    assert_ne!(replies[0], replies[1]);
    for reply in &replies {
        verify_reply(reply, &request, &trust_of(&server).timestamp_authorities).unwrap();
    }
}

/// A bundle with an envelope, logged as dsse 0.0.2, as sigstore-js creates it.
fn attest(server: &TestServer, token: &str) -> Value {
    let key = EphemeralKey::generate().unwrap();
    let chain = request_chain(server, &key_request(token, &key, EMAIL));
    let leaf = to_base64(chain[0].der());
    let payload = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "release", "digest": { "sha256": Sha256::of(CONTENT).to_hex() } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {},
    });
    let (kind, payload) = ("application/vnd.in-toto+json", payload.to_string());
    // DSSE protocol: pre-authentication encoding
    let encoding = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
    let signature = key.sign(encoding.as_bytes()).unwrap();
    let envelope = json!({
        "payload": to_base64(payload.as_bytes()),
        "payloadType": kind,
        "signatures": [{ "sig": to_base64(&signature), "keyid": "" }],
    });
    let timestamp = request_timestamp(server, &signature);
    let submission = json!({"dsseRequestV002": {
        "envelope": envelope,
        "verifiers": [{
            "x509Certificate": { "rawBytes": leaf },
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        }],
    }});
    let entry = server.post_json("/api/v2/log/entries", &submission);
    assert_eq!(entry.status, 201, "{}", entry.text());
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": { "rawBytes": leaf },
            "tlogEntries": [entry.json()],
            "timestampVerificationData": {
                "rfc3161Timestamps": [{ "signedTimestamp": to_base64(&timestamp) }],
            },
        },
        "dsseEnvelope": envelope,
    })
}

#[test]
fn an_envelope_logged_as_dsse_verifies_for_its_subject_only() {
    let server = TestServer::start();
    let token = server.new_token(EMAIL);

    let bundle = attest(&server, &token);

    let (status, report) = verify(&server, &bundle, CONTENT, EMAIL);
    assert_eq!(status, 200, "{report}");
    let (status, _) = verify(&server, &bundle, b"something else", EMAIL);
    assert_eq!(status, 422);
    let other = attest(&server, &token);
    let mut swapped = bundle;
    swapped["verificationMaterial"]["tlogEntries"] =
        other["verificationMaterial"]["tlogEntries"].clone();
    let (status, _) = verify(&server, &swapped, CONTENT, EMAIL);
    assert_eq!(status, 422);
}
