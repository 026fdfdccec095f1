use crate::protocol::tuf::root::MAX_ROOT_KEYS;
use crate::protocol::tuf::trusted_set::TrustedSet;
use crate::protocol::tuf::trusted_set::UpdateError;
use serde_json::{Value, json};

use super::SuccessionError;
use super::testing::{NOW, Online, TestRepository, days, key, rules, version};
use super::*;
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::time::UnixTime;

fn update(set: &mut TrustedSet, online: &Online, now: UnixTime) -> Result<(), UpdateError> {
    set.update_timestamp(&online.timestamp, now)?;
    set.update_snapshot(&online.snapshot, now)?;
    set.update_targets(&online.targets, now)
}

/// The root of the public Sigstore instance, as sigstore-python 4.5.1 ships it.
const PUBLIC_GOOD: &[u8] = include_bytes!("../../../tests/vectors/tuf/public-good.root.json");

#[test]
fn the_root_of_the_public_instance_verifies_with_its_own_keys() {
    let set = TrustedSet::new(PUBLIC_GOOD).unwrap();

    assert_eq!(set.root().body().version(), version(15));
    assert_eq!(set.root().body().role(Role::Root).threshold, 3);
    assert!(
        set.root().body().rules().is_none(),
        "Signet could not have created this root"
    );
}

#[test]
fn a_modified_root_of_the_public_instance_is_rejected() {
    let text = String::from_utf8(PUBLIC_GOOD.to_vec()).unwrap();
    let changed = text.replace("\"version\": 15", "\"version\": 16");
    assert_ne!(changed, text);

    let refused = TrustedSet::new(changed.as_bytes());

    assert!(matches!(refused, Err(UpdateError::Verify(error)) if error.valid == 0));
}

#[test]
fn documents_have_the_format_that_clients_expect() {
    let repository = TestRepository::new();
    let online = repository.online(1, [7, 90, 90]);
    let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();

    let root = value(repository.root.bytes());
    let id = KeyId::of(repository.online_key.public_key()).unwrap();
    let signed = &root["signed"];
    assert_eq!(signed["_type"], "root");
    assert_eq!(signed["spec_version"], SPEC_VERSION);
    assert_eq!(signed["consistent_snapshot"], true);
    assert_eq!(signed["expires"], "2028-01-15T08:00:00Z");
    assert_eq!(
        signed["keys"][id.as_str()],
        json!({
            "keytype": "ecdsa",
            "scheme": "ecdsa-sha2-nistp256",
            "keyval": {"public": repository.online_key.public_key().to_pem()}
        })
    );
    for role in ["targets", "snapshot", "timestamp"] {
        assert_eq!(
            signed["roles"][role],
            json!({"keyids": [id.as_str()], "threshold": 1})
        );
    }
    let signature = root["signatures"][0]["sig"].as_str().unwrap();
    assert!(signature.starts_with("30") && hex::decode(signature).is_ok());
    let targets = value(&online.targets);
    assert_eq!(
        targets["signed"]["targets"],
        json!({"hello": {"length": 6, "hashes": {
            "sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        }}})
    );
    assert_eq!(
        value(&online.timestamp)["signed"]["meta"]["snapshot.json"]["length"],
        online.snapshot.len()
    );
}

#[test]
fn a_client_verifies_from_the_first_root_to_the_target_files() {
    let repository = TestRepository::new();
    let mut set = TrustedSet::new(repository.root.bytes()).unwrap();

    update(&mut set, &repository.online(1, [7, 90, 90]), NOW).unwrap();

    set.check_target("hello", b"hello\n").unwrap();
    assert!(matches!(
        set.check_target("hello", b"hallo\n"),
        Err(UpdateError::Content(_))
    ));
    assert!(matches!(
        set.check_target("other", b""),
        Err(UpdateError::NoTarget(_))
    ));
}

#[test]
fn a_document_is_rejected_from_the_second_in_which_it_expires() {
    let repository = TestRepository::new();
    for (ends, role) in [
        ([7, 90, 90], Role::Timestamp),
        ([90, 7, 90], Role::Snapshot),
        ([90, 90, 7], Role::Targets),
    ] {
        let online = repository.online(1, ends);
        let set = TrustedSet::new(repository.root.bytes()).unwrap();
        let second_before = UnixTime::from_seconds(days(7).seconds() - 1);

        update(&mut set.clone(), &online, second_before).unwrap();
        let refused = update(&mut set.clone(), &online, days(7));

        assert!(matches!(refused, Err(UpdateError::Expired { role: ended, .. }) if ended == role));
    }
    let online = repository.online(1, [700, 700, 700]);
    let refused = update(
        &mut TrustedSet::new(repository.root.bytes()).unwrap(),
        &online,
        days(365),
    );
    assert!(matches!(
        refused,
        Err(UpdateError::Expired {
            role: Role::Root,
            ..
        })
    ));
}

#[test]
fn rollback_and_mixed_versions_are_rejected() {
    let repository = TestRepository::new();
    let (one, two) = (
        repository.online(1, [7, 90, 90]),
        repository.online(2, [7, 90, 90]),
    );
    let mut set = TrustedSet::new(repository.root.bytes()).unwrap();
    update(&mut set, &two, NOW).unwrap();

    let back = set.update_timestamp(&one.timestamp, NOW);
    let mixed = [
        set.update_snapshot(&one.snapshot, NOW),
        set.update_targets(&one.targets, NOW),
    ];

    assert!(matches!(
        back,
        Err(UpdateError::Rollback {
            role: Role::Timestamp,
            ..
        })
    ));
    for refused in mixed {
        assert!(
            matches!(refused, Err(UpdateError::Mismatch(_))),
            "{refused:?}"
        );
    }
    assert!(!set.update_timestamp(&two.timestamp, NOW).unwrap());
    let resigned = repository.online(2, [7, 90, 90]);
    let refused = set.update_snapshot(&resigned.snapshot, NOW);
    assert!(matches!(
        refused,
        Err(UpdateError::Mismatch(Role::Snapshot))
    ));
    let mut empty = TrustedSet::new(repository.root.bytes()).unwrap();
    assert!(matches!(
        empty.update_snapshot(&one.snapshot, NOW),
        Err(UpdateError::Order(_))
    ));
    assert!(matches!(
        empty.update_targets(&one.targets, NOW),
        Err(UpdateError::Order(_))
    ));
    assert!(empty.files().is_err());
}

#[test]
fn a_document_must_be_signed_by_the_keys_of_its_role() {
    let repository = TestRepository::new();
    let other = TestRepository::new();
    let mut set = TrustedSet::new(repository.root.bytes()).unwrap();

    let refused = update(&mut set, &other.online(1, [7, 90, 90]), NOW);

    assert!(matches!(refused, Err(UpdateError::Verify(_))));
    let online = repository.online(1, [7, 90, 90]);
    let refused = set.update_timestamp(&online.snapshot, NOW);
    assert!(
        matches!(refused, Err(UpdateError::Metadata(_))),
        "{refused:?}"
    );
}

fn successor(
    repository: &TestRepository,
    number: u32,
    keys: &[&SigningKey],
    threshold: u32,
    signers: &[&SigningKey],
) -> Signed<Root> {
    let rules = rules(keys, threshold, &repository.online_key);
    Signed::sign(
        Root::new(version(number), days(700), &rules).unwrap(),
        signers,
    )
    .unwrap()
}

#[test]
fn a_root_needs_the_thresholds_of_the_old_and_the_new_root() {
    let repository = TestRepository::new();
    let old = &repository.root_key;
    let (a, b, c) = (key(), key(), key());
    let next =
        |number, signers: &[&SigningKey]| successor(&repository, number, &[&a, &b, &c], 2, signers);
    let follows = |root: &Signed<Root>| repository.root.check_successor(root);

    assert_eq!(follows(&next(2, &[old, &a, &c])), Ok(()));
    assert!(matches!(
        follows(&next(2, &[&a, &b, &c])),
        Err(SuccessionError::Old(_))
    ));
    assert!(matches!(
        follows(&next(2, &[old, &a])),
        Err(SuccessionError::New(error)) if error.valid == 1 && error.threshold == 2
    ));
    for number in [1, 3] {
        assert!(matches!(
            follows(&next(number, &[old, &a, &b])),
            Err(SuccessionError::Version { .. })
        ));
    }
}

#[test]
fn two_signatures_by_one_key_count_once() {
    let repository = TestRepository::new();
    let (a, b) = (key(), key());
    let next = successor(&repository, 2, &[&a, &b], 2, &[&repository.root_key, &a]);
    let mut twice: Value = serde_json::from_slice(next.bytes()).unwrap();
    let signatures = twice["signatures"].as_array_mut().unwrap();
    signatures.push(signatures[1].clone());
    let twice = Signed::parse_root(twice.to_string().as_bytes()).unwrap();

    let refused = repository.root.check_successor(&twice);

    assert!(matches!(refused, Err(SuccessionError::New(error)) if error.valid == 1));
}

#[test]
fn roots_with_invalid_keys_or_thresholds_are_rejected() {
    let (root_key, online) = (key(), key());
    let p384 = SigningKey::generate(KeyAlgorithm::P384).unwrap().0;
    let root_error = |rules| Root::new(version(1), days(1), &rules).unwrap_err();
    let many: Vec<_> = (0..=MAX_ROOT_KEYS).map(|_| key()).collect();
    let many: Vec<_> = many.iter().collect();

    assert!(matches!(
        root_error(rules(&[&root_key], 0, &online)),
        RuleError::Threshold {
            role: Role::Root,
            threshold: 0,
            keys: 1
        }
    ));
    assert!(matches!(
        root_error(rules(&[&root_key], 2, &online)),
        RuleError::Threshold { .. }
    ));
    assert!(matches!(
        root_error(rules(&[], 1, &online)),
        RuleError::Threshold { keys: 0, .. }
    ));
    assert_eq!(
        root_error(rules(&[&root_key, &root_key], 1, &online)),
        RuleError::DuplicateKey
    );
    assert_eq!(
        root_error(rules(&[&online], 1, &online)),
        RuleError::OnlineKey
    );
    assert_eq!(root_error(rules(&[&p384], 1, &online)), RuleError::KeyKind);
    assert_eq!(
        root_error(rules(&many, 1, &online)),
        RuleError::TooManyKeys(MAX_ROOT_KEYS)
    );

    let repository = TestRepository::new();
    let root: Value = serde_json::from_slice(repository.root.bytes()).unwrap();
    let changed = |position: &str, value: Value| {
        let mut root = root.clone();
        *root.pointer_mut(position).unwrap() = value;
        Signed::parse_root(root.to_string().as_bytes())
    };
    for (position, value) in [
        ("/signed/roles/timestamp/threshold", json!(0)),
        ("/signed/roles/root/threshold", json!(2)),
        ("/signed/roles/root/keyids", json!([])),
        ("/signed/roles/root/keyids/0", json!("unknown")),
        ("/signed/version", json!(0)),
        ("/signed/version", json!(2_147_483_648_u64)),
        ("/signed/version", json!("1")),
        ("/signed/expires", json!("2028-01-15T08:00:00.5Z")),
        ("/signed/expires", json!("2028-01-15T08:00:00+00:00")),
        ("/signed/spec_version", json!("2.0")),
        ("/signed/_type", json!("targets")),
        ("/signed/roles", json!([])),
        ("/signed", json!([])),
        ("/signatures", json!({})),
    ] {
        assert!(changed(position, value).is_err(), "{position}");
    }
}

#[test]
fn documents_over_the_size_limit_are_rejected() {
    let repository = TestRepository::new();
    let online = repository.online(1, [7, 90, 90]);
    let mut padded = online.timestamp.clone();
    padded.resize(16_385, b' ');

    let refused = Signed::<Timestamp>::parse(&padded);

    assert!(matches!(
        refused,
        Err(MetadataError::TooLarge {
            role: Role::Timestamp,
            limit: 16_384
        })
    ));
}

#[test]
fn versions_may_restart_after_the_online_key_changes() {
    let repository = TestRepository::new();
    let mut set = TrustedSet::new(repository.root.bytes()).unwrap();
    update(&mut set, &repository.online(9, [7, 90, 90]), NOW).unwrap();
    let mut renewed = TestRepository::new();
    let rules = rules(&[&repository.root_key], 1, &renewed.online_key);
    let body = Root::new(version(2), days(700), &rules).unwrap();
    renewed.root = Signed::sign(body, &[&repository.root_key]).unwrap();

    set.update_root(renewed.root.bytes()).unwrap();

    update(&mut set, &renewed.online(1, [7, 90, 90]), NOW).unwrap();
}

#[test]
fn signatures_of_several_copies_are_merged() {
    let repository = TestRepository::new();
    let (a, b) = (key(), key());
    let unsigned = successor(&repository, 2, &[&a, &b], 2, &[]);
    let mut copies = [unsigned.clone(), unsigned.clone()];
    copies[0].add_signature(&a).unwrap();
    copies[0].add_signature(&a).unwrap();
    copies[1].add_signature(&b).unwrap();
    let mut whole = Signed::parse_root(unsigned.bytes()).unwrap();

    for copy in &copies {
        assert!(whole.merge(&Signed::parse_root(copy.bytes()).unwrap()));
    }

    assert_eq!(whole.signatures().count(), 2);
    whole.add_signature(&repository.root_key).unwrap();
    assert_eq!(repository.root.check_successor(&whole), Ok(()));
    assert_eq!(Signed::parse_root(whole.bytes()).unwrap(), whole);
    let other = successor(&repository, 3, &[&a, &b], 2, &[&a]);
    assert!(!whole.merge(&other));
}

#[test]
fn every_difference_between_two_roots_is_listed() {
    let repository = TestRepository::new();
    let (a, b) = (key(), key());
    let next = successor(&repository, 2, &[&a, &b], 2, &[]);
    let id = |key: &SigningKey| KeyId::of(key.public_key()).unwrap();

    let changes = RootChange::between(repository.root.body(), next.body());

    let role = Role::Root;
    assert_eq!(
        changes,
        [
            RootChange::Version { from: 1, to: 2 },
            RootChange::Expiry {
                from: days(365),
                to: days(700)
            },
            RootChange::Removed {
                role,
                key: id(&repository.root_key)
            },
            RootChange::Added { role, key: id(&a) },
            RootChange::Added { role, key: id(&b) },
            RootChange::Threshold {
                role,
                from: 1,
                to: 2
            },
        ]
    );
    let same = RootChange::between(next.body(), next.body());
    assert_eq!(same.len(), 2, "version and expiry are always listed");
}
