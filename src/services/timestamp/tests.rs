use std::collections::HashSet;

use futures_util::FutureExt as _;

use super::*;
use crate::doubles::{MemoryLedger, NO_RNG, SYSTEM_RNG, TestClock};
use crate::protocol::hash::{HashAlgorithm, Sha256};
use crate::protocol::tsp::testing::{NOON, TestTsa};
use crate::protocol::tsp::{TokenSignerError, verify_reply};
use crate::services::ledger::Table;
use crate::services::roster::AuthorityRole;

fn tsa_authority(tsa: &TestTsa) -> Authority {
    Authority::new(AuthorityRole::Timestamps, tsa.chain(), tsa.key()).unwrap()
}

struct World {
    tsa: TestTsa,
    clock: Arc<TestClock>,
    ledger: Arc<MemoryLedger>,
}

impl World {
    fn new() -> Self {
        Self {
            tsa: TestTsa::new(),
            clock: Arc::new(TestClock::new(NOON)),
            ledger: Arc::default(),
        }
    }

    fn open(&self) -> TimestampAuthority {
        let tsa = tsa_authority(&self.tsa);
        TimestampAuthority::open(
            tsa,
            Arc::clone(&self.ledger) as Arc<dyn Ledger>,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            SYSTEM_RNG,
        )
        .unwrap()
    }

    fn set_clock(&self, offset_millis: i64) {
        let time = NOON.millis().checked_add_signed(offset_millis).unwrap();
        self.clock.set(UnixTime::from_millis(time));
    }

    fn stored_second(&self) -> Option<Vec<u8>> {
        let facts = self.ledger.facts(Table::TimestampFloor);
        facts.into_values().next()
    }

    async fn stamp(&self, authority: &TimestampAuthority) -> Result<UnixTime, StampError> {
        let response = authority.stamp(&request()).await?;
        let verified = verify_reply(&response, &request(), &[self.tsa.trusted()]).unwrap();
        Ok(verified.time)
    }
}

fn request() -> TimestampRequest {
    TimestampRequest::new(Sha256::of(b"stamped").into(), Some(9), true)
}

#[tokio::test]
async fn a_second_is_stored_once_and_before_its_first_token() {
    let world = World::new();
    let authority = world.open();
    for millis in [0, 1, 999] {
        world.set_clock(millis);
        assert_eq!(world.stamp(&authority).await.unwrap(), NOON);
    }
    assert_eq!(world.ledger.take_writes().len(), 1);
    let stored = world.stored_second().unwrap();
    assert_eq!(stored, NOON.seconds().to_be_bytes());

    world.set_clock(1_000);
    world.stamp(&authority).await.unwrap();
    assert_eq!(world.ledger.take_writes().len(), 1);
}

#[tokio::test]
async fn concurrent_requests_store_their_second_once() {
    let world = World::new();
    let authority = world.open();
    let request = request();
    let requests = (0..50).map(|_| authority.stamp(&request));

    let responses = futures_util::future::join_all(requests).await;

    let distinct: HashSet<Vec<u8>> = responses.into_iter().map(Result::unwrap).collect();
    assert_eq!(distinct.len(), 50);
    assert_eq!(world.ledger.take_writes().len(), 1);
}

#[tokio::test]
async fn a_disconnect_does_not_let_an_older_second_overwrite_a_newer_one() {
    let world = World::new();
    let authority = world.open();
    let request = request();
    let ledger = Arc::clone(&world.ledger);
    {
        let _blocked = ledger.block_writes();
        let disconnected = authority.stamp(&request).now_or_never();
        assert!(disconnected.is_none());
    }
    world.set_clock(1_000);

    world.stamp(&authority).await.unwrap();

    assert_eq!(world.ledger.take_writes().len(), 2);
    let stored = world.stored_second().unwrap();
    assert_eq!(stored, (NOON.seconds() + 1).to_be_bytes());
}

#[tokio::test]
async fn time_never_goes_backwards_across_a_restart() {
    let world = World::new();
    world.stamp(&world.open()).await.unwrap();

    let restarted = world.open();
    world.set_clock(-1);
    let error = world.stamp(&restarted).await.unwrap_err();
    assert!(matches!(
        error,
        StampError::Time(FloorError::Backwards { .. })
    ));
    assert_eq!(error.failure(), PkiFailure::TimeNotAvailable);
    assert!(!restarted.is_ready());

    world.set_clock(0);
    assert_eq!(world.stamp(&restarted).await.unwrap(), NOON);
    assert!(restarted.is_ready());
}

#[tokio::test]
async fn no_token_is_issued_for_a_second_that_cannot_be_stored() {
    let world = World::new();
    let authority = world.open();
    world.ledger.limit_writes(Some(0));

    let error = world.stamp(&authority).await.unwrap_err();
    assert!(matches!(error, StampError::Time(FloorError::Ledger(_))));
    assert_eq!(error.failure(), PkiFailure::SystemFailure);

    world.ledger.limit_writes(None);
    world.stamp(&authority).await.unwrap();
}

#[tokio::test]
async fn a_clock_beyond_the_certificates_is_refused_and_does_not_raise_the_floor() {
    let world = World::new();
    let authority = world.open();
    let ten_years = 10 * 365 * 86_400_000;
    for offset in [ten_years, -ten_years] {
        world.set_clock(offset);
        let error = world.stamp(&authority).await.unwrap_err();
        assert!(matches!(error, StampError::CertificateNotValid(_)));
        assert_eq!(error.failure(), PkiFailure::TimeNotAvailable);
    }

    world.set_clock(0);
    assert_eq!(world.stamp(&authority).await.unwrap(), NOON);
}

#[tokio::test]
async fn requests_for_another_policy_are_refused() {
    let world = World::new();
    let authority = world.open();
    let request_with_policy = |policy: &str| {
        let hash = crate::protocol::bytes::to_base64(Sha256::of(b"stamped").as_bytes());
        let json = format!(
            "{{\"artifactHash\":\"{hash}\",\"hashAlgorithm\":\"sha256\",\
             \"tsaPolicyOID\":\"{policy}\"}}"
        );
        TimestampRequest::from_json(json.as_bytes()).unwrap()
    };

    let error = authority
        .stamp(&request_with_policy("1.2.3.4"))
        .await
        .unwrap_err();
    assert_eq!(error.failure(), PkiFailure::UnacceptedPolicy);
    authority
        .stamp(&request_with_policy("1.3.6.1.4.1.57264.2"))
        .await
        .unwrap();
}

#[test]
fn a_damaged_record_is_refused() {
    let world = World::new();
    let stored = world
        .ledger
        .put(Table::TimestampFloor, b"last-second", &[0; 7]);
    stored.unwrap();
    let tsa = tsa_authority(&world.tsa);

    let opened = TimestampAuthority::open(
        tsa,
        Arc::clone(&world.ledger) as Arc<dyn Ledger>,
        Arc::clone(&world.clock) as Arc<dyn Clock>,
        NO_RNG,
    );

    assert!(matches!(opened, Err(OpenTimestampsError::Malformed(7))));
}

#[test]
fn only_a_p256_key_signs_tokens() {
    let world = World::new();
    let p384 = TestTsa::with(&rcgen::PKCS_ECDSA_P384_SHA384, |_| {});

    let opened = TimestampAuthority::open(
        tsa_authority(&p384),
        Arc::clone(&world.ledger) as Arc<dyn Ledger>,
        Arc::clone(&world.clock) as Arc<dyn Clock>,
        NO_RNG,
    );

    let refused = opened.map(drop).unwrap_err();
    assert!(matches!(
        refused,
        OpenTimestampsError::Key(TokenSignerError::Algorithm)
    ));
}

#[tokio::test]
async fn every_supported_hash_algorithm_is_accepted() {
    let world = World::new();
    let authority = world.open();
    for hash in HashAlgorithm::ALL {
        let request = TimestampRequest::new(hash.digest(b"stamped"), None, false);

        let response = authority.stamp(&request).await.unwrap();

        verify_reply(&response, &request, &[world.tsa.trusted()]).unwrap();
    }
}
