use super::*;
use crate::doubles::{FixedClock, MemoryLedger, NO_RNG, ReadOnlyLedger, SYSTEM_RNG};
use crate::services::account::secret::MAX_SECRET_LENGTH;

const NOON: FixedClock = FixedClock(UnixTime::from_seconds(1_800_000_000));

fn accounts(ledger: &Arc<MemoryLedger>) -> Accounts {
    let ledger: Arc<dyn Ledger> = Arc::<MemoryLedger>::clone(ledger);
    Accounts::load(ledger, Arc::new(NOON), SYSTEM_RNG).unwrap()
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::new(text).unwrap()
}

fn presented(text: &str) -> ClientSecret {
    ClientSecret::presented(text).unwrap()
}

#[tokio::test]
async fn an_account_survives_a_restart_and_its_secret_is_not_stored() {
    let ledger = Arc::new(MemoryLedger::default());
    let made = accounts(&ledger)
        .add_service(email("ci@example.com"))
        .unwrap();

    let reopened = accounts(&ledger);
    let account = reopened
        .authenticate(&made.client_id, presented(made.client_secret.reveal()))
        .await
        .unwrap();

    assert_eq!(account.email.as_str(), "ci@example.com");
    assert_eq!(account.created.seconds(), 1_800_000_000);
    let stored = ledger.scan(Table::Account).unwrap();
    let (_, value) = stored.first().unwrap();
    let text = String::from_utf8(value.clone()).unwrap();
    assert!(text.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
    assert!(!text.contains(made.client_secret.reveal()));
}

#[tokio::test]
async fn wrong_secrets_unknown_clients_and_removed_accounts_get_the_same_error() {
    let ledger = Arc::new(MemoryLedger::default());
    let accounts = accounts(&ledger);
    let made = accounts.add_service(email("ci@example.com")).unwrap();
    let right = made.client_secret.reveal();

    for (client, secret) in [
        (made.client_id.as_str(), "wrong"),
        (made.client_id.as_str(), ""),
        ("svc-unknown", right),
        ("", right),
    ] {
        let refused = accounts.authenticate(client, presented(secret)).await;
        assert_eq!(refused.unwrap_err(), AuthenticationError::Refused);
    }
    accounts.remove(&email("ci@example.com")).unwrap();
    let refused = accounts
        .authenticate(&made.client_id, presented(right))
        .await;

    assert_eq!(refused.unwrap_err(), AuthenticationError::Refused);
    assert!(accounts.list().is_empty());
    assert!(ledger.scan(Table::Account).unwrap().is_empty());
}

#[test]
fn a_second_account_for_an_address_is_refused() {
    let ledger = Arc::new(MemoryLedger::default());
    let accounts = accounts(&ledger);
    let first = accounts.add_service(email("b@example.com")).unwrap();
    let second = accounts.add_service(email("a@example.com")).unwrap();

    let again = accounts.add_service(email("b@example.com"));

    assert!(matches!(again, Err(AccountError::Exists)));
    assert!(matches!(
        accounts.remove(&email("c@example.com")),
        Err(AccountError::NotFound)
    ));
    assert_ne!(first.client_id, second.client_id);
    let listed: Vec<_> = accounts.list().into_iter().map(|a| a.email).collect();
    assert_eq!(listed, [email("a@example.com"), email("b@example.com")]);
}

#[test]
fn a_damaged_or_newer_record_is_an_error() {
    let good = r#"{"version":1,"email":"a@b.c","client_id":"x","secret_hash":"$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA","created_millis":1,"kind":"service"}"#;
    assert!(record::decode(good.as_bytes()).is_some());

    for record in [
        good.replace("\"version\":1", "\"version\":2"),
        good.replace("$argon2id", "$argon2i"),
        good.replace("a@b.c", "a"),
        good.replace("\"kind\"", "\"extra\":1,\"kind\""),
        String::new(),
    ] {
        let ledger = Arc::new(MemoryLedger::default());
        ledger
            .put(Table::Account, b"a@b.c", record.as_bytes())
            .unwrap();

        let loaded = Accounts::load(ledger, Arc::new(NOON), SYSTEM_RNG);

        assert!(matches!(loaded, Err(AccountError::Damaged)), "{record}");
    }
}

#[test]
fn no_account_is_added_without_storage_or_randomness() {
    let mut accounts =
        Accounts::load(Arc::new(ReadOnlyLedger), Arc::new(NOON), SYSTEM_RNG).unwrap();

    let unwritten = accounts.add_service(email("a@example.com"));
    accounts.rng = NO_RNG;
    let unsecured = accounts.add_service(email("a@example.com"));

    assert!(matches!(
        unwritten,
        Err(AccountError::Ledger(LedgerError::ReadOnly))
    ));
    assert!(matches!(unsecured, Err(AccountError::Random(_))));
    assert!(accounts.list().is_empty());
}

#[test]
fn secrets_have_a_limit_and_are_never_shown() {
    assert!(ClientSecret::presented("x".repeat(MAX_SECRET_LENGTH)).is_some());
    assert!(ClientSecret::presented("x".repeat(MAX_SECRET_LENGTH + 1)).is_none());
    let hash = SecretHash::of(&presented("x"), &[1; 32]).unwrap();
    assert_eq!(format!("{hash:?}"), "SecretHash(…)");
}

#[tokio::test]
async fn requests_beyond_the_waiting_limit_are_refused() {
    let accounts = Arc::new(accounts(&Arc::new(MemoryLedger::default())));
    let crowd = u32::try_from(HASHES_IN_FLIGHT + HASHES_WAITING).unwrap();
    let places = accounts.waiting.try_acquire_many(crowd).unwrap();

    let refused = accounts.authenticate("svc-x", presented("y")).await;

    assert_eq!(refused.unwrap_err(), AuthenticationError::Busy);
    drop(places);
    let refused = accounts.authenticate("svc-x", presented("y")).await;
    assert_eq!(refused.unwrap_err(), AuthenticationError::Refused);
}
