//! A parsed token is unchanged, and only the token that the issuer signed is accepted.
#![no_main]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use signet::testing::{
    Clock, IdentityVerifier, IssuerKeys, IssuerKind, IssuerUrl, KeyPolicy, KeySource,
    MAX_TOKEN_LENGTH, RawToken, TrustedIssuer, UnixTime, VerifiedIdentity, from_base64url,
};

const TOKEN: &str = include_str!("../seeds/token/token");
const KEYS: &[u8] = include_bytes!("../seeds/token/keys.json");

struct FixedClock(UnixTime);

impl Clock for FixedClock {
    fn now(&self) -> UnixTime {
        self.0
    }
}

/// Key source that never answers: the issuer's keys are configured.
struct PendingKeySource;

impl KeySource for PendingKeySource {
    fn fetch<'a>(&'a self, _: &'a IssuerUrl) -> Fetch<'a> {
        Box::pin(std::future::pending())
    }
}

type Fetch<'a> = std::pin::Pin<
    Box<dyn Future<Output = Result<IssuerKeys, signet::testing::FetchError>> + Send + 'a>,
>;

static VERIFIER: LazyLock<IdentityVerifier> = LazyLock::new(|| {
    let payload = TOKEN
        .split('.')
        .nth(1)
        .and_then(|part| from_base64url(part).ok());
    let claims: serde_json::Value =
        serde_json::from_slice(&payload.expect("the seed is a JWT")).expect("its claims are JSON");
    let issuer = IssuerUrl::new(claims["iss"].as_str().expect("iss is text")).expect("an issuer");
    let issued = UnixTime::from_seconds(claims["iat"].as_u64().expect("iat is a number"));
    let keys = IssuerKeys::parse(KEYS).expect("the seed is a key set");
    let trusted = TrustedIssuer::new(issuer, "sigstore", IssuerKind::Email).expect("an issuer");
    let source: Arc<dyn KeySource> = Arc::new(PendingKeySource);
    let clock = Arc::new(FixedClock(issued));
    let verifier = IdentityVerifier::new(
        [trusted.with_keys(keys)],
        KeyPolicy::default(),
        &source,
        clock,
    );
    let token = RawToken::new(TOKEN).expect("the seed is a token");
    assert!(
        ready(verifier.verify(&token)).is_ok(),
        "the seed is accepted"
    );
    verifier
});

fuzz_target!(|text: &str| {
    let _ = IssuerKeys::parse(text.as_bytes());
    let Ok(token) = RawToken::new(text) else {
        return;
    };
    assert!(text.len() <= MAX_TOKEN_LENGTH);
    assert_eq!(token.expose(), text);
    assert!(!format!("{token:?}").contains(text));
    if ready::<Result<VerifiedIdentity, _>>(VERIFIER.verify(&token)).is_ok() {
        assert_eq!(text, TOKEN, "RS256 has one signature");
    }
});

/// Polls a future that must be ready.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future is pending"),
    }
}
