use serde_json::{Value, json};

use super::*;
use crate::protocol::bytes::to_base64;
use crate::protocol::keys::PublicKey;
use crate::services::roster::testing::{frozen, roster};

fn content<'a>(documents: &'a TrustDocuments, file: &str) -> &'a Document {
    documents.find(file).unwrap().content.as_ref().unwrap()
}

fn parse(document: &Document) -> Value {
    serde_json::from_slice(&document.bytes).unwrap()
}

#[test]
fn the_trusted_root_has_exactly_the_members_that_clients_know() {
    let roster = roster();
    let documents = TrustDocuments::new(&roster).unwrap();

    let start = json!({"start": "2026-01-01T00:00:00Z"});
    let log = |url: &str, key: &PublicKey, details: &str, id: &Sha256| {
        json!({
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": to_base64(key.spki_der()),
                "keyDetails": details,
                "validFor": start
            },
            "logId": {"keyId": to_base64(id.as_bytes())}
        })
    };
    let authority = |uri: &str, name: Value, chain: &[Certificate]| {
        let certificates: Vec<_> = chain
            .iter()
            .map(|one| json!({"rawBytes": to_base64(one.der())}))
            .collect();
        json!({
            "subject": name,
            "uri": uri,
            "certChain": {"certificates": certificates},
            "validFor": start
        })
    };
    let url = "https://sign.example:8477";
    let [ct, v1, v2] = [0, 1, 2].map(|place: usize| &roster.logs[place]);
    let [ca, tsa] = [0, 1].map(|place: usize| &roster.authorities[place].chain);
    let details = "PKIX_ECDSA_P256_SHA_256";
    let ca_name = json!({"organization": "Test", "commonName": "CA"});
    let no_name = json!({"organization": "", "commonName": ""});
    let timestamps = "https://sign.example:8477/api/v1/timestamp";
    let expected = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [
            log(url, &v1.key, details, &v1.log_id),
            log(url, &v2.key, "PKIX_ED25519", &v2.log_id)
        ],
        "certificateAuthorities": [authority(url, ca_name, ca)],
        "ctlogs": [log(&format!("{url}/ct"), &ct.key, details, &ct.key.fingerprint())],
        "timestampAuthorities": [authority(timestamps, no_name, tsa)]
    });
    assert_eq!(parse(documents.trusted_root()), expected);
}

#[test]
fn the_signing_configuration_names_each_service_as_clients_expect() {
    let documents = TrustDocuments::new(&roster()).unwrap();

    let service = |url: &str, version: u32, start: &str| {
        json!({
            "url": url,
            "majorApiVersion": version,
            "validFor": {"start": start},
            "operator": "example"
        })
    };
    let (url, timestamps) = (
        "https://sign.example:8477",
        "https://sign.example:8477/api/v1/timestamp",
    );
    let (newest, older) = ("2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z");
    let expected = json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [service(url, 1, newest)],
        "oidcUrls": [service(url, 1, older), service("https://login.example", 1, newest)],
        "rekorTlogUrls": [service(url, 1, newest), service(url, 2, older)],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": [service(timestamps, 1, newest)],
        "tsaConfig": {"selector": "ANY"}
    });
    assert_eq!(parse(content(&documents, SIGNING_CONFIG)), expected);
    assert_eq!(
        parse(content(&documents, CLIENT_TRUST_CONFIG)),
        json!({
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": parse(documents.trusted_root()),
            "signingConfig": expected
        })
    );
}

/// Selects a log as each client's source does, from the entries of the configuration.
#[test]
fn each_client_comes_to_the_log_that_suits_it() {
    let documents = TrustDocuments::new(&roster()).unwrap();
    let config = parse(content(&documents, SIGNING_CONFIG));
    let logs = config["rekorTlogUrls"].as_array().unwrap();
    let version = |log: &Value| log["majorApiVersion"].as_u64().unwrap();
    let start = |log: &Value| log["validFor"]["start"].as_str().unwrap().to_owned();

    // sigstore-go, cosign, sigstore-python, sigstore-java with v2 enabled: the highest.
    assert_eq!(logs.iter().map(version).max(), Some(2));
    // sigstore-js: the newest start.
    assert_eq!(
        version(logs.iter().max_by_key(|log| start(log)).unwrap()),
        1
    );
    assert_ne!(start(&logs[0]), start(&logs[1]));
    // rekor-monitor: the last with the URL.
    assert_eq!(logs.last().map(version), Some(2));
}

#[test]
fn people_sign_in_at_the_first_issuer_whichever_rule_a_client_has() {
    let documents = TrustDocuments::new(&roster()).unwrap();
    let config = parse(content(&documents, SIGNING_CONFIG));
    let issuers = config["oidcUrls"].as_array().unwrap();

    // sigstore-python takes the last of one version, all others the newest start.
    let last = issuers.last().unwrap();
    let newest = issuers
        .iter()
        .max_by_key(|issuer| issuer["validFor"]["start"].as_str().unwrap());
    assert_eq!(last["url"], "https://login.example");
    assert_eq!(newest, Some(last));
}

#[test]
fn a_configuration_of_one_role_names_its_log_and_the_whole_trust_root() {
    let documents = TrustDocuments::new(&roster()).unwrap();
    for version in [1, 2] {
        let signing = format!("signing_config_rekor_v{version}.v0.2.json");
        let client = format!("client_trust_config_rekor_v{version}.json");

        let config = parse(content(&documents, &signing));
        let logs = config["rekorTlogUrls"].as_array().unwrap();
        assert_eq!(logs.len(), 1);
        assert_eq!(logs[0]["majorApiVersion"], version);
        let whole = parse(content(&documents, &client));
        assert_eq!(whole["signingConfig"], config);
        assert_eq!(whole["trustedRoot"], parse(documents.trusted_root()));
    }
}

#[test]
fn a_frozen_log_is_trusted_and_not_offered() {
    let active = TrustDocuments::new(&roster()).unwrap();
    for (role, version, closed) in [(LogRole::RekorV2, 1, 2), (LogRole::RekorV1, 2, 1)] {
        let documents = TrustDocuments::new(&frozen(role)).unwrap();

        let offered = parse(content(&documents, SIGNING_CONFIG))["rekorTlogUrls"].clone();
        assert_eq!(offered.as_array().unwrap().len(), 1);
        assert_eq!(offered[0]["majorApiVersion"], version);
        for file in [
            format!("signing_config_rekor_v{closed}.v0.2.json"),
            format!("client_trust_config_rekor_v{closed}.json"),
        ] {
            assert!(documents.find(&file).unwrap().content.is_none(), "{file}");
        }
        assert_eq!(documents.root().logs.len(), active.root().logs.len());
    }
}

#[test]
fn our_own_verifier_trusts_what_is_published() {
    let roster = roster();
    let documents = TrustDocuments::new(&roster).unwrap();

    let root = documents.root();
    assert_eq!(root.logs[0].id, roster.logs[1].log_id);
    assert_eq!(root.logs[1].id, roster.logs[2].log_id);
    assert_eq!(root.ct_logs[0].key, roster.logs[0].key);
    assert_eq!(
        root.authorities[0].chain[1].der(),
        roster.authorities[0].chain[1].der()
    );
    assert_eq!(root.timestamp_authorities[0].chain.len(), 3);
}

#[test]
fn keys_and_chains_are_also_published_as_pem() {
    let roster = roster();
    let documents = TrustDocuments::new(&roster).unwrap();

    let text = |file: &str| String::from_utf8(content(&documents, file).bytes.to_vec()).unwrap();
    let chain = pem::parse_many(text("fulcio-chain.pem")).unwrap();
    let expected = &roster.authorities[0].chain;
    assert_eq!(chain[0].contents(), expected[0].der());
    assert_eq!(chain[1].contents(), expected[1].der());
    for log in &roster.logs {
        assert_eq!(PublicKey::from_pem(&text(log.document)).unwrap(), log.key);
    }
}

#[test]
fn documents_that_clients_could_not_use_are_not_made() {
    let no_issuer = Roster {
        issuers: Vec::new(),
        ..roster()
    };
    let mut no_ca = roster();
    no_ca.authorities[0].chain.clear();
    let mut short_tsa = roster();
    short_tsa.authorities[1].chain.truncate(1);

    assert!(matches!(
        TrustDocuments::new(&no_issuer),
        Err(TrustError::NoIssuer)
    ));
    for roster in [no_ca, short_tsa] {
        let error = TrustDocuments::new(&roster);
        assert!(matches!(error, Err(TrustError::ShortChain(..))));
    }
}
