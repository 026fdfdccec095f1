//! Tests of parsing and serializing requests.

use serde_json::{Value, json};

use super::*;
use crate::protocol::bytes::to_base64;

fn submission() -> Value {
    json!({"hashedRekordRequestV002": {
        "digest": to_base64(&[7; 32]),
        "signature": {
            "content": "c2ln",
            "verifier": {
                "x509Certificate": {"rawBytes": "Y2VydA=="},
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            },
        },
    }})
}

fn read(value: &Value) -> Result<UnverifiedHashedRekord, String> {
    let request: CreateEntryRequest =
        serde_json::from_str(&value.to_string()).map_err(|error| error.to_string())?;
    match UnverifiedEntry::try_from(request) {
        Ok(UnverifiedEntry::HashedRekord(entry)) => Ok(entry),
        Ok(UnverifiedEntry::Dsse(_)) => panic!("a hashedrekord was sent"),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn camel_case_and_snake_case_are_equivalent() {
    let camel = submission();
    let snake = camel
        .to_string()
        .replace("hashedRekordRequestV002", "hashed_rekord_request_v002")
        .replace("x509Certificate", "x509_certificate")
        .replace("rawBytes", "raw_bytes")
        .replace("keyDetails", "key_details");

    let read_camel = read(&camel).unwrap();

    assert_eq!(
        read(&serde_json::from_str(&snake).unwrap()).unwrap(),
        read_camel
    );
    assert_eq!(
        read_camel.verifier,
        RawVerifier::Certificate(b"cert".to_vec())
    );
    assert_eq!(read_camel.signature, b"sig");
}

#[test]
fn null_members_are_treated_as_absent() {
    let mut value = submission();
    value["dsseRequestV002"] = Value::Null;
    let verifier = &mut value["hashedRekordRequestV002"]["signature"]["verifier"];
    verifier["x509Certificate"] = Value::Null;
    verifier["publicKey"] = json!({"rawBytes": "a2V5"});

    assert_eq!(
        read(&value).unwrap().verifier,
        RawVerifier::PublicKey(b"key".to_vec())
    );
}

#[test]
fn requests_round_trip_between_client_and_server() {
    let written = |entry: &_| serde_json::to_value(CreateEntryRequest::from(entry)).unwrap();
    let mut entry = read(&submission()).unwrap();
    assert_eq!(written(&entry), submission());

    entry.verifier = RawVerifier::PublicKey(b"key".to_vec());
    assert_eq!(read(&written(&entry)).unwrap(), entry);
}

/// JSON pointers to all members below `value`.
fn pointers(value: &Value, base: &str, found: &mut Vec<String>) {
    if let Value::Object(members) = value {
        for (name, member) in members {
            let path = format!("{base}/{name}");
            found.push(path.clone());
            pointers(member, &path, found);
        }
    }
}

#[test]
fn a_missing_null_empty_or_mistyped_member_is_rejected() {
    let mut paths = Vec::new();
    pointers(&submission(), "", &mut paths);
    assert_eq!(paths.len(), 8);
    let replacements = [
        Value::Null,
        json!(""),
        json!([]),
        json!({}),
        json!(0),
        json!(true),
        json!("\u{0}"),
        json!(["", {}]),
        json!({"rawBytes": null}),
    ];
    for path in &paths {
        for replacement in &replacements {
            let mut value = submission();
            *value.pointer_mut(path).unwrap() = replacement.clone();
            assert_rejected(&value, path);
        }
        let (parent, name) = path.rsplit_once('/').unwrap();
        let mut value = submission();
        let members = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        members.remove(name).unwrap();
        assert_rejected(&value, path);
    }
}

/// Some requests are rejected by the parser, others when the empty signature or certificate is verified.
fn assert_rejected(value: &Value, path: &str) {
    if let Ok(entry) = read(value) {
        assert!(entry.verify().is_err(), "{path}: {value}");
    }
}

#[test]
fn unknown_and_duplicate_members_are_rejected() {
    for path in [
        "",
        "/hashedRekordRequestV002",
        "/hashedRekordRequestV002/signature",
        "/hashedRekordRequestV002/signature/verifier",
        "/hashedRekordRequestV002/signature/verifier/x509Certificate",
    ] {
        let mut value = submission();
        value.pointer_mut(path).unwrap()["url"] = json!("http://canary.example");
        assert!(
            read(&value).unwrap_err().contains("unknown field"),
            "{path}"
        );
    }
    let doubled =
        submission()
            .to_string()
            .replacen("\"digest\"", "\"digest\":\"\",\"d\\u0069gest\"", 1);
    let error = serde_json::from_str::<CreateEntryRequest>(&doubled).unwrap_err();
    assert!(error.to_string().contains("duplicate field"));
}

#[test]
fn a_request_must_have_exactly_one_kind_and_pure_ed25519_is_rejected_with_the_alternative() {
    let mut both = submission();
    both["dsseRequestV002"] = envelope()["dsseRequestV002"].clone();
    for request in [both, json!({})] {
        let error = read(&request).unwrap_err();
        assert_eq!(error, SubmissionError::NoEntry.to_string());
    }

    let mut value = submission();
    value["hashedRekordRequestV002"]["signature"]["verifier"]["keyDetails"] = json!("PKIX_ED25519");
    assert!(read(&value).unwrap_err().contains("PKIX_ED25519_PH"));
}

fn envelope() -> Value {
    json!({"dsseRequestV002": {
        "envelope": {
            "payload": "e30=",
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": "c2ln", "keyid": ""}],
        },
        "verifiers": [{
            "x509Certificate": {"rawBytes": "Y2VydA=="},
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        }],
    }})
}

fn read_envelope(value: &Value) -> Result<UnverifiedDsse, String> {
    let request: CreateEntryRequest =
        serde_json::from_str(&value.to_string()).map_err(|error| error.to_string())?;
    match UnverifiedEntry::try_from(request) {
        Ok(UnverifiedEntry::Dsse(entry)) => Ok(entry),
        Ok(UnverifiedEntry::HashedRekord(_)) => panic!("an envelope was sent"),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn camel_case_and_snake_case_are_equivalent_in_envelopes() {
    let camel = envelope();
    let snake = camel
        .to_string()
        .replace("dsseRequestV002", "dsse_request_v002")
        .replace("payloadType", "payload_type")
        .replace("x509Certificate", "x509_certificate")
        .replace("rawBytes", "raw_bytes")
        .replace("keyDetails", "key_details");

    let entry = read_envelope(&camel).unwrap();

    assert_eq!(
        read_envelope(&serde_json::from_str(&snake).unwrap()).as_ref(),
        Ok(&entry)
    );
    assert_eq!(entry.envelope.payload, b"{}");
    assert_eq!(entry.envelope.signatures[0].signature, b"sig");
    assert_eq!(
        entry.verifiers[0].raw,
        RawVerifier::Certificate(b"cert".to_vec())
    );
}

#[test]
fn an_envelope_with_an_unknown_missing_or_ambiguous_member_is_rejected() {
    let change = |pointer: &str, value: Value| {
        let mut envelope = envelope();
        *envelope.pointer_mut(pointer).unwrap() = value;
        read_envelope(&envelope).unwrap_err()
    };
    let key = json!({"rawBytes": "a2V5"});
    let both = json!({"x509Certificate": key, "publicKey": key, "keyDetails": "PKIX_ED25519"});
    let neither = json!({"keyDetails": "PKIX_ED25519"});

    for (pointer, value) in [
        ("/dsseRequestV002", json!({})),
        ("/dsseRequestV002/envelope", json!({"payload": "e30="})),
        ("/dsseRequestV002/envelope/signatures", json!("c2ln")),
        (
            "/dsseRequestV002/envelope/signatures/0",
            json!({"sig": "*"}),
        ),
        (
            "/dsseRequestV002/envelope/signatures/0",
            json!({"sig": "c2ln", "cert": ""}),
        ),
        ("/dsseRequestV002/verifiers/0", json!({"hint": ""})),
    ] {
        change(pointer, value);
    }
    for value in [both, neither] {
        assert_eq!(
            change("/dsseRequestV002/verifiers/0", value),
            SubmissionError::Verifier.to_string()
        );
    }
}
