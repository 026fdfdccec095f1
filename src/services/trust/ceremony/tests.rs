use super::*;
use crate::doubles::keys;
use crate::protocol::time::Clock as _;
use crate::protocol::tuf::RuleError;
use crate::protocol::tuf::trusted_set::TrustedSet;
use crate::services::trust::RepositoryHealth;
use crate::services::trust::terms::RootTerm;
use crate::services::trust::testing::{TestInstance, refresh};

fn begun() -> (TestInstance, TrustRepository) {
    let instance = TestInstance::new();
    let repository = instance.open();
    repository.renew().unwrap();
    (instance, repository)
}

fn proposal(keys: &[&SigningKey], threshold: u32) -> RootProposal {
    RootProposal {
        keys: Some(keys.iter().map(|key| key.public_key().clone()).collect()),
        threshold: Some(threshold),
        days: None,
    }
}

/// Writes a request to a file and reads it back.
fn travelled(request: &RootSigningRequest) -> RootSigningRequest {
    RootSigningRequest::parse(request.to_json().unwrap().as_bytes()).unwrap()
}

#[test]
fn a_renewed_root_takes_effect_immediately_and_clients_update_to_it() {
    let (instance, repository) = begun();
    let mut client = TrustedSet::new(&repository.file("1.root.json").unwrap()).unwrap();
    let first = repository.initial_root_hash();
    instance.advance_days(305);
    repository.renew().unwrap();
    assert_eq!(
        repository.health(),
        RepositoryHealth::Root(RootTerm::Within(60))
    );

    let root = repository.renew_root().unwrap();

    assert_eq!(root.body().version().get(), 2);
    assert_eq!(repository.health(), RepositoryHealth::Current);
    assert_eq!(repository.file("root.json").unwrap(), root.bytes());
    assert_eq!(repository.initial_root_hash(), first);
    instance.advance_days(61);
    repository.renew().unwrap();
    let now = instance.clock.now();
    refresh(&mut client, now, |path| repository.file(path)).unwrap();
    let again = instance.open();
    assert_eq!(again.file("2.root.json").unwrap(), root.bytes());
    assert!(again.status().unwrap().renewable);
}

#[test]
fn a_ceremony_transfers_the_root_to_keys_on_other_machines() {
    let (instance, repository) = begun();
    let (alice, bob, carol) = (keys::p256(), keys::p256(), keys::p256());
    let request = repository
        .propose(&proposal(&[&alice, &bob, &carol], 2))
        .unwrap();
    let mut copies = [
        travelled(&request),
        travelled(&request),
        travelled(&request),
    ];
    copies[0].sign(&instance.root_key.0).unwrap();
    copies[1].sign(&alice).unwrap();
    copies[2].sign(&carol).unwrap();
    let mut whole = travelled(&request);
    whole.merge(&travelled(&copies[0])).unwrap();
    whole.merge(&travelled(&copies[1])).unwrap();
    assert!(matches!(
        whole.check_complete(),
        Err(CeremonyError::Incomplete(SuccessionError::New(_)))
    ));
    whole.merge(&travelled(&copies[2])).unwrap();
    whole.check_complete().unwrap();

    repository.install_root(whole.next()).unwrap();

    let mut client = TrustedSet::new(&repository.file("1.root.json").unwrap()).unwrap();
    let now = instance.clock.now();
    refresh(&mut client, now, |path| repository.file(path)).unwrap();
    assert_eq!(client.root().body().role(Role::Root).threshold, 2);
    assert!(matches!(
        repository.renew_root(),
        Err(RepositoryError::KeysElsewhere {
            threshold: 2,
            keys: 3
        })
    ));

    let mut next = repository.propose(&RootProposal::default()).unwrap();
    next.sign(&bob).unwrap();
    let too_few = repository.install_root(next.next());
    assert!(matches!(too_few, Err(RepositoryError::Succession(_))));
    assert!(matches!(
        next.sign(&instance.root_key.0),
        Err(CeremonyError::Unauthorized(_))
    ));
    next.sign(&alice).unwrap();
    repository.install_root(next.next()).unwrap();
    assert_eq!(repository.status().unwrap().roles[0].1.get(), 3);
}

#[test]
fn a_root_without_signatures_of_the_previous_keys_is_refused() {
    let (_, repository) = begun();
    let thief = keys::p256();
    let mut request = repository.propose(&proposal(&[&thief], 1)).unwrap();
    request.sign(&thief).unwrap();

    let refused = repository.install_root(request.next());

    assert!(matches!(
        refused,
        Err(RepositoryError::Succession(SuccessionError::Old(_)))
    ));
    assert_eq!(repository.file("2.root.json"), None);
}

#[test]
fn a_root_that_excludes_the_online_key_or_has_expired_is_refused() {
    let (instance, repository) = begun();
    let (other_online, root_key) = (keys::p256(), &instance.root_key.0);
    let present = repository.status().unwrap().root;
    let mut rules = present.body().rules().unwrap();
    rules.online_key = other_online.public_key().clone();
    let version = present.body().version().next().unwrap();
    let root = Root::new(version, present.body().expires(), &rules).unwrap();
    let root = Signed::sign(root, &[root_key]).unwrap();

    assert!(matches!(
        repository.install_root(&root),
        Err(RepositoryError::OnlineRoles)
    ));

    let mut short = repository
        .propose(&RootProposal {
            days: Some(1),
            ..RootProposal::default()
        })
        .unwrap();
    short.sign(root_key).unwrap();
    instance.advance_days(1);
    assert!(matches!(
        repository.install_root(short.next()),
        Err(RepositoryError::Expired(_))
    ));
}

#[test]
fn invalid_root_proposals_are_refused() {
    let (instance, repository) = begun();
    let (alice, online) = (keys::p256(), &instance.online_key.0);
    let refused = |proposal: RootProposal| repository.propose(&proposal).unwrap_err();

    for threshold in [0, 2] {
        assert!(matches!(
            refused(proposal(&[&alice], threshold)),
            RepositoryError::Rules(RuleError::Threshold { .. })
        ));
    }
    assert!(matches!(
        refused(proposal(&[&alice, &alice], 1)),
        RepositoryError::Rules(RuleError::DuplicateKey)
    ));
    assert!(matches!(
        refused(proposal(&[online], 1)),
        RepositoryError::Rules(RuleError::OnlineKey)
    ));
    for days in [0, MAX_ROOT_DAYS + 1] {
        let wanted = RootProposal {
            days: Some(days),
            ..RootProposal::default()
        };
        assert!(matches!(refused(wanted), RepositoryError::Days(_)));
    }
}

#[test]
fn a_request_with_unrelated_roots_is_refused() {
    let (instance, repository) = begun();
    let request = repository.propose(&RootProposal::default()).unwrap();
    let text = request.to_json().unwrap();
    let parse = |text: &str| RootSigningRequest::parse(text.as_bytes());

    let kind = text.replace("signet-root", "other-root");
    assert!(matches!(parse(&kind), Err(CeremonyError::Kind)));
    let order = text.replace("\"version\": 2", "\"version\": 3");
    assert_ne!(order, text);
    assert!(matches!(parse(&order), Err(CeremonyError::Order { .. })));
    let present = text.replace("\"version\": 1", "\"version\": 2");
    assert!(matches!(parse(&present), Err(CeremonyError::Current)));
    assert!(matches!(parse("{}"), Err(CeremonyError::Json(_))));
    let long = " ".repeat(MAX_REQUEST + 1);
    assert!(matches!(parse(&long), Err(CeremonyError::TooLarge)));

    let mut other = repository
        .propose(&RootProposal {
            days: Some(9),
            ..RootProposal::default()
        })
        .unwrap();
    other.sign(&instance.root_key.0).unwrap();
    let mut request = request;
    assert!(matches!(
        request.merge(&other),
        Err(CeremonyError::Different)
    ));
    assert_eq!(request.next().signatures().count(), 0);
}
