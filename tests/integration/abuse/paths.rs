//! Every path with every method, and paths that do not exist.

use super::{ENTRIES, ENTRIES_V1, RETRIEVE, SEARCH, SIGNING_CERT, TIMESTAMP, VERIFY, World};
use crate::support::http::Request;

/// One path for each route.
pub const ROUTES: [&str; 40] = [
    "/",
    "/signet.css",
    "/healthz",
    "/ping",
    "/readyz",
    "/metrics",
    "/.well-known/openid-configuration",
    "/oauth2/jwks",
    "/oauth2/token",
    SIGNING_CERT,
    "/api/v1/signingCert",
    "/api/v1/rootCert",
    "/api/v2/trustBundle",
    "/api/v2/configuration",
    "/ct/ct/v1/get-sth",
    "/ct/ct/v1/get-entries",
    "/ct/ct/v1/get-sth-consistency",
    "/ct/ct/v1/get-proof-by-hash",
    "/ct/ct/v1/get-entry-and-proof",
    "/ct/ct/v1/get-roots",
    ENTRIES,
    "/api/v2/checkpoint",
    "/api/v2/tile/0/000.p/1",
    "/checkpoint",
    "/tile/entries/000.p/1",
    ENTRIES_V1,
    "/api/v1/log/entries/0000000000000000000000000000000000000000000000000000000000000000",
    RETRIEVE,
    SEARCH,
    "/api/v1/log",
    "/api/v1/log/proof",
    "/api/v1/log/publicKey",
    TIMESTAMP,
    "/api/v1/timestamp/certchain",
    "/trust/trusted_root.json",
    "/trust/signing_config.v0.2.json",
    "/trust/client_trust_config.json",
    "/trust/fulcio-chain.pem",
    VERIFY,
    "/nowhere",
];

#[test]
fn no_method_and_content_type_on_any_path_is_a_server_error() {
    let world = World::new();
    let long = "application/".repeat(1000);
    let types = [
        "",
        "text/plain",
        "application/json",
        "application/json; charset=utf-16",
        "application/timestamp-query",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "\u{fe}\u{ff}",
        &long,
    ];
    let bodies: [&[u8]; 4] = [b"", b"{}", b"\x30\x80", b"grant_type=client_credentials"];
    let methods = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW",
    ];
    let mut cases = 0;
    for path in ROUTES {
        for method in methods {
            for (number, kind) in types.iter().enumerate() {
                let body = bodies[number % bodies.len()];
                let request = Request::new(method, path)
                    .header("content-type", kind)
                    .body(body);
                let reply = world.server.send(&request);
                assert!(
                    reply.status < 500,
                    "{method} {path} {kind}: {}",
                    reply.text()
                );
                if !matches!(method, "GET" | "HEAD" | "POST" | "OPTIONS") {
                    let (status, allow) = (reply.status, reply.header("allow"));
                    let refused = if path == "/nowhere" {
                        status == 404
                    } else {
                        status == 405 && allow.is_some()
                    };
                    assert!(refused, "{method} {path}: {status}, allow {allow:?}");
                }
                cases += 1;
            }
        }
    }
    assert!(cases >= 2000, "{cases}");
    assert_eq!(world.server.get("/readyz").status, 200);
}

/// Endings of `/tile/` that name no tile of a log of three entries.
const NO_TILES: [&str; 34] = [
    "../signet.toml",
    "../../data/keys/instance.json",
    "0/../../../data/keys/instance.json",
    "0/%2e%2e/%2e%2e/data/lock",
    "%2e%2e%2f%2e%2e%2fdata%2flock",
    "0/..%5c..%5cdata",
    "0//000.p/1",
    "/0/000.p/1",
    "0/000.p/1/",
    "0/000.p/0",
    "0/000.p/00",
    "0/000.p/01",
    "0/000.p/256",
    "0/000.p/257",
    "0/000.p/-1",
    "0/000.p/99999999999999999999",
    "0/000",
    "0/0",
    "0/0000",
    "0/x000/000.p/1",
    "0/x001/..",
    "0/x001/000",
    "0/999",
    "63/000.p/1",
    "64/000.p/1",
    "-1/000.p/1",
    "00/000.p/1",
    "0/000%00.p/1",
    "0/000.p/1%00",
    "0/000.p/1%0a",
    "entries/../0/000.p/1",
    "data/000.p/1",
    "entries/x999/x999/x999/x999/x999/x999/999",
    "",
];

#[test]
fn paths_that_only_resemble_tiles_are_not_found() {
    let world = World::new();
    for base in ["", "/api/v2"] {
        let tile = world.server.get(&format!("{base}/tile/0/000.p/1"));
        assert_eq!(tile.status, 200);
        let tile = tile.body;
        for path in NO_TILES {
            let reply = world.server.get(&format!("{base}/tile/{path}"));
            // A slash at the end and a double one are ignored in every path.
            let plain = ["0/000.p/1/", "0//000.p/1", "/0/000.p/1"].contains(&path);
            let same = plain && reply.status == 200 && reply.body == tile;
            assert!(
                matches!(reply.status, 400 | 404) || same,
                "{path}: {}",
                reply.status
            );
            assert!(!reply.text().contains("origin"), "{path}: {}", reply.text());
        }
    }
    for path in [
        "/admin",
        "/debug/pprof",
        "/.env",
        "/data/keys",
        "/../data/lock",
    ] {
        assert!(matches!(world.server.get(path).status, 400 | 404), "{path}");
    }
}

/// Numbers that are out of range or not in canonical form.
const ODD: [&str; 19] = [
    "-1",
    "-0",
    "2147483648",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "01",
    "%2B1",
    "+1",
    "1e3",
    "0x1",
    "1.0",
    "",
    "%20",
    "1%00",
    "%D9%A1",
    "null",
];

#[test]
fn numbers_out_of_range_or_in_another_form_are_refused() {
    let world = World::new();
    for (path, first, second) in [
        ("get-entries", "start", "end"),
        ("get-sth-consistency", "first", "second"),
        ("get-entry-and-proof", "leaf_index", "tree_size"),
    ] {
        let ask = |a: &str, b: &str| {
            world
                .server
                .get(&format!("/ct/ct/v1/{path}?{first}={a}&{second}={b}"))
        };
        assert_eq!(ask("1", "2").status, 200, "{path}");
        for value in ODD {
            for other in ODD.iter().chain(&["0", "1", "2"]) {
                for (a, b) in [(value, *other), (*other, value)] {
                    let reply = ask(a, b);
                    // get-entries may return fewer entries than requested (RFC 6962 §4.6).
                    let clamped = path == "get-entries"
                        && matches!(a, "0" | "1")
                        && b.parse::<u64>().is_ok()
                        && !b.starts_with(['0', '+']);
                    let expected = if clamped { 200 } else { 400 };
                    let fits = reply.status == expected || (!clamped && reply.status == 404);
                    assert!(fits, "{path} {a} {b}: {} {}", reply.status, reply.text());
                }
            }
        }
        assert_eq!(ask("2", "1").status, 400, "{path}");
        for query in [
            "",
            "start=0",
            "start=0&start=1&end=1",
            "%ff=%ff",
            "start=0&end=1&x=y",
        ] {
            let reply = world.server.get(&format!("/ct/ct/v1/{path}?{query}"));
            assert!(reply.status < 500, "{path} {query}: {}", reply.text());
        }
    }
}

#[test]
fn sizes_and_indices_outside_a_v1_log_are_refused() {
    let world = World::new();
    let ask = |query: &str| world.server.get(&format!("/api/v1/log/{query}"));
    assert_eq!(ask("proof?firstSize=1&lastSize=1").status, 200);
    assert_eq!(ask("entries?logIndex=0").status, 200);
    for value in ODD {
        let reply = ask(&format!("entries?logIndex={value}"));
        assert!(
            matches!(reply.status, 404 | 422),
            "{value}: {}",
            reply.text()
        );
        for other in ODD.iter().chain(&["0", "1", "2"]) {
            for (first, last) in [(value, *other), (*other, value)] {
                // The first size defaults to 1.
                let expected = first.is_empty() && matches!(last, "1" | "2");
                let reply = ask(&format!("proof?firstSize={first}&lastSize={last}"));
                let fits = matches!(reply.status, 400 | 422) || (expected && reply.status == 200);
                assert!(fits, "{first} {last}: {} {}", reply.status, reply.text());
            }
        }
    }
}

#[test]
fn proofs_for_malformed_hashes_are_refused() {
    let world = World::new();
    let ask = |hash: &str, size: &str| {
        let query = format!("hash={hash}&tree_size={size}");
        let reply = world
            .server
            .get(&format!("/ct/ct/v1/get-proof-by-hash?{query}"));
        assert!(
            matches!(reply.status, 400 | 404),
            "{query}: {}",
            reply.text()
        );
    };
    for size in ODD.iter().chain(&["1", "2"]) {
        ask("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D", size);
    }
    for hash in ["", "AA%3D%3D", "%00", "x", &"A".repeat(10_000)] {
        ask(hash, "1");
    }
}
