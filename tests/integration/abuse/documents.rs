//! JSON documents with one wrong value, and texts that are not valid JSON.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signet::testing::to_base64url;

use super::{ENTRIES, SIGNING_CERT, TIMESTAMP, VERIFY, World};
use crate::support::http::{Reply, Request};
use crate::support::server::TestServer;

/// The places in a document, as pointers.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, v)| (name.clone(), v)).collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(n, v)| (n.to_string(), v))
            .collect(),
        _ => vec![],
    };
    for (name, member) in members {
        let pointer = format!("{at}/{name}");
        pointers(member, &pointer, found);
        found.push(pointer);
    }
}

/// The document without the value at the pointer.
fn without(document: &Value, pointer: &str) -> Value {
    let mut document = document.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(name)),
        Value::Array(list) => drop(list.remove(name.parse().unwrap())),
        _ => unreachable!("only objects and lists have members"),
    }
    document
}

/// Members that the APIs define as optional or of several types.
const OPTIONAL: [&str; 17] = [
    "/publicKeyRequest/publicKey/algorithm",
    "/certificates",
    "/nonce",
    "/tsaPolicyOID",
    "/bundle/messageSignature/messageDigest",
    "/entryUUIDs",
    "/entryUUIDs/0",
    "/logIndexes",
    "/logIndexes/0",
    "/entries",
    "/entries/0",
    // Entries that are searched for are not verified.
    "/entries/0/spec/signature/content",
    "/hash",
    "/email",
    "/subject",
    "/operator",
    "/publicKey",
];

#[test]
fn a_missing_member_or_one_of_another_type_is_never_a_server_error() {
    let world = World::new();
    let wrong = [
        json!(null),
        json!(""),
        json!([]),
        json!({}),
        json!(0),
        json!(true),
        json!("AA=="),
        json!([null]),
        json!("\u{0}"),
        json!(-1.5e300),
    ];
    let (mut cases, mut faults) = (0, vec![]);
    for good in &world.good {
        let mut places = vec![];
        pointers(&good.document, "", &mut places);
        for place in places {
            let mut documents = vec![without(&good.document, &place)];
            documents.extend(wrong.iter().map(|value| {
                let mut document = good.document.clone();
                *document.pointer_mut(&place).unwrap() = value.clone();
                document
            }));
            for (number, document) in documents.iter().enumerate() {
                let reply = world.server.post_json(good.path, document);
                cases += 1;
                let refused = (400..500).contains(&reply.status) && reply.status != 409;
                let optional = OPTIONAL.contains(&place.as_str()) && reply.status < 500;
                if !refused && !optional {
                    let what = number.checked_sub(1).map(|n| &wrong[n]);
                    faults.push(format!(
                        "{} {place} = {what:?}: {} {}",
                        good.path,
                        reply.status,
                        reply.text()
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(cases >= 500, "{cases}");
    println!("{cases} cases");
}

/// Writes a document with one member twice.
fn repeated(value: &Value, at: &str, twice: &str, escaped: bool) -> String {
    let inner =
        |name: &str, member: &Value| repeated(member, &format!("{at}/{name}"), twice, escaped);
    match value {
        Value::Object(members) => {
            let mut text = vec![];
            for (name, member) in members {
                text.push(format!("{name:?}:{}", inner(name, member)));
                if format!("{at}/{name}") == twice {
                    let first = u32::from(name.chars().next().unwrap());
                    let second = if escaped {
                        format!("\\u{first:04x}{}", &name[1..])
                    } else {
                        name.clone()
                    };
                    text.push(format!("\"{second}\":{member}"));
                }
            }
            format!("{{{}}}", text.join(","))
        }
        Value::Array(list) => {
            let list = list.iter().enumerate();
            let text: Vec<_> = list
                .map(|(number, v)| inner(&number.to_string(), v))
                .collect();
            format!("[{}]", text.join(","))
        }
        other => other.to_string(),
    }
}

#[test]
fn a_repeated_member_is_refused_at_any_depth_and_in_any_spelling() {
    let world = World::new();
    let mut cases = 0;
    for good in &world.good {
        let mut places = vec![];
        pointers(&good.document, "", &mut places);
        let once = good.document.to_string();
        for place in places {
            for escaped in [false, true] {
                let text = repeated(&good.document, "", &place, escaped);
                // Elements of lists have no names.
                if text == once {
                    continue;
                }
                let reply = world
                    .server
                    .send(&Request::post(good.path, "application/json", text));
                assert_eq!(reply.status, 400, "{} {place}: {}", good.path, reply.text());
                cases += 1;
            }
        }
    }
    assert!(cases > 80, "{cases}");
}

fn post_all(server: &TestServer, body: &[u8]) -> Vec<(&'static str, Reply)> {
    [SIGNING_CERT, ENTRIES, TIMESTAMP, VERIFY]
        .map(|path| {
            (
                path,
                server.send(&Request::post(path, "application/json", body)),
            )
        })
        .into()
}

#[test]
fn deep_large_and_malformed_json_is_refused_at_once() {
    let world = World::new();
    let keys: String = (0..200_000)
        .map(|number| format!("\"k{number}\":0,"))
        .collect();
    let nested = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
    let member = |value: &str| format!("{{\"credentials\":{value},\"bundle\":{value}}}");
    let hostile: Vec<Vec<u8>> = vec![
        "[".repeat(100_000).into(),
        nested(200).into(),
        nested(100_000).into(),
        member(&"[".repeat(100_000)).into(),
        member(&nested(100_000)).into(),
        format!("{{{keys}\"z\":0}}").into(),
        format!("{{\"nonce\":{}}}", "9".repeat(1 << 20)).into(),
        format!("{{\"nonce\":-{}e{}}}", "9".repeat(1000), "9".repeat(1000)).into(),
        member("\"\\ud800\"").into(),
        member("\"\\udc00\\ud800\"").into(),
        b"{\"credentials\":\"\xff\xfe\",\"bundle\":\"\xc0\x80\"}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(),
        b"{}{}".to_vec(),
        b"\0".to_vec(),
        vec![],
        vec![b' '; 1 << 20],
        "\"".repeat(1 << 20).into(),
    ];
    for (number, body) in hostile.iter().enumerate() {
        let begun = Instant::now();
        for (path, reply) in post_all(&world.server, body) {
            assert!(
                matches!(reply.status, 400 | 413),
                "{number} {path}: {}",
                reply.text()
            );
        }
        // Generous: this is a debug build on a machine that may be busy.
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{number}: {:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn a_compressed_body_is_not_decompressed() {
    let world = World::new();
    for path in [SIGNING_CERT, ENTRIES, TIMESTAMP, VERIFY] {
        for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
            let request = Request::post(path, "application/json", [0x1f, 0x8b, 8, 0])
                .header("content-encoding", encoding);
            let reply = world.server.send(&request);
            assert!(
                matches!(reply.status, 400 | 415),
                "{path}: {}",
                reply.text()
            );
        }
    }
}

#[test]
fn tokens_of_many_dots_are_refused_before_they_are_decoded() {
    let world = World::new();
    let pbes2 = to_base64url(br#"{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2000000000}"#);
    let begun = Instant::now();
    for token in [
        ".".repeat(4_000_000),
        ".".repeat(100_000),
        format!("a.b.{}", ".".repeat(100_000)),
        format!("{}{}", world.token, ".".repeat(3)),
        format!("{pbes2}.a.b.c.d"),
        "a".repeat(4_000_000),
        "..".to_owned(),
        ".".to_owned(),
    ] {
        let mut document = world.good[0].document.clone();
        document["credentials"]["oidcIdentityToken"] = json!(token);
        let reply = world.server.post_json(SIGNING_CERT, &document);
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert!(
            reply.body.len() < 1000,
            "the token is repeated: {}",
            reply.text()
        );

        document.as_object_mut().unwrap().remove("credentials");
        let shorter = &token[..token.len().min(60_000)];
        let request = Request::json(SIGNING_CERT, &document)
            .header("authorization", &format!("Bearer {shorter}"));
        assert_eq!(world.server.send(&request).status, 400);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn inputs_that_crashed_other_servers_are_refused_with_400() {
    let world = World::new();
    let [entry, timestamp] = [3, 4].map(|number| &world.good[number].document);
    let changed = |document: &Value, pointer: &str, value: Value| {
        let mut document = document.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[name] = value;
        document
    };
    let verifier = "/hashedRekordRequestV002/signature/verifier";
    let arcs = format!("1.3{}", ".1".repeat(400_000));
    for (path, document) in [
        (
            ENTRIES,
            changed(
                entry,
                &format!("{verifier}/keyDetails"),
                json!("PKIX_ED25519"),
            ),
        ),
        (
            ENTRIES,
            changed(
                entry,
                &format!("{verifier}/publicKey/url"),
                json!("http://127.0.0.1"),
            ),
        ),
        (ENTRIES, changed(entry, "/url", json!("http://127.0.0.1"))),
        (TIMESTAMP, changed(timestamp, "/tsaPolicyOID", json!(arcs))),
        (
            TIMESTAMP,
            changed(timestamp, "/tsaPolicyOID", json!("1.2.3")),
        ),
        (
            TIMESTAMP,
            changed(timestamp, "/hashAlgorithm", json!("sha1")),
        ),
        (
            TIMESTAMP,
            changed(timestamp, "/artifactHash", json!("AA==")),
        ),
    ] {
        let reply = world.server.post_json(path, &document);
        assert_eq!(reply.status, 400, "{path}: {}", reply.text());
    }
    let digits = timestamp.to_string().replace("77", &"7".repeat(900_000));
    let reply = world
        .server
        .send(&Request::post(TIMESTAMP, "application/json", digits));
    assert_eq!(reply.status, 400, "{}", reply.text());
    let many = "application/".repeat(20_000);
    let request = Request::post(TIMESTAMP, &many, timestamp.to_string());
    assert!(matches!(
        world.server.send(&request).status,
        400 | 415 | 431
    ));
}
