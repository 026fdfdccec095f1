//! Most tests change one thing in a valid bundle and expect a particular refusal.

mod forms;
mod strictness;

use std::time::Duration;

use super::testing::*;
use super::*;
use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::bundle::{BundleVersion, Content, InclusionProof, LogEntry, SigningMaterial};
use crate::protocol::evidence::{KeyEvidence, TimeSource};
use crate::protocol::hash::{HashAlgorithm, Sha256};
use crate::protocol::identity::CertificateIdentity;
use crate::protocol::keys::{KeyAlgorithm, KeyDetails, SigningKey};
use crate::protocol::policy::IdentityMatcher;
use crate::protocol::time::Validity;
use crate::protocol::x509::Certificate;
use crate::protocol::x509::testing::NOW;

#[test]
fn a_valid_bundle_is_verified_with_its_evidence() {
    let world = World::new();

    let verified = world.verdict(&world.message()).unwrap();

    let identity = CertificateIdentity {
        issuer: ISSUER.to_owned(),
        subject: SUBJECT.to_owned(),
    };
    assert_eq!(verified.signer(), &SignerIdentity::Certificate(identity));
    assert_eq!(verified.times()[0].time, entry_time());
    assert_eq!(verified.entries()[0].index, FIRST_INDEX);
    assert_eq!(verified.entries()[0].tree_size, Some(2));
    let names: Vec<_> = verified.checks().iter().map(|check| check.name).collect();
    assert_eq!(names, CheckName::STEPS);
    assert!(
        verified
            .checks()
            .iter()
            .all(|check| check.outcome == Outcome::Passed)
    );
}

#[test]
fn every_check_that_passed_has_typed_evidence() {
    let world = World::new();

    let verified = world.verdict(&world.native()).unwrap();

    let leaf = world.signer.public_key().fingerprint();
    let evidence: Vec<_> = verified
        .checks()
        .iter()
        .map(|check| (check.code, check.evidence.clone().unwrap()))
        .collect();
    assert!(evidence.iter().all(|(code, _)| *code == "ok"));
    let [form, artifact, time, path, sct, entry, signature, identity] = evidence.as_slice() else {
        panic!("{evidence:?}")
    };
    assert_eq!(
        form.1,
        CheckEvidence::BundleForm {
            bundle_version: BundleVersion::V0_3,
            log_entries: 1,
            timestamps: 1,
        }
    );
    assert_eq!(
        artifact.1,
        CheckEvidence::Artifact {
            digest: HashAlgorithm::Sha256.digest(ARTIFACT),
            predicate_type: None,
        }
    );
    assert_eq!(time.1, CheckEvidence::Time(verified.times()[0].clone()));
    let CheckEvidence::Path(path) = &path.1 else {
        panic!("{path:?}")
    };
    assert_eq!(path.authority, "https://ca.example");
    assert_eq!(path.anchor, world.authority.root.fingerprint());
    assert!(matches!(&sct.1, CheckEvidence::Sct(sct) if sct.log == "https://ct.example"));
    let CheckEvidence::Entry(entry) = &entry.1 else {
        panic!("{entry:?}")
    };
    assert_eq!((entry.index, entry.tree_size), (1, Some(2)));
    assert_eq!(entry.key, world.tiles_log.public_key().fingerprint());
    assert_eq!(entry.key_details, Some(KeyDetails::EcdsaP256Sha256));
    assert_eq!(
        signature.1,
        CheckEvidence::Signature(KeyEvidence {
            fingerprint: leaf,
            details: KeyDetails::EcdsaP256Sha256
        })
    );
    assert!(matches!(
        &identity.1,
        CheckEvidence::Signer(SignerIdentity::Certificate(identity)) if identity.subject == SUBJECT
    ));
}

#[test]
fn an_authentic_bundle_is_not_accepted_until_its_signer_is() {
    let world = World::new();
    let bundle = world.message();
    let unexpected = IdentityMatcher::exact(ISSUER, "mallory@example.com").unwrap();
    let other = Expectation::Identity(Policy::any_of([unexpected]).unwrap());
    let key = Expectation::Key(world.signer.public_key().clone());

    let authentic = world.authentic(&bundle);

    let names: Vec<_> = authentic.checks().iter().map(|check| check.name).collect();
    assert!(!names.contains(&CheckName::Identity));
    let denied = authentic.clone().accept(&other).unwrap_err();
    assert_eq!(denied.reason.code(), "identity-denied");
    assert_eq!(denied.checks.last().unwrap().outcome, Outcome::Failed);
    assert_eq!(
        authentic.accept(&key).unwrap_err().reason.code(),
        "key-not-wanted"
    );
}

#[test]
fn the_evidence_contains_what_was_proved() {
    let world = World::new();
    let payload = statement_about(ARTIFACT).replace("{}", r#"{"level":3}"#);

    let authentic = world.authentic(&world.attestation_of(&payload));
    let evidence = authentic.evidence();

    let certificate = evidence.certificate.as_ref().unwrap();
    assert_eq!(certificate.identity.subject, SUBJECT);
    assert_eq!(certificate.claims["issuer"], ISSUER);
    assert_eq!(certificate.path.anchor, world.authority.root.fingerprint());
    assert_eq!(certificate.scts[0].log, "https://ct.example");
    assert_ne!(certificate.serial[0], 0);
    assert_eq!(
        evidence.key.fingerprint,
        world.signer.public_key().fingerprint()
    );
    assert_eq!(evidence.artifact.digests().len(), 3);
    assert_eq!(evidence.times[0].authority, "https://log.example");
    assert_eq!(evidence.entries[0].index, FIRST_INDEX);
    let statement = evidence.statement.as_ref().unwrap();
    assert_eq!(statement.predicate_type(), "p");
    assert_eq!(statement.predicate(), Some(r#"{"level":3}"#));
}

#[test]
fn a_log_listed_twice_is_trusted_in_either_window() {
    let mut world = World::new();
    let bundle = world.message();
    let native = world.native();
    let retired = Validity {
        start: UnixTime::from_millis(0),
        end: Some(NOW),
    };
    let old: Vec<_> = world.trust.logs.clone();
    for log in &old {
        let mut retired_log = log.clone();
        retired_log.validity = retired;
        world.trust.logs.insert(0, retired_log);
    }
    assert_eq!(world.code(&bundle), "verified");
    assert_eq!(world.code(&native), "verified");

    for log in &mut world.trust.logs {
        log.validity = retired;
    }
    assert_eq!(world.code(&bundle), "log-not-trusted-then");
    assert_eq!(world.code(&native), "log-not-trusted-then");
}

#[test]
fn signatures_by_every_kind_of_key_that_can_be_generated_are_verified() {
    for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::P384] {
        let world = World::with_signer(algorithm);
        world.verdict(&world.message()).unwrap();
        world.verdict(&world.attestation()).unwrap();
    }
    let world = World::with_signer(KeyAlgorithm::Ed25519);
    world.verdict(&world.attestation()).unwrap();
}

#[test]
fn a_refusal_lists_the_checks_that_were_not_reached() {
    let world = World::new();
    let mut bundle = world.message();
    bundle.entries[0].promise = None;
    let expectation = Expectation::Identity(
        Policy::any_of([IdentityMatcher::exact(ISSUER, SUBJECT).unwrap()]).unwrap(),
    );

    let refused = verify(
        &bundle,
        &Artifact::from_bytes(ARTIFACT),
        &expectation,
        &world.trust,
        NOW,
    )
    .unwrap_err();

    let outcomes: Vec<_> = refused.checks.iter().map(|check| check.outcome).collect();
    assert_eq!(refused.reason.code(), "no-time");
    assert_eq!(
        outcomes[..3],
        [Outcome::Passed, Outcome::Passed, Outcome::Failed]
    );
    assert!(
        outcomes[3..]
            .iter()
            .all(|outcome| *outcome == Outcome::Skipped)
    );
    assert_eq!(outcomes.len(), CheckName::STEPS.len());
}

#[test]
fn another_artifact_another_identity_and_another_issuer_are_refused() {
    let world = World::new();
    let bundle = world.message();
    let code = |artifact: &[u8], issuer: &str, subject: &str| {
        let matcher = IdentityMatcher::exact(issuer, subject).unwrap();
        let expectation = Expectation::Identity(Policy::any_of([matcher]).unwrap());
        let artifact = Artifact::from_bytes(artifact);
        verify(&bundle, &artifact, &expectation, &world.trust, entry_time())
            .unwrap_err()
            .reason
            .code()
    };

    assert_eq!(code(b"other", ISSUER, SUBJECT), "artifact-mismatch");
    assert_eq!(code(ARTIFACT, ISSUER, "bob@example.com"), "identity-denied");
    assert_eq!(
        code(ARTIFACT, "https://idp.example/", SUBJECT),
        "identity-denied"
    );
}

#[test]
fn without_the_digest_hint_the_log_entry_binds_the_artifact() {
    let world = World::new();
    let mut bundle = world.message();
    let Content::Message { digest, .. } = &mut bundle.content else {
        unreachable!("a message bundle")
    };
    *digest = None;
    let expectation = Expectation::Identity(
        Policy::any_of([IdentityMatcher::exact(ISSUER, SUBJECT).unwrap()]).unwrap(),
    );
    let refused = |artifact| {
        verify(&bundle, &artifact, &expectation, &world.trust, entry_time())
            .unwrap_err()
            .reason
            .code()
    };

    world.verdict(&bundle).unwrap();
    assert_eq!(refused(Artifact::from_bytes(b"other")), "entry-mismatch");
    assert_eq!(
        refused(HashAlgorithm::Sha512.digest(ARTIFACT).into()),
        "digest-needed"
    );
}

#[test]
fn a_genuine_entry_for_something_else_is_refused() {
    // A different artifact, a different certificate for the same key, the key without a certificate, and
    // a different signature.
    let world = World::new();
    let bundle = world.message();
    let leaf = Certificate::from_der(bundle.material.certificate().unwrap()).unwrap();
    let digest = HashAlgorithm::Sha256.digest(ARTIFACT);
    let genuine = signature(&bundle).to_vec();
    let again = world.signer.sign(ARTIFACT).unwrap();
    let bodies = [
        hashedrekord_v1(
            &HashAlgorithm::Sha256.digest(b"other"),
            &genuine,
            &leaf.to_pem(),
        ),
        hashedrekord_v1(&digest, &genuine, &world.leaf().to_pem()),
        hashedrekord_v1(&digest, &genuine, &world.signer.public_key().to_pem()),
        hashedrekord_v1(&digest, &again, &leaf.to_pem()),
    ];

    for body in bodies {
        let mut spliced = bundle.clone();
        spliced.entries = vec![world.entry(("hashedrekord", "0.0.1"), body, FIRST_INDEX)];
        assert_eq!(world.code(&spliced), "entry-mismatch");
    }
    let mut dsse = bundle;
    dsse.entries = world.attestation().entries;
    assert_eq!(world.code(&dsse), "entry-kind");
}

#[test]
fn kind_and_version_must_be_those_of_the_body() {
    let world = World::new();
    let mut bundle = world.message();
    bundle.entries[0].version = "0.0.2".to_owned();
    bundle.entries[0].index = 1;
    let body = bundle.entries[0].body.clone();
    bundle.entries = vec![entry_of(
        &world.log,
        ("hashedrekord", "0.0.2"),
        body,
        1,
        entry_time(),
    )];

    assert_eq!(world.code(&bundle), "entry-malformed");
}

#[test]
fn a_body_with_unknown_members_is_refused() {
    let world = World::new();
    for (from, to) in [
        (r#""kind""#, r#""extra":1,"kind""#),
        (r#""spec":{"#, r#""spec":{"extra":1,"#),
        (
            r#""kind":"hashedrekord""#,
            r#""kind":"hashedrekord","kind":"hashedrekord""#,
        ),
    ] {
        let mut bundle = world.message();
        let body = String::from_utf8(bundle.entries[0].body.clone()).unwrap();
        let body = body.replacen(from, to, 1);
        bundle.entries = vec![world.entry(("hashedrekord", "0.0.1"), body, FIRST_INDEX)];
        assert_eq!(world.code(&bundle), "entry-malformed", "{to}");
    }
}

#[test]
fn a_rekor_v2_entry_is_accepted_for_messages_and_envelopes() {
    let world = World::new();
    for mut bundle in [world.message(), world.attestation()] {
        let digest = match &bundle.content {
            Content::Message { .. } => Sha256::of(ARTIFACT),
            Content::Envelope(envelope) => Sha256::of(&envelope.pre_authentication_encoding()),
        };
        let kind = ("hashedrekord", "0.0.2");
        let body = hashedrekord_v2(&bundle, digest.as_bytes(), "PKIX_ECDSA_P256_SHA_256");
        bundle.entries = vec![world.entry(kind, body, 1)];
        world.verdict(&bundle).unwrap();

        let body = hashedrekord_v2(&bundle, &[0; 32], "PKIX_ECDSA_P256_SHA_256");
        bundle.entries = vec![world.entry(kind, body, 1)];
        assert_eq!(world.code(&bundle), "entry-mismatch");

        let body = hashedrekord_v2(&bundle, digest.as_bytes(), "PKIX_ECDSA_P384_SHA_384");
        bundle.entries = vec![world.entry(kind, body, 1)];
        assert_eq!(world.code(&bundle), "entry-malformed");
    }
}

#[test]
fn the_inclusion_proof_of_a_rekor_v2_entry_must_have_the_index_of_the_entry() {
    let world = World::new();
    let mut bundle = world.message();
    let digest = Sha256::of(ARTIFACT);
    let body = hashedrekord_v2(&bundle, digest.as_bytes(), "PKIX_ECDSA_P256_SHA_256");
    bundle.entries = vec![world.entry(("hashedrekord", "0.0.2"), body, 7)];

    assert_eq!(world.code(&bundle), "index-mismatch");
}

#[test]
fn proofs_and_checkpoints_of_other_trees_are_refused() {
    let world = World::new();
    let break_proof = |change: fn(&mut InclusionProof)| {
        let mut bundle = world.message();
        change(bundle.entries[0].proof.as_mut().unwrap());
        world.code(&bundle)
    };

    assert_eq!(
        break_proof(|proof| proof.index = 0),
        "inclusion-proof-invalid"
    );
    assert_eq!(
        break_proof(|proof| proof.index = 2),
        "inclusion-proof-invalid"
    );
    assert_eq!(
        break_proof(|proof| proof.tree_size = 3),
        "inclusion-proof-invalid"
    );
    assert_eq!(
        break_proof(|proof| proof.hashes.clear()),
        "inclusion-proof-invalid"
    );
    assert_eq!(
        break_proof(|proof| proof.root = Sha256::of(b"other")),
        "inclusion-proof-invalid"
    );
    assert_eq!(
        break_proof(|proof| proof.hashes[0] = Sha256::of(b"other")),
        "inclusion-proof-invalid"
    );
}

#[test]
fn a_valid_inclusion_proof_for_an_unsigned_tree_is_refused() {
    let world = World::new();
    let mut bundle = world.message();
    let other = entry_of(&world.log, ("x", "y"), b"other".to_vec(), 1, entry_time());
    let unsigned_tree = entry_of(
        &generate(KeyAlgorithm::P256),
        ("x", "y"),
        bundle.entries[0].body.clone(),
        1,
        entry_time(),
    );
    let checkpoint = |entry: &LogEntry| entry.proof.as_ref().unwrap().checkpoint.clone();

    bundle.entries[0].proof.as_mut().unwrap().checkpoint = checkpoint(&other);
    assert_eq!(world.code(&bundle), "checkpoint-of-other-tree");
    bundle.entries[0].proof.as_mut().unwrap().checkpoint = checkpoint(&unsigned_tree);
    assert_eq!(world.code(&bundle), "checkpoint-invalid");
}

#[test]
fn a_promise_covers_time_index_and_body() {
    let world = World::new();
    let break_entry = |change: fn(&mut LogEntry)| {
        let mut bundle = world.message();
        change(&mut bundle.entries[0]);
        world.code(&bundle)
    };

    assert_eq!(
        break_entry(|entry| entry.integrated_time += 1),
        "promise-invalid"
    );
    assert_eq!(break_entry(|entry| entry.index += 1), "promise-invalid");
    assert_eq!(
        break_entry(|entry| entry.body.push(b' ')),
        "promise-invalid"
    );
    assert_eq!(
        break_entry(|entry| entry.promise.as_mut().unwrap()[9] ^= 1),
        "promise-invalid"
    );
    assert_eq!(break_entry(|entry| entry.log_id[0] ^= 1), "no-time");
    // CVE-2024-55655: an unsigned integrated time is ignored.
    assert_eq!(break_entry(|entry| entry.promise = None), "no-time");
}

#[test]
fn an_integrated_time_in_the_future_is_refused_without_clock_tolerance() {
    let world = World::new();
    let bundle = world.message();

    world.verdict_at(&bundle, entry_time()).unwrap();
    let early = entry_time().before(Duration::from_millis(1));
    assert_eq!(
        world.verdict_at(&bundle, early).unwrap_err().code(),
        "time-in-future"
    );
}

#[test]
fn windows_of_logs_and_authorities_include_both_ends() {
    let mut world = World::new();
    let bundle = world.message();
    let second = Duration::from_secs(1);
    let exactly = Validity {
        start: entry_time(),
        end: Some(entry_time()),
    };
    let before = Validity {
        start: UnixTime::from_millis(0),
        end: Some(entry_time().before(second)),
    };
    let after = Validity {
        start: entry_time().after(second),
        end: None,
    };

    for (window, log, authority) in [
        (exactly, "verified", "verified"),
        (before, "log-not-trusted-then", "certificate-untrusted"),
        (after, "log-not-trusted-then", "certificate-untrusted"),
    ] {
        world.trust.logs[0].validity = window;
        assert_eq!(world.code(&bundle), log);
        world.trust.logs[0].validity = always();
        world.trust.authorities[0].validity = window;
        assert_eq!(world.code(&bundle), authority);
        world.trust.authorities[0].validity = always();
    }
}

#[test]
fn every_established_time_must_be_in_the_certificates_validity() {
    // Two logs: one promise within the certificate's ten minutes, one outside.
    let mut world = World::new();
    let second_log = generate(KeyAlgorithm::P256);
    world
        .trust
        .logs
        .push(trusted_log(&second_log, "https://second.example"));
    let mut bundle = world.message();
    let body = bundle.entries[0].body.clone();
    let at = |seconds| NOW.after(Duration::from_secs(seconds));
    let second = |at| entry_of(&second_log, ("hashedrekord", "0.0.1"), body.clone(), 5, at);
    let mut code = |entry| {
        bundle.entries.truncate(1);
        bundle.entries.push(entry);
        world
            .verdict_at(&bundle, at(3600))
            .map_or_else(|reason| reason.code(), |_| "verified")
    };

    assert_eq!(code(second(at(600))), "verified");
    assert_eq!(code(second(at(601))), "certificate-untrusted");
}

#[test]
fn entries_of_unknown_logs_are_ignored_and_bad_ones_of_known_logs_are_not() {
    let mut world = World::new();
    let unknown = generate(KeyAlgorithm::P256);
    let mut bundle = world.message();
    let body = bundle.entries[0].body.clone();
    bundle.entries.push(entry_of(
        &unknown,
        ("hashedrekord", "0.0.1"),
        body,
        3,
        entry_time(),
    ));

    let verified = world.verdict(&bundle).unwrap();
    assert_eq!(verified.entries().len(), 1);

    world.trust.logs = vec![trusted_log(&unknown, "https://unknown.example")];
    bundle.entries[1].proof.as_mut().unwrap().hashes.clear();
    assert_eq!(world.code(&bundle), "inclusion-proof-invalid");
    world.trust.logs.clear();
    assert_eq!(world.code(&bundle), "no-time");
}

#[test]
fn repeated_log_entries_and_timestamps_are_refused() {
    let world = World::new();
    let mut twice = world.message();
    twice.entries.push(twice.entries[0].clone());
    let mut same_body = world.message();
    let mut other_index = same_body.entries[0].clone();
    other_index.index += 1;
    same_body.entries.push(other_index);
    let mut timestamps = world.message();
    timestamps.timestamps = vec![vec![1], vec![1]];

    for bundle in [twice, same_body, timestamps] {
        assert_eq!(world.code(&bundle), "repeated-evidence");
    }
}

#[test]
fn each_version_requires_its_own_material_and_evidence() {
    let world = World::new();
    let good = world.message();
    let der = good.material.certificate().unwrap().to_vec();
    let chain = |chain| SigningMaterial::Chain(chain);
    let with = |version, material: &SigningMaterial, change: fn(&mut LogEntry)| {
        let mut bundle = good.clone();
        bundle.version = version;
        bundle.material = material.clone();
        change(&mut bundle.entries[0]);
        world.code(&bundle)
    };
    let one = chain(vec![der]);
    let (v1, v2, v3) = (
        BundleVersion::V0_1,
        BundleVersion::V0_2,
        BundleVersion::V0_3,
    );

    assert_eq!(with(v1, &one, |_| ()), "verified");
    assert_eq!(with(v2, &one, |_| ()), "verified");
    assert_eq!(with(v3, &one, |_| ()), "material-for-version");
    assert_eq!(with(v1, &good.material, |_| ()), "material-for-version");
    assert_eq!(with(v1, &chain(Vec::new()), |_| ()), "empty-chain");
    assert_eq!(with(v1, &one, |entry| entry.proof = None), "verified");
    assert_eq!(
        with(v1, &one, |entry| entry.promise = None),
        "entry-for-version"
    );
    assert_eq!(
        with(v2, &one, |entry| entry.proof = None),
        "entry-for-version"
    );
    assert_eq!(
        with(v3, &good.material, |entry| entry.proof = None),
        "entry-for-version"
    );
    assert_eq!(
        with(v3, &good.material, |entry| {
            entry.proof.as_mut().unwrap().checkpoint = None;
        }),
        "entry-for-version"
    );
}

#[test]
fn a_public_key_in_place_of_a_certificate_is_refused() {
    // GHSA-fx35-mq7g-6g98.
    let world = World::new();
    let mut bundle = world.message();
    bundle.material = SigningMaterial::Certificate(world.signer.public_key().spki_der().to_vec());

    assert_eq!(world.code(&bundle), "certificate-malformed");
}

#[test]
fn a_certificate_without_an_sct_or_from_another_authority_is_refused() {
    let world = World::new();
    let mut unpublished = world.message();
    let leaf = world.authority.leaf(world.signer.public_key());
    let leaf = leaf.sign_certificate(&world.authority.key).unwrap();
    unpublished.material = SigningMaterial::Certificate(leaf.der().to_vec());
    let mut elsewhere = World::new();
    elsewhere.log = world.log;

    assert_eq!(
        elsewhere.verdict(&unpublished).unwrap_err().code(),
        "no-time"
    );
    elsewhere.trust.logs = world.trust.logs.clone();
    assert_eq!(elsewhere.code(&unpublished), "certificate-untrusted");
    elsewhere.trust.authorities = world.trust.authorities.clone();
    assert_eq!(elsewhere.code(&unpublished), "certificate-not-published");
}

#[test]
fn an_envelope_has_one_signature_over_a_statement_about_the_artifact() {
    let world = World::new();
    let broken = |change: fn(&mut Envelope)| {
        let mut bundle = world.attestation();
        let Content::Envelope(envelope) = &mut bundle.content else {
            unreachable!("an attestation")
        };
        change(envelope);
        world.code(&bundle)
    };

    world.verdict(&world.attestation()).unwrap();
    assert_eq!(broken(|e| e.signatures.clear()), "signature-count");
    // A second signature is refused even if both are valid.
    assert_eq!(
        broken(|e| e.signatures.push(e.signatures[0].clone())),
        "signature-count"
    );
    assert_eq!(
        broken(|e| e.payload_type = "text/plain".to_owned()),
        "payload-type"
    );
    assert_eq!(broken(|e| e.payload.push(b' ')), "entry-mismatch");
    assert_eq!(
        broken(|e| e.payload = b"not json".to_vec()),
        "statement-malformed"
    );
    assert_eq!(
        world.code(&world.attestation_of(&statement_about(b"other"))),
        "artifact-not-a-subject"
    );
}

#[test]
fn a_wrong_signature_is_refused_even_if_the_log_contains_it() {
    let world = World::new();
    let mut bundle = world.message();
    let leaf = Certificate::from_der(bundle.material.certificate().unwrap()).unwrap();
    let forged = generate(KeyAlgorithm::P256).sign(ARTIFACT).unwrap();
    let digest = HashAlgorithm::Sha256.digest(ARTIFACT);
    let body = hashedrekord_v1(&digest, &forged, &leaf.to_pem());
    bundle.entries = vec![world.entry(("hashedrekord", "0.0.1"), body, FIRST_INDEX)];
    bundle.content = Content::Message {
        digest: Some(digest),
        signature: forged,
    };

    assert_eq!(world.code(&bundle), "signature-invalid");
}

#[test]
fn a_bare_key_bundle_needs_the_callers_key_and_only_that_one() {
    let world = World::new();
    let bundle = world.managed();
    let code = |bundle: &Bundle, key: &SigningKey| {
        let expectation = Expectation::Key(key.public_key().clone());
        let artifact = Artifact::from_bytes(ARTIFACT);
        verify(bundle, &artifact, &expectation, &world.trust, entry_time())
            .map_or_else(|refused| refused.reason.code(), |_| "verified")
    };

    assert_eq!(code(&bundle, &world.signer), "verified");
    assert_eq!(
        code(&bundle, &generate(KeyAlgorithm::P256)),
        "entry-mismatch"
    );
    assert_eq!(code(&world.message(), &world.signer), "key-not-wanted");
    assert_eq!(world.code(&bundle), "key-needed");
}

#[test]
fn a_bundle_like_those_of_signet_sign_is_verified() {
    let world = World::new();

    let verified = world.verdict(&world.native()).unwrap();

    assert_eq!(verified.times()[0].source, TimeSource::Timestamp);
    assert_eq!(
        verified.times()[0].authority,
        "https://tsa.example/api/v1/timestamp"
    );
    assert_eq!(verified.times()[0].time, entry_time());
    assert_eq!(verified.entries()[0].log, "https://tiles.example");
    assert_eq!(verified.entries()[0].index, 1);
    let read = Bundle::from_json(world.native().to_json().as_bytes()).unwrap();
    world.verdict(&read).unwrap();
}

#[test]
fn a_timestamp_must_verify_over_this_signature() {
    let world = World::new();
    let other_world = World::new();
    let good = world.native();
    let with = |timestamps: Vec<Vec<u8>>| {
        let mut bundle = good.clone();
        bundle.timestamps = timestamps;
        world.code(&bundle)
    };
    let genuine = good.timestamps[0].clone();

    assert_eq!(with(vec![]), "no-time");
    assert_eq!(
        with(vec![world.timestamp(b"other", entry_time())]),
        "timestamp-invalid"
    );
    let untrusted = other_world.timestamp(signature(&good), entry_time());
    assert_eq!(with(vec![untrusted.clone()]), "timestamp-invalid");
    // A valid timestamp does not make up for an invalid one.
    assert_eq!(with(vec![genuine, untrusted]), "timestamp-invalid");
}

#[test]
fn a_second_timestamp_outside_the_certificates_validity_is_refused() {
    // Every timestamp is checked, not only the first.
    let world = World::new();
    let mut bundle = world.native();
    let late = NOW.after(Duration::from_secs(601));
    bundle
        .timestamps
        .push(world.timestamp(signature(&bundle), late));

    assert_eq!(world.code(&bundle), "certificate-untrusted");
}

#[test]
fn a_log_without_promises_must_be_trusted_when_the_signature_was_made() {
    let mut world = World::new();
    let bundle = world.native();
    world.trust.logs[1].validity.end = Some(entry_time().before(Duration::from_secs(1)));

    assert_eq!(world.code(&bundle), "log-not-trusted-then");
}

#[test]
fn the_integrated_time_of_an_entry_without_promise_is_ignored() {
    let world = World::new();
    let mut bundle = world.native();
    bundle.entries[0].integrated_time = entry_time().seconds();
    let verified = world.verdict(&bundle).unwrap();
    assert_eq!(verified.times().len(), 1);

    bundle.timestamps.clear();
    assert_eq!(world.code(&bundle), "no-time");
}

#[test]
fn a_bundle_assembled_from_the_servers_replies_is_verified() {
    let world = World::new();
    let native = world.native();
    let leaf = Certificate::from_der(native.material.certificate().unwrap()).unwrap();
    // The log's reply has every member, including empty ones, as proto3 JSON servers write it.
    let written: serde_json::Value = serde_json::from_str(&native.to_json()).unwrap();
    let mut reply = written["verificationMaterial"]["tlogEntries"][0].clone();
    reply["integratedTime"] = "0".into();
    reply["inclusionPromise"] = serde_json::Value::Null;

    let bundle = Bundle::for_message(
        &leaf,
        HashAlgorithm::Sha256.digest(ARTIFACT),
        signature(&native).to_vec(),
        reply.to_string().as_bytes(),
        native.timestamps[0].clone(),
    )
    .unwrap();

    world.verdict(&bundle).unwrap();
    assert_eq!(bundle.to_json(), native.to_json());
    assert_eq!(bundle.hash_algorithms(None), [HashAlgorithm::Sha256; 2]);
}

#[test]
fn a_rekor_v2_dsse_entry_is_accepted_for_its_envelope_only() {
    let world = World::new();
    let bundle = world.attestation();
    let Content::Envelope(envelope) = &bundle.content else {
        unreachable!("an attestation")
    };
    let payload = Sha256::of(&envelope.payload);
    let genuine = dsse_v2(&bundle, payload.as_bytes());
    let code = |bundle: &Bundle, body: String| {
        let mut bundle = bundle.clone();
        bundle.entries = vec![world.entry(("dsse", "0.0.2"), body, 1)];
        world.code(&bundle)
    };

    assert_eq!(code(&bundle, genuine.clone()), "verified");
    assert_eq!(code(&bundle, dsse_v2(&bundle, &[0; 32])), "entry-mismatch");
    let extra = genuine.replace(
        r#""keyDetails""#,
        r#""publicKey":{"rawBytes":""},"keyDetails""#,
    );
    assert_eq!(code(&bundle, extra), "entry-malformed");
    let none = genuine.replace(r#""signatures":[{"#, r#""signatures":[],"x":[{"#);
    assert_eq!(code(&bundle, none), "entry-malformed");
    let another = dsse_v2(&world.attestation(), payload.as_bytes());
    assert_eq!(code(&bundle, another), "entry-mismatch");
    assert_eq!(code(&world.message(), genuine), "entry-kind");
}
