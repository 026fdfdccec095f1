//! Tokens of external issuers over real sockets: which are accepted, and which hosts are asked for keys.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use signet::testing::{
    Clock as _, EndpointSettings, FetchLimits, HttpKeySource, IdentityVerifier, IssuerKind,
    IssuerUrl, KeyPolicy, KeySource, RawToken, TokenError, TrustedIssuer, VerifiedIdentity,
    from_base64url, to_base64url,
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
        issuers: impl IntoIterator<Item = (&'a str, EndpointSettings)>,
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
        let now = self.clock.now().seconds();
        json!({
            "iss": issuer, "aud": "sigstore", "sub": "42", "iat": now, "exp": now + 3600,
            "email": "alice@example.com", "email_verified": true,
        })
    }

    async fn verify(&self, token: &str) -> Result<VerifiedIdentity, TokenError> {
        self.verifier.verify(&RawToken::new(token)?).await
    }

    async fn accept(&self, token: &str) -> VerifiedIdentity {
        self.verify(token).await.unwrap()
    }

    async fn refuse(&self, token: &str) -> TokenError {
        self.verify(token).await.unwrap_err()
    }

    /// Waits until an issuer that failed may be asked again.
    fn end_failure_pause(&self) {
        self.clock.advance(KeyPolicy::default().failure_pause);
    }
}

/// One issuer with one key, and a service that trusts it.
struct World {
    key: TestKey,
    issuer: FakeIssuer,
    service: Service,
}

impl World {
    fn new() -> Self {
        Self::with_key(TestKey::rsa("k"))
    }

    fn with_key(key: TestKey) -> Self {
        let issuer = FakeIssuer::start(&[&key.jwk]);
        let service = Service::trusting(&[&issuer]);
        Self {
            key,
            issuer,
            service,
        }
    }

    fn claims(&self) -> Value {
        self.service.claims(self.issuer.url())
    }

    /// A valid token.
    fn token(&self) -> String {
        self.key.token(&self.claims())
    }
}

#[tokio::test]
async fn tokens_with_each_kind_of_key_are_accepted_and_the_keys_are_fetched_once() {
    let keys = [
        TestKey::rsa("r"),
        TestKey::p256("e"),
        TestKey::p384("f"),
        TestKey::ed25519("o"),
    ];
    let issuer = FakeIssuer::start(&keys.each_ref().map(|key| &key.jwk));
    let service = Service::trusting(&[&issuer]);

    for key in &keys {
        let identity = service
            .accept(&key.token(&service.claims(issuer.url())))
            .await;

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
async fn an_issuer_is_matched_byte_for_byte_and_no_other_host_is_asked() {
    let World {
        key,
        issuer,
        service,
    } = World::new();
    let canary = FakeIssuer::start(&[&key.jwk]);
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
        let error = service.refuse(&token).await;
        assert_eq!(error, TokenError::UnknownIssuer, "{iss:?}");
    }
    for iss in [json!(null), json!([url]), json!(7)] {
        let mut claims = service.claims(url);
        claims["iss"] = iss;
        let error = service.refuse(&key.token(&claims)).await;
        assert_eq!(error, TokenError::WrongClaim("iss"));
    }

    assert!(issuer.requests().is_empty());
    assert!(canary.requests().is_empty());
}

#[tokio::test]
async fn redirects_are_not_followed_and_the_issuer_is_asked_again_later() {
    let world = World::new();
    let canary = FakeIssuer::start(&[&world.key.jwk]);
    let token = world.token();

    for status in [301, 302, 303, 307, 308] {
        for behaviour in [
            Behaviour::RedirectDiscovery(status, format!("{}/x", canary.url())),
            Behaviour::RedirectKeys(status, format!("{}/keys", canary.url())),
        ] {
            world.issuer.behave(behaviour);
            let error = world.service.refuse(&token).await;
            assert_eq!(error, TokenError::IssuerUnavailable);
            world.service.end_failure_pause();
        }
    }
    assert!(canary.requests().is_empty());
    world.issuer.behave(Behaviour::Good);

    world.service.accept(&token).await;
}

#[tokio::test]
async fn keys_are_not_fetched_from_another_host_than_the_issuers() {
    let world = World::new();
    let canary = FakeIssuer::start(&[&world.key.jwk]);
    let token = world.token();

    for address in [
        format!("{}/keys", canary.url()),
        format!("{}@{}/keys", world.issuer.url(), &canary.url()[7..]),
        "file:///etc/hostname".to_owned(),
        "ftp://127.0.0.1/keys".to_owned(),
        "/keys".to_owned(),
        String::new(),
    ] {
        world.issuer.behave(Behaviour::KeysAt(address));
        let error = world.service.refuse(&token).await;
        assert_eq!(error, TokenError::IssuerUnavailable);
        world.service.end_failure_pause();
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
    let service = Service::with([(issuer.url(), settings)], FetchLimits::default());

    service
        .accept(&key.token(&service.claims(issuer.url())))
        .await;
}

#[tokio::test]
async fn keys_have_a_json_media_type_or_none() {
    for (media_type, accepted) in [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("application/jwk-set+json", true),
        ("text/html", false),
        ("text/plain", false),
        ("", false),
    ] {
        let world = World::new();
        world.issuer.behave(Behaviour::KeysOfType(media_type));

        let result = world.service.verify(&world.token()).await;

        assert_eq!(result.is_ok(), accepted, "{media_type:?}");
    }
}

#[tokio::test]
async fn unsigned_and_wrongly_signed_tokens_are_refused() {
    let world = World::new();
    let (service, claims, good) = (&world.service, world.claims(), world.token());
    let (signed, signature) = good.rsplit_once('.').unwrap();

    for alg in ["none", "None", "nOnE", ""] {
        let signed = signing_input(&json!({ "alg": alg, "kid": "k" }), &claims);
        let error = service.refuse(&format!("{signed}.")).await;
        assert_eq!(error, TokenError::NotCompact);
        let error = service.refuse(&format!("{signed}.{signature}")).await;
        assert_eq!(error, TokenError::AlgorithmNotAccepted);
    }
    let zeros = to_base64url(&[0; 256]);
    let mut flipped = from_base64url(signature).unwrap();
    flipped[100] ^= 1;
    for signature in [zeros, to_base64url(&flipped), "AA".to_owned()] {
        let error = service.refuse(&format!("{signed}.{signature}")).await;
        assert_eq!(error, TokenError::Signature);
    }
    service.accept(&good).await;
}

#[tokio::test]
async fn a_public_key_is_not_a_shared_secret_and_serves_one_algorithm_only() {
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
        let error = service.refuse(&forged).await;
        assert_eq!(error, TokenError::AlgorithmNotAccepted);
    }
    for (key, alg) in [
        (&rsa, "PS256"),
        (&named, "PS256"),
        (&named, "RS512"),
        (&p384, "ES256"),
    ] {
        let header = json!({ "alg": alg, "kid": key.kid });
        let error = service
            .refuse(&key.token_with_header(&header, &claims))
            .await;
        assert_eq!(error, TokenError::UnknownKey);
    }
}

#[tokio::test]
async fn ten_thousand_unknown_key_ids_cause_one_more_fetch_a_minute() {
    let World {
        key,
        issuer,
        service,
    } = World::new();
    let claims = service.claims(issuer.url());
    service.accept(&key.token(&claims)).await;
    let forged = |kid: &str| {
        let header = json!({ "alg": "RS256", "kid": kid });
        format!("{}.AAAA", signing_input(&header, &claims))
    };

    for kid in ["../../dev/null", "' OR 1=1 --", "a\0b", ""] {
        assert_eq!(service.refuse(&forged(kid)).await, TokenError::UnknownKey);
    }
    for n in 0..10_000 {
        let error = service.refuse(&forged(&format!("kid-{n}"))).await;
        assert_eq!(error, TokenError::UnknownKey);
    }
    assert_eq!(issuer.key_requests(), 2);
    service.clock.advance(Duration::from_secs(60));
    for n in 0..100 {
        let error = service.refuse(&forged(&format!("kid-{n}"))).await;
        assert_eq!(error, TokenError::UnknownKey);
    }

    assert_eq!(issuer.key_requests(), 3);
    let error = service.refuse(&forged(&"k".repeat(10 * 1024))).await;
    assert!(matches!(error, TokenError::BadHeader | TokenError::TooLong));
}

#[tokio::test]
async fn a_key_of_one_issuer_does_not_sign_for_another() {
    let (one, other) = (TestKey::rsa("one"), TestKey::p256("other"));
    let issuer = FakeIssuer::start(&[&one.jwk]);
    let other_issuer = FakeIssuer::start(&[&other.jwk]);
    let service = Service::trusting(&[&issuer, &other_issuer]);

    let crossed = other.token(&service.claims(issuer.url()));
    assert_eq!(service.refuse(&crossed).await, TokenError::UnknownKey);

    let straight = other.token(&service.claims(other_issuer.url()));
    service.accept(&straight).await;
}

#[tokio::test]
async fn keys_in_the_token_itself_are_ignored() {
    let world = World::new();
    let attacker = TestKey::other_rsa("k");
    let canary = FakeIssuer::start(&[&attacker.jwk]);
    let claims = world.claims();
    let address = format!("{}/keys", canary.url());

    for (name, value) in [
        ("jku", json!(address)),
        ("x5u", json!(address)),
        ("jwk", attacker.jwk.clone()),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = json!({ "alg": "RS256", "kid": "k" });
        header[name] = value;
        let token = attacker.token_with_header(&header, &claims);
        let error = world.service.refuse(&token).await;
        assert_eq!(error, TokenError::Signature, "{name}");
    }
    let critical = json!({ "alg": "RS256", "kid": "k", "crit": ["exp"] });
    let token = world.key.token_with_header(&critical, &claims);
    let error = world.service.refuse(&token).await;

    assert_eq!(error, TokenError::CriticalHeader);
    assert!(canary.requests().is_empty());
}

#[tokio::test]
async fn an_issuer_that_answers_badly_is_refused_in_bounded_time_and_memory() {
    let world = World::new();
    let token = world.token();
    // These never finish, so a short limit keeps the test short; for the others it would be a race.
    let impatient = Service::with(
        [(world.issuer.url(), EndpointSettings::default())],
        FetchLimits {
            total_time: Duration::from_secs(1),
            ..FetchLimits::default()
        },
    );
    for behaviour in [
        Behaviour::Silent,
        Behaviour::HalfBody,
        Behaviour::EndlessBody,
    ] {
        world.issuer.behave(behaviour.clone());
        let error = impatient.refuse(&token).await;
        assert_eq!(error, TokenError::IssuerUnavailable, "{behaviour:?}");
        impatient.end_failure_pause();
    }
    for behaviour in [
        Behaviour::WebPage,
        Behaviour::Status(500),
        Behaviour::Status(204),
        Behaviour::OtherIssuer(format!("{}/", world.issuer.url())),
        Behaviour::OtherIssuer("https://idp.example".to_owned()),
    ] {
        world.issuer.behave(behaviour.clone());
        let error = world.service.refuse(&token).await;
        assert_eq!(error, TokenError::IssuerUnavailable, "{behaviour:?}");
        world.service.end_failure_pause();
    }
    world.issuer.behave(Behaviour::Good);
    world.service.accept(&token).await;
}

#[tokio::test]
async fn bad_key_sets_are_refused() {
    let World {
        key,
        issuer,
        service,
    } = World::new();
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
        let error = service.refuse(&token).await;
        assert_eq!(error, TokenError::IssuerUnavailable);
        service.end_failure_pause();
    }
    issuer.publish(&[&weak, &symmetric, &key.jwk]);

    // The weak key has the same ID and is left out.
    service.accept(&token).await;
}

#[tokio::test]
async fn a_silent_issuer_delays_no_other() {
    let key = TestKey::rsa("k");
    let (silent, good) = (
        FakeIssuer::start(&[&key.jwk]),
        FakeIssuer::start(&[&key.jwk]),
    );
    silent.behave(Behaviour::Silent);
    // The limit outlasts the test, so that the silent issuer cannot end first.
    let limits = FetchLimits {
        total_time: Duration::from_secs(600),
        ..FetchLimits::default()
    };
    let issuers = [&silent, &good].map(|issuer| (issuer.url(), EndpointSettings::default()));
    let service = Service::with(issuers, limits);
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
    let world = World::new();
    let token = world.token();

    let all = (0..50).map(|_| world.service.verify(&token));
    let all = futures_util::future::join_all(all).await;

    assert!(all.into_iter().all(|one| one.is_ok()));
    assert_eq!(world.issuer.key_requests(), 1);
}

#[tokio::test]
async fn a_withdrawn_key_expires_and_a_new_one_is_fetched_at_once() {
    let (old, new) = (TestKey::p256("old"), TestKey::p256("new"));
    let issuer = FakeIssuer::start(&[&old.jwk]);
    let service = Service::trusting(&[&issuer]);
    let claims = service.claims(issuer.url());
    let (by_old, by_new) = (old.token(&claims), new.token(&claims));
    service.accept(&by_old).await;
    let lifetime = KeyPolicy::default().lifetime;

    issuer.publish(&[&new.jwk]);
    service.clock.advance(lifetime - Duration::from_millis(1));
    service.accept(&by_old).await;
    service.clock.advance(Duration::from_millis(1));

    assert_eq!(service.refuse(&by_old).await, TokenError::UnknownKey);
    service.accept(&by_new).await;
    service.clock.advance(Duration::from_secs(60));
    issuer.publish(&[&old.jwk, &new.jwk]);
    service.accept(&by_old).await;
}

#[tokio::test]
async fn cached_keys_are_used_until_they_expire_while_the_issuer_fails() {
    let World {
        key,
        issuer,
        service,
    } = World::with_key(TestKey::p256("k"));
    let claims = service.claims(issuer.url());
    let token = key.token(&claims);
    service.accept(&token).await;

    issuer.behave(Behaviour::Status(503));
    service.clock.advance(Duration::from_secs(299));
    let unknown = TestKey::p256("other").token(&claims);
    assert_eq!(service.refuse(&unknown).await, TokenError::UnknownKey);
    service.accept(&token).await;
    service.clock.advance(Duration::from_secs(5));
    let error = service.refuse(&token).await;
    assert_eq!(error, TokenError::IssuerUnavailable);

    // The issuer is asked again only after the pause.
    issuer.behave(Behaviour::Good);
    let error = service.refuse(&token).await;
    assert_eq!(error, TokenError::IssuerUnavailable);
    service.end_failure_pause();
    service.accept(&token).await;
}

#[tokio::test]
async fn a_private_ca_is_trusted_for_its_issuer_and_host_only() {
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
        ],
        FetchLimits::default(),
    );

    service
        .accept(&key.token(&service.claims(issuer.url())))
        .await;
    for untrusted in [&misnamed, &unknown] {
        let token = key.token(&service.claims(untrusted.url()));
        let error = service.refuse(&token).await;
        assert_eq!(error, TokenError::IssuerUnavailable);
        assert!(untrusted.requests().is_empty());
    }
}
