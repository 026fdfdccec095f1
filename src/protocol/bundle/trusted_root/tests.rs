use serde_json::{Value, json};

use super::*;
use crate::protocol::bytes::to_base64;
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::x509::testing::{TestAuthority, sample_keys};

fn log(key: &PublicKey, details: &str) -> Value {
    json!({
        "baseUrl": "https://log.example",
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": to_base64(key.spki_der()),
            "keyDetails": details,
            "validFor": {"start": "2025-01-01T00:00:00Z", "end": "2025-12-31T23:59:59.999Z"}
        },
        "logId": {"keyId": to_base64(key.fingerprint().as_bytes())}
    })
}

fn sample() -> Value {
    let (key, _) = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let ca = TestAuthority::new("CA");
    let authority = |uri: &str| {
        json!({
            "subject": {"organization": "o", "commonName": "c"},
            "uri": uri,
            "certChain": {"certificates": [
                {"rawBytes": to_base64(ca.intermediate.der())},
                {"rawBytes": to_base64(ca.root.der())}
            ]},
            "validFor": {"start": "2025-01-01T00:00:00Z"}
        })
    };
    json!({
        "mediaType": MEDIA_TYPE,
        "tlogs": [log(key.public_key(), "PKIX_ED25519")],
        "certificateAuthorities": [authority("https://ca.example")],
        "ctlogs": [log(key.public_key(), "PKIX_ED25519")],
        "timestampAuthorities": [authority("https://tsa.example")]
    })
}

fn read(value: &Value) -> Result<TrustedRoot, TrustedRootError> {
    TrustedRoot::from_json(value.to_string().as_bytes())
}

#[test]
fn a_trusted_root_is_parsed_with_all_its_members() {
    let document = sample();

    let root = read(&document).unwrap();

    let log = &root.logs[0];
    assert_eq!(log.base_url, "https://log.example");
    assert_eq!(
        log.validity.start,
        UnixTime::from_rfc3339("2025-01-01T00:00:00Z").unwrap()
    );
    assert_eq!(log.validity.end.unwrap().millis() % 1000, 999);
    assert_eq!(root.logs_with(log.id.as_bytes()).count(), 1);
    assert_eq!(root.logs_with(&log.id.as_bytes()[..4]).count(), 0);
    assert_eq!(root.authorities[0].chain.len(), 2);
    assert_eq!(root.timestamp_authorities[0].uri, "https://tsa.example");
    assert_eq!(root.ct_logs.len(), 1);
    assert!(root.unsupported_logs.is_empty());
}

#[test]
fn other_versions_and_unknown_members_are_refused() {
    let mut newer = sample();
    newer["mediaType"] = MEDIA_TYPE.replace("0.1", "0.2").into();
    assert!(matches!(read(&newer), Err(TrustedRootError::MediaType)));

    for pointer in [
        "",
        "/tlogs/0",
        "/tlogs/0/publicKey",
        "/certificateAuthorities/0",
    ] {
        let mut unknown = sample();
        unknown.pointer_mut(pointer).unwrap()["extra"] = 1.into();
        assert!(
            matches!(read(&unknown), Err(TrustedRootError::Json(_))),
            "{pointer}"
        );
    }
}

#[test]
fn an_authority_without_certificates_is_refused() {
    for list in ["certificateAuthorities", "timestampAuthorities"] {
        let mut empty = sample();
        empty[list][0]["certChain"]["certificates"] = json!([]);
        assert!(matches!(read(&empty), Err(TrustedRootError::Chain(_))));
    }
}

#[test]
fn a_validity_window_requires_a_start_that_is_not_after_its_end() {
    for window in [
        json!({}),
        json!({"start": null}),
        json!({"end": "2025-01-01T00:00:00Z"}),
    ] {
        let mut open = sample();
        open["tlogs"][0]["publicKey"]["validFor"] = window;
        assert!(read(&open).is_err());
    }
    for (start, end) in [
        ("2025-01-02T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("yesterday", "2025-01-01T00:00:00Z"),
        ("2025-01-01T00:00:00Z", "never"),
    ] {
        let mut reversed = sample();
        reversed["certificateAuthorities"][0]["validFor"] = json!({"start": start, "end": end});
        assert!(matches!(
            read(&reversed),
            Err(TrustedRootError::Validity(_))
        ));
    }
}

#[test]
fn a_key_that_contradicts_its_key_details_is_refused() {
    let mut other = sample();
    other["tlogs"][0]["publicKey"]["keyDetails"] = "PKIX_ECDSA_P256_SHA_256".into();
    assert!(matches!(read(&other), Err(TrustedRootError::Key(_))));

    let mut malformed = sample();
    malformed["tlogs"][0]["publicKey"]["rawBytes"] = "AQID".into();
    assert!(matches!(read(&malformed), Err(TrustedRootError::Key(_))));

    let mut short = sample();
    short["tlogs"][0]["logId"]["keyId"] = "AQIDBA==".into();
    assert!(matches!(read(&short), Err(TrustedRootError::LogId(_))));
}

#[test]
fn a_bare_rsa_key_equals_its_subject_public_key_info() {
    let rsa = sample_keys()
        .into_iter()
        .find(|key| key.algorithm() == KeyAlgorithm::Rsa4096)
        .unwrap();
    let mut document = sample();
    document["ctlogs"][0] = log(&rsa, "PKCS1_RSA_PKCS1V5");
    document["ctlogs"][0]["publicKey"]["rawBytes"] = to_base64(rsa.raw()).into();

    assert_eq!(read(&document).unwrap().ct_logs[0].key, rsa);
}

#[test]
fn a_log_with_an_unsupported_key_is_ignored_and_listed() {
    // X25519 (RFC 8410) keys do not sign.
    let mut spki = vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0];
    spki.extend_from_slice(&[9; 32]);
    let mut document = sample();
    document["tlogs"][0]["publicKey"]["rawBytes"] = to_base64(&spki).into();

    let root = read(&document).unwrap();

    assert!(root.logs.is_empty());
    assert_eq!(root.unsupported_logs, ["https://log.example"]);
}

#[test]
fn a_log_may_sign_checkpoints_under_another_key_id() {
    let mut document = sample();
    let log = &read(&document).unwrap().logs[0];
    assert_eq!(log.checkpoint_key.0, log.id.as_bytes()[..4]);

    document["tlogs"][0]["checkpointKeyId"] = json!({"keyId": "AQIDBA=="});
    let other = read(&document).unwrap();
    assert_eq!(other.logs[0].checkpoint_key, NoteKeyId([1, 2, 3, 4]));
    assert_eq!(other.logs[0].id, log.id);

    document["tlogs"][0]["checkpointKeyId"] = json!({"keyId": "AQID"});
    assert!(matches!(read(&document), Err(TrustedRootError::LogId(_))));
}
