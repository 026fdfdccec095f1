//! Clocks that go back, and authorities that have expired.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use signet::testing::{EphemeralKey, to_base64};

use crate::support::account::EMAIL;
use crate::support::clock::TestClock;
use crate::support::http::Reply;
use crate::support::server::{Plan, TestServer};
use crate::support::signing::{key_request, request_chain};

const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

fn request_timestamp(server: &TestServer) -> Reply {
    let query = json!({"artifactHash": to_base64(&[7; 32]), "hashAlgorithm": "sha256"});
    server.post_json("/api/v1/timestamp", &query)
}

#[test]
fn expired_authorities_issue_nothing_and_readiness_reports_them() {
    let clock = Arc::new(TestClock::default());
    let server = Plan::new().clock(&clock).start();
    let account = server.account(EMAIL);
    let key = EphemeralKey::generate().unwrap();
    request_chain(&server, &key_request(&server.token(&account), &key, EMAIL));
    assert_eq!(server.get("/readyz").status, 200);

    clock.advance(YEAR * 30);

    let ready = server.get("/readyz");
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.json()["parts"]["certificate-authority"]["state"],
        "failed"
    );
    assert_eq!(
        ready.json()["parts"]["timestamp-authority"]["state"],
        "failed"
    );
    let request = key_request(&server.token(&account), &key, EMAIL);
    let refused = server.post_json("/api/v2/signingCert", &request);
    assert!(refused.status >= 500, "{}", refused.text());
    assert_eq!(
        refused.json()["message"],
        "error communicating with CA backend"
    );
    let refused = request_timestamp(&server);
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(server.get("/checkpoint").status, 200);
}

#[test]
fn timestamps_do_not_go_back_even_across_a_restart() {
    let clock = Arc::new(TestClock::default());
    let server = Plan::new().clock(&clock).start();
    clock.advance(Duration::from_secs(3600));
    assert_eq!(request_timestamp(&server).status, 200);

    let earlier = Arc::new(TestClock::default());
    let server = server.stop().clock(&earlier).start();

    let refused = request_timestamp(&server);
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.header("retry-after"), Some("1"));
    let ready = server.get("/readyz");
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.json()["parts"]["timestamp-authority"]["state"],
        "failed"
    );
    earlier.advance(Duration::from_secs(3600));
    assert_eq!(request_timestamp(&server).status, 200);
    assert_eq!(server.get("/readyz").status, 200);
}
