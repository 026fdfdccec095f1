use super::*;
use crate::doubles::{TestClock, keys};
use crate::log::{Limits, LogId, LogStorage, stored_keys};
use crate::protocol::bytes::to_base64;
use crate::protocol::entry::v1::ProposedEntry;
use crate::protocol::keys::SigningKey;
use crate::protocol::merkle::proof::verify_consistency;
use crate::protocol::merkle::{TreeSize, root_from_inclusion};
use crate::protocol::note::{Checkpoint, UnverifiedNote};
use crate::protocol::time::UnixTime;

/// An in-memory v1 log, its parts and its clock.
pub(crate) struct TestLog {
    pub(crate) log: SignatureLogV1,
    pub(crate) signer: Arc<CheckpointSigner>,
    clock: Arc<TestClock>,
    storage: LogStorage,
}

impl TestLog {
    pub(crate) fn new() -> Self {
        let signer = Arc::new(CheckpointSigner::v1(keys::p256(), "rekor.example").unwrap());
        let clock = Arc::new(TestClock::new(UnixTime::from_millis(1_800_000_000_750)));
        Self::over(signer, clock, LogStorage::in_memory())
    }

    fn over(signer: Arc<CheckpointSigner>, clock: Arc<TestClock>, storage: LogStorage) -> Self {
        let log = Log::start(
            LogId::REKOR_V1,
            Arc::<CheckpointSigner>::clone(&signer),
            Arc::<TestClock>::clone(&clock),
            storage.clone(),
            Limits::default(),
            stored_keys,
        )
        .unwrap();
        let time = Arc::<TestClock>::clone(&clock);
        Self {
            log: SignatureLogV1::new(log, Arc::clone(&signer), time),
            signer,
            clock,
            storage,
        }
    }

    /// Starts the log again from its storage.
    async fn restart(self) -> Self {
        self.log.log.drain().await;
        Self::over(self.signer, self.clock, self.storage)
    }

    fn set_clock(&self, seconds: u64) {
        self.clock.set(UnixTime::from_seconds(seconds));
    }

    pub(crate) async fn append(&self, proposal: &str) -> Result<V1LoggedEntry, V1Error> {
        let proposed = ProposedEntry::parse(proposal.as_bytes()).unwrap();
        self.log.append(proposed.admit()?).await
    }

    /// Performs every check of a client.
    fn assert_valid(&self, entry: &V1LoggedEntry) {
        let leaf = leaf_hash(&entry.body);
        assert_eq!(entry.id, EntryId::new(self.log.tree_id(), leaf));
        let place = entry.head.size.locate(entry.index).unwrap();
        let root = root_from_inclusion(place, &leaf, &entry.proof);
        assert_eq!(root, Ok(entry.head.root));
        let key = self.signer.note_key();
        let note = UnverifiedNote::parse(&entry.head.note).unwrap();
        let checkpoint = Checkpoint::open(&note, key.id(), key.key()).unwrap();
        assert_eq!(
            checkpoint.origin,
            format!("rekor.example - {}", self.log.tree_id())
        );
        assert_eq!(checkpoint.root, entry.head.root);
        let promise = EntryPromise {
            body: &entry.body,
            integrated_time: entry.integrated_time,
            log_id: &key.key().fingerprint(),
            log_index: entry.index.get(),
        };
        assert!(promise.verify_set(key.key(), &entry.promise).is_ok());
        assert_eq!(entry.log_id, key.key().fingerprint());
    }

    fn find(&self, operator: SearchOperator, terms: &[SearchTerm]) -> Vec<EntryId> {
        let query = SearchQuery {
            terms: terms.to_vec(),
            operator,
        };
        self.log.search(&query).unwrap()
    }
}

/// A hashedrekord proposal for an artifact.
pub(crate) fn proposal(key: &SigningKey, artifact: &[u8]) -> String {
    format!(
        r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"sha256","value":"{}"}}}},"signature":{{"content":"{}","publicKey":{{"content":"{}"}}}}}}}}"#,
        Sha256::of(artifact).to_hex(),
        to_base64(&key.sign(artifact).unwrap()),
        to_base64(key.public_key().to_pem().as_bytes()),
    )
}

fn key_term(key: &SigningKey) -> SearchTerm {
    SearchTerm::public_key(key.public_key().to_pem().as_bytes())
}

fn name(entry: &V1LoggedEntry) -> EntryLookup {
    EntryLookup::Name(EntryName::parse(&entry.id.to_string()).unwrap())
}

#[tokio::test]
async fn a_logged_entry_is_found_by_id_uuid_index_and_proposal() {
    let test = TestLog::new();
    let key = keys::p256();
    let mut first = None;
    for artifact in [b"one", b"two", b"six"] {
        let proposal = proposal(&key, artifact);

        let logged = test.append(&proposal).await.unwrap();

        test.assert_valid(&logged);
        assert_eq!(logged.integrated_time, 1_800_000_000);
        first.get_or_insert((logged, proposal));
    }
    let (first, proposal) = first.unwrap();
    let leaf = leaf_hash(&first.body).to_hex();
    let proposed = ProposedEntry::parse(proposal.as_bytes()).unwrap();
    for lookup in [
        name(&first),
        EntryLookup::Name(EntryName::parse(&leaf).unwrap()),
        EntryLookup::Index(0),
        EntryLookup::Proposal(Box::new(proposed)),
    ] {
        let read = test.log.entry(&lookup).unwrap().unwrap();

        test.assert_valid(&read);
        assert_eq!((read.id, &read.body), (first.id, &first.body));
        assert_eq!(read.integrated_time, first.integrated_time);
        assert_eq!(read.head.size, TreeSize::new(3));
    }
}

#[tokio::test]
async fn lookups_of_missing_entries_find_nothing() {
    let test = TestLog::new();
    let logged = test.append(&proposal(&keys::p256(), b"one")).await.unwrap();
    let other_tree = EntryId::new(
        TreeId::of(keys::p256().public_key()),
        leaf_hash(&logged.body),
    );
    let unknown = ProposedEntry::parse(proposal(&keys::p256(), b"one").as_bytes()).unwrap();
    let lookups = [
        EntryLookup::Name(EntryName::parse(&other_tree.to_string()).unwrap()),
        EntryLookup::Name(EntryName::parse(&"0".repeat(64)).unwrap()),
        EntryLookup::Name(EntryName::parse(&"f".repeat(80)).unwrap()),
        EntryLookup::Proposal(Box::new(unknown)),
        EntryLookup::Index(1),
        EntryLookup::Index(u64::MAX),
    ];
    for lookup in &lookups {
        assert!(test.log.entry(lookup).unwrap().is_none(), "{lookup:?}");
    }

    let some: Vec<_> = lookups.into_iter().chain([EntryLookup::Index(0)]).collect();
    let found = test.log.entries(&some).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, logged.id);
    let many = vec![EntryLookup::Index(0); MAX_LOOKUPS + 1];
    assert_eq!(
        test.log.entries(&many).unwrap_err(),
        V1Error::TooManyLookups(11)
    );
}

#[tokio::test]
async fn a_duplicate_is_refused_with_the_id_of_the_first_entry() {
    let test = TestLog::new();
    let proposal = proposal(&keys::p256(), b"one");
    let first = test.append(&proposal).await.unwrap();
    test.set_clock(1_800_000_100);

    let refused = test.append(&proposal).await.unwrap_err();

    assert_eq!(refused, V1Error::Duplicate(first.id));
    let read = test.log.entry(&name(&first)).unwrap().unwrap();
    assert_eq!(read.integrated_time, first.integrated_time);
    assert_eq!(test.log.head().size, TreeSize::new(1));
}

#[tokio::test]
async fn integrated_times_never_decrease_even_across_restarts() {
    let test = TestLog::new();
    let key = keys::p256();
    let first = test.append(&proposal(&key, b"one")).await.unwrap();
    test.set_clock(1_700_000_000);

    let second = test.append(&proposal(&key, b"two")).await.unwrap();
    let test = test.restart().await;
    let third = test.append(&proposal(&key, b"six")).await.unwrap();
    test.set_clock(1_800_000_001);
    let fourth = test.append(&proposal(&key, b"ten")).await.unwrap();

    assert_eq!(first.integrated_time, 1_800_000_000);
    assert_eq!(second.integrated_time, first.integrated_time);
    assert_eq!(third.integrated_time, first.integrated_time);
    assert_eq!(fourth.integrated_time, 1_800_000_001);
}

#[tokio::test]
async fn ids_times_and_search_results_survive_a_restart() {
    let test = TestLog::new();
    let key = keys::p256();
    let before = test.append(&proposal(&key, b"one")).await.unwrap();
    test.set_clock(1_800_000_900);

    let test = test.restart().await;

    let after = test.log.entry(&EntryLookup::Index(0)).unwrap().unwrap();
    test.assert_valid(&after);
    assert_eq!(after.id, before.id);
    assert_eq!(after.integrated_time, before.integrated_time);
    assert_eq!(
        test.find(SearchOperator::Or, &[key_term(&key)]),
        [before.id]
    );
}

#[tokio::test]
async fn search_matches_any_or_all_terms_and_returns_the_newest_entries_first() {
    let test = TestLog::new();
    let (alice, bob) = (keys::p256(), keys::p256());
    let mut ids = Vec::new();
    for (key, artifact) in [
        (&alice, b"one"),
        (&bob, b"one"),
        (&alice, b"two"),
        (&bob, b"two"),
        (&alice, b"six"),
    ] {
        ids.push(test.append(&proposal(key, artifact)).await.unwrap().id);
    }
    let [one, two] = [b"one", b"two"].map(|text| SearchTerm::sha256(&Sha256::of(text)));
    let (by_alice, by_bob) = (key_term(&alice), key_term(&bob));
    let of = |places: &[usize]| -> Vec<_> { places.iter().map(|place| ids[*place]).collect() };

    for (operator, terms, expected) in [
        (SearchOperator::Or, vec![by_alice.clone()], of(&[4, 2, 0])),
        (SearchOperator::And, vec![by_alice.clone()], of(&[4, 2, 0])),
        (
            SearchOperator::Or,
            vec![one.clone(), by_alice.clone()],
            of(&[4, 2, 1, 0]),
        ),
        (
            SearchOperator::And,
            vec![one.clone(), by_alice.clone()],
            of(&[0]),
        ),
        (
            SearchOperator::And,
            vec![by_bob.clone(), two.clone()],
            of(&[3]),
        ),
        (
            SearchOperator::And,
            vec![by_bob.clone(), by_bob.clone()],
            of(&[3, 1]),
        ),
        (
            SearchOperator::And,
            vec![by_alice.clone(), by_bob.clone()],
            of(&[]),
        ),
        (SearchOperator::And, vec![one.clone(), two.clone()], of(&[])),
        (
            SearchOperator::Or,
            vec![SearchTerm::name("nobody@example.com")],
            of(&[]),
        ),
        (
            SearchOperator::And,
            vec![by_alice.clone(), SearchTerm::name("nobody")],
            of(&[]),
        ),
        (SearchOperator::Or, vec![], of(&[])),
        (SearchOperator::And, vec![], of(&[])),
    ] {
        assert_eq!(
            test.find(operator, &terms),
            expected,
            "{operator:?} {terms:?}"
        );
    }
}

#[tokio::test]
async fn consistency_is_proven_between_all_published_sizes() {
    let test = TestLog::new();
    let key = keys::p256();
    let mut roots = Vec::new();
    for number in 0..9_u8 {
        let logged = test.append(&proposal(&key, &[number])).await.unwrap();
        roots.push(logged.head.root);
    }
    let tree_id = u64::try_from(test.log.tree_id().get()).ok();

    for last in 1..=9_u64 {
        for first in 1..=last {
            let proof = test.log.consistency(tree_id, first, last).unwrap();

            let root = |size: u64| roots[usize::try_from(size).unwrap() - 1];
            assert_eq!(proof.root, root(last));
            assert_eq!(proof.hashes.is_empty(), first == last);
            if first < last {
                let (old, new) = (root(first), root(last));
                verify_consistency(
                    (TreeSize::new(first), &old),
                    (TreeSize::new(last), &new),
                    &proof.hashes,
                )
                .unwrap();
            }
        }
    }
    let refused = |tree, first, last| test.log.consistency(tree, first, last).unwrap_err();
    assert_eq!(
        refused(None, 3, 2),
        V1Error::SizeOrder { first: 3, last: 2 }
    );
    for (first, last, name) in [(0, 1, "firstSize"), (1, 10, "lastSize")] {
        assert_eq!(refused(None, first, last), V1Error::Size { name, size: 9 });
    }
    for other in [0, 1, u64::MAX] {
        assert_eq!(refused(Some(other), 1, 2), V1Error::TreeId(other));
    }
}

#[test]
fn the_stored_form_of_an_integrated_time_is_stable() {
    let bytes = encode_integrated_time(1_700_000_000);

    assert_eq!(hex::encode(&bytes), "01000000006553f100");
    assert_eq!(decode_integrated_time(&bytes), Some(1_700_000_000));
    for other in [
        "",
        "01",
        "02000000006553f100",
        "0100000000006553f100",
        "01006553f100",
    ] {
        let decoded = decode_integrated_time(&hex::decode(other).unwrap());
        assert_eq!(decoded, None, "{other}");
    }
}
