//! The program as users run it: commands, their output, and their exit statuses.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::account::{Account, EMAIL};
use crate::support::http::{Reply, Request, connect, read_to_end, send};
use crate::support::program::{Program, Server, run};

/// A folder with a running server, a signed file, its bundle, and the trusted root.
fn signed() -> (Program, Server) {
    let program = Program::new();
    let server = program.serve(&[]);
    program.write("release", "what is released");
    let token = program.new_token(&server);
    let ended = program.sign_release(&server.url(), &token, &[]);
    ended.check(0, "signed release");
    assert_eq!(ended.stdout, "release.sigstore.json\n");
    let trust = Request::get("/trust/trusted_root.json").send(server.address());
    program.write("trusted_root.json", trust.body);
    (program, server)
}

#[test]
fn the_server_answers_once_it_says_that_it_listens_and_stops_on_term_and_int() {
    let program = Program::new();
    for signal in ["TERM", "INT"] {
        let server = program.serve(&[]);
        let reply = Request::get("/readyz").send(server.address());
        assert_eq!(reply.status, 200, "{}", reply.text());

        server.signal(signal);
        let (status, log) = server.wait();

        assert_eq!(status, Some(0), "{log}");
    }
}

#[test]
fn the_first_start_prints_where_everything_is_and_the_next_step() {
    let program = Program::new();
    let server = program.serve(&[]);
    let url = server.url();

    let (_, log) = server.stop();

    for shown in [
        &format!("public URL     {url}"),
        &format!("trust root     {url}/trust/trusted_root.json"),
        "signet-data",
        "signet account add",
    ] {
        assert!(log.contains(shown), "{shown:?} is not in {log}");
    }
}

/// Every file and folder below, with its mode.
fn modes(folder: &Path, found: &mut Vec<(String, bool, u32)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // A running server removes files as well.
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let mode = metadata.permissions().mode() & 0o7777;
        found.push((path.display().to_string(), metadata.is_dir(), mode));
        if metadata.is_dir() {
            modes(&path, found);
        }
    }
}

#[test]
fn other_users_cannot_read_the_data_even_under_a_wide_umask() {
    let program = Program::new();
    let script = "umask 000; exec \"$0\" \"$@\"";
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let server = Server::start(program.wrapped(&["sh", "-c", script], &serve));
    program.write("release", "what is released");
    let token = program.new_token(&server);
    program
        .sign_release(&server.url(), &token, &[])
        .check(0, "signed release");

    let socket = fs::read_dir(program.data_dir())
        .unwrap()
        .any(|entry| entry.unwrap().file_type().unwrap().is_socket());
    assert!(socket, "the admin socket is missing");
    check_modes(&program.data_dir());
    server.stop();
    check_modes(&program.data_dir());
}

fn check_modes(folder: &Path) {
    let mut found = vec![];
    modes(folder, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for (path, is_folder, mode) in found {
        let is_public = path.ends_with("-chain.pem") || path.ends_with("/instance.json");
        let allowed = match is_folder {
            true => 0o700,
            false if is_public => 0o644,
            false => 0o600,
        };
        assert_eq!(mode, allowed, "{path} has mode {mode:04o}");
    }
}

#[test]
fn a_second_server_on_the_same_data_is_refused_and_the_first_keeps_running() {
    let program = Program::new();
    let server = program.serve(&[]);

    let second = program.run(&["serve", "--listen", "127.0.0.1:0"]);

    second.check(1, "locked by another process: is the server running?");
    assert!(!second.stderr.contains("listening on"), "{second:?}");
    program.run(&["fsck"]).check(1, "is the server running?");
    program.run(&["rebuild"]).check(1, "is the server running?");
    assert_eq!(Request::get("/readyz").send(server.address()).status, 200);
    let address = server.address().to_string();
    program
        .run(&["serve", "--data-dir", "elsewhere", "--listen", &address])
        .check(1, "cannot listen on");
}

/// Sends the head of a request and waits until the server asks for the body.
fn begin_request(server: &Server, length: usize) -> TcpStream {
    let mut stream = connect(server.address());
    let head = format!(
        "POST /signet/v1/verify HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
         content-length: {length}\r\n\r\n"
    );
    send(&mut stream, head.as_bytes());
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[test]
fn requests_in_flight_are_answered_before_the_server_stops() {
    let program = Program::new();
    let server = program.serve(&[]);
    let mut stream = begin_request(&server, 2);

    server.signal("TERM");
    // The server has stopped accepting connections once one is refused.
    while TcpStream::connect(server.address()).is_ok() {}
    send(&mut stream, b"{}");
    let reply = Reply::parse(&read_to_end(stream)).unwrap();

    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("malformed-json"), "{}", reply.text());
    let (status, log) = server.wait();
    assert_eq!(status, Some(0), "{log}");
}

#[test]
fn a_request_that_never_ends_does_not_keep_the_server_from_stopping() {
    let program = Program::new();
    // One second instead of the default eight leaves a busy machine nine to meet the limit of ten.
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SIGNET_SERVER__SHUTDOWN_SECONDS", "1");
    let server = Server::start(command);
    let _stream = begin_request(&server, 2);

    let stopped = Instant::now();
    let (status, log) = server.stop();

    assert_eq!(status, Some(0), "{log}");
    let elapsed = stopped.elapsed();
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
}

#[test]
fn accounts_are_managed_through_the_running_server_or_else_in_the_store() {
    let program = Program::new();
    let account = |arguments: &[&str]| program.run(&[&["account"], arguments].concat());
    let token_of =
        |server: &Server, account: &Account| account.token_request().send(server.address());

    account(&["list"]).check(0, "There are no accounts");
    let first = program.add_account(EMAIL);
    let server = program.serve(&[]);
    assert_eq!(token_of(&server, &first).status, 200);
    account(&["add", EMAIL, "--service"])
        .check(1, "an account with this e-mail address already exists");
    account(&["add", "second@example.com", "--service"]).check(0, "Added");
    let listed = account(&["list", "--json"]).json();
    assert_eq!(listed[0]["email"], EMAIL);
    assert_eq!(listed[1]["email"], "second@example.com");
    account(&["remove", EMAIL]).check(0, "Removed");
    let refused = token_of(&server, &first);
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"], "invalid_client");
    server.stop();

    let listed = account(&["list"]);
    assert!(
        listed
            .stdout
            .starts_with("second@example.com  service  svc-"),
        "{listed:?}"
    );
    account(&["remove", "second@example.com"]).check(0, "Removed");
    account(&["remove", "second@example.com"]).check(1, "no account");
    account(&["add", "build", "--service"]).check(1, "local@domain");
    account(&["add", EMAIL]).check(2, "--service");
}

#[test]
fn new_credentials_are_printed_as_json_with_two_members() {
    let program = Program::new();

    let added = program.run(&["account", "add", EMAIL, "--service", "--json"]);

    assert_eq!(added.json().as_object().unwrap().len(), 2);
}

#[test]
fn the_verdict_is_the_exit_status_and_is_in_the_json_report() {
    let (program, server) = signed();
    let url = server.url();
    program
        .verify(&url, &["--url", &url, "release"])
        .check(0, "release is verified");
    server.stop();

    let verify = |more: &[&str]| {
        let offline = ["--trusted-root", "trusted_root.json"];
        program.verify(&url, &[&offline[..], more].concat())
    };
    let report = verify(&["--json", "release"]).json();
    assert_eq!(report["verified"], true);
    assert_eq!(report["identity"]["subject"], EMAIL);
    let digest = signet::testing::Sha256::of(b"what is released").to_hex();
    let digest = format!("sha256:{digest}");
    let bundle = ["--bundle", "release.sigstore.json"];
    let with_bundle = |more: &[&str]| verify(&[&bundle[..], more].concat());
    with_bundle(&[&digest]).check(0, "is verified");

    program.write("tampered", "what is releasee");
    let refused = with_bundle(&["--json", "tampered"]);
    refused.check(1, "[artifact-mismatch]");
    let report: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(report["verified"], false);
    assert_eq!(report["code"], "artifact-mismatch");
    verify(&["absent"]).check(2, "absent.sigstore.json cannot be read");
    verify(&["--bundle", "trusted_root.json", "release"]).check(2, "is not a bundle");
    with_bundle(&["sha256:00"]).check(2, "is not a digest");
    program
        .run(&["verify", "release"])
        .check(2, "--certificate-identity");
}

#[test]
fn sign_reads_its_token_from_three_places_and_fails_with_the_reason() {
    let program = Program::new();
    let server = program.serve(&[]);
    let (token, url) = (program.new_token(&server), server.url());
    program.write("one", "1");
    program.write("two", "2");
    program.write("token", format!("{token}\n"));
    let sign = |more: &[&str], input: &str| {
        program.run_with_input(&[&["sign", "--url", &url], more].concat(), input)
    };

    sign(&["--identity-token-file", "-", "one", "two"], &token).check(0, "signed two");
    assert!(program.path("one.sigstore.json").is_file());
    sign(&["--identity-token", &token, "--bundle", "out", "one"], "").check(0, "");
    assert!(program.path("out").is_file());

    for (arguments, message) in [
        ("one", "an identity token is required"),
        ("--identity-token-file absent one", "absent cannot be read"),
        ("--identity-token-file - one", "the identity token"),
        ("--identity-token-file token --bundle o one two", "one FILE"),
        (
            "--identity-token-file token absent",
            "absent cannot be read",
        ),
    ] {
        let arguments: Vec<_> = arguments.split(' ').collect();
        sign(&arguments, "x.y").check(2, message);
    }
    let forged = format!("{}{}", &token[..token.len() - 8], "AAAAAAAA");
    let refused = sign(&["--identity-token-file", "-", "one"], &forged);
    refused.check(1, "refused a certificate (400)");
    assert!(!refused.stderr.contains(&token[..40]), "{refused:?}");
    server.stop();
    sign(&["--identity-token-file", "token", "one"], "").check(1, "cannot be reached");
}

#[test]
fn verify_with_a_trusted_root_opens_no_socket() {
    let (program, server) = signed();
    let url = server.url();
    let verify = |trust: &[&str]| {
        let trace = ["strace", "-f", "-e", "trace=network", "-o", "trace"];
        let who = ["verify", "--certificate-identity", EMAIL];
        let issuer = ["--certificate-oidc-issuer", &url];
        let arguments = [&who[..], &issuer, trust, &["release"]].concat();
        run(program.wrapped(&trace, &arguments), "").check(0, "release is verified");
        fs::read_to_string(program.path("trace")).unwrap()
    };
    let works = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status();
    if !works.is_ok_and(|status| status.success()) {
        println!("strace does not work here: nothing was checked");
        return;
    }

    let calls = verify(&["--trusted-root", "trusted_root.json"]);

    assert!(
        !calls.contains("socket") && !calls.contains("connect"),
        "{calls}"
    );
    // Online there are such calls, so the trace would show them.
    assert!(verify(&["--url", &url]).contains("socket("));
}

#[test]
fn fsck_and_rebuild_check_and_restore_a_stopped_store() {
    let (program, server) = signed();
    server.stop();

    program.run(&["fsck"]).check(0, "");
    fs::remove_dir_all(program.data_dir().join("state")).unwrap();
    program
        .run(&["rebuild"])
        .check(0, "rebuilt the state from the journal");
    program.run(&["fsck"]).check(0, "");
    let server = program.serve(&[]);
    let checkpoint = Request::get("/checkpoint").send(server.address()).text();
    assert_eq!(checkpoint.lines().nth(1), Some("2"));
    server.stop();

    let segment = program.data_dir().join("journal/00000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    program
        .run(&["fsck"])
        .check(4, "journal is damaged at byte");
    program
        .run(&["serve"])
        .check(4, "journal is damaged at byte");
    program
        .run(&["fsck", "--data-dir", "elsewhere"])
        .check(1, "");
}

#[test]
fn a_wrong_configuration_is_refused_with_place_key_and_what_is_allowed() {
    let program = Program::new();
    for (toml, messages) in [
        (
            "[server]\nlisen = \"x\"",
            &["c.toml", "`server.lisen`", "listen"][..],
        ),
        ("[sever]\nlisten = \"x\"", &["c.toml", "`sever`", "server"]),
        (
            "[server]\nworkers = \"two\"",
            &["c.toml", "`server.workers`", "must be", "text"],
        ),
        (
            "[server]\nworkers = 513",
            &["c.toml", "`server.workers`", "0 to 512"],
        ),
        (
            "[ca]\nlifetime_seconds = 30",
            &["c.toml", "`ca.lifetime_seconds`", "60 to 1200"],
        ),
        (
            "[tls]\nkey_file = \"k\"",
            &["c.toml", "`tls.key_file`", "together"],
        ),
        (
            "[server]\nlisten = \"0.0.0.0:0\"",
            &["c.toml", "`server.listen`", "insecure_http"],
        ),
        (
            "[telemetry]\nformat = \"xml\"",
            &["c.toml", "`telemetry.format`", "\"json\""],
        ),
        (
            "[[issuers]]\nurl = \"http://idp.example\"",
            &["c.toml", "`issuers[0].url`", "https"],
        ),
        ("[server", &["c.toml", "not valid TOML"]),
    ] {
        program.write("c.toml", toml);
        let mode = fs::Permissions::from_mode(0o644);
        fs::set_permissions(program.path("c.toml"), mode).unwrap();

        let refused = program.run(&["serve", "--config", "c.toml"]);

        for message in messages {
            refused.check(3, message);
        }
        assert!(
            !program.data_dir().exists(),
            "the data directory was created before the settings were checked"
        );
    }
    program
        .run(&["serve", "--config", "absent.toml"])
        .check(3, "absent.toml: cannot be read");
    let mut by_variable = program.command(&["serve"]);
    by_variable.env("SIGNET_CA__LIFETIME_SECONDS", "soon");
    run(by_variable, "").check(3, "SIGNET_CA__LIFETIME_SECONDS");
    program
        .run(&["serve", "--listen", "here"])
        .check(3, "--listen");
}

#[test]
fn every_command_has_help() {
    let program = Program::new();
    let version = program.run(&["--version"]);
    assert_eq!(version.status, Some(0));
    assert!(
        version
            .stdout
            .starts_with(concat!("signet ", env!("CARGO_PKG_VERSION")))
    );
    let help = program.run(&["--help"]);
    assert_eq!(help.status, Some(0));
    for command in [
        "serve", "demo", "sign", "verify", "account", "fsck", "rebuild",
    ] {
        assert!(help.stdout.contains(command), "{}", help.stdout);
        let own = program.run(&[command, "--help"]);
        assert!(
            own.status == Some(0) && own.stdout.contains("Usage: signet"),
            "{own:?}"
        );
    }
    program.run(&[]).check(2, "Usage");
    program.run(&["sgin"]).check(2, "sign");
}

#[test]
fn the_demo_succeeds_and_leaves_no_files() {
    let program = Program::new();

    let ended = program.run(&["demo", "--once"]);

    ended.check(0, "refused a copy of the file with one bit flipped");
    assert_eq!(fs::read_dir(program.folder()).unwrap().count(), 0);
}
