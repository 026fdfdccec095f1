//! What policies accept and deny.

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

/// A policy over the members `a` to `e` at `x`, whose signers are named by their letters.
fn policy(rules: &str) -> Policy {
    let members = ["a", "b", "c", "d", "e"].map(|name| {
        format!("[[identities]]\nname = '{name}'\nissuer = '{ISSUER}'\nsubject = '{name}@x'\n")
    });
    Policy::parse(&format!("{rules}\n{}", members.concat())).unwrap()
}

/// Rules after the identities.
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
fn only_signers_on_the_list_are_accepted() {
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
    // sigstore-js a031055b: `a.b@x` must not match `aXb@x`.
    assert!(any_of(&["a.b@x"]).permit(identity("aXb@x")).is_err());
    assert!(any_of(&[".*"]).permit(identity("a@x")).is_err());
    assert_eq!(
        code(&any_of(&["a.b@x"]), &[signed_by("aXb@x")]),
        "identity-denied"
    );
}

#[test]
fn the_issuer_must_match_too() {
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
fn without_identity_bundle_or_time_the_policy_denies() {
    assert_eq!(Policy::any_of([]), Err(EmptyPolicy));
    assert!(IdentityMatcher::exact("", "a@x").is_err());
    assert!(IdentityMatcher::exact(ISSUER, "").is_err());
    assert_eq!(code(&any_of(&["a@x"]), &[]), "no-bundle");

    let mut timeless = signed_by("a@x");
    timeless.times.clear();
    assert_eq!(code(&any_of(&["a@x"]), &[timeless]), "no-time");
}

#[test]
fn a_policy_that_asks_for_more_permits_no_identity_by_name_alone() {
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
fn the_same_person_key_or_entry_counts_once() {
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
fn case_does_not_make_a_second_signer() {
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
fn links_between_signers_are_found_in_any_order() {
    // The third shares a key with the first and an entry with the second: all three are one.
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
fn all_signers_of_a_member_that_counts_once_are_one() {
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
fn thresholds_of_two_groups_are_filled_together() {
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
    // c is in both groups and still one signer.
    assert_eq!(code(&policy, &signed(&["a", "c"])), "signers-shared");
    assert_eq!(code(&policy, &signed(&["a", "d"])), "threshold-not-met");
    // e is accepted as a signer, but is in neither group.
    assert_eq!(
        code(&policy, &signed(&["a", "b", "e"])),
        "threshold-not-met"
    );

    let denial = policy.decide(&signed(&["a", "d"])).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "1 of 2 needed signers of security; not among them: b, c"
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
fn bundles_must_be_about_one_artifact() {
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
fn claims_come_from_the_certificate_never_from_the_predicate() {
    // GHSA-r2xv slsa-verifier: a builder's name taken from the text of the predicate.
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
    // CVE-2026-49834: two entries of one log, two promises of one log, two stamps of one authority.
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
        "1 of 2 needed signature logs"
    );
    assert_eq!(code(&policy, &[distinct]), "accepted");
    assert_eq!(code(&policy, &[promised]), "too-few-witnesses");
}

#[test]
fn only_accepted_parties_are_counted() {
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
    // TOB-4: two valid timestamps, the second outside.
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
fn signed_within_extends_in_both_directions() {
    let policy = policy_with("[require]\nsigned_within = { days = 30, of = 2026-11-20T00:00:00Z }");
    let at = |time: &str| [signed_by("a@x").at(time)];

    assert_eq!(code(&policy, &at("2026-10-21T00:00:00Z")), "accepted");
    assert_eq!(code(&policy, &at("2026-12-20T00:00:00Z")), "accepted");
    assert_eq!(code(&policy, &at("2026-10-20T23:59:59Z")), "outside-window");
    assert_eq!(code(&policy, &at("2026-12-20T00:00:01Z")), "outside-window");
}

#[test]
fn only_accepted_predicate_types_are_counted() {
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
fn a_deny_window_denies_what_was_signed_in_it() {
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
fn serials_keys_and_artifacts_are_denied() {
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
fn an_unknown_digest_does_not_evade_the_deny_list() {
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
fn a_bare_key_is_a_signer_if_the_policy_names_it() {
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
fn claims_have_the_names_of_fulcios_documentation() {
    let name_of = |number| FULCIO_CLAIMS.iter().find(|(known, _)| *known == number);
    assert_eq!(name_of(8), Some(&(8, "issuer")));
    assert_eq!(name_of(14), Some(&(14, "source_repository_ref")));
    assert_eq!(name_of(7), None);
    assert_eq!(name_of(25), None);
    assert_eq!(FULCIO_CLAIMS.len(), 23);
}
