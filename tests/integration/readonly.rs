//! A journal that lacks entries that were once signed: it is served read-only, and the operator learns what
//! is missing.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use signet::testing::{Certificate, EphemeralKey, to_base64};

use crate::support::account::{Account, EMAIL};
use crate::support::clock::TestClock;
use crate::support::http::Request;
use crate::support::server::{Plan, TestServer};
use crate::support::signing::{
    entry_request, entry_v1_request, key_request, request_chain, sign, sign_json, verify,
};

fn copy_files(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if wanted(&name) {
            fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

/// A server whose segments are from a backup, while its head file is newer.
struct Restored {
    server: TestServer,
    account: Account,
    first: Value,
    leaf: Certificate,
    key: EphemeralKey,
}

fn restored(lost: usize) -> Restored {
    let clock = Arc::new(TestClock::default());
    let server = Plan::new().clock(&clock).start();
    let account = server.account(EMAIL);
    let token = server.token(&account);
    let first = sign_json(&server, &token, EMAIL, b"first");
    let key = EphemeralKey::generate().unwrap();
    let leaf = request_chain(&server, &key_request(&token, &key, EMAIL)).remove(0);
    let stopped = server.stop();
    let journal = stopped.data_dir().join("journal");
    let backup = stopped.folder().join("backup");
    copy_files(&journal, &backup, |name| name.ends_with(".seg"));
    let server = stopped.start();
    let token = server.token(&account);
    for number in 0..lost {
        sign(&server, &token, EMAIL, &number.to_be_bytes());
    }
    let stopped = server.stop();
    copy_files(&backup, &journal, |_| true);
    // A timestamp within a second that was recorded would need no write.
    clock.advance(Duration::from_secs(1));
    Restored {
        server: stopped.start(),
        account,
        first,
        leaf,
        key,
    }
}

#[test]
fn an_outdated_journal_is_readable_and_not_written() {
    let Restored {
        server,
        account,
        first,
        leaf,
        key,
    } = restored(12);

    let ready = server.get("/readyz");
    assert_eq!(ready.status, 503);
    let parts = &ready.json()["parts"];
    assert_eq!(parts["rekor-v2"]["state"], "read-only");
    assert_eq!(
        parts["rekor-v2"]["reason"],
        "the journal lacks signed entries, 12 of this log"
    );
    assert_eq!(parts["ct"]["state"], "read-only");
    assert_eq!(server.get("/healthz").status, 200);

    for path in [
        "/checkpoint",
        "/tile/entries/000.p/1",
        "/tile/0/000.p/1",
        "/api/v1/log",
        "/ct/ct/v1/get-sth",
        "/ct/ct/v1/get-entries?start=0&end=0",
        "/trust/trusted_root.json",
        "/api/v1/timestamp/certchain",
    ] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    assert_eq!(verify(&server, &first, b"first", EMAIL).0, 200);

    let signature = key.sign(b"fourth").unwrap();
    // The v1 log has lost nothing, but shares the journal.
    for (dialect, code, missing, entry) in [
        ("v1", 503, 0, entry_v1_request(b"fourth", &signature, &leaf)),
        ("v2", 14, 12, entry_request(b"fourth", &signature, &leaf)),
    ] {
        let refused = server.post_json(&format!("/api/{dialect}/log/entries"), &entry);
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert_eq!(refused.json()["code"], code);
        let missing = format!("the journal lacks signed entries, {missing} of this log");
        assert!(refused.text().contains(&missing), "{}", refused.text());
    }

    let token = server.token(&account);
    let wanted = key_request(&token, &EphemeralKey::generate().unwrap(), EMAIL);
    let certificate = server.post_json("/api/v2/signingCert", &wanted);
    assert_eq!(certificate.status, 503, "{}", certificate.text());
    assert_eq!(certificate.json()["code"], 14);

    let query = json!({
        "artifactHash": to_base64(&[7; 32]), "hashAlgorithm": "sha256", "nonce": 1,
        "certificates": true,
    });
    let timestamp = server.send(&Request::json("/api/v1/timestamp", &query));
    assert_eq!(timestamp.status, 503, "{}", timestamp.text());
    assert_eq!(timestamp.json()["code"], 503);
    assert!(
        !timestamp.text().contains("/journal"),
        "{}",
        timestamp.text()
    );
}

#[test]
fn a_torn_end_of_the_journal_is_repaired_from_its_copy() {
    let server = TestServer::start();
    let account = server.account(EMAIL);
    let bundle = sign_json(&server, &server.token(&account), EMAIL, b"first");
    let stopped = server.stop();
    let segment = stopped.data_dir().join("journal/00000001.seg");
    let file = fs::OpenOptions::new().write(true).open(segment).unwrap();
    file.set_len(file.metadata().unwrap().len() - 100).unwrap();

    let server = stopped.start();

    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(server.get("/checkpoint").text().lines().nth(1), Some("2"));
    assert_eq!(verify(&server, &bundle, b"first", EMAIL).0, 200);
    let later = sign(&server, &server.token(&account), EMAIL, b"later");
    assert_eq!(later.entries()[0].index, 2);
}

#[test]
fn a_missing_state_is_rebuilt() {
    let server = TestServer::start();
    let account = server.account(EMAIL);
    let token = server.token(&account);
    let bundles = [b"a", b"b", b"c"].map(|content| sign_json(&server, &token, EMAIL, content));
    let (checkpoint, sth) = (
        server.get("/checkpoint").body,
        server.get("/ct/ct/v1/get-sth").body,
    );
    let stopped = server.stop();
    fs::remove_dir_all(stopped.data_dir().join("state")).unwrap();

    let server = stopped.start();

    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(server.get("/checkpoint").body, checkpoint);
    assert_eq!(server.get("/ct/ct/v1/get-sth").body, sth);
    // The account and the log's entries are in the journal.
    let token = server.token(&account);
    for (bundle, content) in bundles.iter().zip([b"a", b"b", b"c"]) {
        assert_eq!(verify(&server, bundle, content, EMAIL).0, 200);
    }
    let later = sign(&server, &token, EMAIL, b"d");
    assert_eq!(later.entries()[0].index, 4);
}
