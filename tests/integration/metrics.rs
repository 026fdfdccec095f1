//! The counters of an instance, as `GET /metrics` shows them.

use serde_json::json;
use signet::testing::Sha256;

use crate::support::account::EMAIL;
use crate::support::http::Request;
use crate::support::server::TestServer;
use crate::support::signing::{sign_json, verify};

#[test]
fn successes_are_counted_and_failures_are_not() {
    let server = TestServer::start();
    let content = b"counted";
    let bundle = sign_json(&server, &server.new_token(EMAIL), EMAIL, content);
    assert_eq!(verify(&server, &bundle, content, EMAIL).0, 200);
    assert_eq!(verify(&server, &bundle, b"another", EMAIL).0, 422);
    assert_eq!(verify(&server, &json!("no bundle"), content, EMAIL).0, 400);
    for path in ["signingCert", "log/entries"] {
        let path = format!("/api/v2/{path}");
        let refused = server.send(&Request::json(&path, &json!({})));
        assert!((400..500).contains(&refused.status), "{path}");
    }

    let page = server.get("/metrics").text();

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
    for secret in [EMAIL, &digest] {
        assert!(!page.contains(secret), "{secret}");
    }
}
