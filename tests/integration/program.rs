//! The program as people run it: its commands, what they say, and how they end.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::http::{Reply, Request, connect, read_to_end, send};
use crate::support::program::{Ended, Program, Server, run};

const EMAIL: &str = "build@example.com";

fn check(ended: &Ended, status: i32, said: &str) {
    assert_eq!(ended.status, Some(status), "{ended:?}");
    assert!(ended.stderr.contains(said), "{said:?} is not in {ended:?}");
}

/// Makes an account by the command and gets a token for it as curl would.
fn token(program: &Program, server: &Server) -> String {
    let added = program.run(&["account", "add", EMAIL, "--service", "--json"]);
    assert_eq!(added.status, Some(0), "{added:?}");
    let made: Value = serde_json::from_str(&added.stdout).unwrap();
    assert_eq!(made.as_object().unwrap().len(), 2);
    token_of(server, &made).success()["id_token"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn token_of(server: &Server, credentials: &Value) -> Reply {
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        credentials["client_id"].as_str().unwrap(),
        credentials["client_secret"].as_str().unwrap(),
    );
    Request::post("/oauth2/token", "application/x-www-form-urlencoded", form).send(server.address())
}

/// A folder with a server, a signed file, its bundle beside it, and the trust root.
fn signed() -> (Program, Server) {
    let program = Program::new();
    let server = program.serve(&[]);
    let token = token(&program, &server);
    program.write("release", "what is released");
    program.write("token", token);
    let url = server.url();
    let ended = program.run(&[
        "sign",
        "--url",
        &url,
        "--identity-token-file",
        "token",
        "release",
    ]);
    check(&ended, 0, "signed release");
    assert_eq!(ended.stdout, "release.sigstore.json\n");
    let trust = Request::get("/trust/trusted_root.json").send(server.address());
    program.write("trusted_root.json", trust.body);
    (program, server)
}

#[test]
fn t15_serve_says_that_it_listens_once_it_answers_and_ends_when_told() {
    let program = Program::new();
    for signal in ["TERM", "INT"] {
        let server = program.serve(&[]);
        let reply = Request::get("/readyz").send(server.address());
        assert_eq!(reply.status, 200, "{}", reply.text());

        server.signal(signal);
        let (status, said) = server.wait();

        assert_eq!(status, Some(0), "{said}");
    }
}

#[test]
fn the_first_start_says_where_everything_is_and_what_comes_next() {
    let program = Program::new();
    let server = program.serve(&[]);
    let url = server.url();

    let (_, said) = server.stop();

    for shown in [
        &format!("public URL     {url}"),
        &format!("trust root     {url}/trust/trusted_root.json"),
        "signet-data",
        "signet account add",
    ] {
        assert!(said.contains(shown), "{shown:?} is not in {said}");
    }
}

/// Every file and folder below, with its permissions.
fn modes(folder: &Path, found: &mut Vec<(String, bool, u32)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // A server that runs takes files away, too.
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
fn t63_nobody_else_can_read_anything_even_under_a_wide_umask() {
    let program = Program::new();
    let script = "umask 000; exec \"$0\" \"$@\"";
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let server = Server::start(program.wrapped(&["sh", "-c", script], &serve));
    let token = token(&program, &server);
    program.write("release", "what is released");
    let url = server.url();
    let signed = [
        "sign",
        "--url",
        &url,
        "--identity-token-file",
        "-",
        "release",
    ];
    check(
        &program.run_with_input(&signed, &token),
        0,
        "signed release",
    );

    let socket = fs::read_dir(program.data_dir())
        .unwrap()
        .any(|entry| entry.unwrap().file_type().unwrap().is_socket());
    assert!(socket, "the socket for commands is there");
    check_modes(&program.data_dir());
    server.stop();
    check_modes(&program.data_dir());
}

fn check_modes(folder: &Path) {
    let mut found = vec![];
    modes(folder, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for (path, is_folder, mode) in found {
        // What is there to be shown to everyone.
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
fn t14_a_second_server_on_the_same_data_is_refused_and_the_first_goes_on() {
    let program = Program::new();
    let server = program.serve(&[]);

    let second = program.run(&["serve", "--listen", "127.0.0.1:0"]);

    check(
        &second,
        1,
        "held by another process: is the server running?",
    );
    assert!(!second.stderr.contains("listening on"), "{second:?}");
    check(&program.run(&["fsck"]), 1, "is the server running?");
    check(&program.run(&["rebuild"]), 1, "is the server running?");
    assert_eq!(Request::get("/readyz").send(server.address()).status, 200);
    let address = server.address().to_string();
    let elsewhere = ["serve", "--data-dir", "elsewhere", "--listen", &address];
    check(&program.run(&elsewhere), 1, "cannot listen on");
}

/// Sends a request's head and waits until the server asks for its body.
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
fn t15_requests_in_flight_are_answered_before_the_server_ends() {
    let program = Program::new();
    let server = program.serve(&[]);
    let mut stream = begin_request(&server, 2);

    server.signal("TERM");
    while TcpStream::connect(server.address()).is_ok() {}
    send(&mut stream, b"{}");
    let reply = Reply::parse(&read_to_end(stream)).unwrap();

    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("malformed-json"), "{}", reply.text());
    let (status, said) = server.wait();
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn t15_a_request_that_never_ends_does_not_keep_the_server() {
    let program = Program::new();
    let server = program.serve(&[]);
    let _stream = begin_request(&server, 2);

    let told = Instant::now();
    let (status, said) = server.stop();

    assert_eq!(status, Some(0), "{said}");
    assert!(
        told.elapsed() < Duration::from_secs(10),
        "{:?}",
        told.elapsed()
    );
}

#[test]
fn accounts_are_kept_by_the_server_while_it_runs_and_by_the_store_when_not() {
    let program = Program::new();
    let account = |arguments: &[&str]| program.run(&[&["account"], arguments].concat());

    check(&account(&["list"]), 0, "There are no accounts");
    let added = account(&["add", EMAIL, "--service", "--json"]);
    let early: Value = serde_json::from_str(&added.stdout).unwrap();
    let server = program.serve(&[]);
    assert_eq!(token_of(&server, &early).status, 200);
    check(
        &account(&["add", EMAIL, "--service"]),
        1,
        "an account with this e-mail address already exists",
    );
    check(
        &account(&["add", "second@example.com", "--service"]),
        0,
        "Added",
    );
    let listed = account(&["list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed[0]["email"], EMAIL);
    assert_eq!(listed[1]["email"], "second@example.com");
    check(&account(&["remove", EMAIL]), 0, "Removed");
    let refused = token_of(&server, &early);
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
    check(&account(&["remove", "second@example.com"]), 0, "Removed");
    check(&account(&["remove", "second@example.com"]), 1, "no account");
    check(&account(&["add", "nobody", "--service"]), 1, "local@domain");
    check(&account(&["add", EMAIL]), 2, "--service");
}

#[test]
fn verify_tells_its_verdict_by_its_status_and_in_json() {
    let (program, server) = signed();
    let url = server.url();
    let verify = |more: &[&str]| {
        let who = [
            "--certificate-identity",
            EMAIL,
            "--certificate-oidc-issuer",
            &url,
        ];
        program.run(&[&["verify"], more, &who].concat())
    };

    check(
        &verify(&["--url", &url, "release"]),
        0,
        "release is verified",
    );
    server.stop();

    let offline = ["--trusted-root", "trusted_root.json"];
    let verify = |more: &[&str]| verify(&[&offline[..], more].concat());
    let report = verify(&["--json", "release"]);
    let json: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(
        (report.status, &json["verified"]),
        (Some(0), &Value::Bool(true))
    );
    assert_eq!(json["identity"]["subject"], EMAIL);
    let digest = signet::testing::Sha256::of(b"what is released").to_hex();
    let digest = format!("sha256:{digest}");
    check(
        &verify(&["--bundle", "release.sigstore.json", &digest]),
        0,
        "is verified",
    );

    program.write("tampered", "what is releasee");
    let report = verify(&["--bundle", "release.sigstore.json", "--json", "tampered"]);
    check(&report, 1, "[artifact-mismatch]");
    let json: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(json["verified"], false);
    assert_eq!(json["code"], "artifact-mismatch");
    check(
        &verify(&["absent"]),
        2,
        "absent.sigstore.json cannot be read",
    );
    check(
        &verify(&["--bundle", "trusted_root.json", "release"]),
        2,
        "is not a bundle",
    );
    check(
        &verify(&["--bundle", "release.sigstore.json", "sha256:00"]),
        2,
        "",
    );
    check(
        &program.run(&["verify", "release"]),
        2,
        "--certificate-identity",
    );
}

#[test]
fn sign_takes_its_token_from_where_it_is_told_and_ends_with_the_reason() {
    let program = Program::new();
    let server = program.serve(&[]);
    let (token, url) = (token(&program, &server), server.url());
    program.write("one", "1");
    program.write("two", "2");
    program.write("token", format!("{token}\n"));
    let sign = |more: &[&str], input: &str| {
        program.run_with_input(&[&["sign", "--url", &url], more].concat(), input)
    };

    check(
        &sign(&["--identity-token-file", "-", "one", "two"], &token),
        0,
        "signed two",
    );
    assert!(program.path("one.sigstore.json").is_file());
    check(
        &sign(&["--identity-token", &token, "--bundle", "out", "one"], ""),
        0,
        "",
    );
    assert!(program.path("out").is_file());

    for (arguments, said) in [
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
        check(&sign(&arguments, "x.y"), 2, said);
    }
    let forged = format!("{}{}", &token[..token.len() - 8], "AAAAAAAA");
    let refused = sign(&["--identity-token-file", "-", "one"], &forged);
    check(&refused, 1, "refused a certificate (400)");
    assert!(!refused.stderr.contains(&token[..40]), "{refused:?}");
    server.stop();
    check(
        &sign(&["--identity-token-file", "token", "one"], ""),
        1,
        "cannot be reached",
    );
}

#[test]
fn verify_with_a_trust_root_opens_no_socket() {
    let (program, server) = signed();
    let url = server.url();
    let arguments = [
        "verify",
        "--trusted-root",
        "trusted_root.json",
        "--certificate-identity",
        EMAIL,
        "--certificate-oidc-issuer",
        &url,
        "release",
    ];
    let trace = ["strace", "-f", "-e", "trace=network", "-o", "trace"];
    let works = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status();
    if !works.is_ok_and(|status| status.success()) {
        println!("there is no strace here: nothing was checked");
        return;
    }

    let ended = run(program.wrapped(&trace, &arguments), "");

    check(&ended, 0, "release is verified");
    let calls = fs::read_to_string(program.path("trace")).unwrap();
    assert!(
        !calls.contains("socket") && !calls.contains("connect"),
        "{calls}"
    );
    // With a server to ask there are such calls, so the trace sees them.
    let online = ["verify", "--url", &url];
    let online = [&online[..], &arguments[3..]].concat();
    check(
        &run(program.wrapped(&trace, &online), ""),
        0,
        "release is verified",
    );
    assert!(
        fs::read_to_string(program.path("trace"))
            .unwrap()
            .contains("socket(")
    );
}

#[test]
fn fsck_and_rebuild_look_after_a_store_that_is_stopped() {
    let (program, server) = signed();
    server.stop();

    check(&program.run(&["fsck"]), 0, "");
    fs::remove_dir_all(program.data_dir().join("state")).unwrap();
    check(
        &program.run(&["rebuild"]),
        0,
        "rebuilt the state from the journal",
    );
    check(&program.run(&["fsck"]), 0, "");
    let server = program.serve(&[]);
    let checkpoint = Request::get("/checkpoint").send(server.address()).text();
    assert_eq!(checkpoint.lines().nth(1), Some("2"));
    server.stop();

    let segment = program.data_dir().join("journal/00000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    check(&program.run(&["fsck"]), 4, "journal is damaged at byte");
    check(&program.run(&["serve"]), 4, "journal is damaged at byte");
    check(&program.run(&["fsck", "--data-dir", "elsewhere"]), 1, "");
}

#[test]
fn a_configuration_that_is_not_understood_is_refused_with_place_key_and_what_is_allowed() {
    let program = Program::new();
    for (toml, said) in [
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

        for said in said {
            check(&refused, 3, said);
        }
        assert!(
            !program.data_dir().exists(),
            "nothing is made before the settings are understood"
        );
    }
    check(
        &program.run(&["serve", "--config", "absent.toml"]),
        3,
        "absent.toml: cannot be read",
    );
    let mut by_variable = program.command(&["serve"]);
    by_variable.env("SIGNET_CA__LIFETIME_SECONDS", "soon");
    check(&run(by_variable, ""), 3, "SIGNET_CA__LIFETIME_SECONDS");
    check(&program.run(&["serve", "--listen", "here"]), 3, "--listen");
}

#[test]
fn the_program_explains_itself() {
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
    check(&program.run(&[]), 2, "Usage");
    check(&program.run(&["sgin"]), 2, "sign");
}

#[test]
fn the_demonstration_ends_well() {
    let program = Program::new();

    let ended = program.run(&["demo", "--once"]);

    check(&ended, 0, "refused a copy of the file with one bit flipped");
    assert_eq!(
        fs::read_dir(program.folder()).unwrap().count(),
        0,
        "it leaves nothing behind"
    );
}
