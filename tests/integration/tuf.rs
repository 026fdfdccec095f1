//! The TUF repository over HTTP: a year of renewals, renewal by hand, and the root ceremony.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use signet::testing::{
    Clock as _, Metadata as _, MetadataRenewer, Role, Sha256, StorageOptions, SystemClock, Table,
    TrustedSet, UnixTime, UpdateError, open_storage,
};

use crate::support::clock::TestClock;
use crate::support::http::Request;
use crate::support::program::{Ended, Program, Server};
use crate::support::server::{Plan, TestServer};

const DAY: Duration = Duration::from_secs(24 * 3600);
const TUF_KEYS: [&str; 2] = ["tuf-root.key.pem", "tuf-online.key.pem"];

fn fetch(server: &TestServer, path: &str) -> Option<Vec<u8>> {
    let reply = server.get(&format!("/tuf/{path}"));
    match reply.status {
        200 => Some(reply.body),
        404 => None,
        status => panic!("{path}: {status}"),
    }
}

/// Updates a client from what it has to the newest files.
fn refresh(set: &mut TrustedSet, server: &TestServer, now: UnixTime) -> Result<(), UpdateError> {
    let get = |path: String| fetch(server, &path).unwrap_or_else(|| panic!("{path} is missing"));
    loop {
        let next = set.root().body().version().next().unwrap();
        let Some(root) = fetch(server, &format!("{next}.root.json")) else {
            break;
        };
        set.update_root(&root)?;
    }
    set.update_timestamp(&get("timestamp.json".to_owned()), now)?;
    let version = set.timestamp().unwrap().body().snapshot().version;
    set.update_snapshot(&get(format!("{version}.snapshot.json")), now)?;
    let version = set.snapshot().unwrap().body().targets().unwrap().version;
    set.update_targets(&get(format!("{version}.targets.json")), now)?;
    let files: Vec<_> = set
        .files()?
        .map(|(name, file)| (name.to_owned(), file.sha256().to_hex()))
        .collect();
    for (name, hash) in files {
        set.check_target(&name, &get(format!("targets/{hash}.{name}")))?;
    }
    Ok(())
}

fn state(server: &TestServer) -> (u16, Value) {
    let ready = server.get("/readyz");
    (
        ready.status,
        ready.json()["parts"]["trust-repository"].clone(),
    )
}

#[test]
fn existing_and_new_clients_are_served_on_every_day_of_a_year() {
    let clock = Arc::new(TestClock::default());
    let mut server = Plan::new().clock(&clock).start();
    let first_root = fetch(&server, "1.root.json").unwrap();
    let mut yesterday = TrustedSet::new(&first_root).unwrap();
    let mut warned = Vec::new();

    for day in 1..=365 {
        clock.advance(DAY);
        if day == 100 {
            server = server.restart();
        }
        MetadataRenewer::new(Arc::clone(server.app().repository()))
            .renew()
            .unwrap();
        let (status, part) = state(&server);
        assert_eq!(status, 200, "day {day}");
        if part["state"] == "warning" {
            warned.push((day, part["reason"].as_str().unwrap().to_owned()));
            server.app().repository().renew_root().unwrap();
        }

        refresh(&mut yesterday, &server, clock.now()).unwrap();
        let mut new = TrustedSet::new(&first_root).unwrap();
        refresh(&mut new, &server, clock.now()).unwrap();
    }

    assert_eq!(warned.len(), 1, "{warned:?}");
    assert_eq!(warned[0].0, 305);
    assert!(warned[0].1.contains("within 60 days") && warned[0].1.contains("signet trust renew"));
    assert_eq!(yesterday.root().body().version().get(), 2);
    assert_eq!(yesterday.timestamp().unwrap().body().version().get(), 366);
    assert_eq!(fetch(&server, "1.root.json").unwrap(), first_root);
}

#[test]
fn the_operator_is_warned_three_times_before_the_root_expires() {
    let clock = Arc::new(TestClock::default());
    let server = Plan::new().clock(&clock).start();
    let first_root = fetch(&server, "1.root.json").unwrap();
    let renew = || server.app().repository().renew().map(|_| ()).unwrap();
    let days_left = || {
        let page = server.get("/metrics").text();
        let line = "signet_tuf_expiry_seconds{role=\"root\"} ";
        let line = page.lines().find_map(|shown| shown.strip_prefix(line));
        line.unwrap().parse::<f64>().unwrap() / DAY.as_secs_f64()
    };
    assert!((days_left() - 365.0).abs() < 0.01);

    for (wait, left, days) in [(305, 60.0, "60"), (30, 30.0, "30"), (23, 7.0, "7")] {
        clock.advance(DAY * wait - Duration::from_secs(10));
        renew();
        let (_, before) = state(&server);
        clock.advance(Duration::from_secs(10));
        let (status, part) = state(&server);

        let warning = format!("within {days} days");
        let reason = |part: &Value| part["reason"].as_str().unwrap_or_default().to_owned();
        assert!(!reason(&before).contains(&warning), "{before}");
        assert_eq!((status, part["state"].as_str()), (200, Some("warning")));
        assert!(reason(&part).contains(&warning), "{part}");
        assert!((days_left() - left).abs() < 0.01);
    }

    clock.advance(DAY * 7);
    renew();
    let (status, part) = state(&server);
    assert_eq!((status, part["state"].as_str()), (503, Some("failed")));
    assert!(days_left() < 0.01);
    let refused = refresh(
        &mut TrustedSet::new(&first_root).unwrap(),
        &server,
        clock.now(),
    );
    assert!(matches!(
        refused,
        Err(UpdateError::Expired {
            role: Role::Root,
            ..
        })
    ));
}

#[test]
fn a_future_root_is_404_for_get_and_head_as_plain_text() {
    let server = TestServer::start();

    for method in ["GET", "HEAD"] {
        let reply = server.send(&Request::new(method, "/tuf/2.root.json"));

        assert_eq!(reply.status, 404, "{method}");
        assert_eq!(
            reply.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
    }
}

#[test]
fn the_tuf_targets_are_the_published_trust_documents() {
    let server = TestServer::start();
    let list: Value = serde_json::from_slice(&fetch(&server, "1.targets.json").unwrap()).unwrap();
    let files = list["signed"]["targets"].as_object().unwrap();

    for (name, file) in files {
        let hash = file["hashes"]["sha256"].as_str().unwrap();
        let content = fetch(&server, &format!("targets/{hash}.{name}")).unwrap();
        assert_eq!(Sha256::of(&content).to_hex(), hash);
        assert_eq!(file["hashes"].as_object().unwrap().len(), 1, "{name}");
        let custom = &file["custom"]["sigstore"];
        assert_eq!(custom["status"], "Active", "{name}");
        assert!(custom["usage"].is_string(), "{name}");
        let published = match name.as_str() {
            "trusted_root.json" | "signing_config.v0.2.json" => format!("/trust/{name}"),
            "ctfe.pub" => "/trust/ctlog.pem".to_owned(),
            _ => continue,
        };
        assert_eq!(content, server.get(&published).body, "{name}");
    }
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "ctfe.pub",
            "fulcio.crt.pem",
            "fulcio_intermediate_v1.crt.pem",
            "rekor.pub",
            "signing_config.v0.2.json",
            "trusted_root.json",
            "tsa_leaf.crt.pem",
            "tsa_root.crt.pem",
        ]
    );
}

#[test]
fn an_instance_of_an_earlier_release_gets_its_repository_at_its_next_start() {
    let server = TestServer::start();
    let trusted_root = server.get("/trust/trusted_root.json").body;
    let before = fetch(&server, "1.root.json").unwrap();
    let stopped = server.stop();
    // The earlier release had neither keys nor records of a repository.
    for name in TUF_KEYS {
        fs::remove_file(stopped.data_dir().join("keys").join(name)).unwrap();
    }
    let storage = open_storage(&stopped.data_dir(), StorageOptions::default()).unwrap();
    let ledger = storage.ledger();
    for (key, _) in ledger.scan(Table::TrustRepository).unwrap() {
        ledger.remove(Table::TrustRepository, &key).unwrap();
    }
    drop((storage, ledger));

    let server = stopped.start();

    assert_eq!(server.get("/trust/trusted_root.json").body, trusted_root);
    let root = fetch(&server, "1.root.json").unwrap();
    assert_ne!(root, before);
    let mut set = TrustedSet::new(&root).unwrap();
    refresh(&mut set, &server, SystemClock.now()).unwrap();
    set.check_target("trusted_root.json", &trusted_root)
        .unwrap();
}

#[test]
fn a_lost_online_key_is_not_replaced_and_a_lost_root_key_fails_the_renewal() {
    let server = TestServer::start();
    let stopped = server.stop();
    let [root_key, online_key] = TUF_KEYS.map(|name| stopped.data_dir().join("keys").join(name));
    fs::remove_file(root_key).unwrap();
    let server = stopped.start();
    assert_eq!(server.get("/readyz").status, 200);
    assert!(server.app().repository().renew_root().is_err());
    let stopped = server.stop();
    fs::remove_file(&online_key).unwrap();

    let refused = stopped.try_start().err().unwrap();

    assert!(
        refused.to_string().contains("tuf-online.key.pem"),
        "{refused}"
    );
    assert!(!online_key.exists());
}

#[test]
fn an_outdated_journal_publishes_nothing_new() {
    let clock = Arc::new(TestClock::default());
    let server = Plan::new().clock(&clock).start();
    let stopped = server.stop();
    let journal = stopped.data_dir().join("journal");
    let segment = journal.join("00000001.seg");
    let first_day = fs::read(&segment).unwrap();
    let server = stopped.start();
    clock.advance(DAY * 2);
    server.app().repository().renew().unwrap();
    let stopped = server.stop();
    fs::write(&segment, first_day).unwrap();
    fs::remove_dir_all(stopped.data_dir().join("state")).unwrap();

    let server = stopped.start();

    let timestamp: Value =
        serde_json::from_slice(&fetch(&server, "timestamp.json").unwrap()).unwrap();
    assert_eq!(timestamp["signed"]["version"], 1);
    assert!(server.app().repository().renew().is_err());
    assert!(server.app().repository().renew_root().is_err());
    assert_eq!(fetch(&server, "2.root.json"), None);
    assert_eq!(server.get("/readyz").status, 503);
}

#[test]
fn the_root_is_renewed_by_hand_with_and_without_a_server() {
    let program = Program::new();
    program
        .run(&["trust", "show"])
        .check(1, "there is no instance");
    let server = program.serve(&[]);
    let show = || program.run(&["trust", "show", "--json"]).json();
    let before = show();

    let renewed = program.run(&["trust", "renew"]);

    renewed.check(0, "root version 2");
    let root = Request::get("/tuf/2.root.json").send(server.address());
    assert_eq!(root.status, 200);
    let after = show();
    assert_eq!(after["root_sha256"], Sha256::of(&root.body).to_hex());
    assert_eq!(after["initial_root_sha256"], before["initial_root_sha256"]);
    drop(server);

    let renewed = program.run(&["trust", "renew"]);

    renewed.check(0, "root version 3");
    let shown = program.run(&["trust", "show"]);
    let initial = before["initial_root_sha256"].as_str().unwrap();
    assert!(shown.stdout.contains(initial), "{}", shown.stdout);
    assert!(shown.stdout.contains("1 of 1"), "{}", shown.stdout);
}

/// A server, and the keys of three holders that are not on it.
struct Ceremony {
    program: Program,
    server: Server,
}

/// The server's own root key.
const OWN_KEY: &str = "signet-data/keys/tuf-root.key.pem";

impl Ceremony {
    fn new() -> Self {
        let program = Program::new();
        let server = program.serve(&[]);
        let ceremony = Self { program, server };
        for holder in ["alice", "bob", "carol"] {
            ceremony.done(&["key", "--out", holder]);
        }
        ceremony
    }

    fn run(&self, arguments: &[&str], input: &str) -> Ended {
        let mut all = vec!["trust", "root-ceremony"];
        all.extend(arguments);
        self.program.run_with_input(&all, input)
    }

    fn done(&self, arguments: &[&str]) {
        self.run(arguments, "").check(0, "");
    }

    fn refused(&self, arguments: &[&str], reason: &str) {
        self.run(arguments, "").check(1, reason);
    }

    /// Proposes that two of the three holders sign future roots.
    fn propose(&self) {
        let keys = ["alice.pub", "bob.pub", "carol.pub"];
        let mut propose = vec!["propose", "--threshold", "2", "--out", "request"];
        propose.extend(keys.iter().flat_map(|key| ["--key", key]));
        self.done(&propose);
    }

    /// Moves the root to the holders' keys; each holder signs a copy of the request.
    fn hand_over(&self) {
        self.propose();
        let request = fs::read(self.program.path("request")).unwrap();
        for (copy, key) in [("a", "alice"), ("b", "bob"), ("own", OWN_KEY)] {
            self.program.write(copy, &request);
            self.done(&["sign", "--yes", "--key", key, copy]);
        }
        self.refused(
            &["finish", "a", "b"],
            "signatures by the current root's keys",
        );
        self.refused(&["finish", "a", "own"], "by the new root's keys");
        self.done(&["finish", "a", "b", "own"]);
    }

    fn root(&self, version: u32) -> u16 {
        let path = format!("/tuf/{version}.root.json");
        Request::get(&path).send(self.server.address()).status
    }
}

#[test]
fn a_key_holder_sees_what_a_root_changes_and_may_decline() {
    let ceremony = Ceremony::new();
    ceremony.refused(&["key", "--out", "alice"], "already exists");
    ceremony.propose();
    let request = fs::read(ceremony.program.path("request")).unwrap();
    let sign = ["sign", "--key", "alice", "request"];

    let declined = ceremony.run(&sign, "no\n");

    for message in [
        "version 1 becomes 2",
        "it expires at",
        "is ADDED to the root role",
        "is REMOVED from the root role",
        "needs 2 signatures (previously 1)",
    ] {
        declined.check(1, message);
    }
    assert_eq!(fs::read(ceremony.program.path("request")).unwrap(), request);
    ceremony.run(&sign, "yes\n").check(0, "");
    assert_ne!(fs::read(ceremony.program.path("request")).unwrap(), request);
    ceremony.done(&["key", "--out", "dave"]);
    let dave = ["sign", "--yes", "--key", "dave", "request"];
    ceremony.refused(&dave, "it is in neither the current nor the next root");
    assert_eq!(ceremony.root(2), 404);
}

#[test]
fn a_ceremony_moves_the_root_key_away_from_the_server() {
    let mut ceremony = Ceremony::new();

    ceremony.hand_over();

    assert_eq!(ceremony.root(2), 200);
    let refused = ceremony.program.run(&["trust", "renew"]);
    for message in ["2 of 3 keys", "root-ceremony propose"] {
        refused.check(1, message);
    }
    // The server works without the old key, and the holders renew the root among themselves.
    let (status, _) = ceremony.server.stop();
    assert_eq!(status, Some(0));
    fs::remove_file(ceremony.program.path(OWN_KEY)).unwrap();
    ceremony.server = ceremony.program.serve(&[]);
    ceremony.done(&["propose", "--out", "next"]);
    for holder in ["carol", "alice"] {
        ceremony.done(&["sign", "--yes", "--key", holder, "next"]);
    }
    ceremony.done(&["finish", "next"]);
    assert_eq!(ceremony.root(3), 200);
}
