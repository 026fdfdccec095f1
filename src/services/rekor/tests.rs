use std::sync::Arc;

use super::*;
use crate::adapters::system::SystemClock;
use crate::doubles::keys;
use crate::log::{HeadSigner, Limits, LogId, LogStorage, stored_keys};
use crate::protocol::entry::{RawVerifier, UnverifiedHashedRekord};
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::merkle::{TreeSize, leaf_hash, root_from_inclusion};
use crate::protocol::note::{Checkpoint, UnverifiedNote};
use crate::protocol::time::UnixTime;

/// An in-memory signature log and its signer.
pub(crate) fn memory_log() -> (SignatureLog, Arc<CheckpointSigner>) {
    let (key, _) = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let signer = Arc::new(CheckpointSigner::v2(key, "rekor.example").unwrap());
    let log = Log::start(
        LogId::REKOR_V2,
        Arc::clone(&signer) as Arc<dyn HeadSigner>,
        Arc::new(SystemClock),
        LogStorage::in_memory(),
        Limits::default(),
        stored_keys,
    )
    .unwrap();
    (SignatureLog::new(log, *signer.note_key().hash()), signer)
}

/// An entry for an artifact, signed with a new key.
pub(crate) fn signed_entry(artifact: &[u8]) -> UnverifiedHashedRekord {
    let key = keys::p256();
    UnverifiedHashedRekord::new(
        Sha256::of(artifact).as_bytes().to_vec(),
        key.sign(artifact).unwrap(),
        RawVerifier::PublicKey(key.public_key().spki_der().to_vec()),
        key.public_key().details(),
    )
    .unwrap()
}

#[tokio::test]
async fn a_logged_entry_is_returned_with_a_proof_for_a_signed_head() {
    let (log, signer) = memory_log();
    for artifact in [b"one", b"two", b"six"] {
        let entry = signed_entry(artifact);

        let logged = log.append(entry.verify().unwrap()).await.unwrap();

        assert_eq!(logged.body, entry.canonical_body());
        assert_eq!(logged.log_key_id, *signer.note_key().hash());
        let place = logged.head.size.locate(logged.index).unwrap();
        let root = root_from_inclusion(place, &leaf_hash(&logged.body), &logged.proof);
        assert_eq!(root, Ok(logged.head.root));
        let note = UnverifiedNote::parse(&logged.head.note).unwrap();
        let key = signer.note_key();
        let checkpoint = Checkpoint::open(&note, key.id(), key.key()).unwrap();
        assert_eq!(checkpoint.size, logged.head.size);
        assert_eq!(checkpoint.root, logged.head.root);
    }
}

#[tokio::test]
async fn concurrent_submissions_of_one_entry_are_logged_once() {
    let (log, _) = memory_log();
    let entry = signed_entry(b"artifact");
    let submissions = (0..100).map(|_| log.append(entry.verify().unwrap()));

    let answers = futures_util::future::join_all(submissions).await;

    let mut admitted = 0;
    for answer in answers {
        match answer {
            Ok(logged) => {
                admitted += 1;
                assert_eq!(logged.index, LeafIndex::new(0));
            }
            Err(error) => assert_eq!(
                error,
                RekorError::Append(AppendError::Duplicate(LeafIndex::new(0)))
            ),
        }
    }
    assert_eq!(admitted, 1);
    assert_eq!(log.log().head().size, TreeSize::new(1));
}

#[test]
fn a_signer_recognises_only_its_own_heads() {
    let (_, signer) = memory_log();
    let (_, other) = memory_log();
    let (size, root) = (TreeSize::new(1), Sha256::of(b"root"));
    let note = signer.sign(size, &root, UnixTime::from_seconds(0)).unwrap();

    assert!(signer.recognises(&note, size, &root));
    assert!(!signer.recognises(&note, TreeSize::new(2), &root));
    assert!(!signer.recognises(&note, size, &Sha256::of(b"another root")));
    assert!(!signer.recognises("", size, &root));
    assert!(!other.recognises(&note, size, &root));
}
