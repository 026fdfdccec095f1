//! The reply of the embedded issuer's token endpoint.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A granted token (RFC 6749 §5.1). The client reads only `id_token`.
#[derive(Deserialize, Serialize)]
pub(crate) struct TokenReply {
    #[serde(skip_deserializing)]
    access_token: Zeroizing<String>,
    /// Lifetime in seconds
    #[serde(skip_deserializing)]
    expires_in: u64,
    pub id_token: Zeroizing<String>,
    #[serde(skip_deserializing)]
    scope: &'static str,
    #[serde(skip_deserializing)]
    token_type: &'static str,
}

impl TokenReply {
    /// Access token and identity token are the same JWT, because some clients use the access token as
    /// identity token.
    pub(crate) fn new(jwt: &str, expires_in: u64) -> Self {
        Self {
            access_token: Zeroizing::new(jwt.to_owned()),
            expires_in,
            id_token: Zeroizing::new(jwt.to_owned()),
            scope: "openid email",
            token_type: "Bearer",
        }
    }
}
