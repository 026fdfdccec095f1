use super::*;
use crate::protocol::keys::SigningKey;

const PAYLOAD: &[u8] = b"{\"_type\":\"https://in-toto.io/Statement/v1\"}";

fn keys(algorithms: &[KeyAlgorithm]) -> Vec<SigningKey> {
    let generate = |algorithm: &KeyAlgorithm| SigningKey::generate(*algorithm).unwrap().0;
    algorithms.iter().map(generate).collect()
}

fn verifier(key: &SigningKey) -> DsseVerifier {
    DsseVerifier {
        raw: RawVerifier::PublicKey(key.public_key().spki_der().to_vec()),
        key_details: key.public_key().details(),
    }
}

fn signed_by(keys: &[SigningKey]) -> UnverifiedDsse {
    let mut envelope = Envelope {
        payload: PAYLOAD.to_vec(),
        payload_type: "application/vnd.in-toto+json".to_owned(),
        signatures: Vec::new(),
    };
    let message = envelope.pre_authentication_encoding();
    envelope.signatures = keys
        .iter()
        .map(|key| EnvelopeSignature {
            signature: key.sign(&message).unwrap(),
            key_id: None,
        })
        .collect();
    UnverifiedDsse {
        envelope,
        verifiers: keys.iter().map(verifier).collect(),
    }
}

#[test]
fn the_body_matches_that_of_rekor_tiles() {
    let verified = |signature: &'static [u8], raw: RawVerifier, key_details| CanonicalSignature {
        signature,
        canonical: raw.canonical_signature(key_details, signature),
        valid: valid(),
    };

    let body = canonical_body(
        b"payload",
        &[
            verified(
                b"\x01",
                RawVerifier::Certificate(vec![1, 2, 3]),
                KeyDetails::EcdsaP256Sha256,
            ),
            verified(
                b"\xfb\xef",
                RawVerifier::PublicKey(vec![0xff; 3]),
                KeyDetails::Ed25519,
            ),
        ],
    );

    // The digest is the output of `printf payload | sha256sum | xxd -r -p | base64`.
    assert_eq!(
        String::from_utf8(body).unwrap(),
        concat!(
            r#"{"apiVersion":"0.0.2","kind":"dsse","spec":{"dsseV002":{"payloadHash":"#,
            r#"{"algorithm":"SHA2_256","digest":"I59Z7VXnN8dxR89VrQwbAwttfudIp0JpUvm4UtWpNeU="},"#,
            r#""signatures":[{"content":"AQ==","verifier":"#,
            r#"{"keyDetails":"PKIX_ECDSA_P256_SHA_256","x509Certificate":{"rawBytes":"AQID"}}},"#,
            r#"{"content":"++8=","verifier":"#,
            r#"{"keyDetails":"PKIX_ED25519","publicKey":{"rawBytes":"////"}}}]}}}"#,
        )
    );
}

/// Proof of some valid signature.
fn valid() -> SignatureValid {
    let (key, _) = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let signature = key.sign(b"message").unwrap();
    key.public_key()
        .verify_message(b"message", &signature)
        .unwrap()
}

#[test]
fn all_kinds_of_keys_are_accepted_and_the_body_is_canonical() {
    let keys = keys(&[
        KeyAlgorithm::P256,
        KeyAlgorithm::P384,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::P256,
    ]);
    let entry = signed_by(&keys);

    let body = entry.verify().unwrap().into_body();

    let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), body);
    let logged = value["spec"]["dsseV002"]["signatures"].as_array().unwrap();
    assert_eq!(logged.len(), 4);
    let mut expected: Vec<_> = entry
        .envelope
        .signatures
        .iter()
        .zip(&entry.verifiers)
        .collect();
    expected.sort_by_key(|(one, _)| one.signature.clone());
    for (logged, (signature, verifier)) in logged.iter().zip(expected) {
        assert_eq!(logged["content"], to_base64(&signature.signature));
        assert_eq!(
            logged["verifier"]["keyDetails"],
            verifier.key_details.registry_name()
        );
    }
}

#[test]
fn the_order_of_signatures_and_verifiers_does_not_matter() {
    let keys = keys(&[KeyAlgorithm::P256, KeyAlgorithm::Ed25519]);
    let entry = signed_by(&keys);
    let mut other = entry.clone();
    other.envelope.signatures.reverse();
    let mut third = entry.clone();
    third.verifiers.reverse();

    let body = entry.verify().unwrap().into_body();

    assert_eq!(other.verify().unwrap().into_body(), body);
    assert_eq!(third.verify().unwrap().into_body(), body);
}

#[test]
fn an_entry_with_one_invalid_signature_is_rejected() {
    let keys = keys(&[KeyAlgorithm::P256, KeyAlgorithm::P256]);
    let entry = signed_by(&keys);
    let error = |change: &dyn Fn(&mut UnverifiedDsse)| {
        let mut changed = entry.clone();
        change(&mut changed);
        changed.verify().unwrap_err()
    };

    let other_payload = error(&|entry| entry.envelope.payload.push(b' '));
    let other_type = error(&|entry| entry.envelope.payload_type.push('x'));
    let flipped = error(&|entry| entry.envelope.signatures[1].signature[40] ^= 1);
    let unverified = error(&|entry| entry.verifiers.truncate(1));
    let unused = error(&|entry| entry.envelope.signatures.truncate(1));

    assert_eq!(other_payload, DsseError::Signature(0));
    assert_eq!(other_type, DsseError::Signature(0));
    assert_eq!(flipped, DsseError::Signature(1));
    assert_eq!(unverified, DsseError::Signature(1));
    assert_eq!(unused, DsseError::UnusedVerifier(1));
}

#[test]
fn missing_excess_empty_and_duplicate_signatures_are_rejected() {
    let keys = keys(&[KeyAlgorithm::Ed25519]);
    let entry = signed_by(&keys);
    let error = |signatures: &[EnvelopeSignature], verifiers: &[DsseVerifier]| {
        let mut changed = entry.clone();
        changed.envelope.signatures = signatures.to_vec();
        changed.verifiers = verifiers.to_vec();
        changed.verify().unwrap_err()
    };
    let [signature] = entry.envelope.signatures.as_slice() else {
        panic!("one key made one signature");
    };
    let [verifier] = entry.verifiers.as_slice() else {
        panic!("one key is one verifier");
    };
    let (many, empty) = (
        vec![signature.clone(); 5],
        EnvelopeSignature {
            signature: Vec::new(),
            key_id: None,
        },
    );

    assert_eq!(error(&[], &entry.verifiers), DsseError::Signatures(0));
    assert_eq!(error(&many, &entry.verifiers), DsseError::Signatures(5));
    assert_eq!(
        error(&many[..1], &vec![verifier.clone(); 5]),
        DsseError::Verifiers(5)
    );
    assert_eq!(error(&many[..1], &[]), DsseError::Verifiers(0));
    assert_eq!(
        error(&many[..2], &entry.verifiers),
        DsseError::DuplicateSignature(1)
    );
    assert_eq!(
        error(&[signature.clone(), empty], &entry.verifiers),
        DsseError::NoSignature(1)
    );
}

#[test]
fn a_ca_certificate_or_a_key_with_other_details_is_rejected() {
    let keys = keys(&[KeyAlgorithm::Ed25519]);
    let mut entry = signed_by(&keys);
    entry.verifiers[0].key_details = KeyDetails::Ed25519Ph;
    let details = entry.verify().unwrap_err();

    let pair = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["name".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    entry.verifiers = vec![DsseVerifier {
        raw: RawVerifier::Certificate(params.self_signed(&pair).unwrap().der().to_vec()),
        key_details: KeyDetails::EcdsaP256Sha256,
    }];
    let authority = entry.verify().unwrap_err();

    assert!(
        details
            .to_string()
            .starts_with("verifiers[0].keyDetails is PKIX_ED25519_PH"),
        "{details}"
    );
    assert_eq!(
        authority,
        DsseError::Verifier {
            index: 0,
            error: RawVerifierError::NotALeaf
        }
    );
}

#[test]
fn an_entry_that_does_not_fit_in_an_entry_bundle_is_rejected() {
    let key = rcgen::KeyPair::generate().unwrap();
    let signing = SigningKey::from_pkcs8(&key.serialize_der()).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["name".to_owned()]).unwrap();
    let padding = rcgen::CustomExtension::from_oid_content(&[1, 3, 9999, 1], vec![4; 50_000]);
    params.custom_extensions.push(padding);
    let mut entry = signed_by(&[signing]);
    entry.verifiers[0].raw =
        RawVerifier::Certificate(params.self_signed(&key).unwrap().der().to_vec());

    let error = entry.verify().unwrap_err();

    assert!(
        matches!(error, DsseError::TooLarge(size) if size > MAX_BODY),
        "{error}"
    );
}
