//! The counters of a whole instance, as `GET /metrics` shows them after a signature's life.

use reqwest::Client;
use serde_json::{Value, json};
use signet::testing::{Sha256, to_base64};

use crate::support::instance::{IDENTITY, Instance};

async fn verify(instance: &Instance, bundle: &Value, content: &[u8]) -> u16 {
    let question = json!({
        "bundle": bundle,
        "artifact": { "base64": to_base64(content) },
        "identities": [{ "issuer": instance.url(), "subject": IDENTITY }],
    });
    let request = Client::new()
        .post(format!("{}/signet/v1/verify", instance.url()))
        .body(question.to_string());
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_life_of_a_signature_is_counted_and_what_failed_is_not() {
    let instance = Instance::start().await.unwrap();
    let content = b"counted";
    let bundle: Value = serde_json::from_slice(&instance.sign(content).await.unwrap()).unwrap();
    assert_eq!(verify(&instance, &bundle, content).await, 200);
    assert_eq!(verify(&instance, &bundle, b"another").await, 422);
    assert_eq!(verify(&instance, &json!("no bundle"), content).await, 400);
    for path in ["signingCert", "log/entries"] {
        let request = Client::new().post(format!("{}/api/v2/{path}", instance.url()));
        let refused = request.body("{}").send().await.unwrap();
        assert!(refused.status().is_client_error(), "{path}");
    }

    let page = Client::new().get(format!("{}/metrics", instance.url()));
    let page = page.send().await.unwrap().text().await.unwrap();

    for line in [
        "signet_certificates_issued_total 1",
        "signet_timestamps_issued_total 1",
        "signet_log_entries_appended_total{log=\"ct\"} 1",
        "signet_log_entries_appended_total{log=\"rekor-v2\"} 1",
        "signet_log_size{log=\"ct\"} 1",
        "signet_log_size{log=\"rekor-v2\"} 2",
        "signet_verifications_total{outcome=\"verified\"} 1",
        "signet_verifications_total{outcome=\"refused\"} 1",
        "signet_verifications_total{outcome=\"malformed\"} 1",
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
    }
    let digest = Sha256::of(content).to_hex();
    for secret in [IDENTITY, &digest] {
        assert!(!page.contains(secret), "{secret}");
    }
}
