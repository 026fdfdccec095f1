//! OpenID Connect: the trusted issuers, their keys, and tokens that become a [`VerifiedIdentity`].
//!
//! Order of the checks: size and form of the token; `iss`, only to choose the keys; the signature; and
//! only then the other claims. openidconnect reads the key sets (`jwks.rs`). Signatures and claims are
//! checked here, because its own token type ignores `nbf`, accepts an `iat` in the future, refuses
//! tokens over claims that are not used here, and is slower.

mod claims;
mod error;
mod issuer;
mod jwks;
mod key_cache;
mod token;
mod verify;

pub use claims::VerifiedIdentity;
pub(crate) use error::KeySetError;
pub use error::{FetchError, TokenError};
pub(crate) use issuer::IssuerSettingError;
pub use issuer::TrustedIssuer;
pub use jwks::IssuerKeys;
pub use key_cache::{KeyPolicy, KeySource};
pub use token::{MAX_TOKEN_LENGTH, RawToken};
pub use verify::IdentityVerifier;
