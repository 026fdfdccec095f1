use super::*;
use crate::protocol::bytes::{Sha256, to_base64};
use crate::protocol::keys::{KeyAlgorithm, SignatureInvalid, SigningKey};

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

fn admit(json: &str) -> Result<AdmittedEntry, EntryError> {
    ProposedEntry::parse(json.as_bytes()).unwrap().admit()
}

#[test]
fn a_hashedrekord_is_admitted_in_canonical_form() {
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
fn a_hashedrekord_whose_signature_is_over_something_else_is_refused() {
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let json = hashedrekord(
        &key.public_key().to_pem(),
        &key.sign(b"another artifact").unwrap(),
        &Sha256::of(b"artifact").to_hex(),
    );

    let error = admit(&json).unwrap_err();
    assert_eq!(
        error,
        EntryError::Signature {
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
fn kinds_and_versions_that_are_not_offered_are_named() {
    let refusal = |kind: &str, version: &str| {
        let json = format!(r#"{{"kind":"{kind}","apiVersion":"{version}","spec":{{}}}}"#);
        ProposedEntry::parse(json.as_bytes())
            .unwrap_err()
            .to_string()
    };

    for kind in ["jar", "rpm", "alpine", "helm", "tuf", "cose", "other"] {
        let message = refusal(kind, "0.0.1");
        assert!(message.contains(&format!("{kind:?}")), "{message}");
        assert!(message.contains("hashedrekord 0.0.1"), "{message}");
    }
    assert!(refusal("hashedrekord", "0.0.9").contains("\"0.0.9\""));
}

#[test]
fn a_member_that_is_wrong_is_named_by_its_path() {
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
