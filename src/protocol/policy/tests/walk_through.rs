//! The walk-through of docs/policies.md: seven of twelve signers.

use super::*;

const TWELVE: &str = include_str!("../../../../docs/policies/seven-of-twelve.toml");

const NAMES: [&str; 12] = [
    "ada", "brian", "claire", "dennis", "edith", "frank", "grace", "hugo", "ida", "john", "karen",
    "linus",
];

fn signed(names: &[&str]) -> Vec<Evidence> {
    let signed = names.iter();
    signed
        .map(|name| signed_by(&format!("{name}@example.com")))
        .collect()
}

/// The policy of the guide, with the issuer replaced by that of the tests.
fn seven_of_twelve(more: &str) -> Policy {
    let text = TWELVE.replace("http://localhost:8477", ISSUER);
    Policy::parse(&format!("{text}\n{more}")).unwrap()
}

#[test]
fn seven_signers_are_enough_and_six_are_not() {
    let policy = seven_of_twelve("");

    for count in 1..=6 {
        let denial = policy.decide(&signed(&NAMES[..count])).unwrap_err();
        let expected = format!("{count} of 7 required signers of maintainers");
        assert!(denial.to_string().starts_with(&expected), "{denial}");
        assert_eq!(denial.code(), "threshold-not-met");
        assert_eq!(denial.thresholds[0].missing, NAMES[count..]);
    }
    for count in 7..=12 {
        let accepted = policy.decide(&signed(&NAMES[..count])).unwrap();
        let (thresholds, bundles) = accepted.into_parts();
        assert_eq!(thresholds[0].counted.len(), count);
        assert!(bundles.iter().all(|bundle| bundle.reasons.is_empty()));
    }
    let denial = policy.decide(&signed(&NAMES[..6])).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "6 of 7 required signers of maintainers; missing: grace, hugo, ida, john, karen, linus"
    );
}

#[test]
fn any_seven_are_enough() {
    let policy = seven_of_twelve("");
    let mut names = NAMES;
    for _ in 0..12 {
        names.rotate_left(1);
        assert_eq!(code(&policy, &signed(&names[..7])), "accepted");
        assert_eq!(code(&policy, &signed(&names[..6])), "threshold-not-met");
    }
}

#[test]
fn the_same_signer_twice_counts_once() {
    let mut evidence = signed(&NAMES[..6]);
    let mut again = signed_by("ada@example.com");
    again.key.fingerprint = Sha256::of(b"a new key");
    again.entries = vec![entry("https://log.example", 77)];
    evidence.push(again);

    let denial = seven_of_twelve("").decide(&evidence).unwrap_err();

    assert!(denial.to_string().starts_with("6 of 7 required signers"));
    assert_eq!(
        denial.bundles[6].reasons[0].to_string(),
        "it has the same signer as bundle 1; both count as one signer"
    );
}

#[test]
fn a_deny_window_excludes_one_signer() {
    let hour = "[[deny]]\nsubject = 'ada@example.com'\n\
                from = 2026-11-20T12:00:00Z\nuntil = 2026-11-20T13:00:00Z";
    let policy = seven_of_twelve(hour);
    let mut evidence = signed(&NAMES[..7]);

    let denial = policy.decide(&evidence).unwrap_err();
    assert!(denial.to_string().starts_with("6 of 7 required signers"));
    assert_eq!(denial.bundles[0].reasons[0].code(), "deny-listed");

    evidence.extend(signed(&NAMES[7..8]));
    assert_eq!(code(&policy, &evidence), "accepted");
    evidence[0] = signed_by("ada@example.com").at("2026-11-20T11:00:00Z");
    assert_eq!(code(&policy, &evidence[..7]), "accepted");
}

#[test]
fn an_unlisted_signer_does_not_count_and_does_no_harm() {
    let policy = seven_of_twelve("");
    let mut evidence = signed(&NAMES[..6]);
    evidence.push(signed_by("mallory@example.com"));
    assert_eq!(code(&policy, &evidence), "threshold-not-met");

    evidence.extend(signed(&NAMES[6..7]));
    let (_, bundles) = policy.decide(&evidence).unwrap().into_parts();
    assert!(!bundles[6].reasons.is_empty());
}
