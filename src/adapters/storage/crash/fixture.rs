//! Stores that released versions wrote: they open, pass the audit, and accept entries.

use super::*;
use crate::adapters::storage::sled::migrate::VERSION;
use crate::services::ledger::Table;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/fixtures")
}

/// Writes the fixture of this version. Run it by hand once, when a version is released:
/// `cargo test --lib write_the_fixture_of_this_version -- --ignored`
#[tokio::test]
#[ignore = "writes into the source tree"]
async fn write_the_fixture_of_this_version() {
    let store = Store::with(TestSigner::from_known_seed("fixture.example"));
    let (storage, log) = store.start_at(store.path()).unwrap();
    let ledger = storage.ledger();
    ledger.put(Table::Account, b"account", b"first").unwrap();
    for i in 0..7 {
        log.append(leaf(&format!("entry {i}"))).await.unwrap();
    }
    log.append(searchable()).await.unwrap();
    ledger.put(Table::Account, b"removed", b"").unwrap();
    ledger.put(Table::Account, b"account", b"second").unwrap();
    ledger.remove(Table::Account, b"removed").unwrap();
    log.drain().await;

    let to = fixtures().join(format!("v{VERSION:04}"));
    fs::create_dir_all(&to).unwrap();
    fs::copy(store.segment(), to.join("00000001.seg")).unwrap();
}

/// The last entry, since version 2.
fn searchable() -> Leaf {
    Leaf {
        keys: vec![Sha256::of(b"key"), Sha256::of(b"other key")],
        ..leaf("searchable")
    }
}

#[tokio::test]
async fn the_stores_of_every_released_version_open_pass_the_audit_and_accept_entries() {
    let mut versions = 0;
    for version in fs::read_dir(fixtures()).unwrap() {
        let mut store = Store::with(TestSigner::from_known_seed("fixture.example"));
        fs::create_dir(store.journal()).unwrap();
        let version = version.unwrap();
        copy_files(&version.path(), &store.journal());
        store.leaf = leaf;
        store.acknowledged = (0..7).map(|i| (format!("entry {i}"), i)).collect();

        store.check(store.path()).await.unwrap();

        let storage = open(store.path(), Options::default()).unwrap();
        let log = store.start(&storage).unwrap();
        let found = log.search(&Sha256::of(b"key"), None, 9).unwrap();
        if version.file_name() == "v0001" {
            assert_eq!(found, []);
        } else {
            assert_eq!(found, [LeafIndex::new(7)]);
            let mut expected = searchable();
            expected.keys.sort_unstable();
            assert_eq!(log.leaves(7..8).unwrap(), [expected]);
        }
        let facts = storage.ledger().scan(Table::Account).unwrap();
        assert_eq!(facts, [(b"account".to_vec(), b"second".to_vec())]);
        versions += 1;
    }
    assert_eq!(versions, VERSION);
}
