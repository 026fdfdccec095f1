//! Only the seeds' signing requests prove possession of a key.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use signet::testing::{PublicKey, verify_challenge, verify_request};
use signet_fuzz::WORLD;

static KNOWN: LazyLock<[PublicKey; 2]> = LazyLock::new(|| {
    [
        include_str!("../seeds/csr/ec.pem"),
        include_str!("../seeds/csr/ed25519.pem"),
    ]
    .map(|request| {
        verify_request(request)
            .expect("the seed is a request")
            .public_key()
            .clone()
    })
});

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
    }
    check(&pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", data)));
    let key = WORLD.leaf.public_key().clone();
    assert!(verify_challenge(key, &["build@example.com", ""], data).is_err());
});

fn check(text: &str) {
    if let Ok(proven) = verify_request(text) {
        assert!(KNOWN.contains(proven.public_key()));
    }
}
