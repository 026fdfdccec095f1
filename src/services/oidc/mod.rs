//! Identity: which issuers are trusted, their keys, and tokens that become a [`VerifiedIdentity`].
//!
//! Order of the checks: the token's size and form, then `iss` only to choose keys, then the
//! signature, and only then the other claims. Key sets are openidconnect's; signatures and claims are
//! checked here, because its own token type ignores `nbf`, accepts a future `iat`, refuses whole
//! tokens over claims that nobody reads, and is slow.

mod claims;
mod classify;
mod issuer;
mod key_cache;
mod key_set;
mod token;
mod verify;

pub(crate) use issuer::IssuerSettingError;
pub(crate) use issuer::SubjectDomain;
pub use issuer::{IssuerKind, TrustedIssuer};
pub use key_cache::{FetchError, KeyPolicy, KeySource};
pub use key_set::IssuerKeys;
pub(crate) use key_set::KeySetError;
pub use token::{MAX_TOKEN_LENGTH, RawToken};
pub use verify::{IdentityVerifier, TokenError, VerifiedIdentity};
