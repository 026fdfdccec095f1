//! How long an issuer's keys are believed, and how often it is asked for them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use super::TokenError;
use super::key_set::{IssuerKey, IssuerKeys, KeySetError};
use super::token::Header;
use crate::protocol::identity::IssuerUrl;
use crate::protocol::time::{Clock, UnixTime};

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
    ) -> Result<Arc<IssuerKey>, TokenError> {
        if let Some(held) = self.fresh() {
            match held.keys.pick(header) {
                Err(TokenError::UnknownKey) => {}
                known => return known,
            }
            let keys = self.refresh(Some(held.fetched)).await?;
            return keys.pick(header);
        }
        let keys = self.refresh(None).await?;
        keys.pick(header)
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

fn is_within(since: UnixTime, span: Duration, now: UnixTime) -> bool {
    since <= now && now < since.after(span)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;

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
}
