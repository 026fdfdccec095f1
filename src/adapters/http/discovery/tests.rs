use actix_web::test::{TestRequest, call_and_read_body_json};
use serde_json::Value;

use super::*;
use crate::adapters::http::route::testing::serve;
use crate::adapters::http::{ct, issuer, metrics, rekor_v1, rekor_v2};
use crate::protocol::origin::Origin;
use crate::services::roster::testing::{frozen, roster};

/// Discovery data of a server with every log and the embedded issuer.
pub(crate) fn discovery(roster: &Roster, warnings: Vec<String>) -> Discovery {
    let mut mounts = mounts(roster);
    mounts.push(Mount::new(&issuer::API));
    mounts.push(Mount::new(&metrics::API));
    Discovery::new(Facts {
        roster,
        documents: &TrustDocuments::new(roster).unwrap(),
        mounts: &mounts,
        embedded_issuer: Some(roster.public_url.as_str()),
        initial_root: Some(Sha256::of(b"root")),
        serves_metrics: true,
        warnings,
    })
}

fn mounts(roster: &Roster) -> Vec<Mount> {
    let mount = |log: &LogDescription| {
        let api = match log.role {
            LogRole::Ct => &ct::API,
            LogRole::RekorV1 => &rekor_v1::API,
            LogRole::RekorV2 => &rekor_v2::API,
        };
        Mount::new(api).frozen(log.state != LogState::Active)
    };
    roster.logs.iter().map(mount).collect()
}

/// The roster of a server at this URL, with the embedded issuer only.
fn roster_at(url: &str) -> Roster {
    Roster {
        public_url: Origin::parse(url).unwrap(),
        issuers: vec![url.to_owned()],
        ..roster()
    }
}

fn commands(discovery: &Discovery) -> String {
    let steps = discovery.clients.iter().flat_map(|client| &client.steps);
    steps.map(|step| format!("{}\n", step.commands)).collect()
}

#[actix_web::test]
async fn the_document_is_served_as_json() {
    let roster = roster();
    let data = Data::new(discovery(&roster, Vec::new()));
    let app = serve(vec![Mount::new(&API)], |cfg| {
        cfg.app_data(data);
    })
    .await;

    let request = TestRequest::get().uri(PATH).to_request();
    let document: Value = call_and_read_body_json(&app, request).await;

    assert_eq!(document["version"], 1);
    assert_eq!(document["url"], "https://sign.example:8477");
    assert_eq!(document["logs"][1]["name"], "rekor-v1");
    let tree_id = TreeId::of(&roster.logs[1].key);
    assert_eq!(document["logs"][1]["treeId"], tree_id.to_string());
    assert_eq!(document["logs"][1]["admits"], "clients");
    assert_eq!(
        document["tuf"]["initialRootSha256"],
        Sha256::of(b"root").to_hex()
    );
    let issuers = document["issuers"].as_array().unwrap();
    assert_eq!(issuers[0]["embedded"], false);
    assert_eq!(issuers[1]["embedded"], true);
}

#[test]
fn log_ids_are_those_of_the_trust_root() {
    let roster = roster();
    let documents = TrustDocuments::new(&roster).unwrap();
    let root: Value = serde_json::from_slice(&documents.trusted_root().bytes).unwrap();

    let logs = discovery(&roster, Vec::new()).logs;

    let of_root = |group: &str, index: usize| root[group][index]["logId"]["keyId"].clone();
    assert_eq!(logs[0].key_id, of_root("ctlogs", 0));
    assert_eq!(logs[1].key_id, of_root("tlogs", 0));
    assert_eq!(logs[2].key_id, of_root("tlogs", 1));
}

#[test]
fn frozen_logs_have_no_write_endpoints_and_no_commands() {
    let writes = |discovery: &Discovery, path: &str| {
        let is = |endpoint: &&Endpoint| endpoint.method == "POST" && endpoint.url.ends_with(path);
        discovery.endpoints.iter().filter(is).count()
    };

    let without = |role| discovery(&frozen(role), Vec::new());
    let (v1, v2) = (without(LogRole::RekorV2), without(LogRole::RekorV1));

    assert_eq!(v1.logs[2].admits, Admission::Nobody);
    assert_eq!(writes(&v1, "/api/v1/log/entries"), 1);
    assert_eq!(writes(&v1, "/api/v2/log/entries"), 0);
    assert!(!commands(&v1).contains("signet sign"));
    assert_eq!(writes(&v2, "/api/v1/log/entries"), 0);
    assert!(commands(&v2).contains("signet sign"));
    assert!(!commands(&v2).contains("GITSIGN_"));
    assert!(commands(&v2).contains("rekor-cli --rekor_server https://sign.example:8477 search"));
    assert!(!commands(&v2).contains("upload"));
    let forced = |discovery: &Discovery| {
        let is = |link: &&DocumentLink| link.path.contains("rekor_v1");
        discovery.documents.iter().filter(is).count()
    };
    assert_eq!((forced(&v1), forced(&v2)), (2, 0));
}

#[test]
fn commands_contain_the_public_url() {
    let at = |url: &str| commands(&discovery(&roster_at(url), Vec::new()));

    let plain = at("http://localhost:8477");
    assert!(!plain.contains("sigstore-cli sign") && !plain.contains("SSL_CERT_FILE"));
    assert!(plain.contains("--certificate-oidc-issuer http://localhost:8477 FILE"));
    let encrypted = at("https://sign.example");
    assert!(encrypted.contains("sigstore-cli sign") && encrypted.contains("SSL_CERT_FILE"));
    // rekor-monitor takes the whole URL for the log's name.
    let watch = "rekor_monitor -url https://sign.example -tuf";
    assert!(encrypted.contains(watch));
    assert!(
        !at("https://sign.example:8477").contains("rekor_monitor -url https://sign.example:8477 ")
    );
}

#[test]
fn every_template_variable_is_substituted() {
    let text = commands(&discovery(&roster(), Vec::new()));

    for name in ["{url}", "{issuer}", "{root}"] {
        assert!(!text.contains(name), "{name}");
    }
}

#[test]
fn commands_for_disabled_features_are_omitted() {
    let roster = roster();
    let bare = Discovery::new(Facts {
        roster: &roster,
        documents: &TrustDocuments::new(&roster).unwrap(),
        mounts: &mounts(&roster),
        embedded_issuer: None,
        initial_root: None,
        serves_metrics: false,
        warnings: Vec::new(),
    });

    let text = commands(&bare);
    for word in [
        "/oauth2/token",
        "/tuf",
        "rekor_monitor",
        "cosign initialize",
    ] {
        assert!(!text.contains(word), "{word}");
    }
    let urls: Vec<_> = bare.endpoints.iter().map(|one| one.url.as_str()).collect();
    for path in ["openid-configuration", "/oauth2/jwks", "/metrics"] {
        assert!(!urls.iter().any(|url| url.ends_with(path)), "{path}");
    }
    assert!(bare.features.contains(&Feature::RekorV1));
    assert!(!bare.features.contains(&Feature::Metrics));
}

#[test]
fn the_readme_shows_commands_of_the_document() {
    let url = "http://localhost:8477";
    let commands = commands(&discovery(&roster_at(url), Vec::new()));
    let readme = include_str!("../../../../README.md");
    let (_, section) = readme.split_once("## Use it with other clients").unwrap();
    let (section, _) = section.split_once("### Dialects").unwrap();

    let blocks: Vec<_> = section.split("```sh\n").skip(1).collect();

    assert_eq!(blocks.len(), 5);
    for block in blocks {
        let (block, _) = block.split_once("```").unwrap();
        assert!(commands.contains(block), "{block}");
    }
}
