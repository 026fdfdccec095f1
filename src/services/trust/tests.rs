use serde_json::{Value, json};

use super::*;
use crate::protocol::bytes::to_base64;
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::x509::testing::TestAuthority;

pub(crate) fn anchors() -> Anchors {
    let ca = TestAuthority::new("CA");
    let tsa = TestAuthority::new("TSA");
    let generate = |algorithm| SigningKey::generate(algorithm).unwrap().0;
    let log_key = generate(KeyAlgorithm::Ed25519).public_key().clone();
    let log_v1_key = generate(KeyAlgorithm::P256).public_key().clone();
    Anchors {
        public_url: Origin::parse("https://sign.example:8477").unwrap(),
        operator: "example".to_owned(),
        issuers: vec![
            "https://login.example".to_owned(),
            "https://sign.example:8477".to_owned(),
        ],
        dialects: OpenDialects::Both,
        ca_chain: vec![ca.intermediate, ca.root],
        ct_key: generate(KeyAlgorithm::P256).public_key().clone(),
        log_key: NoteKey::new("sign.example", log_key).unwrap(),
        log_v1_key: NoteKey::new("sign.example", log_v1_key).unwrap(),
        tsa_chain: vec![tsa.signed_leaf(), tsa.intermediate, tsa.root],
        start: UnixTime::from_rfc3339("2026-01-01T00:00:00Z").unwrap(),
    }
}

fn parse(document: &Document) -> Value {
    serde_json::from_slice(&document.bytes).unwrap()
}

#[test]
fn the_trusted_root_has_exactly_the_members_that_clients_know() {
    let anchors = anchors();
    let documents = TrustDocuments::new(&anchors).unwrap();

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
    let (ct_key, log_key) = (&anchors.ct_key, &anchors.log_key);
    let log_v1_key = &anchors.log_v1_key;
    let details = "PKIX_ECDSA_P256_SHA_256";
    let ca_name = json!({"organization": "Test", "commonName": "CA"});
    let no_name = json!({"organization": "", "commonName": ""});
    let timestamps = "https://sign.example:8477/api/v1/timestamp";
    let expected = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [
            log(url, log_v1_key.key(), details, log_v1_key.hash()),
            log(url, log_key.key(), "PKIX_ED25519", log_key.hash())
        ],
        "certificateAuthorities": [authority(url, ca_name, &anchors.ca_chain)],
        "ctlogs": [log(&format!("{url}/ct"), ct_key, details, &ct_key.fingerprint())],
        "timestampAuthorities": [authority(timestamps, no_name, &anchors.tsa_chain)]
    });
    assert_eq!(parse(&documents.trusted_root), expected);
}

#[test]
fn the_signing_configuration_names_each_service_as_clients_expect() {
    let documents = TrustDocuments::new(&anchors()).unwrap();

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
    assert_eq!(parse(&documents.signing_config), expected);
    assert_eq!(
        parse(&documents.client_trust_config),
        json!({
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": parse(&documents.trusted_root),
            "signingConfig": expected
        })
    );
}

/// Each client's rule for its log, told as in its own source, over the configuration's entries.
#[test]
fn each_client_comes_to_the_log_that_suits_it() {
    let config = parse(&TrustDocuments::new(&anchors()).unwrap().signing_config);
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
    let config = parse(&TrustDocuments::new(&anchors()).unwrap().signing_config);
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
fn a_configuration_of_one_dialect_names_its_log_and_the_trust_root_both() {
    let documents = TrustDocuments::new(&anchors()).unwrap();
    for (dialect, version) in [(Dialect::V1, 1), (Dialect::V2, 2)] {
        let of_dialect = documents.of_dialect(dialect).unwrap();

        let config = parse(&of_dialect.signing_config);
        let logs = config["rekorTlogUrls"].as_array().unwrap();
        assert_eq!(logs.len(), 1);
        assert_eq!(logs[0]["majorApiVersion"], version);
        let whole = parse(&of_dialect.client_trust_config);
        assert_eq!(whole["signingConfig"], config);
        assert_eq!(whole["trustedRoot"], parse(&documents.trusted_root));
    }
}

#[test]
fn a_log_that_is_closed_is_trusted_and_not_offered() {
    let open = TrustDocuments::new(&anchors()).unwrap();
    for (dialects, version) in [(OpenDialects::V1, 1), (OpenDialects::V2, 2)] {
        let anchors = Anchors {
            dialects,
            ..anchors()
        };
        let documents = TrustDocuments::new(&anchors).unwrap();

        let offered = parse(&documents.signing_config)["rekorTlogUrls"].clone();
        assert_eq!(offered.as_array().unwrap().len(), 1);
        assert_eq!(offered[0]["majorApiVersion"], version);
        assert_eq!(documents.one_dialect.len(), 1);
        assert_eq!(documents.root().logs.len(), open.root().logs.len());
    }
}

#[test]
fn our_own_verifier_believes_what_is_published() {
    let anchors = anchors();
    let documents = TrustDocuments::new(&anchors).unwrap();

    let root = documents.root();
    assert_eq!(&root.logs[0].id, anchors.log_v1_key.hash());
    assert_eq!(&root.logs[1].id, anchors.log_key.hash());
    assert_eq!(root.ct_logs[0].key, anchors.ct_key);
    assert_eq!(
        root.authorities[0].chain[1].der(),
        anchors.ca_chain[1].der()
    );
    assert_eq!(root.timestamp_authorities[0].chain.len(), 3);
}

#[test]
fn anchors_are_also_there_as_pem_in_the_order_of_their_chain() {
    let anchors = anchors();
    let documents = TrustDocuments::new(&anchors).unwrap();

    let text = |document: &Document| String::from_utf8(document.bytes.to_vec()).unwrap();
    let chain = pem::parse_many(text(&documents.ca_chain)).unwrap();
    assert_eq!(chain[0].contents(), anchors.ca_chain[0].der());
    assert_eq!(chain[1].contents(), anchors.ca_chain[1].der());
    assert_eq!(
        PublicKey::from_pem(&text(&documents.ct_key)).unwrap(),
        anchors.ct_key
    );
    assert_eq!(
        &PublicKey::from_pem(&text(&documents.log_key)).unwrap(),
        anchors.log_key.key()
    );
}

#[test]
fn documents_that_clients_could_not_use_are_not_made() {
    let no_issuer = Anchors {
        issuers: Vec::new(),
        ..anchors()
    };
    let mut no_ca = anchors();
    no_ca.ca_chain.clear();
    let mut short_tsa = anchors();
    short_tsa.tsa_chain.truncate(1);

    assert!(matches!(
        TrustDocuments::new(&no_issuer),
        Err(TrustError::NoIssuer)
    ));
    for anchors in [no_ca, short_tsa] {
        let error = TrustDocuments::new(&anchors);
        assert!(matches!(error, Err(TrustError::ShortChain(..))));
    }
}
