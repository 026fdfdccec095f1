//! The verification endpoint and the command line, as `docs/verification.md` describes them.

use std::process::Command;

use serde_json::Value;

use crate::support::account::EMAIL;
use crate::support::http::{Reply, Request, connect, read_to_end, send};
use crate::support::program::{Program, Server, run};
use crate::support::server::{Plan, TestServer};
use crate::support::signing::sign;

const PAGE: &str = include_str!("../../docs/verification.md");
const CONTENT: &[u8] = b"what is released";
const POLICY: &str = "identities = [{ issuer = \"ISSUER\", subject = \"build@example.com\" }]\n";

/// The shell examples of a page, each with the words after ```sh.
fn examples(page: &str) -> Vec<(&str, &str)> {
    let fences = page.split("```sh").skip(1);
    fences
        .map(|block| {
            let (kind, rest) = block.split_once('\n').unwrap();
            (kind.trim(), rest.split_once("\n```").unwrap().0)
        })
        .collect()
}

/// A server with a named policy, and a folder with the files that the page mentions.
fn stage() -> (TestServer, Program) {
    let program = Program::new();
    // The issuer is the server's own URL, whose port is known after the first start.
    let first = TestServer::start();
    let policy = program.write("policy.toml", POLICY.replace("ISSUER", first.url()));
    let file = policy.display();
    let server = first
        .stop()
        .toml(&format!(
            "[[policies]]\nname = \"release\"\nfile = \"{file}\""
        ))
        .start();
    let token = server.new_token(EMAIL);
    let bundle = sign(&server, &token, EMAIL, CONTENT);
    program.write("release.tar.gz", CONTENT);
    program.write("release.tar.gz.sigstore.json", bundle.to_json());
    let trust = server.get("/trust/trusted_root.json").body;
    program.write("trusted_root.json", trust);
    (server, program)
}

fn shell(program: &Program, script: &str) -> Command {
    let signet = std::path::Path::new(env!("CARGO_BIN_EXE_signet"));
    let folder = signet.parent().unwrap().display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command
        .args(["-e", "-c", script])
        .current_dir(program.folder())
        .env("PATH", format!("{folder}:{path}"));
    command
}

#[test]
fn every_example_of_the_page_does_what_the_page_says() {
    let (server, program) = stage();
    let examples = examples(PAGE);
    assert!(examples.len() > 10, "the page has too few examples");
    for (kind, script) in examples {
        let script = script.replace("https://signet.example.com", server.url());
        let ended = run(shell(&program, &script), "");
        let refused = kind == "refused";
        assert_eq!(ended.status == Some(0), !refused, "{script}\n{ended:?}");
    }
}

#[test]
fn a_report_has_the_members_that_the_page_lists() {
    let (server, program) = stage();
    let bundle = std::fs::read_to_string(program.path("release.tar.gz.sigstore.json")).unwrap();
    let parts = [
        ("bundle", bundle.as_bytes()),
        ("artifact", CONTENT),
        ("policy-name", b"release"),
    ];

    let report = send_form(&server, &parts).success();

    let mut members: Vec<&String> = report.as_object().unwrap().keys().collect();
    let checks = report["checks"].as_array().unwrap();
    members.extend(
        checks
            .iter()
            .flat_map(|check| check.as_object().unwrap().keys()),
    );
    members.extend(report["policy"].as_object().unwrap().keys());
    members.extend(report["log_entries"][0].as_object().unwrap().keys());
    for member in members {
        assert!(
            PAGE.contains(&format!("`{member}`")),
            "{member} is not on the page"
        );
    }
    for check in checks {
        let name = check["name"].as_str().unwrap();
        assert!(
            PAGE.contains(&format!("| `{name}` |")),
            "{name} is not on the page"
        );
    }
}

const BOUNDARY: &str = "boundary-of-a-test";

fn part_head(name: &str) -> String {
    format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n")
}

fn send_form(server: &TestServer, parts: &[(&str, &[u8])]) -> Reply {
    let mut body = Vec::new();
    for (name, content) in parts {
        body.extend_from_slice(part_head(name).as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    server.send(&Request::post("/signet/v1/verify", &kind, body))
}

/// The peak memory of a process, in bytes.
fn peak_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1024
}

/// The size of the large artifact, in bytes: 256 MiB, or the number of MiB in `SIGNET_LARGE_MIB`.
fn large() -> usize {
    let mebibytes = std::env::var("SIGNET_LARGE_MIB").map_or(256, |text| text.parse().unwrap());
    mebibytes << 20
}

#[test]
fn a_large_artifact_does_not_grow_the_servers_memory() {
    const PIECE: usize = 1 << 20;
    let large = large();
    let program = Program::new();
    let server = program.serve(&[]);
    let warm = Request::get("/readyz").send(server.address());
    assert_eq!(warm.status, 200);
    let before = peak_memory(&server);

    let head = part_head("artifact");
    let tail = format!("\r\n{}{{}}\r\n--{BOUNDARY}--\r\n", part_head("bundle"));
    let length = head.len() + large + tail.len();
    let mut stream = connect(server.address());
    let request = format!(
        "POST /signet/v1/verify HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {length}\r\n\r\n"
    );
    send(&mut stream, request.as_bytes());
    send(&mut stream, head.as_bytes());
    let piece = vec![0x0d; PIECE];
    for _ in 0..large / PIECE {
        send(&mut stream, &piece);
    }
    send(&mut stream, tail.as_bytes());
    let reply = Reply::parse(&read_to_end(stream)).unwrap();

    // The server reads the whole artifact before it checks the other parts.
    let problem: Value = reply.json();
    assert_eq!(
        problem["type"], "urn:signet:problem:no-identity",
        "{problem}"
    );
    let grown = peak_memory(&server).saturating_sub(before);
    println!("the server's memory grew by {} KiB", grown / 1024);
    assert!(grown < 32 << 20, "it grew by {grown} bytes");
}

#[test]
fn a_server_does_not_start_with_an_invalid_policy() {
    let plan = Plan::new();
    let file = plan.folder().join("policy.toml");
    std::fs::write(&file, "identities = []\n").unwrap();
    let lines = format!(
        "[[policies]]\nname = \"release\"\nfile = \"{}\"",
        file.display()
    );

    let error = plan.toml(&lines).try_start().map(drop).unwrap_err();

    let error = error.to_string();
    assert!(
        error.contains("policy release") && error.contains("policy.toml"),
        "{error}"
    );
}
