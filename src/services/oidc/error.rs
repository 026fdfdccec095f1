//! Errors of token verification and of fetching issuers' keys.

use crate::classify::{Classify, ErrorClass};
use crate::protocol::identity::NameError;

/// Error verifying a token. No variant contains text from the token or the issuer, so the message can be
/// logged and sent to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`super::MAX_TOKEN_LENGTH`]
    #[error("the token is longer than 16384 bytes")]
    TooLong,
    /// Not a compact JWS (RFC 7515 §3.1); an encrypted token has five parts
    #[error("the token is not a signed JWT: expected three base64url parts separated by dots")]
    NotCompact,
    /// Malformed, ambiguous, or of a type that identity tokens do not have
    #[error("the token header is malformed or of the wrong type")]
    BadHeader,
    /// `crit` lists extensions, and no extension is supported
    #[error("the token header lists critical extensions, which are not supported")]
    CriticalHeader,
    /// `none`, HMAC, encryption, or unknown
    #[error(
        "the token's alg is not supported; \
         use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA"
    )]
    AlgorithmNotAccepted,
    /// Not one JSON object, or a member occurs twice
    #[error("the token payload is not a JSON object with unique member names")]
    BadPayload,
    /// `iss` is not, byte for byte, the URL of a configured issuer
    #[error("the token's issuer is not trusted by this server")]
    UnknownIssuer,
    /// The issuer does not publish the key, or publishes it for another algorithm
    #[error("the token is signed with a key that its issuer does not publish")]
    UnknownKey,
    /// Several keys match, and the token does not choose one
    #[error("several of the issuer's keys match the token; it must choose one by kid")]
    AmbiguousKey,
    /// The keys are not cached and cannot be fetched; a later attempt may succeed
    #[error("the issuer's keys cannot be fetched at the moment; try again later")]
    IssuerUnavailable,
    /// The signature does not verify
    #[error("the token's signature is invalid")]
    Signature,
    /// A required claim is absent
    #[error("the token has no {0} claim")]
    MissingClaim(&'static str),
    /// A claim has the wrong type or is out of range
    #[error("the token's {0} claim is malformed")]
    WrongClaim(&'static str),
    /// `aud` lacks our audience or has another one as well
    #[error("the token's aud claim must name this service and no other")]
    Audience,
    /// `exp` is not in the future
    #[error("the token has expired")]
    Expired,
    /// `nbf` is in the future
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` is in the future
    #[error("the token was issued in the future; compare the clocks of issuer and server")]
    IssuedInTheFuture,
    /// `exp` minus `iat` exceeds the limit
    #[error("the token's lifetime exceeds {limit_seconds} seconds")]
    LivesTooLong {
        /// The maximum lifetime, in seconds
        limit_seconds: u64,
    },
    /// `email_verified` is not true
    #[error("the token's issuer has not verified the e-mail address")]
    EmailNotVerified,
    /// The name must not be written into a certificate
    #[error("the token's {claim} claim {source}")]
    Name {
        /// The claim that contains the name
        claim: &'static str,
        /// The rule that the name breaks
        source: NameError,
    },
    /// `sub` is not below the issuer's `subject_domain`
    #[error("the token's sub claim is outside the issuer's subject_domain")]
    OutsideSubjectDomain,
}

impl TokenError {
    /// A fixed word for events and metrics.
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

impl Classify for TokenError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::IssuerUnavailable => ErrorClass::Busy,
            // Fulcio responds with 400 instead of 401, and its clients rely on it.
            Self::TooLong
            | Self::NotCompact
            | Self::BadHeader
            | Self::CriticalHeader
            | Self::AlgorithmNotAccepted
            | Self::BadPayload
            | Self::UnknownIssuer
            | Self::UnknownKey
            | Self::AmbiguousKey
            | Self::Signature
            | Self::MissingClaim(_)
            | Self::WrongClaim(_)
            | Self::Audience
            | Self::Expired
            | Self::NotYetValid
            | Self::IssuedInTheFuture
            | Self::LivesTooLong { .. }
            | Self::EmailNotVerified
            | Self::Name { .. }
            | Self::OutsideSubjectDomain => ErrorClass::Invalid,
        }
    }
}

/// Error fetching an issuer's keys. No variant contains text from the issuer's response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The key source was not set up for this issuer
    #[error("the issuer is not configured")]
    NotConfigured,
    /// No connection, an untrusted certificate, or a connection that broke
    #[error("the issuer cannot be reached")]
    Unreachable,
    /// The time limit was exceeded
    #[error("the issuer did not respond in time")]
    TimedOut,
    /// A status other than 200; redirects are never followed
    #[error("the issuer responded with status {0}")]
    Status(u16),
    /// The body exceeds the limit, in bytes
    #[error("the issuer's response is larger than {0} bytes")]
    TooLarge(usize),
    /// The discovery document cannot be parsed
    #[error("the issuer's discovery document is malformed")]
    BadDiscovery,
    /// OpenID Connect Discovery §4.3: `issuer` must equal the issuer, byte for byte
    #[error("the discovery document names another issuer")]
    IssuerMismatch,
    /// `jwks_uri` is neither on the issuer's own host nor on a configured one
    #[error("jwks_uri is on a host or scheme that is not allowed for this issuer; see key_hosts")]
    ForeignKeyAddress,
    /// The key set is refused
    #[error(transparent)]
    Keys(#[from] KeySetError),
}

/// Error reading a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not a JWK set (RFC 7517 §5)
    #[error("the response is not a JSON web key set")]
    Malformed,
    /// More keys than the limit
    #[error("the key set has {0} keys; the limit is 100")]
    TooMany(usize),
    /// No key is usable
    #[error(
        "the key set has no usable key: \
         need RSA of 2048 to 4096 bits, EC P-256 or P-384, or OKP Ed25519, for signatures"
    )]
    NoneUsable,
}
