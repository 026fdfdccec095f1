//! Client secrets and their hashes.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::{Zeroize as _, Zeroizing};

use crate::protocol::bytes::to_base64url;

/// Maximum length of a secret that a client presents, in bytes.
pub(super) const MAX_SECRET_LENGTH: usize = 256;

/// Maximum length of a stored hash, in bytes.
const MAX_HASH_LENGTH: usize = 256;

/// 19 MiB, two passes, one lane: OWASP's reduction of the second choice of RFC 9106 §4. Secrets are
/// 256 random bits, so the hash protects a stolen store and need not make up for weak passwords.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A client secret in plain text. It is wiped from memory on drop, and only [`Self::reveal`] shows it.
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// A secret that a client sent; none if it is longer than the limit.
    pub fn presented(text: impl Into<String>) -> Option<Self> {
        let text = Zeroizing::new(text.into());
        (text.len() <= MAX_SECRET_LENGTH).then_some(Self(text))
    }

    /// A new secret: 32 random bytes as base64url.
    pub(super) fn from_random(mut bytes: [u8; 32]) -> Self {
        let text = Zeroizing::new(to_base64url(&bytes));
        bytes.zeroize();
        Self(text)
    }

    /// The secret itself, to be shown to its owner once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// An argon2id hash in PHC form, with its parameters and salt.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash(String);

impl SecretHash {
    /// Hashes a secret; none if there is not enough memory.
    pub(super) fn of(secret: &ClientSecret, salt: &[u8; 32]) -> Option<Self> {
        let hash: PasswordHash = hasher()?
            .hash_password_with_salt(secret.0.as_bytes(), salt)
            .ok()?;
        Some(Self(hash.to_string()))
    }

    /// Reads a stored hash; none if it is not argon2id in PHC form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_HASH_LENGTH || !text.starts_with("$argon2id$") {
            return None;
        }
        PasswordHash::new(text).ok()?;
        Some(Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the hash of the secret, compared in constant time.
    pub(super) fn matches(&self, secret: &ClientSecret) -> bool {
        let (Some(hasher), Ok(hash)) = (hasher(), PasswordHash::new(&self.0)) else {
            return false;
        };
        hasher.verify_password(secret.0.as_bytes(), &hash).is_ok()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

fn hasher() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}
