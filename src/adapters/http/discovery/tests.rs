use actix_web::App;
use actix_web::test::{TestRequest, call_and_read_body_json, init_service};
use serde_json::Value;

use super::*;
use crate::services::rekor::OpenDialects;
use crate::services::trust::tests::anchors;

pub(crate) fn discovery(anchors: &Anchors, warnings: Vec<String>) -> Discovery {
    Discovery::new(Facts {
        anchors,
        documents: &TrustDocuments::new(anchors).unwrap(),
        embedded_issuer: Some(anchors.public_url.as_str()),
        initial_root: Some(Sha256::of(b"root")),
        serves_metrics: true,
        warnings,
    })
}

fn commands(discovery: &Discovery) -> String {
    let steps = discovery.clients.iter().flat_map(|client| &client.steps);
    steps.map(|step| format!("{}\n", step.commands)).collect()
}

#[actix_web::test]
async fn the_document_is_served_as_json_for_machines() {
    let anchors = anchors();
    let app = App::new()
        .app_data(Data::new(discovery(&anchors, Vec::new())))
        .configure(configure);
    let app = init_service(app).await;

    let request = TestRequest::get().uri(PATH).to_request();
    let document: Value = call_and_read_body_json(&app, request).await;

    assert_eq!(document["version"], 1);
    assert_eq!(document["url"], "https://sign.example:8477");
    assert_eq!(document["logs"][1]["name"], "rekor-v1");
    let tree_id = TreeId::of(anchors.log_v1_key.key());
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
fn every_log_has_the_id_by_which_the_trust_root_knows_it() {
    let anchors = anchors();
    let documents = TrustDocuments::new(&anchors).unwrap();
    let root: Value = serde_json::from_slice(&documents.trusted_root.bytes).unwrap();

    let logs = discovery(&anchors, Vec::new()).logs;

    let of_root = |group: &str, index: usize| root[group][index]["logId"]["keyId"].clone();
    assert_eq!(logs[0].key_id, of_root("ctlogs", 0));
    assert_eq!(logs[1].key_id, of_root("tlogs", 0));
    assert_eq!(logs[2].key_id, of_root("tlogs", 1));
}

#[test]
fn what_is_closed_is_neither_an_endpoint_nor_in_a_command() {
    let of = |dialects| {
        let anchors = Anchors {
            dialects,
            ..anchors()
        };
        discovery(&anchors, Vec::new())
    };
    let writes = |discovery: &Discovery, path: &str| {
        let is = |endpoint: &&Endpoint| endpoint.method == "POST" && endpoint.url.ends_with(path);
        discovery.endpoints.iter().filter(is).count()
    };

    let (v1, v2) = (of(OpenDialects::V1), of(OpenDialects::V2));

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
fn commands_are_those_of_the_public_url() {
    let at = |url: &str| {
        let anchors = Anchors {
            public_url: crate::protocol::origin::Origin::parse(url).unwrap(),
            issuers: vec![url.to_owned()],
            ..anchors()
        };
        commands(&discovery(&anchors, Vec::new()))
    };

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
fn nothing_is_left_to_be_filled_in() {
    let text = commands(&discovery(&anchors(), Vec::new()));

    for name in ["{url}", "{issuer}", "{root}"] {
        assert!(!text.contains(name), "{name}");
    }
}

#[test]
fn without_an_issuer_or_a_repository_of_its_own_there_are_no_commands_for_them() {
    let anchors = anchors();
    let bare = Discovery::new(Facts {
        anchors: &anchors,
        documents: &TrustDocuments::new(&anchors).unwrap(),
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
    let anchors = Anchors {
        public_url: crate::protocol::origin::Origin::parse(url).unwrap(),
        issuers: vec![url.to_owned()],
        ..anchors()
    };
    let commands = commands(&discovery(&anchors, Vec::new()));
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
