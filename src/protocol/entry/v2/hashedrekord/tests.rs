use super::*;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::SigningKey;

fn signed(algorithm: KeyAlgorithm) -> UnverifiedHashedRekord {
    let (key, _) = SigningKey::generate(algorithm).unwrap();
    UnverifiedHashedRekord::new(
        algorithm.hash().digest(b"artifact").as_bytes().to_vec(),
        key.sign(b"artifact").unwrap(),
        RawVerifier::PublicKey(key.public_key().spki_der().to_vec()),
        loggable_details(algorithm),
    )
    .unwrap()
}

#[test]
fn the_body_matches_that_of_rekor_tiles() {
    let entry = UnverifiedHashedRekord::new(
        vec![0xff; 32],
        vec![0xfb, 0xef],
        RawVerifier::Certificate(vec![1, 2, 3]),
        KeyDetails::EcdsaP256Sha256,
    )
    .unwrap();

    assert_eq!(
        String::from_utf8(entry.canonical_body()).unwrap(),
        concat!(
            r#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":"#,
            r#"{"data":{"algorithm":"SHA2_256","#,
            r#""digest":"//////////////////////////////////////////8="},"#,
            r#""signature":{"content":"++8=","verifier":"#,
            r#"{"keyDetails":"PKIX_ECDSA_P256_SHA_256","#,
            r#""x509Certificate":{"rawBytes":"AQID"}}}}}}"#,
        )
    );
}

#[test]
fn the_body_is_canonical() {
    for verifier in [RawVerifier::Certificate, RawVerifier::PublicKey] {
        for size in [1, 2, 3, 700] {
            let entry = UnverifiedHashedRekord::new(
                HashAlgorithm::Sha512.digest(&[7]).as_bytes().to_vec(),
                (0..size).map(|n: usize| n.to_le_bytes()[0]).collect(),
                verifier(vec![0xfe; size]),
                KeyDetails::Ed25519Ph,
            )
            .unwrap();
            let body = entry.canonical_body();

            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), body);
            assert_eq!(UnverifiedHashedRekord::parse_body(&body).unwrap(), entry);
        }
    }
}

#[test]
fn only_a_valid_signature_is_accepted() {
    for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384] {
        let entry = signed(algorithm);
        assert_eq!(entry.verify().unwrap().into_body(), entry.canonical_body());

        let mut other = entry.clone();
        other.digest = algorithm.hash().digest(b"another artifact");
        assert_eq!(
            other.verify().unwrap_err(),
            HashedRekordError::Signature(SignatureInvalid)
        );
        let mut other = entry;
        other.signature.clear();
        assert_eq!(other.verify().unwrap_err(), HashedRekordError::NoSignature);
    }
}

#[test]
fn pure_ed25519_is_rejected_and_does_not_verify_as_ed25519ph() {
    let entry = signed(KeyAlgorithm::Ed25519);
    let error = UnverifiedHashedRekord::new(
        vec![0; 64],
        vec![0; 64],
        entry.verifier.clone(),
        KeyDetails::Ed25519,
    );

    assert_eq!(error, Err(HashedRekordError::PureEd25519));
    assert_eq!(
        entry.verify().unwrap_err(),
        HashedRekordError::Signature(SignatureInvalid)
    );
}

#[test]
fn the_ed25519ph_signature_of_rfc_8032_is_accepted() {
    // RFC 8032 §7.3, "abc".
    let key = hex::decode(concat!(
        "302a300506032b6570032100",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"
    ))
    .unwrap();
    let signature = hex::decode(concat!(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41",
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    ))
    .unwrap();
    let entry = UnverifiedHashedRekord::new(
        HashAlgorithm::Sha512.digest(b"abc").as_bytes().to_vec(),
        signature,
        RawVerifier::PublicKey(key),
        KeyDetails::Ed25519Ph,
    )
    .unwrap();

    entry.verify().unwrap();
}

#[test]
fn the_key_must_match_the_declared_details() {
    let mut entry = signed(KeyAlgorithm::P256);
    entry.key_details = KeyDetails::RsaPkcs1v15_2048Sha256;

    assert_eq!(
        entry.verify().unwrap_err(),
        HashedRekordError::Verifier(RawVerifierError::KeyDetails {
            declared: KeyDetails::RsaPkcs1v15_2048Sha256,
            key: KeyAlgorithm::P256,
            expected: KeyDetails::EcdsaP256Sha256,
        })
    );
}

#[test]
fn digests_of_the_wrong_length_and_oversized_entries_are_rejected() {
    let entry = signed(KeyAlgorithm::P384);
    let short = UnverifiedHashedRekord::new(
        Sha256::of(b"artifact").as_bytes().to_vec(),
        entry.signature.clone(),
        entry.verifier.clone(),
        entry.key_details,
    );
    assert!(matches!(short, Err(HashedRekordError::Digest(_))));

    let mut large = entry;
    large.signature = vec![0; 60_000];
    assert!(matches!(
        large.verify().unwrap_err(),
        HashedRekordError::TooLarge(size) if size > MAX_BODY
    ));
}

#[test]
fn a_public_key_in_place_of_a_certificate_is_rejected() {
    let mut entry = signed(KeyAlgorithm::P256);
    let RawVerifier::PublicKey(spki) = entry.verifier else {
        panic!("signed() returns a public key");
    };
    entry.verifier = RawVerifier::Certificate(spki);

    assert!(matches!(
        entry.verify().unwrap_err(),
        HashedRekordError::Verifier(RawVerifierError::Certificate(_))
    ));
}

#[test]
fn a_leaf_certificate_is_accepted_and_a_ca_certificate_is_rejected() {
    let key = rcgen::KeyPair::generate().unwrap();
    let signing = SigningKey::from_pkcs8(&key.serialize_der()).unwrap();
    let verdict = |is_ca| {
        let mut params = rcgen::CertificateParams::new(vec!["name".to_owned()]).unwrap();
        params.is_ca = is_ca;
        let certificate = params.self_signed(&key).unwrap();
        UnverifiedHashedRekord::new(
            Sha256::of(b"artifact").as_bytes().to_vec(),
            signing.sign(b"artifact").unwrap(),
            RawVerifier::Certificate(certificate.der().to_vec()),
            KeyDetails::EcdsaP256Sha256,
        )
        .unwrap()
        .verify()
    };

    verdict(rcgen::IsCa::NoCa).unwrap();
    let authority = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    assert_eq!(
        verdict(authority).unwrap_err(),
        HashedRekordError::Verifier(RawVerifierError::NotALeaf)
    );
}

#[test]
fn a_body_that_is_not_canonical_is_rejected() {
    let body = String::from_utf8(signed(KeyAlgorithm::P256).canonical_body()).unwrap();
    let parse = |text: String| UnverifiedHashedRekord::parse_body(text.as_bytes());

    for (from, to, error) in [
        (
            "{\"apiVersion\"",
            "{ \"apiVersion\"",
            HashedRekordBodyError::NotCanonical,
        ),
        (
            "\"kind\"",
            "\"k\\u0069nd\"",
            HashedRekordBodyError::NotCanonical,
        ),
        ("0.0.2", "0.0.1", HashedRekordBodyError::Malformed),
        (
            "\"hashedrekord\"",
            "\"dsse\"",
            HashedRekordBodyError::Malformed,
        ),
        ("SHA2_256", "SHA2_384", HashedRekordBodyError::Algorithm),
        (
            "{\"data\"",
            "{\"url\":\"x\",\"data\"",
            HashedRekordBodyError::Malformed,
        ),
        (
            "publicKey",
            "x509Certificate2",
            HashedRekordBodyError::Malformed,
        ),
        (
            "\"digest\":\"",
            "\"digest\":\" ",
            HashedRekordBodyError::Malformed,
        ),
    ] {
        assert!(body.contains(from));
        assert_eq!(parse(body.replacen(from, to, 1)), Err(error), "{to}");
    }
    assert_eq!(
        parse(format!("{body}\n")),
        Err(HashedRekordBodyError::NotCanonical)
    );
    assert_eq!(
        parse(format!("{body}x")),
        Err(HashedRekordBodyError::Malformed)
    );
    assert_eq!(
        parse(" ".repeat(MAX_BODY + 1)),
        Err(HashedRekordBodyError::TooLarge(MAX_BODY + 1))
    );
}
