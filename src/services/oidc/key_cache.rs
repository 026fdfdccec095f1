//! Caches issuers' keys and limits the rate of fetches.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use super::error::{FetchError, TokenError};
use super::jwks::{IssuerKey, IssuerKeys};
use super::token::Header;
use crate::protocol::identity::IssuerUrl;
use crate::protocol::time::{Clock, UnixTime};

/// Port that fetches issuers' keys. Implementations do not cache keys or failures.
pub trait KeySource: Send + Sync {
    /// Fetches the current keys of an issuer, within bounded time and memory.
    fn fetch<'a>(&'a self, issuer: &'a IssuerUrl) -> BoxFuture<'a, Result<IssuerKeys, FetchError>>;
}

/// Lifetime of cached keys, and minimum times between fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Maximum age of a cached key: a key that the issuer withdraws is refused after this time.
    pub lifetime: Duration,
    /// Minimum time between two fetches caused by tokens with an unknown key ID, which anyone can send.
    pub unknown_key_pause: Duration,
    /// Minimum time between a failed fetch and the next attempt.
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

/// The keys of one issuer. Each issuer has a separate cache, so that a slow issuer does not delay others.
pub(super) struct KeyCache {
    issuer: IssuerUrl,
    policy: KeyPolicy,
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    cached: RwLock<Option<CachedKeys>>,
    /// Held during a fetch, so that there is one fetch at a time.
    attempts: Mutex<Attempts>,
}

#[derive(Clone)]
struct CachedKeys {
    keys: Arc<IssuerKeys>,
    fetched: UnixTime,
}

/// Times of the last failed fetch and of the last fetch for an unknown key.
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
            cached: RwLock::new(None),
            attempts: Mutex::default(),
        }
    }

    /// Returns the key that a token's header selects, and fetches the key set if necessary.
    pub(super) async fn key_for(
        self: &Arc<Self>,
        header: &Header,
    ) -> Result<Arc<IssuerKey>, TokenError> {
        let pick = |keys: &IssuerKeys| keys.pick(header.algorithm, header.key_id.as_deref());
        let fresh = self.fresh();
        if let Some(cached) = &fresh {
            match pick(&cached.keys) {
                Err(TokenError::UnknownKey) => {}
                result => return result,
            }
        }
        let outdated = fresh.map(|cached| cached.fetched);
        // Spawned, because a client that disconnects must not cancel a fetch that other requests wait
        // for, or prevent a failure from being recorded.
        let cache = Arc::clone(self);
        let keys = tokio::spawn(async move { cache.refresh(outdated).await })
            .await
            .unwrap_or(Err(TokenError::IssuerUnavailable))?;
        pick(&keys)
    }

    fn fresh(&self) -> Option<CachedKeys> {
        let now = self.clock.now();
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        // Keys from the future are dropped too: a clock that was set back must not extend their life.
        cached
            .clone()
            .filter(|cached| is_within(cached.fetched, self.policy.lifetime, now))
    }

    /// Fetches the keys unless a limit forbids it. If the cached keys are fresh but do not contain the
    /// required key, `outdated` is the time at which they were fetched.
    async fn refresh(&self, outdated: Option<UnixTime>) -> Result<Arc<IssuerKeys>, TokenError> {
        let mut attempts = self.attempts.lock().await;
        let now = self.clock.now();
        let fresh = self.fresh();
        if let Some(cached) = &fresh {
            // Another request may have fetched while this one waited for the lock.
            let is_newer = outdated.is_none_or(|fetched| cached.fetched > fetched);
            let asked_recently = attempts
                .for_unknown_key
                .is_some_and(|at| is_within(at, self.policy.unknown_key_pause, now));
            if is_newer || asked_recently {
                return Ok(Arc::clone(&cached.keys));
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
                let keys = Arc::new(keys);
                let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
                *cached = Some(CachedKeys {
                    keys: Arc::clone(&keys),
                    fetched: now,
                });
                Ok(keys)
            }
            Err(error) => {
                tracing::warn!(
                    identity.issuer = %self.issuer, error = %error, "issuer.keys_fetch_failed"
                );
                // The pause starts at the end of the attempt. Otherwise each waiting request would try again.
                attempts.failed = Some(self.clock.now());
                // Cached keys stay in use until they expire; then tokens are refused.
                fresh
                    .map(|cached| cached.keys)
                    .ok_or(TokenError::IssuerUnavailable)
            }
        }
    }
}

fn is_within(since: UnixTime, span: Duration, now: UnixTime) -> bool {
    since <= now && now < since.after(span)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::jwks::SigningAlgorithm;
    use super::*;
    use crate::doubles::TestClock;

    /// An issuer that does not respond: every fetch fails after a minute.
    struct SilentIssuer {
        clock: Arc<TestClock>,
        fetches: AtomicUsize,
    }

    impl KeySource for SilentIssuer {
        fn fetch<'a>(&'a self, _: &'a IssuerUrl) -> BoxFuture<'a, Result<IssuerKeys, FetchError>> {
            Box::pin(async {
                self.fetches.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                self.clock.advance(Duration::from_secs(60));
                Err(FetchError::TimedOut)
            })
        }
    }

    #[tokio::test]
    async fn requests_that_wait_for_a_failed_fetch_do_not_repeat_it() {
        let clock = Arc::new(TestClock::new(UnixTime::from_seconds(0)));
        let silent = Arc::new(SilentIssuer {
            clock: Arc::clone(&clock),
            fetches: AtomicUsize::new(0),
        });
        let cache = Arc::new(KeyCache::new(
            IssuerUrl::new("https://idp.example").unwrap(),
            KeyPolicy::default(),
            Arc::<SilentIssuer>::clone(&silent),
            clock,
        ));
        let header = Header {
            algorithm: SigningAlgorithm::EdDsa,
            key_id: None,
        };

        let all = (0..20).map(|_| cache.key_for(&header));
        let all = futures_util::future::join_all(all).await;

        assert!(
            all.iter()
                .all(|one| *one == Err(TokenError::IssuerUnavailable))
        );
        assert_eq!(silent.fetches.load(Ordering::SeqCst), 1);
    }
}
