use std::time::Duration;

use super::*;
use crate::adapters::storage::memory::{MemoryJournal, MemoryState};
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::KeyAlgorithm;
use crate::protocol::merkle::{
    LeafIndex, TreeSize, leaf_hash, root_from_inclusion, verify_consistency,
};
use crate::protocol::time::{UnixTime, Validity};
use crate::protocol::x509::extensions::SCT_LIST;
use crate::protocol::x509::sct::{PrecertEntry, parse_sct_list};
use crate::protocol::x509::testing::{NOW, TestAuthority};
use crate::protocol::x509::{TrustedCtLog, verify_path, verify_scts};
use crate::services::log::{Limits, LogId, Parts};

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> UnixTime {
        NOW.after(Duration::from_millis(250))
    }
}

pub(crate) fn log(ca: &TestAuthority) -> CtLog {
    log_under(Arc::new(FixedClock), ca)
}

fn log_under(clock: Arc<dyn Clock>, ca: &TestAuthority) -> CtLog {
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let signer = Arc::new(CtHeadSigner::new("log.example/ct", Arc::new(key)).unwrap());
    let parts = Parts {
        journal: Arc::new(MemoryJournal::default()),
        state: Arc::new(MemoryState::default()),
    };
    let engine = Log::start(
        LogId::Ct,
        Arc::clone(&signer) as _,
        Arc::clone(&clock),
        parts,
        Limits::default(),
    )
    .unwrap();
    CtLog::new(engine, &signer, vec![ca.root.clone()], clock)
}

/// Logs a new certificate and returns it.
pub(crate) async fn submit(log: &CtLog, ca: &TestAuthority) -> Certificate {
    let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
    let unsigned = ca.leaf(key.public_key());
    let precertificate = unsigned.with_poison().unwrap().sign(&ca.key).unwrap();
    let entry = PrecertEntry {
        issuer_key_hash: ca.intermediate.public_key().fingerprint(),
        tbs: unsigned.tbs().to_vec(),
    };
    let promise = log
        .add_precertificate(Precertificate {
            der: &precertificate,
            entry: &entry,
            chain: &[ca.intermediate.clone(), ca.root.clone()],
        })
        .await
        .unwrap();
    unsigned
        .with_scts(&[promise.sct])
        .unwrap()
        .sign_certificate(&ca.key)
        .unwrap()
}

/// The leaf hash that a monitor derives from a certificate and its SCT.
fn leaf_hash_of(certificate: &Certificate, ca: &TestAuthority, log: &CtLog) -> Sha256 {
    let path = verify_path(certificate, &ca.trusted(), NOW).unwrap();
    let trusted = TrustedCtLog {
        base_url: "https://ct.example".to_owned(),
        key: log.key.public_key().clone(),
        validity: Validity {
            start: NOW,
            end: None,
        },
    };
    let scts = verify_scts(certificate, &path, &[trusted]).unwrap();
    let entry = PrecertEntry::rebuilt_from(certificate, path.issuer()).unwrap();
    leaf_hash(&entry.leaf(scts[0].time, &[]).unwrap())
}

#[tokio::test]
async fn every_promised_certificate_is_proven_to_be_in_the_tree() {
    let ca = TestAuthority::new("Intermediate");
    let log = log(&ca);
    let mut certificates = Vec::new();
    for _ in 0..5 {
        certificates.push(submit(&log, &ca).await);
    }

    let head = log.tree_head().unwrap();

    assert_eq!(head.size, TreeSize::new(5));
    assert_eq!(head.time, FixedClock.now());
    for (index, certificate) in certificates.iter().enumerate() {
        let hash = leaf_hash_of(certificate, &ca, &log);
        let found = log.proof_by_hash(&hash, 5).unwrap();
        assert_eq!(found.index.get(), index as u64);
        let leaf = head.size.locate(found.index).unwrap();
        let root = root_from_inclusion(leaf, &hash, &found.proof).unwrap();
        assert_eq!(root, head.root);

        let with_entry = log.entry_and_proof(index as u64, 5).unwrap();
        assert_eq!(with_entry.proof, found.proof);
        assert_eq!(leaf_hash(&with_entry.entry.leaf_input), hash);
    }
}

#[tokio::test]
async fn entries_hold_the_precertificate_and_its_chain() {
    let ca = TestAuthority::new("Intermediate");
    let log = log(&ca);
    let certificate = submit(&log, &ca).await;

    let entries = log.entries(0, 1).unwrap();

    assert_eq!(entries.len(), 1);
    assert_eq!(
        leaf_hash(&entries[0].leaf_input),
        leaf_hash_of(&certificate, &ca, &log)
    );
    let extra = &entries[0].extra_data;
    let length = usize::from(extra[1]) * 256 + usize::from(extra[2]);
    let precertificate = Certificate::from_der(&extra[3..3 + length]).unwrap();
    assert_eq!(precertificate.serial(), certificate.serial());
    let chain = &extra[3 + length..];
    let expected: usize = [&ca.intermediate, &ca.root]
        .iter()
        .map(|certificate| certificate.der().len() + 3)
        .sum();
    assert_eq!(chain.len(), 3 + expected);
    assert!(chain.ends_with(ca.root.der()));
}

#[tokio::test]
async fn a_later_tree_begins_with_the_earlier_one() {
    let ca = TestAuthority::new("Intermediate");
    let log = log(&ca);
    submit(&log, &ca).await;
    let old = log.tree_head().unwrap();
    for _ in 0..3 {
        submit(&log, &ca).await;
    }
    let new = log.tree_head().unwrap();

    let proof = log.consistency(1, 4).unwrap();

    verify_consistency((old.size, &old.root), (new.size, &new.root), &proof).unwrap();
    assert_eq!(log.consistency(4, 4).unwrap(), []);
}

#[tokio::test]
async fn what_is_not_in_the_tree_is_refused() {
    let ca = TestAuthority::new("Intermediate");
    let log = log(&ca);
    let certificate = submit(&log, &ca).await;
    submit(&log, &ca).await;
    let unknown = Sha256::of(b"unknown");
    let first = leaf_hash_of(&certificate, &ca, &log);

    assert!(matches!(
        log.entries(2, 2),
        Err(CtError::StartBeyondTree { size: 2 })
    ));
    assert!(matches!(
        log.consistency(0, 1),
        Err(CtError::TreeSize { size: 2 })
    ));
    assert!(matches!(
        log.consistency(1, 3),
        Err(CtError::TreeSize { .. })
    ));
    assert!(matches!(log.consistency(2, 1), Err(CtError::SizeOrder)));
    assert!(matches!(
        log.proof_by_hash(&unknown, 2),
        Err(CtError::UnknownHash)
    ));
    assert!(matches!(
        log.proof_by_hash(&first, 0),
        Err(CtError::TreeSize { .. })
    ));
    assert!(matches!(
        log.entry_and_proof(1, 1),
        Err(CtError::OutOfRange(_))
    ));
    assert!(matches!(
        log.entry_and_proof(u64::MAX, u64::MAX),
        Err(CtError::TreeSize { .. })
    ));
    assert_eq!(
        log.proof_by_hash(&first, 1).unwrap().index,
        LeafIndex::new(0)
    );
}

struct MovedClock(std::sync::atomic::AtomicU64);

impl Clock for MovedClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

/// T17: nothing is signed for a time before the last one.
#[tokio::test]
async fn no_promise_is_older_than_the_newest_head() {
    let ca = TestAuthority::new("Intermediate");
    let clock = Arc::new(MovedClock(NOW.millis().into()));
    let log = log_under(Arc::<MovedClock>::clone(&clock), &ca);
    submit(&log, &ca).await;
    let hour = 3_600_000;
    clock.0.fetch_sub(hour, std::sync::atomic::Ordering::SeqCst);

    let certificate = submit(&log, &ca).await;

    let list = certificate.extensions().find(SCT_LIST).unwrap();
    assert_eq!(parse_sct_list(&list.value).unwrap()[0].time, NOW);
    assert_eq!(log.tree_head().unwrap().time, NOW);
}
