//! The pre-authentication encoding is unambiguous, and a statement names only artifacts whose digests it contains.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signet::testing::{
    Artifact, Bundle, Content, Envelope, MAX_SUBJECTS, Statement, pre_authentication_encoding,
    to_base64,
};
use signet_fuzz::{ARTIFACT, BUNDLE};

fuzz_target!(|data: &[u8]| {
    if let Ok(statement) = Statement::parse(data) {
        check_statement(data, &statement);
    }
    let (head, payload) = data.split_at(data.len().min(data.first().copied().unwrap_or(0).into()));
    let payload_type = String::from_utf8_lossy(head);
    let encoding = pre_authentication_encoding(&payload_type, payload);
    assert_eq!(
        read_encoding(&encoding),
        Some((payload_type.as_bytes(), payload))
    );
    if payload.len() < 4096 {
        check_envelope(&payload_type, payload);
    }
});

fn check_statement(data: &[u8], statement: &Statement) {
    let value: serde_json::Value = serde_json::from_slice(data).expect("a statement is JSON");
    let subjects = value["subject"].as_array().expect("subjects are a list");
    assert!((1..=MAX_SUBJECTS).contains(&subjects.len()));
    assert_eq!(value["predicateType"], statement.predicate_type());
    let text = value.to_string().to_ascii_lowercase();
    for content in [ARTIFACT, b"another file"] {
        let artifact = Artifact::from_bytes(content);
        if let Some(digest) = statement.names(&artifact) {
            assert_eq!(artifact.digest(digest.algorithm()), Some(digest));
            assert!(text.contains(&hex::encode(digest.as_bytes())));
            assert!(
                statement
                    .hash_algorithms()
                    .any(|one| one == digest.algorithm())
            );
        }
    }
    let own = Artifact::from_bytes(data);
    assert!(
        statement.names(&own).is_none(),
        "a statement cannot contain its own digest"
    );
}

/// DSSE protocol: `DSSEv1 SP len(type) SP type SP len(payload) SP payload`, and nothing after it.
fn read_encoding(encoding: &[u8]) -> Option<(&[u8], &[u8])> {
    fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
        bytes[space + 1..].split_at_checked(length)
    }
    let (payload_type, rest) = part(encoding.strip_prefix(b"DSSEv1 ")?)?;
    let (payload, rest) = part(rest.strip_prefix(b" ")?)?;
    rest.is_empty().then_some((payload_type, payload))
}

/// Parsing a bundle does not change its envelope.
fn check_envelope(payload_type: &str, payload: &[u8]) {
    let mut bundle: serde_json::Value = serde_json::from_slice(BUNDLE).expect("the seed is JSON");
    let members = bundle.as_object_mut().expect("a bundle is an object");
    members.remove("messageSignature");
    members.insert(
        "dsseEnvelope".to_owned(),
        serde_json::json!({
            "payload": to_base64(payload),
            "payloadType": payload_type,
            "signatures": [{"sig": "AAAA"}],
        }),
    );
    let bundle = Bundle::from_json(bundle.to_string().as_bytes()).expect("a well-formed bundle");
    let Content::Envelope(Envelope {
        payload: read,
        payload_type: read_type,
        signatures,
    }) = bundle.content()
    else {
        panic!("the bundle has an envelope");
    };
    assert_eq!(
        (read.as_slice(), read_type.as_str(), signatures.len()),
        (payload, payload_type, 1)
    );
}
