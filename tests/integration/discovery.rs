//! The discovery document and the front page: every URL in them, and in the commands that they show, is
//! served by the instance.

use std::collections::BTreeSet;

use serde_json::Value;
use signet::testing::{EphemeralKey, Sha256, from_base64, to_base64};

use crate::support::account::EMAIL;
use crate::support::http::Request;
use crate::support::program::{Program, Server};
use crate::support::server::{Plan, TestServer};
use crate::support::signing::{entry_request, entry_v1_request, key_request, request_chain};

const DOCUMENT: &str = "/.well-known/signet.json";
const V1: &str = "/api/v1/log/entries";
const V2: &str = "/api/v2/log/entries";

/// An entry with a new certificate in each dialect: path and body.
fn submissions(server: &TestServer, email: &str) -> [(&'static str, Value); 2] {
    let token = server.new_token(email);
    let key = EphemeralKey::generate().unwrap();
    let chain = request_chain(server, &key_request(&token, &key, email));
    let (content, leaf) = (b"discovered", chain.first().unwrap());
    let signature = key.sign(content).unwrap();
    let v1 = entry_v1_request(content, &signature, leaf);
    [(V1, v1), (V2, entry_request(content, &signature, leaf))]
}

/// Logs an entry in each dialect and returns the ID of the one in v1.
fn fill(server: &TestServer) -> String {
    let [(_, v1), (_, v2)] = submissions(server, "first@example.com");
    server.post_json(V2, &v2).success();
    let entries = server.post_json(V1, &v1).success();
    entries.as_object().unwrap().keys().next().unwrap().clone()
}

fn discovery(server: &TestServer) -> Value {
    server.get(DOCUMENT).success()
}

fn texts<'a>(of: &'a Value, list: &str, member: &'a str) -> Vec<&'a str> {
    let list = of[list].as_array().unwrap();
    list.iter()
        .map(|one| one[member].as_str().unwrap())
        .collect()
}

/// Every URL in the document, including those in commands.
fn named_urls(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => found.extend(urls_in(text).map(str::to_owned)),
        Value::Array(list) => list.iter().for_each(|one| named_urls(one, found)),
        Value::Object(members) => members.values().for_each(|one| named_urls(one, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn urls_in(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("http").map(|(start, _)| start);
    let urls = starts.map(move |start| {
        let rest = text.get(start..).unwrap();
        let is_end = |c: char| c.is_whitespace() || "'\"<>,".contains(c);
        rest.split(is_end).next().unwrap()
    });
    urls.filter(|url| url.contains("://"))
}

#[test]
fn every_listed_endpoint_answers() {
    for toml in ["", "log.rekor_v1 = false", "log.rekor_v2 = false"] {
        let server = TestServer::start();
        let entry = fill(&server);
        let server = server.stop().toml(toml).start();
        let document = discovery(&server);
        let endpoints = document["endpoints"].as_array().unwrap();
        assert!(endpoints.len() > 30, "{}", endpoints.len());
        let hash = server.get("/ct/ct/v1/get-entries?start=0&end=0").success();
        let hash = leaf_hash(&hash["entries"][0]["leaf_input"]);
        let issuer = first_issuer(&server.get("/trust/trusted_root.json").success());
        for endpoint in endpoints {
            let url = endpoint["url"].as_str().unwrap();
            let template = url.strip_prefix(server.url()).unwrap();
            let path = [
                ("{level}", "0"),
                ("{tile}", "000.p/1"),
                ("{index}", "0"),
                ("{first}", "1"),
                ("{last}", "1"),
                ("{hash}", &hash),
                ("{fingerprint}", &issuer),
                ("{entry}", &entry),
                ("{file}", "1.root.json"),
            ]
            .into_iter()
            .fold(template.to_owned(), |path, (name, value)| {
                path.replace(name, value)
            });
            assert!(!path.contains('{'), "{template}");
            let method = endpoint["method"].as_str().unwrap();

            let reply = server.send(&Request::new(method, &path));

            match method {
                "GET" => {
                    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
                    let head = server.send(&Request::new("HEAD", &path));
                    assert_eq!(head.status, 200, "HEAD {path}");
                }
                _ => assert!(
                    matches!(reply.status, 400 | 401 | 415 | 422),
                    "{path}: {} {}",
                    reply.status,
                    reply.text()
                ),
            }
        }
    }
}

/// The fingerprint by which a log serves the authority's first certificate.
fn first_issuer(trusted_root: &Value) -> String {
    let chain = &trusted_root["certificateAuthorities"][0]["certChain"]["certificates"];
    let first = chain[0]["rawBytes"].as_str().unwrap();
    Sha256::of(&from_base64(first).unwrap()).to_hex()
}

/// SPEC RFC 6962 §2.1: the hash of a leaf, in the form of `get-proof-by-hash`.
fn leaf_hash(leaf_input: &Value) -> String {
    let leaf = from_base64(leaf_input.as_str().unwrap()).unwrap();
    let hash = Sha256::of_parts(&[&[0], &leaf]);
    to_base64(hash.as_bytes())
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D")
}

#[test]
fn every_url_is_a_route_or_the_base_of_routes() {
    for toml in [
        "",
        "log.rekor_v1 = false",
        "log.rekor_v2 = false",
        "telemetry.metrics = false",
    ] {
        let server = Plan::new().toml(toml).start();
        let document = discovery(&server);
        let endpoints = texts(&document, "endpoints", "url");
        let mut named = BTreeSet::new();
        named_urls(&document, &mut named);
        let page = server.get("/").text();
        named.extend(urls_in(&page).map(str::to_owned));
        assert!(named.len() > 40);
        for url in &named {
            let Some(path) = url.strip_prefix(server.url()) else {
                // The only other URL is a predicate type.
                assert_eq!(url, "https://slsa.dev/provenance/v1");
                continue;
            };
            let base = format!("{}/", url.trim_end_matches('/'));
            let is_base = endpoints.iter().any(|endpoint| endpoint.starts_with(&base));
            let is_endpoint = endpoints.contains(&url.as_str());
            let answers = || server.get(path).status == 200;
            assert!(is_base || is_endpoint || answers(), "{url}");
        }
    }
}

#[test]
fn every_link_on_the_page_works_and_documents_have_the_listed_digests() {
    let server = TestServer::start();
    let page = server.get("/").text();

    let links: Vec<_> = page.split("href=\"").skip(1).collect();
    assert!(links.len() > 12);
    for link in links {
        let path = link.split('"').next().unwrap();
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let document = discovery(&server);
    let digests = texts(&document, "documents", "sha256");
    for (path, digest) in texts(&document, "documents", "path")
        .into_iter()
        .zip(digests)
    {
        assert_eq!(
            Sha256::of(&server.get(path).body).to_hex(),
            digest,
            "{path}"
        );
        assert!(page.contains(&format!("href=\"{path}\"")), "{path}");
    }
}

#[test]
fn the_page_and_the_document_show_the_same_commands() {
    let server = TestServer::start();
    let page = server.get("/").text();
    let document = discovery(&server);

    let shown: Vec<_> = page
        .split("<pre tabindex=\"0\"><code>")
        .skip(1)
        .map(|rest| unescape(rest.split("</code>").next().unwrap()))
        .collect();
    let clients = document["clients"].as_array().unwrap();
    let steps = clients
        .iter()
        .flat_map(|client| client["steps"].as_array().unwrap());
    let listed: Vec<_> = steps
        .map(|step| step["commands"].as_str().unwrap())
        .collect();

    assert_eq!(shown, listed);
    let root = Sha256::of(&server.get("/tuf/1.root.json").body).to_hex();
    assert_eq!(document["tuf"]["initialRootSha256"], root);
    assert!(page.contains(&root) && shown.iter().any(|commands| commands.contains(&root)));
    for client in [
        "cosign",
        "sigstore-python",
        "sigstore-js",
        "gitsign",
        "rekor-cli",
    ] {
        let names = texts(&document, "clients", "name");
        assert!(names.iter().any(|name| name.contains(client)), "{client}");
    }
}

fn unescape(html: &str) -> String {
    [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ]
    .into_iter()
    .fold(html.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[test]
fn the_v1_dialect_can_be_closed_and_stays_readable() {
    let both = TestServer::start();
    let entry = fill(&both);
    let trust = both.get("/trust/trusted_root.json").body;
    let plan = both.stop();

    let server = plan.toml("log.rekor_v1 = false").start();

    let [(_, v1), (_, v2)] = submissions(&server, EMAIL);
    let refused = server.post_json(V1, &v1);
    assert_eq!(refused.status, 405);
    assert_eq!(refused.json()["code"], 405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(server.post_json(V2, &v2).status, 201);
    assert_eq!(server.get(&format!("{V1}/{entry}")).status, 200);
    assert_eq!(server.get("/api/v1/log").success()["treeSize"], 2);
    let config = server.get("/trust/signing_config.v0.2.json").success();
    assert_eq!(config["rekorTlogUrls"].as_array().unwrap().len(), 1);
    assert_eq!(config["rekorTlogUrls"][0]["majorApiVersion"], 2);
    assert_eq!(server.get("/trust/trusted_root.json").body, trust);
    let ready = server.get("/readyz").success();
    assert_eq!(ready["parts"]["rekor-v1"]["state"], "closed");
    assert_eq!(ready["parts"]["rekor-v2"]["state"], "ready");
    assert_eq!(
        texts(&discovery(&server), "logs", "admits"),
        ["authority", "nobody", "clients"]
    );
    assert!(server.get("/").text().contains("none (frozen)"));
}

#[test]
fn the_v2_dialect_can_be_closed() {
    let server = Plan::new().toml("log.rekor_v2 = false").start();

    let [(_, v1), (_, v2)] = submissions(&server, EMAIL);
    let refused = server.post_json(V2, &v2);
    assert_eq!(refused.status, 405);
    assert_eq!(
        refused.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert!(refused.text().contains("frozen"));
    assert_eq!(server.post_json(V1, &v1).status, 201);
    assert_eq!(server.get("/checkpoint").status, 200);
    let ready = server.get("/readyz").success();
    assert_eq!(ready["parts"]["rekor-v2"]["state"], "closed");
}

#[test]
fn a_reachable_server_without_a_public_url_warns_in_the_log_and_on_the_page() {
    let program = Program::new();
    let serve = |url: &[&str]| {
        let mut arguments = vec!["serve", "--listen", "0.0.0.0:0"];
        arguments.extend(url);
        let mut command = program.command(&arguments);
        command.env("SIGNET_SERVER__INSECURE_HTTP", "true");
        Server::start(command)
    };
    let warning = "server.public_url";

    let named = serve(&["--public-url", "http://localhost:8477"]);
    let page = Request::get("/").send(named.address()).text();
    let (_, log) = named.stop();
    assert!(!page.contains(warning) && !log.contains(warning), "{log}");

    let unnamed = serve(&[]);
    let page = Request::get("/").send(unnamed.address()).text();
    let document = Request::get(DOCUMENT).send(unnamed.address()).success();
    let (_, log) = unnamed.stop();
    assert!(page.contains(warning));
    assert_eq!(document["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(log.matches(warning).count(), 1, "{log}");
}
