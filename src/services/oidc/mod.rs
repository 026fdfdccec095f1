//! Identity: which issuers are trusted, their keys, and tokens that become a [`VerifiedIdentity`].
//!
//! Order of the checks: the token's size and form, then `iss` only to choose keys, then the
//! signature, and only then the other claims. Keys and signatures are openidconnect's; the claims are
//! checked here, because its own token type ignores `nbf`, accepts a future `iat`, and refuses whole
//! tokens over claims that nobody reads.

mod claims;
mod issuer;
mod json;
mod keys;
mod token;
mod verify;

pub use issuer::{IssuerKind, IssuerSettingError, SubjectDomain, TrustedIssuer};
pub use keys::{FetchError, IssuerKeys, KeyPolicy, KeySetError, KeySource};
pub use token::{MAX_TOKEN_LENGTH, RawToken};
pub use verify::{IdentityVerifier, TokenError, VerifiedIdentity};
