//! The embedded issuer over HTTP: discovery, keys, and the token endpoint (RFC 6749 §3.2).
//!
//! `client_credentials` is the one grant so far; others join the match in `token`.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde_json::json;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::body::{Body, ErrorForm, with_limit};
use crate::protocol::bytes::from_base64;
use crate::services::account::{AuthenticationError, ClientSecret};
use crate::services::issuer::{
    DISCOVERY_PATH, EmbeddedIssuer, GrantError, JWKS_PATH, TOKEN_LIFETIME, TOKEN_PATH,
};

/// The longest token request, in bytes.
const MAX_REQUEST_LENGTH: usize = 16 * 1024;

/// Adds the issuer's routes. Handlers need `web::Data<EmbeddedIssuer>`.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource(DISCOVERY_PATH).get(discovery))
        .service(web::resource(JWKS_PATH).get(jwks))
        .service(
            with_limit(web::resource(TOKEN_PATH), MAX_REQUEST_LENGTH).route(web::post().to(token)),
        );
}

async fn discovery(issuer: web::Data<EmbeddedIssuer>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "max-age=300"))
        .json(issuer.discovery())
}

async fn jwks(issuer: web::Data<EmbeddedIssuer>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "max-age=300"))
        .json(issuer.jwks())
}

/// `POST /oauth2/token`
async fn token(
    issuer: web::Data<EmbeddedIssuer>,
    request: HttpRequest,
    body: Body<OAuth>,
) -> Result<HttpResponse, TokenRefusal> {
    let form = TokenForm::parse(body.bytes())?;
    match form.grant_type.as_deref() {
        Some("client_credentials") => {
            let client = Client::of(request.headers(), &form)?;
            let audience = form.audience.as_deref();
            let token = issuer
                .grant_client_credentials(&client.id, client.secret, audience)
                .await?;
            Ok(token_reply(&token.jwt))
        }
        Some(_) => Err(TokenRefusal::UnsupportedGrant),
        None => Err(TokenRefusal::InvalidRequest("grant_type is missing")),
    }
}

/// SPEC RFC 6749 §5.1. Clients differ in which of the two they take for the identity token, so both
/// are the same JWT.
fn token_reply(jwt: &str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .json(json!({
            "access_token": jwt,
            "id_token": jwt,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME.as_secs(),
            "scope": "openid email",
        }))
}

/// The fields of a token request that are read; others are ignored (RFC 6749 §3.2).
#[derive(Default)]
struct TokenForm {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Zeroizing<String>>,
    audience: Option<String>,
}

impl TokenForm {
    fn parse(body: &[u8]) -> Result<Self, TokenRefusal> {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let field = match name.as_ref() {
                "grant_type" => &mut form.grant_type,
                "client_id" => &mut form.client_id,
                "audience" => &mut form.audience,
                "client_secret" => {
                    let value = Zeroizing::new(value.into_owned());
                    set_once(&mut form.client_secret, value)?;
                    continue;
                }
                _ => continue,
            };
            set_once(field, value.into_owned())?;
        }
        Ok(form)
    }
}

/// SPEC RFC 6749 §3.2: parameters must not be included more than once.
fn set_once<T>(field: &mut Option<T>, value: T) -> Result<(), TokenRefusal> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(TokenRefusal::InvalidRequest("a parameter occurs twice")),
    }
}

/// A client as it presents itself (RFC 6749 §2.3.1).
struct Client {
    id: String,
    secret: ClientSecret,
}

impl Client {
    fn of(headers: &HeaderMap, form: &TokenForm) -> Result<Self, TokenRefusal> {
        let (id, secret) = match headers.get(header::AUTHORIZATION) {
            Some(value) => {
                let value = value.to_str().map_err(|_| TokenRefusal::InvalidClient)?;
                let (id, secret) = parse_basic(value).ok_or(TokenRefusal::InvalidClient)?;
                // SPEC RFC 6749 §2.3: one method of authentication in each request.
                let contradicts = form.client_id.as_ref().is_some_and(|other| *other != id);
                if form.client_secret.is_some() || contradicts {
                    return Err(TokenRefusal::InvalidRequest(
                        "the client is named in the header and again in the body",
                    ));
                }
                (id, secret)
            }
            None => match (&form.client_id, &form.client_secret) {
                (Some(id), Some(secret)) => (id.clone(), secret.clone()),
                _ => return Err(TokenRefusal::InvalidClient),
            },
        };
        let secret = ClientSecret::presented(secret.as_str());
        Ok(Self {
            id,
            secret: secret.ok_or(TokenRefusal::InvalidClient)?,
        })
    }
}

/// SPEC RFC 6749 §2.3.1: HTTP Basic over the form-encoded id and secret.
fn parse_basic(value: &str) -> Option<(String, Zeroizing<String>)> {
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(from_base64(credentials.trim()).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((form_decoded(id)?, Zeroizing::new(form_decoded(secret)?)))
}

fn form_decoded(text: &str) -> Option<String> {
    // A form with one nameless value; `&` and `=` would be encoded if they were meant.
    if text.contains(['&', '=']) {
        return None;
    }
    let form = format!("={text}");
    form_urlencoded::parse(form.as_bytes())
        .next()
        .map(|(_, value)| Cow::into_owned(value))
}

/// Errors of the token endpoint in their own form (RFC 6749 §5.2).
struct OAuth;

impl ErrorForm for OAuth {
    type Error = TokenRefusal;

    fn error(status: StatusCode, _slug: &'static str, _detail: String) -> TokenRefusal {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => TokenRefusal::TooLarge,
            _ => TokenRefusal::InvalidRequest("the body could not be read"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenRefusal {
    InvalidRequest(&'static str),
    InvalidClient,
    InvalidTarget,
    UnsupportedGrant,
    TooLarge,
    Busy,
    Failed,
}

impl From<GrantError> for TokenRefusal {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Authentication(AuthenticationError::Refused) => Self::InvalidClient,
            GrantError::Authentication(AuthenticationError::Busy) => Self::Busy,
            GrantError::Audience => Self::InvalidTarget,
            GrantError::Signing(_) => Self::Failed,
        }
    }
}

impl TokenRefusal {
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidRequest(detail) => (StatusCode::BAD_REQUEST, "invalid_request", detail),
            Self::InvalidClient => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "the client credentials are missing or not valid",
            ),
            // RFC 8707 §2
            Self::InvalidTarget => (
                StatusCode::BAD_REQUEST,
                "invalid_target",
                "tokens are issued for the audience sigstore only",
            ),
            Self::UnsupportedGrant => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "the grant_type must be client_credentials",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                "the request is larger than 16384 bytes",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "too many logins at once; try again in a second",
            ),
            Self::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "the token could not be signed",
            ),
        }
    }
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, code, detail) = self.parts();
        write!(f, "{code}: {detail}")
    }
}

impl ResponseError for TokenRefusal {
    fn status_code(&self) -> StatusCode {
        self.parts().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, code, detail) = self.parts();
        let mut response = HttpResponse::build(status);
        response
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::PRAGMA, "no-cache"));
        if *self == Self::InvalidClient {
            response.insert_header((header::WWW_AUTHENTICATE, r#"Basic realm="signet""#));
        }
        if *self == Self::Busy {
            response.insert_header((header::RETRY_AFTER, "1"));
        }
        response.json(json!({ "error": code, "error_description": detail }))
    }
}

#[cfg(test)]
mod tests;
