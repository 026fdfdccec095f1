use super::*;
use crate::protocol::bytes::to_base64;

/// A bundle that parses but does not verify.
fn sample() -> serde_json::Value {
    serde_json::json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {"rawBytes": "AQI="},
            "tlogEntries": [{
                "logIndex": "7",
                "logId": {"keyId": "AAAA"},
                "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
                "inclusionProof": {
                    "logIndex": "7",
                    "rootHash": to_base64(&[1; 32]),
                    "treeSize": "8",
                    "hashes": [to_base64(&[2; 32])],
                    "checkpoint": {"envelope": "note"}
                },
                "canonicalizedBody": "e30="
            }],
            "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": "AQ=="}]}
        },
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": to_base64(&[3; 32])},
            "signature": "AQIDBA=="
        }
    })
}

fn read(value: &serde_json::Value) -> Result<Bundle, BundleError> {
    Bundle::from_json(value.to_string().as_bytes())
}

/// The sample with the value at a JSON pointer replaced.
fn with(pointer: &str, value: serde_json::Value) -> serde_json::Value {
    let mut bundle = sample();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    bundle.pointer_mut(parent).unwrap()[name] = value;
    bundle
}

#[test]
fn a_parsed_bundle_serializes_to_the_same_json() {
    let bundle = read(&sample()).unwrap();

    let written: serde_json::Value = serde_json::from_str(&bundle.to_json()).unwrap();

    assert_eq!(written, sample());
}

#[test]
fn arrays_in_place_of_messages_and_objects_in_place_of_enum_names_are_refused() {
    let bytes = serde_json::json!({"rawBytes": "AQI="});
    let certificate = |value| with("/verificationMaterial/certificate", value);
    assert!(read(&certificate(bytes)).is_ok());
    assert!(read(&certificate(serde_json::json!(["AQI="]))).is_err());

    let hash = "/messageSignature/messageDigest/algorithm";
    assert!(read(&with(hash, serde_json::json!({"SHA2_256": null}))).is_err());
    let all = sample();
    let members = [
        "mediaType",
        "verificationMaterial",
        "messageSignature",
        "dsseEnvelope",
    ];
    assert!(read(&members.map(|name| all[name].clone()).to_vec().into()).is_err());
}

#[test]
fn every_spelling_of_the_media_types_is_accepted() {
    for (media_type, version) in [
        (
            "application/vnd.dev.sigstore.bundle+json;version=0.1",
            BundleVersion::V0_1,
        ),
        (
            "application/vnd.dev.sigstore.bundle+json;version=0.2",
            BundleVersion::V0_2,
        ),
        (
            "application/vnd.dev.sigstore.bundle+json;version=0.3",
            BundleVersion::V0_3,
        ),
        (
            "application/vnd.dev.sigstore.bundle.v0.3+json",
            BundleVersion::V0_3,
        ),
    ] {
        assert_eq!(
            read(&with("/mediaType", media_type.into()))
                .unwrap()
                .version(),
            version
        );
    }
    for media_type in [
        "application/vnd.dev.sigstore.bundle+json;version=0.4",
        "application/vnd.dev.sigstore.bundle.v0.3+json ",
        "application/json",
        "",
    ] {
        let error = read(&with("/mediaType", media_type.into())).unwrap_err();
        assert!(matches!(error, BundleError::MediaType), "{media_type}");
    }
}

#[test]
fn empty_members_of_a_log_reply_are_omitted() {
    // Rekor v2 replies with every member, empty ones included (rekor-tiles, proto3 JSON with
    // EmitUnpopulated).
    let mut entry = sample()["verificationMaterial"]["tlogEntries"][0].clone();
    entry["integratedTime"] = "0".into();
    entry["inclusionPromise"] = serde_json::Value::Null;
    let entry: wire::LogEntryJson = serde_json::from_value(entry).unwrap();
    let written = serde_json::to_value(&entry).unwrap();

    assert_eq!(written, sample()["verificationMaterial"]["tlogEntries"][0]);
}

#[test]
fn proto3_spellings_and_defaults_are_accepted() {
    let text = sample()
        .to_string()
        .replace("mediaType", "media_type")
        .replace("tlogEntries", "tlog_entries")
        .replace(",\"logIndex\":\"7\"", "")
        .replace("AQIDBA==", "-_8");
    let bundle = Bundle::from_json(text.as_bytes()).unwrap();

    assert_eq!(bundle.entries()[0].index, 0);
    assert!(matches!(
        bundle.content(),
        Content::Message { signature, .. } if signature == &[0xfb, 0xff]
    ));
}

#[test]
fn unknown_and_repeated_members_are_refused() {
    let text = sample().to_string();
    for text in [
        text.replacen('{', r#"{"extra":1,"#, 1),
        text.replacen(r#""kind":"#, r#""extra":1,"kind":"#, 1),
        text.replacen(r#""signature":"#, r#""signature":"AQ==","signature":"#, 1),
        text.replacen(
            r#""signature":"#,
            r#""s\u0069gnature":"AQ==","signature":"#,
            1,
        ),
        text.replacen(r#""mediaType":"#, r#""media_type":"x","mediaType":"#, 1),
        text + " x",
    ] {
        assert!(
            matches!(
                Bundle::from_json(text.as_bytes()),
                Err(BundleError::Json(_))
            ),
            "{text}"
        );
    }
}

#[test]
fn exactly_one_kind_of_material_and_of_content_is_accepted() {
    let key = serde_json::json!({"hint": "x"});
    let two_materials = with("/verificationMaterial/publicKey", key);
    let no_material = with("/verificationMaterial/certificate", serde_json::Value::Null);
    let envelope = serde_json::json!({"payload": "", "payloadType": "x", "signatures": []});
    let two_contents = with("/dsseEnvelope", envelope);
    let no_content = with("/messageSignature", serde_json::Value::Null);

    for bundle in [two_materials, no_material] {
        assert!(matches!(read(&bundle), Err(BundleError::MaterialChoice)));
    }
    for bundle in [two_contents, no_content] {
        assert!(matches!(read(&bundle), Err(BundleError::ContentChoice)));
    }
}

#[test]
fn lists_and_bundles_over_their_limits_are_refused() {
    let many = |pointer: &str, count: usize| {
        let element = sample().pointer(pointer).unwrap()[0].clone();
        read(&with(pointer, vec![element; count].into()))
    };
    let entries = "/verificationMaterial/tlogEntries";
    let timestamps = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";

    for list in [entries, timestamps] {
        assert!(many(list, 32).is_ok());
        assert!(matches!(many(list, 33), Err(BundleError::Json(_))));
    }
    let long = vec![b' '; MAX_BUNDLE_LENGTH + 1];
    assert!(matches!(
        Bundle::from_json(&long),
        Err(BundleError::TooLarge(_))
    ));
}

#[test]
fn digests_and_hashes_of_the_wrong_length_are_refused() {
    let short = to_base64(&[1; 31]);
    let proof = "/verificationMaterial/tlogEntries/0/inclusionProof";

    assert!(matches!(
        read(&with(
            "/messageSignature/messageDigest/digest",
            short.clone().into()
        )),
        Err(BundleError::MessageDigest(_))
    ));
    for (member, value) in [
        ("rootHash", short.clone().into()),
        ("hashes", vec![short].into()),
    ] {
        assert!(matches!(
            read(&with(&format!("{proof}/{member}"), value)),
            Err(BundleError::ProofHash(_))
        ));
    }
}

#[test]
fn the_error_names_cosigns_detached_format() {
    let detached = br#"{"base64Signature":"AQ==","cert":"x","rekorBundle":{}}"#;

    let error = Bundle::from_json(detached).unwrap_err();

    assert!(matches!(error, BundleError::CosignDetached));
}
