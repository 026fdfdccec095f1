use serde_json::{Value, json};

use super::*;
use crate::protocol::bytes::to_base64;
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::x509::testing::TestAuthority;

fn anchors() -> Anchors {
    let ca = TestAuthority::new("CA");
    let tsa = TestAuthority::new("TSA");
    let generate = |algorithm| SigningKey::generate(algorithm).unwrap().0;
    let log_key = generate(KeyAlgorithm::Ed25519).public_key().clone();
    let log_v1_key = generate(KeyAlgorithm::P256).public_key().clone();
    Anchors {
        public_url: "https://sign.example:8477".to_owned(),
        operator: "example".to_owned(),
        issuers: vec!["https://sign.example:8477".to_owned()],
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

    let service = |url: &str, version: u32| {
        json!([{
            "url": url,
            "majorApiVersion": version,
            "validFor": {"start": "2026-01-01T00:00:00Z"},
            "operator": "example"
        }])
    };
    let url = "https://sign.example:8477";
    let expected = json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": service(url, 1),
        "oidcUrls": service(url, 1),
        "rekorTlogUrls": service(url, 2),
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": service("https://sign.example:8477/api/v1/timestamp", 1),
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
fn a_public_url_is_a_bare_origin() {
    for (url, origin) in [
        ("http://localhost:8477", "http://localhost:8477"),
        ("https://sign.example/", "https://sign.example"),
        ("https://sign.example:443", "https://sign.example"),
    ] {
        let documents = TrustDocuments::new(&Anchors {
            public_url: url.to_owned(),
            ..anchors()
        });
        let root = parse(&documents.unwrap().trusted_root);
        assert_eq!(root["tlogs"][0]["baseUrl"], origin);
    }
    for url in [
        "https://x/path",
        "https://u:p@x",
        "ftp://x",
        "x",
        "https://x/?q",
        "https://x/#f",
    ] {
        let error = TrustDocuments::new(&Anchors {
            public_url: url.to_owned(),
            ..anchors()
        });
        assert!(matches!(error, Err(TrustError::PublicUrl(_))), "{url}");
    }
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
