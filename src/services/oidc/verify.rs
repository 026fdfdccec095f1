//! From a token to an identity.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::claims::SignedClaims;
use super::issuer::TrustedIssuer;
use super::key_cache::{KeyCache, KeyPolicy, KeySource};
use super::key_set::IssuerKeys;
use super::token::{RawToken, UnverifiedToken};
use crate::protocol::identity::{EmailAddress, IssuerUrl, NameError, SubjectName};
use crate::protocol::time::{Clock, UnixTime};

/// Who holds a token: its signature, issuer, audience and lifetime were checked.
///
/// [`IdentityVerifier::verify`] is the only way to one, so holding one is the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedIdentity {
    issuer: IssuerUrl,
    subject: SubjectName,
    token_subject: String,
    email: Option<EmailAddress>,
    expires: UnixTime,
}

impl VerifiedIdentity {
    pub(super) const fn new(
        issuer: IssuerUrl,
        subject: SubjectName,
        token_subject: String,
        email: Option<EmailAddress>,
        expires: UnixTime,
    ) -> Self {
        Self {
            issuer,
            subject,
            token_subject,
            email,
            expires,
        }
    }

    /// Who vouches for it.
    pub const fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// The name that goes into the certificate.
    pub const fn subject(&self) -> &SubjectName {
        &self.subject
    }

    /// The token's `sub`.
    pub fn token_subject(&self) -> &str {
        &self.token_subject
    }

    /// The strings over which a proof of possession is accepted: the e-mail address, if the token
    /// has one, and `sub`. Clients differ in which they sign; both are the token holder's own.
    pub fn challenges(&self) -> impl Iterator<Item = &str> {
        let email = self.email.as_ref().map(EmailAddress::as_str);
        email.into_iter().chain([self.token_subject.as_str()])
    }

    /// When the token expires.
    #[cfg(any(test, feature = "testing"))]
    pub const fn expires(&self) -> UnixTime {
        self.expires
    }
}

/// Why a token was refused. No variant repeats what the token or the issuer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Over [`super::MAX_TOKEN_LENGTH`]
    #[error("the token is longer than 16384 bytes")]
    TooLong,
    /// Not a compact JWS (RFC 7515 §3.1); encrypted tokens have five parts
    #[error("the token is not a signed JWT: three base64url parts separated by dots")]
    NotCompact,
    /// Malformed, ambiguous, or of a type that is not an identity token's
    #[error("the token's header is malformed or of the wrong type")]
    BadHeader,
    /// `crit` names extensions, and there are none that we know
    #[error("the token's header names critical extensions, which are not supported")]
    CriticalHeader,
    /// `none`, HMAC, encryption, or unknown
    #[error(
        "the token's alg is not accepted: \
         use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA"
    )]
    AlgorithmNotAccepted,
    /// Not one JSON object with every name once
    #[error("the token's payload is not a JSON object with unique names")]
    BadPayload,
    /// `iss` is not, byte by byte, one of the configured issuers
    #[error("the token's issuer is not trusted here")]
    UnknownIssuer,
    /// The issuer has no such key, or not for this algorithm
    #[error("the token is signed with a key that its issuer does not publish")]
    UnknownKey,
    /// Several keys fit, and the token does not say which
    #[error("several of the issuer's keys fit the token: it must name one by kid")]
    AmbiguousKey,
    /// The keys are not at hand and could not be fetched; worth another try
    #[error("the issuer's keys cannot be fetched at the moment")]
    IssuerUnavailable,
    /// The signature does not hold
    #[error("the token's signature is not valid")]
    Signature,
    /// A claim that must be there is not
    #[error("the token has no {0} claim")]
    MissingClaim(&'static str),
    /// A claim of the wrong type, or outside its limits
    #[error("the token's {0} claim is malformed")]
    WrongClaim(&'static str),
    /// Made for someone else, or also for someone else
    #[error("the token's aud claim must name this service and nobody else")]
    Audience,
    /// `exp` has come
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` is ahead of the clock
    #[error("the token was issued in the future: compare the clocks")]
    IssuedInTheFuture,
    /// `exp` less `iat` is over the limit
    #[error("the token lives longer than {limit_seconds} seconds")]
    LivesTooLong {
        /// The limit for this issuer.
        limit_seconds: u64,
    },
    /// `email_verified` is not true
    #[error("the token's issuer has not verified the e-mail address")]
    EmailNotVerified,
    /// The name would not be safe in a certificate
    #[error("the token's {claim} claim {source}")]
    Name {
        /// Which claim.
        claim: &'static str,
        /// What is wrong with it.
        source: NameError,
    },
    /// `sub` is not under the issuer's `subject_domain`
    #[error("the token's sub claim is outside the issuer's subject_domain")]
    OutsideSubjectDomain,
}

impl TokenError {
    /// A short fixed word for records and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::NotCompact => "not-a-jwt",
            Self::BadHeader => "bad-header",
            Self::CriticalHeader => "critical-header",
            Self::AlgorithmNotAccepted => "algorithm",
            Self::BadPayload => "bad-payload",
            Self::UnknownIssuer => "unknown-issuer",
            Self::UnknownKey => "unknown-key",
            Self::AmbiguousKey => "ambiguous-key",
            Self::IssuerUnavailable => "issuer-unavailable",
            Self::Signature => "signature",
            Self::MissingClaim(_) => "missing-claim",
            Self::WrongClaim(_) => "wrong-claim",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::IssuedInTheFuture => "issued-in-the-future",
            Self::LivesTooLong { .. } => "lives-too-long",
            Self::EmailNotVerified => "email-not-verified",
            Self::Name { .. } => "name",
            Self::OutsideSubjectDomain => "outside-subject-domain",
        }
    }
}

/// Verifies tokens of the trusted issuers.
pub struct IdentityVerifier {
    issuers: BTreeMap<String, Trusted>,
    clock: Arc<dyn Clock>,
}

struct Trusted {
    settings: TrustedIssuer,
    keys: Keys,
}

enum Keys {
    /// Handed over, and good for as long as the process lives
    Own(IssuerKeys),
    /// Asked for, and believed for a while
    Fetched(Arc<KeyCache>),
}

impl IdentityVerifier {
    /// Trusts these issuers; of two with one URL the later counts. No key is fetched before a token
    /// needs it, so an issuer that is down does not keep the service from starting.
    pub fn new(
        issuers: impl IntoIterator<Item = TrustedIssuer>,
        policy: KeyPolicy,
        source: &Arc<dyn KeySource>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let trusted = |settings: TrustedIssuer| {
            let keys = settings.own_keys.clone().map_or_else(
                || {
                    let (source, clock) = (Arc::clone(source), Arc::clone(&clock));
                    let cache = KeyCache::new(settings.url.clone(), policy, source, clock);
                    Keys::Fetched(Arc::new(cache))
                },
                Keys::Own,
            );
            let url = settings.url.as_str().to_owned();
            (url, Trusted { settings, keys })
        };
        Self {
            issuers: issuers.into_iter().map(trusted).collect(),
            clock,
        }
    }

    /// The issuers that are trusted, in the order of their URLs.
    pub fn issuers(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.issuers.values().map(|trusted| &trusted.settings)
    }

    /// Verifies a token. May fetch the issuer's keys, within the limits of the key source.
    ///
    /// # Errors
    /// See [`TokenError`]; only [`TokenError::IssuerUnavailable`] is worth another try.
    pub async fn verify(&self, token: &RawToken) -> Result<VerifiedIdentity, TokenError> {
        let token = UnverifiedToken::parse(token)?;
        let trusted = self
            .issuers
            .get(token.unverified_issuer()?)
            .ok_or(TokenError::UnknownIssuer)?;
        let key = match &trusted.keys {
            Keys::Own(keys) => keys.pick(&token.header)?,
            Keys::Fetched(cache) => cache.key_for(&token.header).await?,
        };
        let claims = SignedClaims::new(token.verify_signature(&key)?);
        claims.verify(&trusted.settings, self.clock.now())
    }
}
