use std::time::Duration;

use super::*;
use crate::doubles::{FixedClock, TestClock, keys};
use crate::log::{Leaf, Limits, LogId, LogStorage, stored_keys};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::proof::verify_consistency;
use crate::protocol::merkle::{
    LeafIndex, TileId, TileSpan, TreeSize, leaf_hash, root_from_inclusion,
};
use crate::protocol::time::{Clock, UnixTime, Validity};
use crate::protocol::x509::extensions::SCT_LIST;
use crate::protocol::x509::sct::{
    PrecertEntry, SignedCertificateTimestamp, parse_sct_list, precert_chain_entry,
};
use crate::protocol::x509::testing::{NOW, TestAuthority};
use crate::protocol::x509::{TrustedCtLog, verify_path, verify_scts};

fn now() -> UnixTime {
    NOW.after(Duration::from_millis(250))
}

pub(crate) fn log(ca: &TestAuthority) -> CtLog {
    log_under(Arc::new(FixedClock(now())), ca)
}

fn log_under(clock: Arc<dyn Clock>, ca: &TestAuthority) -> CtLog {
    log_of(clock, vec![ca.root.clone()], Limits::default())
}

/// An in-memory log for the authority with this chain.
pub(crate) fn log_of(clock: Arc<dyn Clock>, chain: Vec<Certificate>, limits: Limits) -> CtLog {
    let key = keys::p256();
    let signer = Arc::new(CtHeadSigner::new("log.example/ct", Arc::new(key)).unwrap());
    let engine = Log::start(
        LogId::CT,
        Arc::clone(&signer) as _,
        clock,
        LogStorage::in_memory(),
        limits,
        stored_keys,
    )
    .unwrap();
    CtLog::new(engine, &signer, chain)
}

/// Logs a new certificate and returns it.
pub(crate) async fn submit(log: &CtLog, ca: &TestAuthority) -> Certificate {
    let key = keys::p256();
    let unsigned = ca.leaf(key.public_key());
    let precertificate = unsigned.with_poison().unwrap().sign(&ca.key).unwrap();
    let entry = PrecertEntry {
        issuer_key_hash: ca.intermediate.public_key().fingerprint(),
        tbs: unsigned.tbs().to_vec(),
    };
    let promise = log
        .add(Precertificate {
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

/// Derives the leaf hash from a certificate and its SCT, as monitors do.
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
    verify_scts(certificate, &path, &[trusted]).unwrap();
    let entry = PrecertEntry::rebuilt_from(certificate, path.issuer()).unwrap();
    let sct = sct_of(certificate);
    leaf_hash(&entry.leaf(sct.time, &sct.extensions).unwrap())
}

fn sct_of(certificate: &Certificate) -> SignedCertificateTimestamp {
    let list = certificate.extensions().find(SCT_LIST).unwrap();
    parse_sct_list(&list.value).unwrap().remove(0)
}

#[tokio::test]
async fn an_sct_contains_the_index_and_time_of_its_leaf() {
    let ca = TestAuthority::new("Intermediate");
    let log = log(&ca);
    for index in 0..3_u8 {
        let certificate = submit(&log, &ca).await;

        let sct = sct_of(&certificate);

        assert_eq!(sct.extensions, [0, 0, 5, 0, 0, 0, 0, index]);
        assert_eq!(sct.time, log.tree_head().unwrap().time);
        let entries = log.entries(index.into(), index.into()).unwrap();
        assert_eq!(
            leaf_hash(&entries[0].leaf_input),
            leaf_hash_of(&certificate, &ca, &log)
        );
    }
}

#[tokio::test]
async fn data_tiles_contain_leaves_and_the_fingerprints_of_served_issuers() {
    let ca = TestAuthority::new("Intermediate");
    let log = log(&ca);
    for _ in 0..2 {
        submit(&log, &ca).await;
    }

    let span = TileSpan::new(0, 2).unwrap();
    let tile = log.data_tile(span).unwrap();

    let mut expected = Vec::new();
    for entry in log.entries(0, 1).unwrap() {
        let chain = 9 + ca.intermediate.der().len() + ca.root.der().len();
        let precertificate = &entry.extra_data[..entry.extra_data.len() - chain];
        expected.extend_from_slice(&entry.leaf_input[2..]);
        expected.extend_from_slice(precertificate);
        expected.extend_from_slice(&[0, 64]);
        for issuer in [&ca.intermediate, &ca.root] {
            let fingerprint = Sha256::of(issuer.der());
            assert_eq!(log.issuer(&fingerprint).unwrap(), issuer.der());
            expected.extend_from_slice(fingerprint.as_bytes());
        }
    }
    assert_eq!(tile, expected);
    let unknown = log.issuer(&Sha256::of(b"?"));
    assert!(matches!(unknown, Err(CtReadError::UnknownIssuer)));
    let beyond = log.data_tile(TileSpan::new(0, 3).unwrap());
    assert!(matches!(beyond, Err(ReadError::OutOfRange { .. })));
    let hashes = log.tile(TileId::new(0, span).unwrap()).unwrap();
    assert_eq!(
        hashes[1],
        leaf_hash(&log.entries(1, 1).unwrap()[0].leaf_input)
    );
}

#[tokio::test]
async fn only_the_first_leaf_of_an_issuer_has_its_search_key() {
    let ca = TestAuthority::new("Intermediate");
    let log = log(&ca);
    for _ in 0..3 {
        submit(&log, &ca).await;
    }

    let fingerprint = Sha256::of(ca.intermediate.der());
    let found = log.log.search(&fingerprint, None, 9).unwrap();

    assert_eq!(found, [LeafIndex::new(0)]);
    let leaves = log.log.leaves(0..3).unwrap();
    let keys: Vec<_> = leaves.iter().map(|leaf| leaf.keys.len()).collect();
    assert_eq!(keys, [2, 0, 0]);
}

/// Releases before the leaf_index extension stored such leaves.
#[tokio::test]
async fn a_leaf_without_the_leaf_index_extension_is_served_unchanged() {
    let ca = TestAuthority::new("Intermediate");
    let log = log(&ca);
    let entry = PrecertEntry {
        issuer_key_hash: Sha256::of(b"issuer"),
        tbs: vec![1, 2, 3],
    };
    let leaf = Leaf {
        data: entry.leaf(NOW, &[]).unwrap(),
        extra: precert_chain_entry(&[9], [&ca.root]).unwrap(),
        keys: Vec::new(),
    };
    log.log.append(leaf.clone()).await.unwrap();

    let tile = log.data_tile(TileSpan::new(0, 1).unwrap()).unwrap();

    let fingerprint = Sha256::of(ca.root.der());
    let tail = [&[0, 0, 1, 9, 0, 32], &fingerprint.as_bytes()[..]].concat();
    assert_eq!(tile, [&leaf.data[2..], &tail].concat());
    assert_eq!(log.entries(0, 0).unwrap()[0].leaf_input, leaf.data);
}

#[tokio::test]
async fn every_certificate_has_a_valid_inclusion_proof() {
    let ca = TestAuthority::new("Intermediate");
    let log = log(&ca);
    let mut certificates = Vec::new();
    for _ in 0..5 {
        certificates.push(submit(&log, &ca).await);
    }

    let head = log.tree_head().unwrap();

    assert_eq!(head.size, TreeSize::new(5));
    assert_eq!(head.time, now());
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
async fn entries_contain_the_precertificate_and_its_chain() {
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
async fn consistency_with_an_earlier_tree_is_proven() {
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
async fn requests_outside_the_tree_are_refused() {
    let ca = TestAuthority::new("Intermediate");
    let log = log(&ca);
    let certificate = submit(&log, &ca).await;
    submit(&log, &ca).await;
    let unknown = Sha256::of(b"unknown");
    let first = leaf_hash_of(&certificate, &ca, &log);

    assert!(matches!(
        log.entries(2, 2),
        Err(CtReadError::StartBeyondTree { size: 2 })
    ));
    assert!(matches!(
        log.consistency(0, 1),
        Err(CtReadError::TreeSize { size: 2 })
    ));
    assert!(matches!(
        log.consistency(1, 3),
        Err(CtReadError::TreeSize { .. })
    ));
    assert!(matches!(log.consistency(2, 1), Err(CtReadError::SizeOrder)));
    assert!(matches!(
        log.proof_by_hash(&unknown, 2),
        Err(CtReadError::UnknownHash)
    ));
    assert!(matches!(
        log.proof_by_hash(&first, 0),
        Err(CtReadError::TreeSize { .. })
    ));
    assert!(matches!(
        log.entry_and_proof(1, 1),
        Err(CtReadError::OutOfRange(_))
    ));
    assert!(matches!(
        log.entry_and_proof(u64::MAX, u64::MAX),
        Err(CtReadError::TreeSize { .. })
    ));
    assert_eq!(
        log.proof_by_hash(&first, 1).unwrap().index,
        LeafIndex::new(0)
    );
}

#[tokio::test]
async fn no_sct_is_older_than_the_newest_head() {
    let ca = TestAuthority::new("Intermediate");
    let clock = Arc::new(TestClock::new(NOW));
    let log = log_under(Arc::<TestClock>::clone(&clock), &ca);
    submit(&log, &ca).await;
    clock.rewind(Duration::from_secs(3_600));

    let certificate = submit(&log, &ca).await;

    let list = certificate.extensions().find(SCT_LIST).unwrap();
    assert_eq!(parse_sct_list(&list.value).unwrap()[0].time, NOW);
    assert_eq!(log.tree_head().unwrap().time, NOW);
}

#[test]
fn submission_errors_are_never_client_errors() {
    for (error, class) in [
        (AppendError::Overloaded, ErrorClass::Busy),
        (AppendError::Stopped, ErrorClass::Busy),
        (
            AppendError::ReadOnly { missing: 1 },
            ErrorClass::OperatorNeeded,
        ),
        (AppendError::Full, ErrorClass::OperatorNeeded),
        (AppendError::TooLarge(70_000), ErrorClass::Internal),
        (
            AppendError::Duplicate(LeafIndex::new(1)),
            ErrorClass::Internal,
        ),
    ] {
        assert_eq!(CtSubmitError::from(error).class(), class);
    }
    let behind = ReadError::IndexBehind {
        indexed: 1,
        size: 2,
    };
    assert_eq!(CtReadError::from(behind).class(), ErrorClass::Busy);
}
