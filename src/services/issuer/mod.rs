//! The embedded issuer: an OpenID Connect issuer for machine accounts (client credentials, RFC 6749
//! §4.4). Its tokens are signed with RS256, the one algorithm that every Sigstore client accepts.

mod jwk;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::protocol::bytes::to_base64url;
use crate::protocol::identity::{IssuerKind, IssuerUrl};
use crate::protocol::keys::{SigningFailed, SigningKey};
use crate::protocol::time::Clock;
use crate::services::account::{Account, Accounts, AuthenticationError, ClientSecret};
use crate::services::oidc::{IssuerKeys, IssuerSettingError, TrustedIssuer};
use crate::services::random::Rng;

/// Lifetime of a token.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_secs(300);

/// The audience of tokens, which Sigstore clients and certificate authorities agree on.
pub(crate) const AUDIENCE: &str = "sigstore";

/// Path of the discovery document below the issuer URL (OpenID Connect Discovery §4).
pub(crate) const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Path of the key set below the issuer URL.
pub(crate) const JWKS_PATH: &str = "/oauth2/jwks";

/// Path of the token endpoint below the issuer URL.
pub(crate) const TOKEN_PATH: &str = "/oauth2/token";

pub(crate) struct EmbeddedIssuer {
    url: IssuerUrl,
    key: SigningKey,
    jwk: jwk::RsaJwk,
    accounts: Arc<Accounts>,
    clock: Arc<dyn Clock>,
    rng: Rng,
}

/// A token that was just signed. It is wiped from memory on drop and has no `Debug`.
pub(crate) struct IssuedToken {
    pub jwt: Zeroizing<String>,
}

/// Error in the issuer's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerKeyError {
    /// The key is not RSA or has an unsupported size
    #[error("the issuer's key must be RSA with 2048, 3072 or 4096 bits")]
    NotRsa,
    /// The operating system supplied no random bytes or too little memory
    #[error("cannot generate an RSA key for the issuer")]
    NotGenerated,
}

/// Error issuing a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GrantError {
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    #[error("tokens are issued for the audience sigstore only")]
    Audience,
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

/// Generates an RSA key of 2048 bits, as PKCS#8. Takes up to a second.
///
/// # Errors
/// [`IssuerKeyError::NotGenerated`]
pub fn generate_key() -> Result<Zeroizing<Vec<u8>>, IssuerKeyError> {
    let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048)
        .map_err(|_| IssuerKeyError::NotGenerated)?;
    let document = pair.as_der().map_err(|_| IssuerKeyError::NotGenerated)?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

impl EmbeddedIssuer {
    /// An issuer whose tokens have exactly this URL as `iss`.
    ///
    /// # Errors
    /// The key is not RSA.
    pub(crate) fn new(
        url: IssuerUrl,
        key: SigningKey,
        accounts: Arc<Accounts>,
        clock: Arc<dyn Clock>,
        rng: Rng,
    ) -> Result<Self, IssuerKeyError> {
        let jwk = jwk::RsaJwk::of(key.public_key()).ok_or(IssuerKeyError::NotRsa)?;
        Ok(Self {
            url,
            key,
            jwk,
            accounts,
            clock,
            rng,
        })
    }

    /// The issuer as the identity verifier trusts it: subjects are e-mail addresses, and the keys are
    /// supplied here, not fetched.
    ///
    /// # Errors
    /// None in practice; the check is the same as for configured issuers.
    pub(crate) fn as_trusted(&self) -> Result<TrustedIssuer, IssuerSettingError> {
        let keys = IssuerKeys::parse(self.jwks().to_string().as_bytes())
            .expect("the key is RSA of 2048 to 4096 bits: `new` checked it");
        let trusted = TrustedIssuer::new(self.url.clone(), AUDIENCE, IssuerKind::Email)?;
        Ok(trusted.with_keys(keys))
    }

    /// The discovery document (OpenID Connect Discovery §3). People cannot sign in yet, so it has
    /// neither an authorization endpoint nor a response type.
    pub(crate) fn discovery(&self) -> Value {
        let base = self.url.as_str().trim_end_matches('/');
        json!({
            "issuer": self.url.as_str(),
            "jwks_uri": format!("{base}{JWKS_PATH}"),
            "token_endpoint": format!("{base}{TOKEN_PATH}"),
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email"],
            "claims_supported": [
                "iss", "aud", "sub", "email", "email_verified", "iat", "nbf", "exp", "jti"
            ],
        })
    }

    /// The key set (RFC 7517 §5).
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk.to_json()] })
    }

    /// Issues a token for client credentials (RFC 6749 §4.4).
    ///
    /// # Errors
    /// See [`GrantError`].
    pub(crate) async fn grant_client_credentials(
        &self,
        client_id: &str,
        secret: ClientSecret,
        audience: Option<&str>,
    ) -> Result<IssuedToken, GrantError> {
        let account = self.accounts.authenticate(client_id, secret).await?;
        if audience.is_some_and(|wanted| wanted != AUDIENCE) {
            return Err(GrantError::Audience);
        }
        Ok(self.issue(&account)?)
    }

    /// Signs a token for an authenticated account.
    pub(crate) fn issue(&self, account: &Account) -> Result<IssuedToken, SigningFailed> {
        let now = self.clock.now().floor_to_second();
        let expires = now.after(TOKEN_LIFETIME);
        let id: [u8; 32] = self.rng.bytes().map_err(|_| SigningFailed)?;
        let claims = Claims {
            iss: self.url.as_str(),
            aud: AUDIENCE,
            sub: &account.client_id,
            email: account.email.as_str(),
            email_verified: true,
            iat: now.seconds(),
            nbf: now.seconds(),
            exp: expires.seconds(),
            jti: to_base64url(&id),
        };
        let header = json!({ "alg": "RS256", "kid": self.jwk.key_id(), "typ": "JWT" });
        let payload =
            serde_json::to_vec(&claims).expect("strings and numbers can be written as JSON");
        let mut jwt = Zeroizing::new(to_base64url(header.to_string().as_bytes()));
        jwt.push('.');
        jwt.push_str(&to_base64url(&payload));
        let signature = self.key.sign(jwt.as_bytes())?;
        jwt.push('.');
        jwt.push_str(&to_base64url(&signature));
        Ok(IssuedToken { jwt })
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    email: &'a str,
    email_verified: bool,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
}

#[cfg(test)]
mod tests;
