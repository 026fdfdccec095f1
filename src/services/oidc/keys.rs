//! Issuers' keys: which are good, where they come from, and how long they are believed.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJsonWebKeyType};
use openidconnect::{JsonWebKey as _, JsonWebKeyAlgorithm};
use tokio::sync::Mutex;

use super::TokenError;
use super::token::Header;
use crate::protocol::bytes::from_base64url;
use crate::protocol::identity::IssuerUrl;
use crate::protocol::time::{Clock, UnixTime};

/// The most keys that an issuer may publish.
const MAX_KEYS: usize = 100;

/// The keys of one issuer that are good enough to verify with.
#[derive(Clone, Debug)]
pub struct IssuerKeys(Vec<CoreJsonWebKey>);

/// Why a key set was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not a JWK set (RFC 7517 §5)
    #[error("not a JSON web key set")]
    Malformed,
    /// More keys than anyone needs
    #[error("the key set has {0} keys; the limit is 100")]
    TooMany(usize),
    /// No key that could verify a token
    #[error(
        "the key set has no usable key: \
         RSA of 2048 to 4096 bits, EC P-256 or P-384, or OKP Ed25519, for signatures"
    )]
    NoneUsable,
}

impl IssuerKeys {
    /// Keeps the good public keys of a set: weak, symmetric, private and unknown ones are left out.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn new(set: &CoreJsonWebKeySet) -> Result<Self, KeySetError> {
        let keys = set.keys();
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany(keys.len()));
        }
        let usable: Vec<_> = keys.iter().filter(|key| is_usable(key)).cloned().collect();
        if usable.is_empty() {
            return Err(KeySetError::NoneUsable);
        }
        Ok(Self(usable))
    }

    /// Reads a JWK set (RFC 7517 §5).
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let set = serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        Self::new(&set)
    }

    fn find(&self, header: &Header) -> Found<'_> {
        let key_id = header.key_id.as_deref();
        let mut candidates = self.0.iter().filter(|key| {
            let id_matches = key_id.is_none() || key_id == key.key_id().map(|id| id.as_str());
            let algorithm_matches = match key.signing_alg() {
                JsonWebKeyAlgorithm::Algorithm(algorithm) => *algorithm == header.algorithm,
                JsonWebKeyAlgorithm::Unspecified => !header.key_must_name_algorithm(),
                JsonWebKeyAlgorithm::Unsupported => false,
            };
            id_matches && algorithm_matches && *key.key_type() == header.key_type()
        });
        match (candidates.next(), candidates.next()) {
            (None, _) => Found::Nothing,
            (Some(key), None) => Found::One(key),
            // SPEC OpenID Connect Core §10.1: with several keys the token must say which one.
            (Some(_), Some(_)) => Found::Several,
        }
    }
}

enum Found<'a> {
    Nothing,
    One(&'a CoreJsonWebKey),
    Several,
}

fn is_usable(key: &CoreJsonWebKey) -> bool {
    // The key's numbers can only be read through its JSON form.
    let Ok(json) = serde_json::to_value(key) else {
        return false;
    };
    let text = |name| json.get(name).and_then(serde_json::Value::as_str);
    let for_signatures = text("use").is_none_or(|purpose| purpose == "sig");
    let is_public = text("d").is_none() && text("k").is_none();
    let is_strong = match key.key_type() {
        CoreJsonWebKeyType::RSA => text("n")
            .and_then(|n| from_base64url(n).ok())
            .is_some_and(|modulus| (2048..=4096).contains(&bit_length(&modulus))),
        CoreJsonWebKeyType::EllipticCurve => matches!(text("crv"), Some("P-256" | "P-384")),
        CoreJsonWebKeyType::OctetKeyPair => text("crv") == Some("Ed25519"),
        _ => false,
    };
    for_signatures && is_public && is_strong
}

fn bit_length(big_endian: &[u8]) -> usize {
    let mut significant = big_endian.iter().skip_while(|byte| **byte == 0);
    let Some(first) = significant.next() else {
        return 0;
    };
    let in_first = 8usize.saturating_sub(first.leading_zeros() as usize);
    significant
        .count()
        .saturating_mul(8)
        .saturating_add(in_first)
}

/// Why an issuer's keys could not be fetched. Nothing of what the issuer answered is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The issuer is not one that this source was set up for
    #[error("the issuer is not configured")]
    NotConfigured,
    /// No connection, no valid certificate, or the connection broke
    #[error("the issuer could not be reached")]
    Unreachable,
    /// It took longer than the limit
    #[error("the issuer did not answer in time")]
    TimedOut,
    /// An answer other than 200; redirects are never followed
    #[error("the issuer answered with status {0}")]
    Status(u16),
    /// More bytes than the limit
    #[error("the issuer's answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The discovery document is not one
    #[error("the issuer's discovery document is malformed")]
    BadDiscovery,
    /// OpenID Connect Discovery §4.3: `issuer` must be the issuer, byte by byte
    #[error("the discovery document names another issuer")]
    IssuerMismatch,
    /// `jwks_uri` leads to a place that is not allowed
    #[error("jwks_uri is on a host or scheme that is not allowed for this issuer")]
    ForeignKeyAddress,
    /// The key set is not good
    #[error("the issuer's keys cannot be used")]
    Keys(#[from] KeySetError),
}

/// Where issuers' keys come from. Each call asks anew: nothing is remembered, neither good nor bad.
pub trait KeySource: Send + Sync {
    /// Fetches the present keys of an issuer, within bounded time and space.
    fn fetch<'a>(&'a self, issuer: &'a IssuerUrl) -> BoxFuture<'a, Result<IssuerKeys, FetchError>>;
}

/// How long fetched keys are believed, and how often an issuer is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// A key that the issuer withdrew is refused after this time at the latest.
    pub lifetime: Duration,
    /// Tokens that name an unknown key make us ask again at most this often.
    pub unknown_key_pause: Duration,
    /// An issuer that did not answer is left alone this long.
    pub failure_pause: Duration,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(300),
            unknown_key_pause: Duration::from_secs(60),
            failure_pause: Duration::from_secs(5),
        }
    }
}

/// The keys of one fetched issuer. Each issuer has its own, so that a slow one delays nobody else.
pub(super) struct KeyCache {
    issuer: IssuerUrl,
    policy: KeyPolicy,
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    held: RwLock<Option<Held>>,
    attempts: Mutex<Attempts>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<IssuerKeys>,
    fetched: UnixTime,
}

#[derive(Default)]
struct Attempts {
    failed: Option<UnixTime>,
    for_unknown_key: Option<UnixTime>,
}

impl KeyCache {
    pub(super) fn new(
        issuer: IssuerUrl,
        policy: KeyPolicy,
        source: Arc<dyn KeySource>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            issuer,
            policy,
            source,
            clock,
            held: RwLock::new(None),
            attempts: Mutex::default(),
        }
    }

    /// The key that a token's header asks for, fetched if need be.
    pub(super) async fn key_for(
        self: &Arc<Self>,
        header: &Header,
    ) -> Result<CoreJsonWebKey, TokenError> {
        if let Some(held) = self.fresh() {
            match pick(&held.keys, header) {
                Err(TokenError::UnknownKey) => {}
                known => return known,
            }
            let keys = self.refresh(Some(held.fetched)).await?;
            return pick(&keys, header);
        }
        let keys = self.refresh(None).await?;
        pick(&keys, header)
    }

    fn fresh(&self) -> Option<Held> {
        let now = self.clock.now();
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not make keys live longer, so those from the future go too.
        held.clone()
            .filter(|held| is_within(held.fetched, self.policy.lifetime, now))
    }

    /// Fetches in a task of its own: a client that hangs up must not undo an attempt that others
    /// wait for, nor make it uncounted.
    async fn refresh(
        self: &Arc<Self>,
        outdated: Option<UnixTime>,
    ) -> Result<Arc<IssuerKeys>, TokenError> {
        let cache = Arc::clone(self);
        tokio::spawn(async move { cache.refresh_once(outdated).await })
            .await
            .unwrap_or(Err(TokenError::IssuerUnavailable))
    }

    /// One at a time. `outdated` is the age of keys that are fresh but lack the one that is wanted.
    async fn refresh_once(
        &self,
        outdated: Option<UnixTime>,
    ) -> Result<Arc<IssuerKeys>, TokenError> {
        let mut attempts = self.attempts.lock().await;
        let now = self.clock.now();
        let fresh = self.fresh();
        if let Some(held) = &fresh {
            // Another request may have fetched while this one waited for the lock.
            let is_news = outdated.is_none_or(|fetched| held.fetched > fetched);
            let asked_lately = attempts
                .for_unknown_key
                .is_some_and(|at| is_within(at, self.policy.unknown_key_pause, now));
            if is_news || asked_lately {
                return Ok(Arc::clone(&held.keys));
            }
            attempts.for_unknown_key = Some(now);
        } else if attempts
            .failed
            .is_some_and(|at| is_within(at, self.policy.failure_pause, now))
        {
            return Err(TokenError::IssuerUnavailable);
        }
        match self.source.fetch(&self.issuer).await {
            Ok(keys) => {
                attempts.failed = None;
                Ok(self.hold(keys, now))
            }
            Err(error) => {
                tracing::warn!(
                    identity.issuer = %self.issuer, error = %error, "issuer keys were not fetched"
                );
                // From the end of the attempt: those who waited behind it must not try in turn.
                attempts.failed = Some(self.clock.now());
                // Known keys go on until their time is over, then there are none: it fails closed.
                fresh
                    .map(|held| held.keys)
                    .ok_or(TokenError::IssuerUnavailable)
            }
        }
    }

    fn hold(&self, keys: IssuerKeys, fetched: UnixTime) -> Arc<IssuerKeys> {
        let keys = Arc::new(keys);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        *held = Some(Held {
            keys: Arc::clone(&keys),
            fetched,
        });
        keys
    }
}

/// The one key of a set that a token's header asks for.
pub(super) fn pick(keys: &IssuerKeys, header: &Header) -> Result<CoreJsonWebKey, TokenError> {
    match keys.find(header) {
        Found::Nothing => Err(TokenError::UnknownKey),
        Found::One(key) => Ok(key.clone()),
        Found::Several => Err(TokenError::AmbiguousKey),
    }
}

fn is_within(since: UnixTime, span: Duration, now: UnixTime) -> bool {
    since <= now && now < since.after(span)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;
    use serde_json::json;

    #[derive(Default)]
    struct SlowSilence {
        seconds: AtomicU64,
        asked: AtomicUsize,
    }

    impl Clock for SlowSilence {
        fn now(&self) -> UnixTime {
            UnixTime::from_seconds(self.seconds.load(Ordering::SeqCst))
        }
    }

    impl KeySource for SlowSilence {
        fn fetch<'a>(&'a self, _: &'a IssuerUrl) -> BoxFuture<'a, Result<IssuerKeys, FetchError>> {
            Box::pin(async {
                self.asked.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                self.seconds.fetch_add(60, Ordering::SeqCst);
                Err(FetchError::TimedOut)
            })
        }
    }

    #[tokio::test]
    async fn those_who_wait_for_a_silent_issuer_do_not_try_in_turn() {
        let silence = Arc::new(SlowSilence::default());
        let cache = Arc::new(KeyCache::new(
            IssuerUrl::new("https://idp.example").unwrap(),
            KeyPolicy::default(),
            Arc::<SlowSilence>::clone(&silence),
            Arc::<SlowSilence>::clone(&silence),
        ));
        let header = Header {
            algorithm: openidconnect::core::CoreJwsSigningAlgorithm::EdDsa,
            key_id: None,
        };

        let all = (0..20).map(|_| cache.key_for(&header));
        let all = futures_util::future::join_all(all).await;

        assert!(
            all.iter()
                .all(|one| *one == Err(TokenError::IssuerUnavailable))
        );
        assert_eq!(silence.asked.load(Ordering::SeqCst), 1);
    }

    fn rsa(bits: usize, kid: &str) -> serde_json::Value {
        let mut modulus = vec![0xff; bits / 8];
        modulus[0] = 0x80;
        let n = crate::protocol::bytes::to_base64url(&modulus);
        json!({"kty":"RSA","kid":kid,"n":n,"e":"AQAB"})
    }

    fn parse(keys: &serde_json::Value) -> Result<IssuerKeys, KeySetError> {
        IssuerKeys::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn weak_symmetric_private_and_foreign_keys_are_left_out() {
        for key in [
            rsa(512, "a"),
            rsa(1024, "a"),
            rsa(8192, "a"),
            json!({"kty":"oct","k":"AAAA","kid":"a"}),
            json!({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}),
            json!({"kty":"OKP","crv":"X25519","x":"AA"}),
            json!({"kty":"EC","crv":"P-256","x":"AA","y":"AA","use":"enc"}),
            json!({"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}),
            json!({"kty":"unheard-of"}),
            json!(7),
        ] {
            assert_eq!(parse(&json!([key])).unwrap_err(), KeySetError::NoneUsable);
        }
        let mixed = json!([rsa(512, "a"), rsa(2048, "b"), {"kty":"oct","k":"AAAA"}]);
        assert_eq!(parse(&mixed).unwrap().0.len(), 1);
    }

    #[test]
    fn key_sets_are_bounded() {
        let many: Vec<_> = (0..101).map(|n| rsa(2048, &n.to_string())).collect();

        assert_eq!(parse(&json!(many)).unwrap_err(), KeySetError::TooMany(101));
        assert_eq!(
            IssuerKeys::parse(b"<html>").unwrap_err(),
            KeySetError::Malformed
        );
    }

    #[test]
    fn the_bits_of_a_modulus_are_counted_without_its_leading_zeros() {
        assert_eq!(bit_length(&[]), 0);
        assert_eq!(bit_length(&[0, 0]), 0);
        assert_eq!(bit_length(&[0, 1, 0]), 9);
        assert_eq!(bit_length(&[0x80, 0]), 16);
    }
}
