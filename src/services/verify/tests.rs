use serde_json::json;

use super::request::{MAX_BUNDLES, PolicyRequirement};
use super::*;
use crate::doubles::FixedClock;
use crate::protocol::bundle::verify::testing::{ARTIFACT, ISSUER, SUBJECT, World, entry_time};
use crate::protocol::bundle::{Artifact, CheckName, Outcome};
use crate::protocol::policy::{IdentityMatcher, Policy};
use crate::protocol::time::UnixTime;

fn report(artifact: &[u8], now: UnixTime) -> serde_json::Value {
    let world = World::new();
    let bundle = world.message();
    let service = VerificationService::new(Arc::new(world.trust), Arc::new(FixedClock(now)));
    let matcher = IdentityMatcher::exact(ISSUER, SUBJECT).unwrap();
    let expectation = Expectation::Identity(Policy::any_of([matcher]).unwrap());
    let report = service.verify_bundle(&bundle, &Artifact::from_bytes(artifact), &expectation);
    serde_json::to_value(report).unwrap()
}

#[test]
fn a_verified_bundle_is_reported_with_signer_times_and_entries() {
    let report = report(ARTIFACT, entry_time());

    assert_eq!(report["verified"], true);
    assert_eq!(
        report["identity"],
        json!({"issuer": ISSUER, "subject": SUBJECT})
    );
    let [time] = &report["times"].as_array().unwrap()[..] else {
        panic!("not one time");
    };
    assert_eq!(time["time"], "2026-01-01T00:01:00Z");
    assert_eq!(time["source"], "log-promise");
    assert_eq!(time["authority"], "https://log.example");
    assert_eq!(report["log_entries"][0]["index"], 1000);
    assert_eq!(report["log_entries"][0]["tree_size"], 2);
    assert_eq!(report["checks"][0]["name"], "bundle-form");
    assert_eq!(report["checks"][0]["code"], "ok");
    assert_eq!(report["checks"][0]["evidence"]["bundle_version"], "0.3");
    assert_eq!(report["checks"][0]["outcome"], "passed");
    assert!(report.get("reason").is_none() && report.get("code").is_none());
}

#[test]
fn a_refused_bundle_is_reported_with_reason_and_code_and_no_signer() {
    let report = report(b"other", entry_time());

    assert_eq!(report["verified"], false);
    assert_eq!(report["code"], "artifact-mismatch");
    assert_eq!(report["reason"], report["checks"][1]["detail"]);
    assert_eq!(report["checks"][7]["outcome"], "skipped");
    for absent in ["identity", "times", "log_entries"] {
        assert!(report.get(absent).is_none());
    }
}

#[test]
fn the_given_clock_decides_what_is_in_the_future() {
    assert_eq!(
        report(ARTIFACT, UnixTime::from_millis(0))["code"],
        "time-in-future"
    );
}

fn answer(world: &World, bundles: Vec<Bundle>, artifact: &[u8], policy: Policy) -> Report {
    let clock = Arc::new(FixedClock(entry_time()));
    let service = VerificationService::new(Arc::new(world.trust.clone()), clock);
    let requirement = SignerRequirement::Policy(PolicyRequirement {
        policy: Arc::new(policy),
        name: Some("release".to_owned()),
        key: None,
    });
    let artifact = Artifact::from_bytes(artifact);
    service.verify(&VerificationRequest::new(bundles, artifact, requirement).unwrap())
}

fn policy_of(subject: &str) -> Policy {
    Policy::any_of([IdentityMatcher::exact(ISSUER, subject).unwrap()]).unwrap()
}

#[test]
fn a_policy_that_is_met_is_reported_with_its_thresholds_and_its_name() {
    let world = World::new();

    let report = answer(&world, vec![world.message()], ARTIFACT, policy_of(SUBJECT));

    assert!(report.verified, "{report}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["policy"]["name"], "release");
    assert_eq!(json["policy"]["met"], true);
    assert_eq!(
        json["policy"]["thresholds"][0]["counted"][0]["subject"],
        SUBJECT
    );
    assert_eq!(json["identity"]["subject"], SUBJECT);
    assert_eq!(
        json["checks"].as_array().unwrap().last().unwrap()["name"],
        "policy"
    );
    assert!(json.get("bundles").is_none());
}

#[test]
fn a_bundle_that_does_not_verify_is_not_counted_and_does_not_affect_the_others() {
    let (world, other) = (World::new(), World::new());
    let bundles = vec![other.message(), world.message()];

    let report = answer(&world, bundles, ARTIFACT, policy_of(SUBJECT));

    assert!(report.verified, "{report}");
    let [forged, good] = &report.bundles[..] else {
        panic!("not two bundles");
    };
    assert!(!forged.counted && good.counted);
    assert!(forged.findings.evidence.is_none());
    assert!(report.findings.evidence.is_none() && report.findings.checks.is_empty());
}

#[test]
fn the_reason_for_a_single_bundle_is_its_own_fault() {
    let world = World::new();

    let report = answer(&world, vec![world.message()], b"other", policy_of(SUBJECT));
    assert_eq!(report.code, Some("artifact-mismatch"));
    let last = report.findings.checks.last().unwrap();
    assert_eq!(
        (last.name, last.outcome),
        (CheckName::Policy, Outcome::Skipped)
    );

    let report = answer(
        &world,
        vec![world.message()],
        ARTIFACT,
        policy_of("bob@example.com"),
    );
    assert_eq!(report.code, Some("identity-denied"));
    let last = report.findings.checks.last().unwrap();
    assert_eq!(
        (last.name, last.outcome),
        (CheckName::Policy, Outcome::Failed)
    );
    assert!(report.to_string().starts_with("refused: "), "{report}");
}

#[test]
fn if_no_bundle_verifies_the_reason_is_the_first_bundles_fault() {
    let world = World::new();
    let bundles = vec![world.message(), world.native()];

    let report = answer(&world, bundles, b"other", policy_of(SUBJECT));

    assert_eq!(report.code, Some("artifact-mismatch"));
    assert!(report.bundles.iter().all(|bundle| !bundle.counted));
}

#[test]
fn several_bundles_need_a_policy_and_have_a_limit() {
    let policy = policy_of(SUBJECT);
    let expected = SignerRequirement::Expected(Expectation::Identity(policy.clone()));
    let counted = SignerRequirement::Policy(PolicyRequirement {
        policy: Arc::new(policy),
        name: None,
        key: None,
    });

    assert_eq!(expected.check_count(0), Err(BundleCountError::None));
    assert_eq!(expected.check_count(1), Ok(()));
    let several = Err(BundleCountError::SeveralWithoutPolicy);
    assert_eq!(expected.check_count(2), several);
    assert_eq!(counted.check_count(0), Err(BundleCountError::None));
    assert_eq!(counted.check_count(MAX_BUNDLES), Ok(()));
    let over = MAX_BUNDLES + 1;
    assert_eq!(
        counted.check_count(over),
        Err(BundleCountError::TooMany(over))
    );
}

/// The requirement that an input states, or the name of the error's variant.
fn requirement(
    identities: (&[&str], &[&str]),
    key: Option<&str>,
    policy: Option<&str>,
    policy_name: Option<&str>,
) -> Result<SignerRequirement, String> {
    let texts = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let mut input = SignerRequirementInput {
        key: key.map(str::to_owned),
        policy: policy.map(str::to_owned),
        policy_name: policy_name.map(str::to_owned),
        ..SignerRequirementInput::default()
    };
    let policies = NamedPolicies::from([("release".to_owned(), Arc::new(policy_of(SUBJECT)))]);
    input
        .pair_identities(texts(identities.0), texts(identities.1))
        .and_then(|()| input.read(&policies))
        .map_err(|error| {
            let variant = format!("{error:?}");
            let end = variant.find(|c: char| !c.is_alphanumeric());
            variant[..end.unwrap_or(variant.len())].to_owned()
        })
}

#[test]
fn conflicting_requirements_are_refused() {
    let (one, none): ((&[&str], &[&str]), _) = ((&[SUBJECT], &[ISSUER]), (&[][..], &[][..]));
    let key = World::new().signer.public_key().to_pem();
    let text = format!("[[identities]]\nissuer = '{ISSUER}'\nsubject = '{SUBJECT}'");
    let (key, text) = (Some(key.as_str()), Some(text.as_str()));

    for (stated, expected) in [
        (requirement(one, None, None, None), "identity"),
        (requirement(none, key, None, None), "key"),
        (requirement(none, None, text, None), "policy"),
        (requirement(none, key, text, None), "policy"),
        (requirement(none, None, None, Some("release")), "policy"),
    ] {
        let kind = match stated.unwrap() {
            SignerRequirement::Expected(Expectation::Identity(_)) => "identity",
            SignerRequirement::Expected(Expectation::Key(_)) => "key",
            SignerRequirement::Policy(_) => "policy",
        };
        assert_eq!(kind, expected);
    }
    let unpaired: (&[&str], &[&str]) = (&[SUBJECT], &[]);
    let nameless: (&[&str], &[&str]) = (&[""], &[ISSUER]);
    for (refused, variant) in [
        (requirement(unpaired, None, None, None), "Unpaired"),
        (requirement(none, None, None, None), "Identities"),
        (requirement(nameless, None, None, None), "Identities"),
        (requirement(one, key, None, None), "IdentitiesAndKey"),
        (requirement(one, None, text, None), "IdentitiesAndPolicy"),
        (
            requirement(none, None, text, Some("release")),
            "IdentitiesAndPolicy",
        ),
        (requirement(none, Some("x"), None, None), "Key"),
        (requirement(none, None, Some("x"), None), "Policy"),
        (requirement(none, None, None, Some("x")), "UnknownPolicy"),
    ] {
        assert_eq!(refused.unwrap_err(), variant);
    }
}
