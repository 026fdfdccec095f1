use crate::protocol::entry::v1::envelope::EnvelopeError;
use crate::protocol::entry::v1::envelope::MAX_SIGNATURES;
use crate::protocol::entry::v1::rfc3161::MAX_TIMESTAMP;
use crate::protocol::entry::v1::verifier::PemVerifierError;
use serde_json::{Value, json};

use super::super::MAX_BODY;
use super::super::search::MAX_TERMS;
use super::*;
use crate::protocol::attestation::dsse::pre_authentication_encoding;
use crate::protocol::bytes::{MAX_PEM_LENGTH, to_base64};
use crate::protocol::hash::{HashAlgorithm, Sha256};
use crate::protocol::keys::{KeyAlgorithm, PublicKey, SignatureInvalid, SigningKey};
use crate::protocol::tsp::{PkiFailure, TimestampError, rejection};

fn hashedrekord(pem: &str, signature: &[u8], digest: &str) -> String {
    format!(
        concat!(
            r#"{{"kind":"hashedrekord","apiVersion":"0.0.1","spec":{{"signature":{{"#,
            r#""content":"{}","publicKey":{{"content":"{}"}}}},"data":{{"hash":{{"#,
            r#""value":"{}","algorithm":"sha256"}}}}}}}}"#
        ),
        to_base64(signature),
        to_base64(pem.as_bytes()),
        digest,
    )
}

fn admit(json: &str) -> Result<AdmittedEntry, V1EntryError> {
    ProposedEntry::parse(json.as_bytes()).unwrap().admit()
}

#[test]
fn a_hashedrekord_is_logged_in_canonical_form() {
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let signature = key.sign(b"artifact").unwrap();
    let digest = Sha256::of(b"artifact");
    let pem = key.public_key().to_pem();
    let loose = pem.replace('\n', "\r\n");
    let expected = format!(
        concat!(
            r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"#,
            r#""algorithm":"sha256","value":"{}"}}}},"signature":{{"content":"{}","#,
            r#""publicKey":{{"content":"{}"}}}}}}}}"#
        ),
        digest.to_hex(),
        to_base64(&signature),
        to_base64(pem.as_bytes()),
    );

    for (text, hex) in [
        (&pem, digest.to_hex()),
        (&loose, digest.to_hex().to_uppercase()),
    ] {
        let json = hashedrekord(text, &signature, &hex);
        let proposed = ProposedEntry::parse(json.as_bytes()).unwrap();
        let entry = proposed.admit().unwrap();

        assert_eq!(String::from_utf8(entry.body().to_vec()).unwrap(), expected);
        assert_eq!(proposed.canonical_body().unwrap(), entry.body());
        let terms = [
            SearchTerm::sha256(&digest),
            SearchTerm::public_key(pem.as_bytes()),
        ];
        assert_eq!(entry.into_parts().1, terms);
    }
}

#[test]
fn a_hashedrekord_with_a_signature_over_another_digest_is_rejected() {
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let json = hashedrekord(
        &key.public_key().to_pem(),
        &key.sign(b"another artifact").unwrap(),
        &Sha256::of(b"artifact").to_hex(),
    );

    let error = admit(&json).unwrap_err();
    assert_eq!(
        error,
        V1EntryError::Signature {
            field: "spec.signature.content",
            source: SignatureInvalid
        }
    );
    ProposedEntry::parse(json.as_bytes())
        .unwrap()
        .canonical_body()
        .unwrap();
}

#[test]
fn the_error_of_an_unknown_kind_or_version_names_it_and_the_supported_ones() {
    let error = |kind: &str, version: &str| {
        let json = format!(r#"{{"kind":"{kind}","apiVersion":"{version}","spec":{{}}}}"#);
        ProposedEntry::parse(json.as_bytes())
            .unwrap_err()
            .to_string()
    };

    for kind in ["jar", "rpm", "alpine", "helm", "tuf", "cose", "other"] {
        let message = error(kind, "0.0.1");
        assert!(message.contains(&format!("{kind:?}")), "{message}");
        assert!(message.contains("hashedrekord 0.0.1"), "{message}");
    }
    assert!(error("hashedrekord", "0.0.9").contains("\"0.0.9\""));
    let long = "é".repeat(100_000);
    assert!(error(&long, "0.0.1").len() < 2_000);
    assert!(error("dsse", &long).len() < 2_000);
}

#[test]
fn every_kind_and_version_appears_once_in_the_table() {
    let rows: std::collections::BTreeSet<String> = super::super::KINDS
        .iter()
        .map(ToString::to_string)
        .collect();

    assert_eq!(rows.len(), super::super::KINDS.len());
    assert_eq!(
        supported_kinds(),
        "hashedrekord 0.0.1, dsse 0.0.1, intoto 0.0.1, intoto 0.0.2, rekord 0.0.1, rfc3161 0.0.1"
    );
}

#[test]
fn the_error_of_an_invalid_member_contains_its_path() {
    let good = hashedrekord("x", b"signature", &hex::encode([7; 32]));
    for (from, to, path) in [
        (
            "\"content\":\"c2l",
            "\"content\":\"!2l",
            "spec.signature.content",
        ),
        ("sha256", "md5", "spec.data.hash"),
        ("0707", "07", "spec.data.hash"),
        (
            "\"publicKey\"",
            "\"url\":\"x\",\"publicKey\"",
            "spec.signature",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let json = good.replacen(from, to, 1);
        let error = ProposedEntry::parse(json.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(path), "{error}");
    }
}

fn key(algorithm: KeyAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm).unwrap().0
}

fn admit_value(entry: &Value) -> Result<AdmittedEntry, V1EntryError> {
    admit(&entry.to_string())
}

fn b64_pem(key: &SigningKey) -> String {
    to_base64(key.public_key().to_pem().as_bytes())
}

const TYPE: &str = "application/vnd.in-toto+json";

/// An envelope with one signature by each key.
fn envelope(payload: &[u8], keys: &[&SigningKey]) -> String {
    let encoding = pre_authentication_encoding(TYPE, payload);
    let signature = |key: &&SigningKey| json!({"sig": to_base64(&key.sign(&encoding).unwrap())});
    let signatures: Vec<Value> = keys.iter().map(signature).collect();
    json!({"payload": to_base64(payload), "payloadType": TYPE, "signatures": signatures})
        .to_string()
}

fn dsse(envelope: &str, verifiers: &[&SigningKey]) -> Value {
    let verifiers: Vec<String> = verifiers.iter().map(|key| b64_pem(key)).collect();
    json!({"apiVersion": "0.0.1", "kind": "dsse", "spec": {
        "proposedContent": {"envelope": envelope, "verifiers": verifiers}
    }})
}

#[test]
fn an_ed25519_key_requires_a_sha512_digest() {
    // RFC 8032 §7.3, "abc".
    let spki = concat!(
        "302a300506032b6570032100",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"
    );
    let signature = concat!(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41",
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    );
    let key = PublicKey::from_spki_der(&hex::decode(spki).unwrap()).unwrap();
    let entry = |algorithm: &str, hash: HashAlgorithm| {
        let hex = hex::encode(hash.digest(b"abc").as_bytes());
        json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": {"hash": {"algorithm": algorithm, "value": hex}},
            "signature": {
                "content": to_base64(&hex::decode(signature).unwrap()),
                "publicKey": {"content": to_base64(key.to_pem().as_bytes())},
            },
        }})
    };

    admit_value(&entry("sha512", HashAlgorithm::Sha512)).unwrap();
    assert_eq!(
        admit_value(&entry("sha256", HashAlgorithm::Sha256)).unwrap_err(),
        V1EntryError::Ed25519Digest
    );
}

#[test]
fn pem_is_canonicalized_regardless_of_line_breaks() {
    let key = key(KeyAlgorithm::P384);
    let pem = key.public_key().to_pem();
    let lines: Vec<&str> = pem.lines().collect();
    let one_line = [
        lines[0],
        &lines[1..lines.len() - 1].concat(),
        lines[lines.len() - 1],
    ]
    .join("\n");

    for text in [
        pem.clone(),
        pem.trim_end().to_owned(),
        pem.replace('\n', "\r\n"),
        one_line,
        format!("\n  \n{pem}\n\n"),
        format!("Subject: me\n{pem}"),
    ] {
        let read = verifier::PemVerifier::parse(text.as_bytes()).unwrap();
        assert_eq!(read.canonical_pem(), pem, "{text}");
    }
    let long = format!("{pem}{}", " ".repeat(MAX_PEM_LENGTH));
    assert_eq!(
        verifier::PemVerifier::parse(long.as_bytes()).unwrap_err(),
        PemVerifierError::TooLong(long.len())
    );
}

#[test]
fn every_key_of_an_envelope_must_verify_a_signature_and_every_signature_must_be_verified() {
    let (one, other) = (key(KeyAlgorithm::P256), key(KeyAlgorithm::Ed25519));
    let both = envelope(b"{}", &[&one, &other]);

    admit_value(&dsse(&both, &[&other, &one])).unwrap();
    assert_eq!(
        admit_value(&dsse(&both, &[&one])).unwrap_err(),
        V1EntryError::UnverifiedSignature
    );
    let by_one = envelope(b"{}", &[&one]);
    assert!(matches!(
        admit_value(&dsse(&by_one, &[&other, &one])).unwrap_err(),
        V1EntryError::Signature { .. }
    ));
}

#[test]
fn a_p384_signature_over_an_envelope_may_use_sha384() {
    // The vectors cover P-384 with SHA-256, which cosign uses.
    let key = key(KeyAlgorithm::P384);

    admit_value(&dsse(&envelope(b"{}", &[&key]), &[&key])).unwrap();
}

#[test]
fn envelopes_over_a_limit_or_with_empty_members_are_rejected() {
    let key = key(KeyAlgorithm::P256);
    let many = vec![&key; MAX_SIGNATURES + 1];
    let error = |entry: &Value| admit_value(entry).unwrap_err();

    assert_eq!(
        error(&dsse(&envelope(b"{}", &[&key]), &many)),
        V1EntryError::TooManyVerifiers(MAX_SIGNATURES + 1)
    );
    assert_eq!(
        error(&dsse(&envelope(b"{}", &many), &[&key])),
        V1EntryError::Envelope {
            field: "spec.proposedContent.envelope",
            source: EnvelopeError::TooManySignatures(MAX_SIGNATURES + 1)
        }
    );
    for (text, reason) in [
        (envelope(b"", &[&key]), EnvelopeError::Empty("payload")),
        (envelope(b"{}", &[]), EnvelopeError::Empty("signatures")),
        ("{}".to_owned(), EnvelopeError::Malformed),
        (
            envelope(b"{}", &[&key]).replace("\"sig\":\"", "\"sig\":\"!"),
            EnvelopeError::Base64,
        ),
    ] {
        let V1EntryError::Envelope { source, .. } = error(&dsse(&text, &[&key])) else {
            panic!("{text}");
        };
        assert_eq!(source, reason);
    }
    assert_eq!(
        error(&dsse(&envelope(b"{}", &[&key]), &[])),
        V1EntryError::Empty("spec.proposedContent.verifiers")
    );
}

#[test]
fn a_statement_with_too_many_subjects_is_rejected_and_an_unparsable_payload_is_accepted() {
    let key = key(KeyAlgorithm::P256);
    let statement = |count: usize| {
        let subject = |n: usize| json!({"name": "x", "digest": {"sha256": format!("{n:064x}")}});
        let subjects: Vec<Value> = (0..count).map(subject).collect();
        json!({"subject": subjects}).to_string()
    };
    let admitted = |payload: &str| {
        admit_value(&dsse(&envelope(payload.as_bytes(), &[&key]), &[&key]))
            .map(|entry| entry.into_parts().1.len())
    };

    // Four terms in addition to the subjects: payload, envelope, and the key as digest and as key.
    assert_eq!(admitted(&statement(MAX_TERMS - 4)), Ok(MAX_TERMS));
    assert_eq!(
        admitted(&statement(MAX_TERMS - 3)),
        Err(V1EntryError::TooManyTerms(TooManyTerms))
    );
    assert_eq!(admitted("not JSON"), Ok(4));
    assert_eq!(admitted(r#"{"subject":[{"digest":{"sha256":1}}]}"#), Ok(4));
}

#[test]
fn members_of_the_logged_form_are_rejected_in_a_proposal() {
    let key = key(KeyAlgorithm::P256);
    let good = dsse(&envelope(b"{}", &[&key]), &[&key]);
    for (member, value) in [
        (
            "envelopeHash",
            json!({"algorithm": "sha256", "value": "00"}),
        ),
        ("signatures", json!([])),
        ("other", json!(null)),
    ] {
        let mut entry = good.clone();
        entry["spec"][member] = value;
        let error = ProposedEntry::parse(entry.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains(member), "{error}");
    }
}

#[test]
fn an_oversized_entry_is_rejected_with_the_limit() {
    let key = key(KeyAlgorithm::P256);
    let json = hashedrekord(
        &key.public_key().to_pem(),
        &[0; MAX_BODY],
        &Sha256::of(b"artifact").to_hex(),
    );

    let error = admit(&json).unwrap_err();
    assert!(matches!(error, V1EntryError::TooLarge(size) if size > MAX_BODY));
    assert!(error.to_string().contains("65535"), "{error}");
}

#[test]
fn a_rekord_can_be_looked_up_by_hash_but_requires_its_content_to_be_logged() {
    let key = key(KeyAlgorithm::P256);
    let entry = |data: Value| {
        json!({"apiVersion": "0.0.1", "kind": "rekord", "spec": {
            "data": data,
            "signature": {
                "format": "x509",
                "content": to_base64(&key.sign(b"artifact").unwrap()),
                "publicKey": {"content": b64_pem(&key)},
            },
        }})
    };
    let signature_of =
        |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["spec"]["data"].clone();
    let hash = json!({"algorithm": "sha256", "value": Sha256::of(b"artifact").to_hex()});
    let content = to_base64(b"artifact");

    let by_hash = entry(json!({"hash": hash.clone()}));
    let proposed = ProposedEntry::parse(by_hash.to_string().as_bytes()).unwrap();
    let empty = V1EntryError::Empty("spec.data.content");
    assert_eq!(proposed.admit().unwrap_err(), empty);
    let found = proposed.canonical_body().unwrap();
    assert_eq!(signature_of(&found), json!({"hash": hash.clone()}));
    let admitted = admit_value(&entry(json!({"content": content.clone()}))).unwrap();
    assert_eq!(signature_of(admitted.body()), signature_of(&found));

    let other = json!({"algorithm": "sha256", "value": Sha256::of(b"other").to_hex()});
    let mismatch = entry(json!({"content": content, "hash": other}));
    assert_eq!(admit_value(&mismatch).unwrap_err(), V1EntryError::DataHash);
    assert_eq!(admit_value(&entry(json!({}))).unwrap_err(), empty);
    let url = entry(json!({"url": "https://example.com", "hash": hash}));
    let error = ProposedEntry::parse(url.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("url"), "{error}");
}

#[test]
fn a_timestamp_response_that_is_oversized_malformed_or_not_granted_is_rejected() {
    let entry = |content: &[u8]| {
        json!({"apiVersion": "0.0.1", "kind": "rfc3161", "spec": {
            "tsr": {"content": to_base64(content)}
        }})
    };
    let rejected = rejection(PkiFailure::BadRequest, "no");

    assert_eq!(
        admit_value(&entry(&vec![0; MAX_TIMESTAMP + 1])).unwrap_err(),
        V1EntryError::TimestampLength(10_241)
    );
    assert_eq!(
        admit_value(&entry(&rejected)).unwrap_err(),
        V1EntryError::Timestamp(TimestampError::NotGranted)
    );
    assert!(matches!(
        admit_value(&entry(b"")).unwrap_err(),
        V1EntryError::Timestamp(TimestampError::Malformed)
    ));
}
