//! Stores that released versions wrote: they open, they are whole, and they go on.

use super::*;
use crate::services::ledger::Table;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/fixtures")
}

/// Writes the fixture of this version; run it by hand once, when a version is released:
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
    ledger.put(Table::Account, b"removed", b"").unwrap();
    ledger.put(Table::Account, b"account", b"second").unwrap();
    ledger.remove(Table::Account, b"removed").unwrap();
    log.drain().await;

    let to = fixtures().join(format!("v{VERSION:04}"));
    fs::create_dir_all(&to).unwrap();
    fs::copy(store.segment(), to.join("00000001.seg")).unwrap();
}

#[tokio::test]
async fn the_stores_of_every_released_version_open_are_whole_and_go_on() {
    let mut versions = 0;
    for version in fs::read_dir(fixtures()).unwrap() {
        let mut store = Store::with(TestSigner::from_known_seed("fixture.example"));
        fs::create_dir(store.journal()).unwrap();
        copy_files(&version.unwrap().path(), &store.journal());
        store.acknowledged = (0..7).map(|i| (format!("entry {i}"), i)).collect();

        store.check(store.path()).await.unwrap();

        let storage = open(store.path(), Options::default()).unwrap();
        let facts = storage.ledger().scan(Table::Account).unwrap();
        assert_eq!(facts, [(b"account".to_vec(), b"second".to_vec())]);
        versions += 1;
    }
    assert_eq!(versions, VERSION);
}
