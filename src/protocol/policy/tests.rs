//! Tests of decisions.

use super::testing::{ISSUER, entry, sct, signed_by, stamped};
use super::*;
use crate::protocol::attestation::artifact::{Artifact, ArtifactHasher};
use crate::protocol::evidence::{Evidence, TimeSource};
use crate::protocol::hash::HashAlgorithm;
use crate::protocol::x509::extensions::FULCIO_CLAIMS;

mod documents;
mod loading;
mod walk_through;

fn identity(subject: &str) -> CertificateIdentity {
    CertificateIdentity {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
    }
}

fn any_of(subjects: &[&str]) -> Policy {
    let matchers = subjects
        .iter()
        .map(|subject| IdentityMatcher::exact(ISSUER, *subject).unwrap());
    Policy::any_of(matchers).unwrap()
}

/// A policy with the members `a` to `e`, whose subjects are `a@x` to `e@x`.
fn policy(rules: &str) -> Policy {
    let members = ["a", "b", "c", "d", "e"].map(|name| {
        format!("[[identities]]\nname = '{name}'\nissuer = '{ISSUER}'\nsubject = '{name}@x'\n")
    });
    Policy::parse(&format!("{rules}\n{}", members.concat())).unwrap()
}

/// A policy that accepts all subjects at `x`, followed by `rules`.
fn policy_with(rules: &str) -> Policy {
    Policy::parse(&format!(
        "[[identities]]\nissuer = '{ISSUER}'\nsubject_pattern = '.*@x'\n{rules}"
    ))
    .unwrap()
}

fn code(policy: &Policy, evidence: &[Evidence]) -> &'static str {
    policy
        .decide(evidence)
        .map_or_else(|denial| denial.code(), |_| "accepted")
}

#[test]
fn only_listed_signers_are_accepted() {
    let policy = any_of(&["a@x", "b@x"]);

    assert_eq!(
        policy.permit(identity("b@x")).unwrap().into_identity(),
        identity("b@x")
    );
    assert_eq!(code(&policy, &[signed_by("b@x")]), "accepted");
    for other in ["c@x", "A@x", "a@x ", "a@X"] {
        assert!(policy.permit(identity(other)).is_err());
        assert_eq!(
            code(&policy, &[signed_by(other)]),
            "identity-denied",
            "{other}"
        );
    }
}

#[test]
fn an_exact_subject_is_not_a_pattern() {
    // sigstore-js a031055b: an exact subject was compiled to a pattern.
    assert!(any_of(&["a.b@x"]).permit(identity("aXb@x")).is_err());
    assert!(any_of(&[".*"]).permit(identity("a@x")).is_err());
    assert_eq!(
        code(&any_of(&["a.b@x"]), &[signed_by("aXb@x")]),
        "identity-denied"
    );
}

#[test]
fn the_issuer_must_match() {
    let other = CertificateIdentity {
        issuer: format!("{ISSUER}/"),
        subject: "a@x".to_owned(),
    };
    let mut evidence = signed_by("a@x");
    evidence.certificate.as_mut().unwrap().identity = other.clone();

    assert!(any_of(&["a@x"]).permit(other).is_err());
    assert_eq!(code(&any_of(&["a@x"]), &[evidence]), "identity-denied");
}

#[test]
fn a_policy_denies_without_an_identity_a_bundle_or_a_time() {
    assert_eq!(Policy::any_of([]), Err(EmptyPolicy));
    assert!(IdentityMatcher::exact("", "a@x").is_err());
    assert!(IdentityMatcher::exact(ISSUER, "").is_err());
    assert_eq!(code(&any_of(&["a@x"]), &[]), "no-bundle");

    let mut timeless = signed_by("a@x");
    timeless.times.clear();
    assert_eq!(code(&any_of(&["a@x"]), &[timeless]), "no-time");
}

#[test]
fn a_policy_with_further_rules_permits_no_identity_by_itself() {
    for rules in [
        "[require]\nscts = 1",
        "[[deny]]\nsubject = 'z@x'",
        "[require]\ncondition = 'true'",
    ] {
        assert!(
            policy_with(rules).permit(identity("a@x")).is_err(),
            "{rules}"
        );
    }
    assert!(
        policy("threshold = { count = 2 }")
            .permit(identity("a@x"))
            .is_err()
    );
    assert!(policy_with("").permit(identity("a@x")).is_ok());
}

#[test]
fn bundles_with_the_same_signer_key_or_entry_count_once() {
    let policy = policy("threshold = { count = 2 }");
    let a = || signed_by("a@x");
    let mut again = signed_by("a@x");
    again.key.fingerprint = Sha256::of(b"another key");
    again.entries = vec![entry("https://log.example", 9)];
    let mut same_key = signed_by("b@x");
    same_key.key = a().key;
    let mut same_entry = signed_by("b@x");
    same_entry.entries.extend(a().entries);

    assert_eq!(code(&policy, &[a(), signed_by("b@x")]), "accepted");
    for (other, what) in [
        (a(), "signer"),
        (again, "signer"),
        (same_key, "key"),
        (same_entry, "log entry"),
    ] {
        let denial = policy.decide(&[a(), other]).unwrap_err();
        assert_eq!(denial.code(), "threshold-not-met");
        assert_eq!(denial.thresholds[0].counted.len(), 1);
        assert_eq!(
            denial.bundles[1].reasons,
            [NotCounted::Repeated { what, number: 1 }]
        );
    }
}

#[test]
fn subjects_that_differ_only_in_case_are_one_signer() {
    let policy = Policy::parse(&format!(
        "threshold = {{ count = 2 }}\n[[identities]]\nissuer = '{ISSUER}'\nsubject_pattern = '(?i)[a-z]+@x'"
    ))
    .unwrap();

    assert_eq!(
        code(&policy, &[signed_by("ada@x"), signed_by("Ada@X")]),
        "threshold-not-met"
    );
    assert_eq!(
        code(&policy, &[signed_by("ada@x"), signed_by("bob@x")]),
        "accepted"
    );
}

#[test]
fn shared_keys_and_entries_are_found_in_any_order_of_bundles() {
    // c shares a key with a and an entry with b, so all three count as one signer.
    let policy = policy("threshold = { count = 2 }");
    let (a, b) = (signed_by("a@x"), signed_by("b@x"));
    let mut c = signed_by("c@x");
    c.key = a.key.clone();
    c.entries = b.entries.clone();

    for order in [[&a, &b, &c], [&a, &c, &b], [&c, &a, &b], [&c, &b, &a]] {
        let evidence: Vec<_> = order.into_iter().cloned().collect();
        assert_eq!(code(&policy, &evidence), "threshold-not-met");
    }
}

#[test]
fn all_signers_of_a_member_with_counts_once_count_as_one() {
    let text = |rule: &str| {
        format!(
            "threshold = {{ count = 2 }}\n\
             [[identities]]\nissuer = '{ISSUER}'\nsubject_pattern = 'https://ci/release@.*'\n{rule}\n\
             [[identities]]\nissuer = '{ISSUER}'\nsubject = 'a@x'"
        )
    };
    let tags = [
        signed_by("https://ci/release@v1"),
        signed_by("https://ci/release@v2"),
    ];
    let once = Policy::parse(&text("counts_once = true")).unwrap();

    assert_eq!(code(&Policy::parse(&text("")).unwrap(), &tags), "accepted");
    assert_eq!(code(&once, &tags), "threshold-not-met");
    assert_eq!(
        code(&once, &[tags[0].clone(), signed_by("a@x")]),
        "accepted"
    );
}

#[test]
fn a_signer_in_two_groups_counts_for_one_threshold() {
    let policy = policy(
        "thresholds = [{ count = 2, of = 'security' }, { count = 1, of = 'release' }]\n\
         [groups]\nsecurity = ['a', 'b', 'c']\nrelease = ['c', 'd']",
    );
    let signed = |names: &[&str]| -> Vec<Evidence> {
        names
            .iter()
            .map(|name| signed_by(&format!("{name}@x")))
            .collect()
    };

    assert_eq!(code(&policy, &signed(&["a", "b", "d"])), "accepted");
    assert_eq!(code(&policy, &signed(&["a", "c", "d"])), "accepted");
    assert_eq!(code(&policy, &signed(&["a", "b", "c"])), "accepted");
    // c is in both groups but counts once.
    assert_eq!(code(&policy, &signed(&["a", "c"])), "signers-shared");
    assert_eq!(code(&policy, &signed(&["a", "d"])), "threshold-not-met");
    // e is an accepted signer but in neither group.
    assert_eq!(
        code(&policy, &signed(&["a", "b", "e"])),
        "threshold-not-met"
    );

    let denial = policy.decide(&signed(&["a", "d"])).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "1 of 2 required signers of security; missing: b, c"
    );
}

#[test]
fn one_of_several_alternatives_is_enough() {
    let policy = policy(
        "[[any]]\nthresholds = [{ count = 1, of = 'chiefs' }]\n\
         [[any]]\nthresholds = [{ count = 2, of = 'staff' }]\n\
         [groups]\nchiefs = ['a']\nstaff = ['b', 'c', 'd']",
    );

    assert_eq!(code(&policy, &[signed_by("a@x")]), "accepted");
    assert_eq!(
        code(&policy, &[signed_by("b@x"), signed_by("d@x")]),
        "accepted"
    );
    let denial = policy
        .decide(&[signed_by("b@x"), signed_by("e@x")])
        .unwrap_err();
    assert_eq!(denial.thresholds.len(), 2);
    assert_eq!(denial.thresholds[1].alternative, Some(2));
    assert_eq!(denial.thresholds[1].missing, ["c", "d"]);
}

#[test]
fn all_bundles_must_be_for_the_same_artifact() {
    let policy = policy("threshold = { count = 2 }");
    let mut other = signed_by("b@x");
    other.artifact = Artifact::from_bytes(b"another");
    let mut unknown = signed_by("b@x");
    unknown.artifact = ArtifactHasher::new([]).finish();

    assert_eq!(code(&policy, &[signed_by("a@x"), other]), "other-artifact");
    assert_eq!(
        code(&policy, &[signed_by("a@x"), unknown]),
        "other-artifact"
    );
}

#[test]
fn claims_are_read_from_the_certificate_not_from_the_predicate() {
    // GHSA-r2xv-vpr2-42m9, slsa-verifier: the builder ID was read from the predicate.
    let policy = policy_with(
        "[identities.claims]\nsource_repository_ref = 'refs/heads/main'\n\
         build_trigger = { pattern = 'push|release' }",
    );
    let good = signed_by("a@x")
        .claiming("source_repository_ref", "refs/heads/main")
        .claiming("build_trigger", "push");
    let predicate =
        serde_json::json!({"source_repository_ref": "refs/heads/main", "build_trigger": "push"});

    assert_eq!(code(&policy, std::slice::from_ref(&good)), "accepted");
    for wrong in [
        signed_by("a@x"),
        signed_by("a@x").attesting("https://slsa.dev/provenance/v1", predicate),
        good.clone()
            .claiming("source_repository_ref", "refs/heads/main2"),
        good.clone().claiming("build_trigger", "pushed"),
        good.clone().claiming("build_trigger", "xrelease"),
    ] {
        assert_eq!(code(&policy, &[wrong]), "claim-mismatch");
    }
}

#[test]
fn requirements_count_distinct_parties() {
    // CVE-2026-49834: several signatures by one log or authority were counted several times.
    let policy = policy_with("[require]\nlog_entries = 2\nscts = 2\ntimestamps = 2");
    let doubled = {
        let mut evidence = signed_by("a@x");
        evidence.entries = vec![
            entry("https://log.example", 1),
            entry("https://log.example", 2),
        ];
        evidence.times = vec![
            stamped("2026-11-20T12:00:00Z"),
            stamped("2026-11-20T12:00:01Z"),
        ];
        let certificate = evidence.certificate.as_mut().unwrap();
        certificate.scts = vec![sct("https://ct.example"), sct("https://ct.example")];
        evidence
    };
    let mut distinct = doubled.clone();
    distinct.entries[1] = entry("https://other.example", 2);
    distinct.times[1].authority = "https://tsa2.example".to_owned();
    distinct.certificate.as_mut().unwrap().scts[1] = sct("https://ct2.example");
    let mut promised = distinct.clone();
    promised.times[1].source = TimeSource::Promise;

    let denial = policy.decide(&[doubled]).unwrap_err();
    assert_eq!(denial.bundles[0].reasons.len(), 3);
    assert_eq!(
        denial.bundles[0].reasons[0].to_string(),
        "1 of 2 required signature logs"
    );
    assert_eq!(code(&policy, &[distinct]), "accepted");
    assert_eq!(code(&policy, &[promised]), "too-few-witnesses");
}

#[test]
fn only_accepted_logs_authorities_and_algorithms_count() {
    let log_id = Sha256::of(b"https://log.example").to_hex();
    for accepted in [
        "logs = ['https://log.example']".to_owned(),
        format!("logs = ['{log_id}']"),
        "certificate_logs = ['https://ct.example', 'https://ct3.example']".to_owned(),
        "timestamp_authorities = ['https://tsa.example']".to_owned(),
        format!("certificate_authorities = ['{}']", Sha256::of(b"authority")),
        "key_algorithms = ['PKIX_ECDSA_P256_SHA_256']".to_owned(),
    ] {
        let policy = policy_with(&format!("[require]\n{accepted}"));
        assert_eq!(code(&policy, &[signed_by("a@x")]), "accepted", "{accepted}");
    }
    for refused in [
        "logs = ['https://log.example/']".to_owned(),
        "certificate_logs = ['https://log.example']".to_owned(),
        "timestamp_authorities = ['https://tsa2.example']".to_owned(),
        format!("certificate_authorities = ['{}']", Sha256::of(b"another")),
        "key_algorithms = ['PKIX_ED25519', 'PKIX_ECDSA_P384_SHA_384']".to_owned(),
    ] {
        let policy = policy_with(&format!("[require]\n{refused}"));
        assert_ne!(code(&policy, &[signed_by("a@x")]), "accepted", "{refused}");
    }
}

#[test]
fn every_established_time_must_be_in_the_window() {
    // A bundle with two valid timestamps must not pass because only the first is checked.
    let policy = policy_with(
        "[require]\nsigned_after = 2026-11-20T12:00:00Z\nsigned_before = '2026-11-20T13:00:00Z'",
    );
    let at = |times: &[&str]| {
        let mut evidence = signed_by("a@x");
        evidence.times = times.iter().map(|at| stamped(at)).collect();
        evidence
    };

    assert_eq!(
        code(
            &policy,
            &[at(&["2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z"])]
        ),
        "accepted"
    );
    for times in [
        ["2026-11-20T12:30:00Z", "2026-11-20T13:00:00.001Z"],
        ["2026-11-20T11:59:59Z", "2026-11-20T12:30:00Z"],
    ] {
        assert_eq!(code(&policy, &[at(&times)]), "outside-window");
    }
}

#[test]
fn signed_within_covers_the_days_before_and_after() {
    let policy = policy_with("[require]\nsigned_within = { days = 30, of = 2026-11-20T00:00:00Z }");
    let at = |time: &str| [signed_by("a@x").at(time)];

    assert_eq!(code(&policy, &at("2026-10-21T00:00:00Z")), "accepted");
    assert_eq!(code(&policy, &at("2026-12-20T00:00:00Z")), "accepted");
    assert_eq!(code(&policy, &at("2026-10-20T23:59:59Z")), "outside-window");
    assert_eq!(code(&policy, &at("2026-12-20T00:00:01Z")), "outside-window");
}

#[test]
fn only_accepted_predicate_types_count() {
    let policy = policy_with("[require]\npredicate_types = ['https://slsa.dev/provenance/v1']");
    let attested = |kind: &str| [signed_by("a@x").attesting(kind, serde_json::json!({}))];

    assert_eq!(
        code(&policy, &attested("https://slsa.dev/provenance/v1")),
        "accepted"
    );
    assert_eq!(
        code(&policy, &attested("https://slsa.dev/provenance/v0.2")),
        "predicate-type"
    );
    assert_eq!(code(&policy, &[signed_by("a@x")]), "predicate-type");
}

#[test]
fn a_deny_window_denies_signatures_made_in_it() {
    let policy = policy_with(
        "[[deny]]\nsubject = 'a@x'\nfrom = 2026-11-20T12:00:00Z\nuntil = 2026-11-20T14:00:00Z\n\
         reason = 'stolen laptop'",
    );
    let at = |time: &str| [signed_by("a@x").at(time)];

    assert_eq!(code(&policy, &at("2026-11-20T11:59:59Z")), "accepted");
    assert_eq!(code(&policy, &at("2026-11-20T12:00:00Z")), "deny-listed");
    assert_eq!(code(&policy, &at("2026-11-20T14:00:00Z")), "deny-listed");
    assert_eq!(code(&policy, &at("2026-11-20T14:00:01Z")), "accepted");
    assert_eq!(code(&policy, &[signed_by("A@X")]), "identity-denied");
    assert_eq!(code(&policy, &[signed_by("b@x")]), "accepted");

    // One time in the window is enough.
    let mut both = signed_by("a@x").at("2026-11-20T11:00:00Z");
    both.times.push(stamped("2026-11-20T13:00:00Z"));
    let denial = policy.decide(&[both]).unwrap_err();
    assert!(
        denial
            .to_string()
            .ends_with("until 2026-11-20T14:00:00Z: stolen laptop")
    );
}

#[test]
fn case_does_not_evade_the_deny_list() {
    let policy = Policy::parse(&format!(
        "[[identities]]\nissuer = '{ISSUER}'\nsubject_pattern = '.*'\n[[deny]]\nsubject = 'Eve@x'\n\
         [[deny]]\nsubject_pattern = 'mal.*@x'\n[[deny]]\nissuer = 'https://other.example'"
    ))
    .unwrap();

    for subject in ["eve@x", "EVE@X", "mallory@x", "Mallory@x"] {
        assert_eq!(
            code(&policy, &[signed_by(subject)]),
            "deny-listed",
            "{subject}"
        );
    }
    assert_eq!(code(&policy, &[signed_by("steve@x")]), "accepted");
}

#[test]
fn serial_numbers_keys_and_artifacts_can_be_denied() {
    let signed = signed_by("a@x");
    let certificate = signed.certificate.clone().unwrap();
    let serial = hex::encode_upper(&certificate.serial);
    let digest = signed.artifact.digests()[2].to_string();
    for rule in [
        format!("certificate_serial = '00:{serial}'"),
        format!("key = '{}'", signed.key.fingerprint),
        format!("artifact = '{digest}'"),
        format!("artifact = '{digest}'\nfrom = 2026-11-20T00:00:00Z"),
    ] {
        let policy = policy_with(&format!("[[deny]]\n{rule}"));
        assert_eq!(
            code(&policy, std::slice::from_ref(&signed)),
            "deny-listed",
            "{rule}"
        );
        let mut other = signed_by("b@x");
        other.artifact = Artifact::from_bytes(b"another");
        assert_eq!(code(&policy, &[other]), "accepted", "{rule}");
    }
}

#[test]
fn omitting_a_digest_does_not_evade_the_deny_list() {
    let signed = signed_by("a@x");
    let digest = signed.artifact.digests()[2].to_string();
    let policy = policy_with(&format!("[[deny]]\nartifact = '{digest}'"));
    let mut short = signed;
    short.artifact = HashAlgorithm::Sha256.digest(b"artifact").into();

    assert_eq!(code(&policy, &[short.clone()]), "digest-needed");
    let mut other = signed_by("b@x");
    other.artifact = Artifact::from_bytes(b"another");
    short.artifact = HashAlgorithm::Sha256.digest(b"another").into();
    assert_eq!(code(&policy, &[other, short]), "digest-needed");
}

#[test]
fn a_key_matches_only_bundles_without_a_certificate() {
    let key = Sha256::of(b"key");
    let policy = Policy::parse(&format!("[[identities]]\nkey = '{key}'")).unwrap();
    let mut managed = signed_by("a@x");
    managed.certificate = None;
    managed.key.fingerprint = key;
    let mut certified = signed_by("a@x");
    certified.key.fingerprint = key;

    assert_eq!(code(&policy, &[managed.clone()]), "accepted");
    assert_eq!(code(&policy, &[certified]), "identity-denied");
    managed.key.fingerprint = Sha256::of(b"another");
    assert_eq!(code(&policy, &[managed]), "identity-denied");
}

#[test]
fn the_number_of_bundles_is_limited() {
    let many = vec![signed_by("a@x"); MAX_BUNDLES + 1];

    assert_eq!(code(&any_of(&["a@x"]), &many), "too-many-bundles");
    assert_eq!(code(&any_of(&["a@x"]), &many[1..]), "accepted");
}

#[test]
fn claims_have_the_names_from_fulcios_documentation() {
    let name_of = |number| FULCIO_CLAIMS.iter().find(|(known, _)| *known == number);
    assert_eq!(name_of(8), Some(&(8, "issuer")));
    assert_eq!(name_of(14), Some(&(14, "source_repository_ref")));
    assert_eq!(name_of(7), None);
    assert_eq!(name_of(25), None);
    assert_eq!(FULCIO_CLAIMS.len(), 23);
}
