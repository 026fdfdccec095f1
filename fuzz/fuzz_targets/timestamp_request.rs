//! A parsed request re-encodes to the same DER, and every parsed request gets a token that verifies.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use signet::testing::{
    Authority, AuthorityRole, MAX_DER_REQUEST, MAX_JSON_REQUEST, Serial, SerialNumber, SigningKey,
    TimestampRequest, TokenSigner, TrustedTsa, UnixTime, Validity, verify_reply,
};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// An authority that is generated once per process.
static AUTHORITY: LazyLock<(TokenSigner, Vec<TrustedTsa>)> = LazyLock::new(|| {
    let serials = [1, 2].map(|byte| SerialNumber::from_random([byte; 20]));
    let role = AuthorityRole::Timestamps;
    let made = Authority::generate(role, "Fuzz", "fuzz", NOW, serials).expect("randomness");
    let key = SigningKey::from_pkcs8(&made.key).expect("a generated key");
    let signer = TokenSigner::new(key, &made.chain[0]).expect("the certificate is for the key");
    let trusted = TrustedTsa {
        uri: "fuzz".to_owned(),
        chain: made.chain,
        validity: Validity {
            start: NOW,
            end: None,
        },
    };
    (signer, vec![trusted])
});

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = TimestampRequest::from_der(data) {
        assert!(data.len() <= MAX_DER_REQUEST);
        assert_eq!(request.to_der(), data, "a request has one form");
        check(&request);
    }
    if let Ok(request) = TimestampRequest::from_json(data) {
        assert!(data.len() <= MAX_JSON_REQUEST);
        assert_eq!(
            TimestampRequest::from_der(&request.to_der()).as_ref(),
            Ok(&request)
        );
        check(&request);
    }
});

fn check(request: &TimestampRequest) {
    assert!(
        request
            .nonce()
            .is_none_or(|nonce| (1..=64).contains(&nonce.len()))
    );
    assert_eq!(
        request.digest().as_bytes().len(),
        request.digest().algorithm().size()
    );
    let (signer, trusted) = &*AUTHORITY;
    let token = signer
        .grant(request, Serial::from_random([7; 20]), NOW)
        .expect("randomness");
    // A token without a certificate verifies too, because the trusted root contains the certificate.
    let verified = verify_reply(&token, request, trusted).expect("a granted token verifies");
    assert_eq!(verified.time, NOW);
}
