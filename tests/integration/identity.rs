//! Tokens of real issuers over real sockets: what is accepted, what is refused, and who is asked.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use signet::testing::{
    EndpointSettings, FetchLimits, HttpKeySource, IdentityVerifier, IssuerKind, IssuerUrl,
    KeyPolicy, KeySource, RawToken, TokenError, TrustedIssuer, VerifiedIdentity, from_base64url,
    to_base64url,
};

use crate::support::clock::TestClock;
use crate::support::fake_issuer::{Behaviour, FakeIssuer};
use crate::support::test_key::{TestKey, signing_input};

/// A verifier over the real HTTP client, with a clock that the test moves.
struct Service {
    verifier: IdentityVerifier,
    clock: Arc<TestClock>,
}

impl Service {
    fn trusting(issuers: &[&FakeIssuer]) -> Self {
        let plain = issuers
            .iter()
            .map(|i| (i.url(), EndpointSettings::default()));
        Self::with(plain, FetchLimits::default())
    }

    fn with<'a>(
        issuers: impl Iterator<Item = (&'a str, EndpointSettings)>,
        limits: FetchLimits,
    ) -> Self {
        let clock = Arc::new(TestClock::default());
        let mut source = HttpKeySource::new(limits);
        let mut trusted = Vec::new();
        for (url, settings) in issuers {
            let url = IssuerUrl::new(url).unwrap();
            source.add(&url, settings).unwrap();
            trusted.push(TrustedIssuer::new(url, "sigstore", IssuerKind::Email).unwrap());
        }
        let source: Arc<dyn KeySource> = Arc::new(source);
        let verifier = IdentityVerifier::new(
            trusted,
            KeyPolicy::default(),
            &source,
            Arc::<TestClock>::clone(&clock),
        );
        Self { verifier, clock }
    }

    fn claims(&self, issuer: &str) -> Value {
        let now = self.clock.seconds();
        json!({
            "iss": issuer, "aud": "sigstore", "sub": "42", "iat": now, "exp": now + 3600,
            "email": "alice@example.com", "email_verified": true,
        })
    }

    async fn verify(&self, token: &str) -> Result<VerifiedIdentity, TokenError> {
        self.verifier.verify(&RawToken::new(token)?).await
    }
}

#[tokio::test]
async fn tokens_under_each_kind_of_key_are_accepted_and_the_keys_fetched_once() {
    let keys = [
        TestKey::rsa("r"),
        TestKey::p256("e"),
        TestKey::p384("f"),
        TestKey::ed25519("o"),
    ];
    let issuer = FakeIssuer::start(&keys.each_ref().map(|key| &key.jwk));
    let service = Service::trusting(&[&issuer]);

    for key in &keys {
        let token = key.token(&service.claims(issuer.url()));
        let identity = service.verify(&token).await.unwrap();

        assert_eq!(identity.issuer().as_str(), issuer.url());
        assert_eq!(identity.subject().as_str(), "alice@example.com");
        assert_eq!(
            identity.challenges().collect::<Vec<_>>(),
            ["alice@example.com", "42"]
        );
    }

    assert_eq!(issuer.requests().len(), 2);
    assert!(
        issuer
            .requests()
            .iter()
            .all(|head| !head.to_lowercase().contains("authorization"))
    );
}

#[tokio::test]
async fn an_issuer_is_matched_byte_by_byte_and_no_other_is_ever_asked() {
    let key = TestKey::rsa("k");
    let (issuer, canary) = (
        FakeIssuer::start(&[&key.jwk]),
        FakeIssuer::start(&[&key.jwk]),
    );
    let service = Service::trusting(&[&issuer]);
    let (url, bait) = (issuer.url(), canary.url());
    let port = url.rsplit_once(':').unwrap().1;

    for iss in [
        format!("{bait}?issuer={url}"),
        format!("{bait}/redirect/{url}"),
        format!("{url}/"),
        format!("{url}/extra"),
        format!("{url}?"),
        format!("{url}#x"),
        format!("{url}\n"),
        format!("{url}\0"),
        format!(" {url}"),
        format!("{url}.evil"),
        format!("{url}/.."),
        format!("{url}/%2e"),
        format!("HTTP://127.0.0.1:{port}"),
        format!("http://user@127.0.0.1:{port}"),
        format!("http://127.1:{port}"),
        format!("http://2130706433:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("http://localhost.:{port}"),
        format!("http://127.0.0.1\u{3002}:{port}"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        bait.to_owned(),
        String::new(),
    ] {
        let token = key.token(&service.claims(&iss));
        let refused = service.verify(&token).await;
        assert_eq!(refused.unwrap_err(), TokenError::UnknownIssuer, "{iss:?}");
    }
    for iss in [json!(null), json!([url]), json!(7)] {
        let mut claims = service.claims(url);
        claims["iss"] = iss;
        let refused = service.verify(&key.token(&claims)).await;
        assert_eq!(refused.unwrap_err(), TokenError::WrongClaim("iss"));
    }

    assert!(issuer.requests().is_empty());
    assert!(canary.requests().is_empty());
}

#[tokio::test]
async fn redirects_are_not_followed_and_a_failure_is_not_remembered_as_success() {
    let key = TestKey::rsa("k");
    let (issuer, canary) = (
        FakeIssuer::start(&[&key.jwk]),
        FakeIssuer::start(&[&key.jwk]),
    );
    let service = Service::trusting(&[&issuer]);
    let token = key.token(&service.claims(issuer.url()));
    let pause = KeyPolicy::default().failure_pause;

    for status in [301, 302, 303, 307, 308] {
        for behaviour in [
            Behaviour::RedirectDiscovery(status, format!("{}/x", canary.url())),
            Behaviour::RedirectKeys(status, format!("{}/keys", canary.url())),
        ] {
            issuer.behave(behaviour);
            let refused = service.verify(&token).await;
            assert_eq!(refused.unwrap_err(), TokenError::IssuerUnavailable);
            service.clock.advance(pause);
        }
    }
    assert!(canary.requests().is_empty());
    issuer.behave(Behaviour::Good);

    assert!(service.verify(&token).await.is_ok());
}

#[tokio::test]
async fn keys_are_not_taken_from_an_address_that_is_not_the_issuers() {
    let key = TestKey::rsa("k");
    let (issuer, canary) = (
        FakeIssuer::start(&[&key.jwk]),
        FakeIssuer::start(&[&key.jwk]),
    );
    let service = Service::trusting(&[&issuer]);
    let token = key.token(&service.claims(issuer.url()));

    for address in [
        format!("{}/keys", canary.url()),
        format!("{}@{}/keys", issuer.url(), &canary.url()[7..]),
        "file:///etc/hostname".to_owned(),
        "ftp://127.0.0.1/keys".to_owned(),
        "/keys".to_owned(),
        String::new(),
    ] {
        issuer.behave(Behaviour::KeysAt(address));
        let refused = service.verify(&token).await;
        assert_eq!(refused.unwrap_err(), TokenError::IssuerUnavailable);
        service.clock.advance(KeyPolicy::default().failure_pause);
    }

    assert!(canary.requests().is_empty());
}

#[tokio::test]
async fn a_listed_host_may_serve_the_keys() {
    let key = TestKey::rsa("k");
    let (issuer, keys) = (FakeIssuer::start(&[]), FakeIssuer::start(&[&key.jwk]));
    issuer.behave(Behaviour::KeysAt(format!("{}/keys", keys.url())));
    let settings = EndpointSettings {
        key_hosts: vec![keys.url()[7..].to_owned()],
        ..EndpointSettings::default()
    };
    let service = Service::with(
        [(issuer.url(), settings)].into_iter(),
        FetchLimits::default(),
    );

    let token = key.token(&service.claims(issuer.url()));

    assert!(service.verify(&token).await.is_ok());
}

#[tokio::test]
async fn unsigned_and_wrongly_signed_tokens_are_refused() {
    let key = TestKey::rsa("k");
    let issuer = FakeIssuer::start(&[&key.jwk]);
    let service = Service::trusting(&[&issuer]);
    let claims = service.claims(issuer.url());
    let good = key.token(&claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();

    for alg in ["none", "None", "nOnE", ""] {
        let signed = signing_input(&json!({ "alg": alg, "kid": "k" }), &claims);
        let unsigned = service.verify(&format!("{signed}.")).await;
        assert_eq!(unsigned.unwrap_err(), TokenError::NotCompact);
        let borrowed = service.verify(&format!("{signed}.{signature}")).await;
        assert_eq!(borrowed.unwrap_err(), TokenError::AlgorithmNotAccepted);
    }
    let zeros = to_base64url(&[0; 256]);
    let mut flipped = from_base64url(signature).unwrap();
    flipped[100] ^= 1;
    for signature in [zeros, to_base64url(&flipped), "AA".to_owned()] {
        let refused = service.verify(&format!("{signed}.{signature}")).await;
        assert_eq!(refused.unwrap_err(), TokenError::Signature);
    }
    assert!(service.verify(&good).await.is_ok());
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret_and_no_key_serves_another_algorithm() {
    let rsa = TestKey::rsa("r");
    let p384 = TestKey::p384("e");
    let mut named = TestKey::rsa("n");
    named.jwk["alg"] = json!("RS256");
    let issuer = FakeIssuer::start(&[&rsa.jwk, &p384.jwk, &named.jwk]);
    let service = Service::trusting(&[&issuer]);
    let claims = service.claims(issuer.url());

    let modulus = rsa.jwk["n"].as_str().unwrap();
    for secret in [
        from_base64url(modulus).unwrap(),
        modulus.as_bytes().to_vec(),
        rsa.jwk.to_string().into_bytes(),
    ] {
        let signed = signing_input(&json!({ "alg": "HS256", "kid": "r" }), &claims);
        let mac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        let mac = ring::hmac::sign(&mac, signed.as_bytes());
        let forged = format!("{signed}.{}", to_base64url(mac.as_ref()));
        let refused = service.verify(&forged).await;
        assert_eq!(refused.unwrap_err(), TokenError::AlgorithmNotAccepted);
    }
    for (key, alg) in [(&rsa, "PS256"), (&named, "PS256"), (&named, "RS512")] {
        let header = json!({ "alg": alg, "kid": key.kid });
        let refused = service
            .verify(&key.token_with_header(&header, &claims))
            .await;
        assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
    }
    let header = json!({ "alg": "ES256", "kid": "e" });
    let refused = service
        .verify(&p384.token_with_header(&header, &claims))
        .await;
    assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
}

#[tokio::test]
async fn ten_thousand_unknown_key_ids_cause_one_more_fetch_a_minute() {
    let key = TestKey::rsa("k");
    let issuer = FakeIssuer::start(&[&key.jwk]);
    let service = Service::trusting(&[&issuer]);
    let claims = service.claims(issuer.url());
    assert!(service.verify(&key.token(&claims)).await.is_ok());
    let forged = |kid: &str| {
        let header = json!({ "alg": "RS256", "kid": kid });
        format!("{}.AAAA", signing_input(&header, &claims))
    };

    for kid in ["../../dev/null", "' OR 1=1 --", "a\0b", ""] {
        let refused = service.verify(&forged(kid)).await;
        assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
    }
    for n in 0..10_000 {
        let refused = service.verify(&forged(&format!("kid-{n}"))).await;
        assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
    }
    assert_eq!(issuer.key_requests(), 2);
    service.clock.advance(Duration::from_secs(60));
    for n in 0..100 {
        let refused = service.verify(&forged(&format!("kid-{n}"))).await;
        assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
    }

    assert_eq!(issuer.key_requests(), 3);
    let long = service.verify(&forged(&"k".repeat(10 * 1024))).await;
    assert!(matches!(
        long.unwrap_err(),
        TokenError::BadHeader | TokenError::TooLong
    ));
}

#[tokio::test]
async fn a_key_of_one_issuer_does_not_sign_for_another() {
    let (one, other) = (TestKey::rsa("one"), TestKey::p256("other"));
    let issuer = FakeIssuer::start(&[&one.jwk]);
    let stranger = FakeIssuer::start(&[&other.jwk]);
    let service = Service::trusting(&[&issuer, &stranger]);

    let crossed = other.token(&service.claims(issuer.url()));
    let refused = service.verify(&crossed).await;

    assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
    let straight = other.token(&service.claims(stranger.url()));
    assert!(service.verify(&straight).await.is_ok());
}

#[tokio::test]
async fn keys_that_the_token_brings_along_are_not_looked_at() {
    let (key, attacker) = (TestKey::rsa("k"), TestKey::other_rsa("k"));
    let (issuer, canary) = (
        FakeIssuer::start(&[&key.jwk]),
        FakeIssuer::start(&[&attacker.jwk]),
    );
    let service = Service::trusting(&[&issuer]);
    let claims = service.claims(issuer.url());
    let address = format!("{}/keys", canary.url());

    for (name, value) in [
        ("jku", json!(address)),
        ("x5u", json!(address)),
        ("jwk", attacker.jwk.clone()),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = json!({ "alg": "RS256", "kid": "k" });
        header[name] = value;
        let refused = service
            .verify(&attacker.token_with_header(&header, &claims))
            .await;
        assert_eq!(refused.unwrap_err(), TokenError::Signature, "{name}");
    }
    let critical = json!({ "alg": "RS256", "kid": "k", "crit": ["exp"] });
    let refused = service
        .verify(&key.token_with_header(&critical, &claims))
        .await;

    assert_eq!(refused.unwrap_err(), TokenError::CriticalHeader);
    assert!(canary.requests().is_empty());
}

#[tokio::test]
async fn an_issuer_that_answers_badly_is_refused_in_bounded_time_and_space() {
    let key = TestKey::rsa("k");
    let issuer = FakeIssuer::start(&[&key.jwk]);
    let limits = FetchLimits {
        total_time: Duration::from_secs(1),
        ..FetchLimits::default()
    };
    let endpoint = (issuer.url(), EndpointSettings::default());
    let service = Service::with([endpoint].into_iter(), limits);
    let token = key.token(&service.claims(issuer.url()));

    for behaviour in [
        Behaviour::Silent,
        Behaviour::HalfBody,
        Behaviour::EndlessBody,
        Behaviour::WebPage,
        Behaviour::Status(500),
        Behaviour::Status(204),
        Behaviour::OtherIssuer(format!("{}/", issuer.url())),
        Behaviour::OtherIssuer("https://idp.example".to_owned()),
    ] {
        issuer.behave(behaviour.clone());
        let refused = service.verify(&token).await;
        assert_eq!(
            refused.unwrap_err(),
            TokenError::IssuerUnavailable,
            "{behaviour:?}"
        );
        service.clock.advance(KeyPolicy::default().failure_pause);
    }
    issuer.behave(Behaviour::Good);
    assert!(service.verify(&token).await.is_ok());
}

#[tokio::test]
async fn bad_key_sets_are_refused() {
    let key = TestKey::rsa("k");
    let issuer = FakeIssuer::start(&[]);
    let service = Service::trusting(&[&issuer]);
    let token = key.token(&service.claims(issuer.url()));
    let weak = json!({"kty":"RSA","kid":"k","n":to_base64url(&[0xff; 64]),"e":"AQAB"});
    let symmetric = json!({"kty":"oct","kid":"k","k":"AAAA"});
    let huge = json!({"kty":"RSA","kid":"k","n":"A".repeat(50 * 1024 * 1024),"e":"AQAB"});
    let many = vec![&key.jwk; 10_000];

    for keys in [
        vec![],
        vec![&weak],
        vec![&symmetric],
        vec![&key.jwk, &huge],
        many,
    ] {
        issuer.publish(&keys);
        let refused = service.verify(&token).await;
        assert_eq!(refused.unwrap_err(), TokenError::IssuerUnavailable);
        service.clock.advance(KeyPolicy::default().failure_pause);
    }
    issuer.publish(&[&weak, &symmetric, &key.jwk]);

    // The weak key bears the same id, and is as good as absent.
    assert!(service.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_silent_issuer_keeps_nobody_else_waiting() {
    let key = TestKey::rsa("k");
    let (silent, good) = (
        FakeIssuer::start(&[&key.jwk]),
        FakeIssuer::start(&[&key.jwk]),
    );
    silent.behave(Behaviour::Silent);
    let service = Service::trusting(&[&silent, &good]);
    let waiting = key.token(&service.claims(silent.url()));
    let quick = key.token(&service.claims(good.url()));

    tokio::select! {
        biased;
        _ = service.verify(&waiting) => panic!("the silent issuer answered"),
        done = service.verify(&quick) => assert!(done.is_ok()),
    }
}

#[tokio::test]
async fn requests_that_wait_for_one_issuer_share_its_answer() {
    let key = TestKey::rsa("k");
    let issuer = FakeIssuer::start(&[&key.jwk]);
    let service = Service::trusting(&[&issuer]);
    let token = key.token(&service.claims(issuer.url()));

    let all = (0..50).map(|_| service.verify(&token));
    let all = futures_util::future::join_all(all).await;

    assert!(all.into_iter().all(|one| one.is_ok()));
    assert_eq!(issuer.key_requests(), 1);
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_when_its_lifetime_ends_and_a_new_one_is_known_at_once() {
    let (old, new) = (TestKey::p256("old"), TestKey::p256("new"));
    let issuer = FakeIssuer::start(&[&old.jwk]);
    let service = Service::trusting(&[&issuer]);
    let claims = service.claims(issuer.url());
    let (by_old, by_new) = (old.token(&claims), new.token(&claims));
    assert!(service.verify(&by_old).await.is_ok());
    let lifetime = KeyPolicy::default().lifetime;

    issuer.publish(&[&new.jwk]);
    service.clock.advance(lifetime - Duration::from_millis(1));
    assert!(service.verify(&by_old).await.is_ok());
    service.clock.advance(Duration::from_millis(1));
    let refused = service.verify(&by_old).await;

    assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
    assert!(service.verify(&by_new).await.is_ok());
    service.clock.advance(Duration::from_secs(60));
    issuer.publish(&[&old.jwk, &new.jwk]);
    assert!(service.verify(&by_old).await.is_ok());
}

#[tokio::test]
async fn known_keys_outlive_a_failing_issuer_until_their_lifetime_ends() {
    let key = TestKey::p256("k");
    let issuer = FakeIssuer::start(&[&key.jwk]);
    let service = Service::trusting(&[&issuer]);
    let claims = service.claims(issuer.url());
    let token = key.token(&claims);
    assert!(service.verify(&token).await.is_ok());

    issuer.behave(Behaviour::Status(503));
    service.clock.advance(Duration::from_secs(299));
    let unknown = TestKey::p256("other").token(&claims);
    let refused = service.verify(&unknown).await;
    assert_eq!(refused.unwrap_err(), TokenError::UnknownKey);
    assert!(service.verify(&token).await.is_ok());
    service.clock.advance(Duration::from_secs(5));
    let refused = service.verify(&token).await;
    assert_eq!(refused.unwrap_err(), TokenError::IssuerUnavailable);

    // Asked again only after the pause, and then all is well.
    issuer.behave(Behaviour::Good);
    let refused = service.verify(&token).await;
    assert_eq!(refused.unwrap_err(), TokenError::IssuerUnavailable);
    service.clock.advance(KeyPolicy::default().failure_pause);
    assert!(service.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_private_ca_is_trusted_for_its_issuer_and_for_its_host_only() {
    let key = TestKey::p256("k");
    let (issuer, ca) = FakeIssuer::start_tls(&[&key.jwk], "localhost");
    let (misnamed, misnamed_ca) = FakeIssuer::start_tls(&[&key.jwk], "other.example");
    let (unknown, _) = FakeIssuer::start_tls(&[&key.jwk], "localhost");
    let with_ca = |pem: &[u8]| EndpointSettings {
        ca_pem: Some(pem.to_vec()),
        ..EndpointSettings::default()
    };
    let service = Service::with(
        [
            (issuer.url(), with_ca(&ca)),
            (misnamed.url(), with_ca(&misnamed_ca)),
            (unknown.url(), with_ca(&ca)),
        ]
        .into_iter(),
        FetchLimits::default(),
    );

    let token = key.token(&service.claims(issuer.url()));
    assert!(service.verify(&token).await.is_ok());
    for stranger in [&misnamed, &unknown] {
        let token = key.token(&service.claims(stranger.url()));
        let refused = service.verify(&token).await;
        assert_eq!(refused.unwrap_err(), TokenError::IssuerUnavailable);
        assert!(stranger.requests().is_empty());
    }
}
