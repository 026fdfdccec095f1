//! Verifies tokens and returns identities.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::claims::{SignedClaims, VerifiedIdentity};
use super::error::TokenError;
use super::issuer::TrustedIssuer;
use super::jwks::IssuerKeys;
use super::key_cache::{KeyCache, KeyPolicy, KeySource};
use super::token::{RawToken, UnverifiedToken};
use crate::protocol::time::Clock;

/// Verifies tokens of the trusted issuers.
pub struct IdentityVerifier {
    /// By the value of `iss`, which is compared byte for byte
    issuers: BTreeMap<String, (TrustedIssuer, Keys)>,
    clock: Arc<dyn Clock>,
}

enum Keys {
    /// Supplied at the start, and valid for as long as the process runs
    Own(IssuerKeys),
    Fetched(Arc<KeyCache>),
}

impl IdentityVerifier {
    /// If two issuers have the same URL, the later one replaces the earlier one. Keys are fetched when a
    /// token needs them, so an issuer that is down does not delay the start.
    pub fn new(
        issuers: impl IntoIterator<Item = TrustedIssuer>,
        policy: KeyPolicy,
        source: &Arc<dyn KeySource>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let with_keys = |issuer: TrustedIssuer| {
            let keys = match issuer.own_keys() {
                Some(keys) => Keys::Own(keys.clone()),
                None => {
                    let (source, clock) = (Arc::clone(source), Arc::clone(&clock));
                    let cache = KeyCache::new(issuer.url().clone(), policy, source, clock);
                    Keys::Fetched(Arc::new(cache))
                }
            };
            (issuer.url().as_str().to_owned(), (issuer, keys))
        };
        Self {
            issuers: issuers.into_iter().map(with_keys).collect(),
            clock,
        }
    }

    /// The trusted issuers, ordered by URL.
    pub fn issuers(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.issuers.values().map(|(issuer, _)| issuer)
    }

    /// Verifies a token. May fetch the issuer's keys, within the limits of the key source.
    ///
    /// # Errors
    /// See [`TokenError`]; only [`TokenError::IssuerUnavailable`] is temporary.
    pub async fn verify(&self, token: &RawToken) -> Result<VerifiedIdentity, TokenError> {
        let token = UnverifiedToken::parse(token)?;
        let (issuer, keys) = self
            .issuers
            .get(token.unverified_issuer()?)
            .ok_or(TokenError::UnknownIssuer)?;
        let key = match keys {
            Keys::Own(keys) => keys.pick(token.header.algorithm, token.header.key_id.as_deref())?,
            Keys::Fetched(cache) => cache.key_for(&token.header).await?,
        };
        let claims = SignedClaims::new(token.verify_signature(&key)?);
        claims.verify(issuer, self.clock.now())
    }
}
