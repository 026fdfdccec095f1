//! Instances of earlier releases: each opens, verifies, and continues.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::account::{Account, token_in};
use crate::support::http::Request;
use crate::support::program::{Program, Server};

const PUBLIC_URL: &str = "http://localhost:18477";

/// Every instance in `migrations/instances`, in a folder named by its release.
fn instances() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/instances");
    let found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    assert!(!found.is_empty());
    found
}

/// Copies a folder with the modes of a data directory, which git does not store.
fn copy_private(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            copy_private(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn serve(program: &Program) -> Server {
    program.serve(&["--public-url", PUBLIC_URL])
}

/// The size of each log, in the order of the discovery document.
fn sizes(server: &Server) -> Vec<String> {
    ["/ct/checkpoint", "/checkpoint"]
        .map(|path| {
            let note = Request::get(path).send(server.address()).text();
            note.lines().nth(1).unwrap().to_owned()
        })
        .into_iter()
        .chain([
            Request::get("/api/v1/log").send(server.address()).success()["treeSize"].to_string(),
        ])
        .collect()
}

fn search(server: &Server, digest: &str) -> Value {
    let query = json!({ "hash": format!("sha256:{digest}") });
    Request::json("/api/v1/index/retrieve", &query)
        .send(server.address())
        .success()
}

#[test]
fn an_instance_of_an_earlier_release_opens_verifies_and_continues() {
    for instance in instances() {
        for with_state in [true, false] {
            let program = Program::new();
            copy_private(&instance, &program.path("instance"));
            fs::create_dir(program.data_dir()).unwrap();
            let mode = fs::Permissions::from_mode(0o700);
            fs::set_permissions(program.data_dir(), mode).unwrap();
            for part in ["keys", "journal", "state"] {
                let from = program.path("instance").join(part);
                if part != "state" || with_state {
                    fs::rename(from, program.data_dir().join(part)).unwrap();
                }
            }
            continues(&program);
        }
    }
}

fn continues(program: &Program) {
    let server = serve(program);
    let expected: Value =
        serde_json::from_slice(&fs::read(program.path("instance/expected.json")).unwrap()).unwrap();
    assert_eq!(json!(sizes(&server)), expected["sizes"]);
    let digest = expected["digest"].as_str().unwrap();
    let mut found: Vec<Value> = search(&server, digest).as_array().unwrap().clone();
    assert_eq!(json!(found), expected["found"]);

    let trust = Request::get("/trust/trusted_root.json").send(server.address());
    program.write("trusted_root.json", trust.body);
    let verify = |artifact: &str, bundle: &str| {
        let trust = ["--trusted-root", "trusted_root.json"];
        let more = [&trust[..], &["--bundle", bundle, artifact]].concat();
        program.verify(PUBLIC_URL, &more).check(0, "is verified");
    };
    verify("instance/artifact.txt", "instance/artifact.bundle.json");

    let account = fs::read(program.path("instance/account.json")).unwrap();
    let account = Account::from_json(&serde_json::from_slice(&account).unwrap());
    let token = token_in(account.token_request().send(server.address()));
    program.write("release", "what is released");
    program
        .sign_release(&server.url(), &token, &[])
        .check(0, "signed release");
    verify("release", "release.sigstore.json");

    let logged = Request::post(
        "/api/v1/log/entries",
        "application/json",
        fs::read(program.path("instance/next.json")).unwrap(),
    )
    .send(server.address());
    assert_eq!(logged.status, 201, "{}", logged.text());
    let next = logged.header("etag").unwrap();
    found.insert(0, json!(next));
    assert_eq!(search(&server, digest), json!(found));

    let (status, log) = server.stop();
    assert_eq!(status, Some(0), "{log}");
    program.run(&["fsck"]).check(0, "");
}
