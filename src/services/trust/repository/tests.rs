use std::time::Duration;

use super::*;
use crate::doubles::keys;
use crate::protocol::tuf::trusted_set::{TrustedSet, UpdateError};
use crate::services::trust::RepositoryHealth;
use crate::services::trust::testing::{TestInstance, refresh};

fn version(number: u32) -> Version {
    Version::new(number).unwrap()
}

fn client(repository: &TrustRepository) -> TrustedSet {
    TrustedSet::new(&repository.file("1.root.json").unwrap()).unwrap()
}

#[test]
fn the_first_renewal_creates_the_repository_and_the_next_changes_nothing() {
    let instance = TestInstance::new();
    let repository = instance.open();
    assert_eq!(repository.initial_root_hash(), None);
    assert_eq!(repository.health(), RepositoryHealth::NotCreated);

    let renewal = repository.renew().unwrap();

    assert_eq!(renewal.initial_root, repository.initial_root_hash());
    let first = version(1);
    assert_eq!(
        renewal.signed,
        [
            (Role::Root, first),
            (Role::Targets, first),
            (Role::Snapshot, first),
            (Role::Timestamp, first),
        ]
    );
    assert_eq!(repository.renew().unwrap(), Renewal::default());
    assert_eq!(repository.health(), RepositoryHealth::Current);
    let content = refresh(&mut client(&repository), instance.clock.now(), |path| {
        repository.file(path)
    });
    assert_eq!(content.unwrap(), b"first");
}

#[test]
fn the_timestamp_is_written_last() {
    let instance = TestInstance::new();
    instance.open().renew().unwrap();

    let writes = instance.ledger.take_writes();

    assert_eq!(writes.len(), 5);
    assert!(writes[1].starts_with("file/"));
    assert_eq!(
        [&writes[0], &writes[2], &writes[3], &writes[4]],
        ["root/1", "targets/1", "snapshot/1", "timestamp"]
    );
}

/// Interrupts creation and update after every number of writes and starts again: no version is ever
/// served with two contents, and clients can still update.
#[test]
fn no_version_has_two_contents_if_a_start_is_interrupted() {
    for changed in [false, true] {
        for cut in 0..8 {
            let instance = TestInstance::new();
            if changed {
                instance.open().renew().unwrap();
            }
            let mut known = BTreeMap::new();
            let mut remember = |repository: &TrustRepository| {
                for path in repository
                    .paths()
                    .iter()
                    .filter(|path| path.as_bytes()[0] != b't')
                {
                    let bytes = repository.file(path).unwrap();
                    let before = known.insert(path.clone(), bytes.clone());
                    let same = before.is_none_or(|before| before == bytes || path == "root.json");
                    assert!(same, "{path} after {cut} writes");
                }
            };
            remember(&instance.open());

            instance.ledger.limit_writes(Some(cut));
            let interrupted = instance.open_with("second").unwrap();
            let _ = interrupted.renew();
            remember(&interrupted);
            drop(interrupted);
            instance.ledger.limit_writes(None);
            instance.clock.advance(Duration::from_secs(1));
            let repository = instance.open_with("third").unwrap();
            remember(&repository);
            repository.renew().unwrap();
            remember(&repository);

            let content = refresh(&mut client(&repository), instance.clock.now(), |path| {
                repository.file(path)
            });
            assert_eq!(content.unwrap(), b"third", "after {cut} writes");
        }
    }
}

#[test]
fn changed_content_is_published_at_the_next_start_and_clients_update_to_it() {
    let instance = TestInstance::new();
    let repository = instance.open();
    repository.renew().unwrap();
    let mut client = client(&repository);
    let now = instance.clock.now();
    refresh(&mut client, now, |path| repository.file(path)).unwrap();
    let old_file = repository
        .paths()
        .into_iter()
        .find(|path| path.starts_with("targets/"));
    drop(repository);

    let repository = instance.open_with("second").unwrap();
    let renewal = repository.renew().unwrap();

    assert_eq!(renewal.signed.len(), 3);
    assert!(
        renewal
            .signed
            .iter()
            .all(|(_, number)| *number == version(2))
    );
    let content = refresh(&mut client, now, |path| repository.file(path));
    assert_eq!(content.unwrap(), b"second");
    // A client may have fetched the old targets metadata but not yet its file.
    assert_eq!(repository.file(&old_file.unwrap()).unwrap(), b"first");
    assert!(repository.file("1.targets.json").is_some());
}

#[test]
fn old_versions_are_removed_when_no_client_can_still_be_fetching_them() {
    let instance = TestInstance::new();
    for number in 0..6 {
        let repository = instance.open_with(&format!("content {number}")).unwrap();
        repository.renew().unwrap();
    }

    let repository = instance.open_with("content 5").unwrap();

    let paths = repository.paths();
    let count = |ending: &str| paths.iter().filter(|path| path.ends_with(ending)).count();
    assert_eq!(count(".targets.json"), 3, "{paths:?}");
    assert_eq!(count(".snapshot.json"), 3);
    assert_eq!(count(".trusted_root.json"), 3);
    assert!(repository.file("6.targets.json").is_some());
    assert_eq!(
        instance.ledger.facts(Table::TrustRepository).len(),
        1 + 1 + 3 * 3
    );
}

#[test]
fn each_role_is_renewed_before_it_expires() {
    let instance = TestInstance::new();
    let repository = instance.open();
    repository.renew().unwrap();
    let minute = Duration::from_secs(60);

    instance.clock.advance(Duration::from_secs(86_400) - minute);
    assert_eq!(repository.renew().unwrap(), Renewal::default());
    instance.clock.advance(minute);
    let daily = repository.renew().unwrap();
    instance.advance_days(59);
    let quarterly = repository.renew().unwrap();

    assert_eq!(daily.signed, [(Role::Timestamp, version(2))]);
    assert_eq!(
        quarterly.signed,
        [
            (Role::Targets, version(2)),
            (Role::Snapshot, version(2)),
            (Role::Timestamp, version(3)),
        ]
    );
}

#[test]
fn metadata_signed_by_a_clock_that_was_ahead_is_signed_again() {
    let instance = TestInstance::new();
    let repository = instance.open();
    repository.renew().unwrap();
    instance.advance_days(10_000);
    repository.renew().unwrap();
    instance.rewind_days(10_000);

    let renewal = repository.renew().unwrap();

    assert_eq!(
        renewal.signed,
        [
            (Role::Targets, version(3)),
            (Role::Snapshot, version(3)),
            (Role::Timestamp, version(3)),
        ]
    );
    assert_eq!(repository.renew().unwrap(), Renewal::default());
}

#[test]
fn versions_rise_across_restarts() {
    let instance = TestInstance::new();
    instance.open().renew().unwrap();
    let first = instance.open().initial_root_hash();
    for number in 2..5 {
        instance.advance_days(1);
        let repository = instance.open();

        let renewal = repository.renew().unwrap();

        assert_eq!(renewal.signed, [(Role::Timestamp, version(number))]);
        assert_eq!(repository.initial_root_hash(), first);
    }
}

#[test]
fn a_read_only_store_publishes_nothing_new() {
    let instance = TestInstance::new();
    instance.open().renew().unwrap();
    instance.advance_days(3);
    instance.ledger.limit_writes(Some(0));
    let repository = instance.open_with("second").unwrap();
    let before: Vec<_> = repository.paths();
    let timestamp = repository.file("timestamp.json");

    let refused = repository.renew();

    assert!(matches!(
        refused,
        Err(RepositoryError::Ledger(LedgerError::ReadOnly))
    ));
    assert!(matches!(
        repository.renew_root(),
        Err(RepositoryError::Ledger(LedgerError::ReadOnly))
    ));
    assert_eq!(repository.paths(), before);
    assert_eq!(repository.file("timestamp.json"), timestamp);
    assert_eq!(
        repository.health(),
        RepositoryHealth::Overdue(Role::Timestamp)
    );
    instance.advance_days(4);
    assert_eq!(
        repository.health(),
        RepositoryHealth::Expired(Role::Timestamp)
    );
}

#[test]
fn an_online_key_that_the_root_does_not_name_is_refused_at_start() {
    let instance = TestInstance::new();
    instance.open().renew().unwrap();
    let mut keys = instance.keys();
    keys.online = keys::p256();

    let refused = instance.open_keys("first", keys);

    assert!(matches!(refused, Err(OpenRepositoryError::OnlineKey)));
}

#[test]
fn only_the_first_root_needs_the_root_key() {
    let instance = TestInstance::new();
    let without = || RepositoryKeys {
        root: None,
        ..instance.keys()
    };
    let refused = instance.open_keys("first", without()).unwrap().renew();
    assert!(matches!(refused, Err(RepositoryError::NoRootKey)));
    instance.open().renew().unwrap();
    instance.advance_days(80);

    let repository = instance.open_keys("first", without()).unwrap();

    repository.renew().unwrap();
    assert!(matches!(
        repository.renew_root(),
        Err(RepositoryError::KeysElsewhere {
            threshold: 1,
            keys: 1
        })
    ));
    assert!(!repository.status().unwrap().renewable);
}

#[test]
fn every_damaged_or_missing_record_is_detected() {
    let instance = TestInstance::new();
    instance.open().renew().unwrap();
    instance.open().renew_root().unwrap();
    let whole = instance.ledger.facts(Table::TrustRepository);
    let keys: Vec<_> = whole.keys().cloned().collect();
    assert_eq!(keys.len(), 6);
    for key in keys {
        let name = String::from_utf8(key.clone()).unwrap();
        let mut damaged = whole.clone();
        let record = damaged.get_mut(&key).unwrap();
        // Changes the last alphanumeric byte, which is in the signed part.
        let place = record.iter().rposition(u8::is_ascii_alphanumeric).unwrap();
        record[place] ^= 1;
        instance.ledger.set_facts(Table::TrustRepository, damaged);
        assert!(
            matches!(
                instance.open_with("first"),
                Err(OpenRepositoryError::Record(_))
            ),
            "{name} changed"
        );
        // The repository cannot detect the loss of the newest root; the journal prevents it.
        if name != "root/2" && name != "timestamp" {
            let mut lost = whole.clone();
            lost.remove(&key);
            instance.ledger.set_facts(Table::TrustRepository, lost);
            assert!(
                matches!(
                    instance.open_with("first"),
                    Err(OpenRepositoryError::Record(_))
                ),
                "{name} lost"
            );
        }
    }
}

#[test]
fn unknown_paths_are_not_found() {
    let instance = TestInstance::new();
    let repository = instance.open();
    repository.renew().unwrap();
    let target = repository
        .paths()
        .into_iter()
        .find(|path| path.starts_with("targets/"));
    let target = target.unwrap();
    let other_name = target.replace("trusted_root", "other");
    let upper = target.replace(&target[8..72], &target[8..72].to_uppercase());

    for path in [
        "",
        "2.root.json",
        "0.root.json",
        "01.root.json",
        "+1.root.json",
        "1.timestamp.json",
        "snapshot.json",
        "targets.json",
        "2.targets.json",
        "1.snapshot",
        "99999999999999999999.root.json",
        "targets/trusted_root.json",
        "targets/../1.root.json",
        &other_name,
        &upper,
    ] {
        assert_eq!(repository.file(path), None, "{path}");
    }
}

#[test]
fn a_target_that_exceeds_the_record_size_is_refused() {
    let instance = TestInstance::new();
    let repository = instance.open_with(&"x".repeat(64 << 10)).unwrap();

    let refused = repository.renew().unwrap_err();

    assert!(refused.to_string().contains("65536 bytes"), "{refused}");
}

#[test]
fn a_client_rejects_expired_metadata() {
    let instance = TestInstance::new();
    let repository = instance.open();
    repository.renew().unwrap();
    instance.advance_days(7);

    let refused = refresh(&mut client(&repository), instance.clock.now(), |path| {
        repository.file(path)
    });

    assert!(matches!(
        refused,
        Err(UpdateError::Expired {
            role: Role::Timestamp,
            ..
        })
    ));
}
