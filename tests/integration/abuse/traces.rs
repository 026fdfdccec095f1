//! Traces of hostile input: the metrics contain no text of the client's choice, and the log one line for
//! each event, without secrets.

use serde_json::{Value, json};

use super::paths::ROUTES;
use super::{CONTENT, EMAIL, SIGNING_CERT, World};
use crate::support::account::token_in;
use crate::support::http::{Request, connect, exchange};
use crate::support::program::{Program, Server};

/// The lines of the metrics without comments and values.
fn series(world: &World) -> Vec<String> {
    let text = world.server.get("/metrics").text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
        .collect()
}

#[test]
fn unknown_paths_and_methods_add_no_metrics() {
    let world = World::new();
    let send = |number: usize| {
        let request = Request::new(&format!("INVENTED{number}"), &format!("/made/up/{number}"));
        assert!(world.server.send(&request).status < 500);
        world.server.get(&format!("/tile/0/x{number:03}/000"));
        world
            .server
            .get(&format!("/checkpoint/{number}?q={number}"));
    };
    for path in ROUTES {
        world.server.get(path);
    }
    send(0);
    world.server.get("/metrics");
    let before = series(&world);

    (1..500).for_each(send);

    let after = series(&world);
    assert_eq!(before, after);
    assert!(
        !after
            .iter()
            .any(|line| line.contains("made") || line.contains("INVENTED"))
    );
}

/// A server that writes its events in a format.
fn serving(program: &Program, format: &str) -> Server {
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .env("SIGNET_TELEMETRY__FORMAT", format)
        .env("SIGNET_TELEMETRY__LEVEL", "trace");
    Server::start(command)
}

/// Texts that must not be in the log.
struct Secrets(Vec<String>);

/// Signs with the program, and sends what could break or pollute the log.
fn provoke(program: &Program, server: &Server) -> Secrets {
    let account = program.add_account(EMAIL);
    let token = token_in(account.token_request().send(server.address()));
    program.write("release", CONTENT);
    program
        .sign_release(&server.url(), &token, &[])
        .check(0, "signed release");

    let evil = "\u{1b}[2Jcleared\u{202e}gnorw";
    for path in [
        "/a%0d%0ainjected=1",
        "/a%1b[2J",
        "/%00",
        "/\u{202e}evil",
        &format!("/{}", "p".repeat(20_000)),
        &format!("/ct/ct/v1/get-entries?start={evil}&end=%0a"),
    ] {
        // The parser refuses the escape sequence; without it, a handler sees the request.
        for name in [evil, "\u{202e}injected"] {
            let request = Request::get(path)
                .header("user-agent", name)
                .header("referer", &"r".repeat(20_000))
                .header("x-request-id", "injected id")
                .header("authorization", &format!("Bearer {token}"));
            exchange(connect(server.address()), &request.to_bytes());
        }
    }
    let claim = format!("{evil}\r\ninjected {EMAIL}");
    for body in [
        json!({ "credentials": { "oidcIdentityToken": format!("{token}x") } }),
        json!({ "credentials": { "oidcIdentityToken": claim } }),
        json!({ claim.clone(): "x".repeat(20_000) }),
        json!({ "credentials": claim }),
    ] {
        let reply = Request::json(SIGNING_CERT, &body).send(server.address());
        assert_eq!(reply.status, 400);
    }
    let payload = token.split('.').nth(1).unwrap();
    let signature = token.split('.').nth(2).unwrap();
    Secrets(
        [
            EMAIL,
            &account.client_secret,
            payload,
            signature,
            "injected",
            "cleared",
        ]
        .map(str::to_owned)
        .into(),
    )
}

#[test]
fn every_json_event_is_one_line_without_tokens_and_addresses() {
    let program = Program::new();
    let server = serving(&program, "json");
    let secrets = provoke(&program, &server);

    let (status, log) = server.stop();

    assert_eq!(status, Some(0));
    let (_, events) = log.split_once("listening on ").unwrap();
    let mut requests = 0;
    for line in events.lines().skip(1) {
        let event: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line.len() <= 8192, "{line}");
        assert!(
            event["timestamp"].is_string() && event["level"].is_string(),
            "{line}"
        );
        requests += usize::from(event["message"] == "request.answered");
    }
    assert!(
        requests > 10,
        "{requests} requests were reported:\n{events}"
    );
    for secret in &secrets.0 {
        assert!(!log.contains(secret), "{secret:?} is in the log:\n{log}");
    }
}

#[test]
fn every_text_event_is_one_line_without_control_characters() {
    let program = Program::new();
    let server = serving(&program, "text");
    let secrets = provoke(&program, &server);

    let (_, log) = server.stop();

    let (_, events) = log.split_once("listening on ").unwrap();
    for line in events.lines().skip(1) {
        let begins_with_a_time = line.starts_with("20") && line.get(19..20) == Some(".");
        assert!(begins_with_a_time, "{line:?}");
        assert!(
            !line.contains(|character: char| character.is_control()),
            "{line:?}"
        );
        assert!(!line.contains('\u{202e}'), "{line:?}");
    }
    for secret in &secrets.0 {
        assert!(!log.contains(secret), "{secret:?} is in the log:\n{log}");
    }
}
