//! The embedded issuer over HTTP: discovery, keys, and the token endpoint (RFC 6749 §3.2).
//!
//! `client_credentials` is the only grant.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::body::Body;
use super::refusal::{ErrorFormat, Refusal};
use super::route::{Api, Route};
use crate::adapters::wire::token::TokenReply;
use crate::classify::{Classify as _, ErrorClass};
use crate::protocol::bytes::from_base64;
use crate::services::account::ClientSecret;
use crate::services::issuer::{
    DISCOVERY_PATH, EmbeddedIssuer, GrantError, JWKS_PATH, TOKEN_LIFETIME, TOKEN_PATH,
};

/// Maximum size of a token request, in bytes.
const MAX_REQUEST: usize = 16 * 1024;

/// Needs `web::Data<EmbeddedIssuer>`.
pub(crate) const API: Api = Api {
    name: "OpenID Connect",
    errors: ErrorFormat::OAuth,
    owns: &[],
    cors: false,
    routes: &[
        Route::get(DISCOVERY_PATH, || web::to(discovery)),
        Route::get(JWKS_PATH, || web::to(jwks)),
        Route::post(TOKEN_PATH, || web::to(token)).max_body(MAX_REQUEST),
    ],
};

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
    body: Body,
) -> Result<HttpResponse, Refusal> {
    let form = TokenForm::parse(body.bytes())?;
    match form.grant_type.as_deref() {
        Some("client_credentials") => {
            let client = Client::of(request.headers(), &form)?;
            let audience = form.audience.as_deref();
            let token = issuer
                .grant_client_credentials(&client.id, client.secret, audience)
                .await
                .map_err(refuse_grant)?;
            Ok(token_reply(&token.jwt))
        }
        Some(_) => Err(Refusal::invalid(
            "unsupported_grant_type",
            "the grant_type must be client_credentials",
        )),
        None => Err(invalid_request("grant_type is missing")),
    }
}

/// RFC 6749 §5.1
fn token_reply(jwt: &str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .json(TokenReply::new(jwt, TOKEN_LIFETIME.as_secs()))
}

/// The parameters of a token request; unknown ones are ignored (RFC 6749 §3.2).
#[derive(Default)]
struct TokenForm {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Zeroizing<String>>,
    audience: Option<String>,
}

impl TokenForm {
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
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

/// RFC 6749 §3.2: parameters must not be included more than once.
fn set_once<T>(field: &mut Option<T>, value: T) -> Result<(), Refusal> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(invalid_request("a parameter occurs twice")),
    }
}

/// The credentials of a client (RFC 6749 §2.3.1).
struct Client {
    id: String,
    secret: ClientSecret,
}

impl Client {
    fn of(headers: &HeaderMap, form: &TokenForm) -> Result<Self, Refusal> {
        let (id, secret) = match headers.get(header::AUTHORIZATION) {
            Some(value) => {
                let value = value.to_str().map_err(|_| invalid_client())?;
                let (id, secret) = parse_basic(value).ok_or_else(invalid_client)?;
                // RFC 6749 §2.3: one method of authentication in each request.
                let contradicts = form.client_id.as_ref().is_some_and(|other| *other != id);
                if form.client_secret.is_some() || contradicts {
                    return Err(invalid_request(
                        "the client is named in the header and again in the body",
                    ));
                }
                (id, secret)
            }
            None => match (&form.client_id, &form.client_secret) {
                (Some(id), Some(secret)) => (id.clone(), secret.clone()),
                _ => return Err(invalid_client()),
            },
        };
        let secret = ClientSecret::presented(secret.as_str());
        Ok(Self {
            id,
            secret: secret.ok_or_else(invalid_client)?,
        })
    }
}

/// RFC 6749 §2.3.1: HTTP Basic over the form-encoded id and secret.
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
    // Decodes one value with the form parser; `&` and `=` are encoded within a value.
    if text.contains(['&', '=']) {
        return None;
    }
    let form = format!("={text}");
    form_urlencoded::parse(form.as_bytes())
        .next()
        .map(|(_, value)| Cow::into_owned(value))
}

const INVALID_REQUEST: &str = "invalid_request";

fn invalid_request(detail: &str) -> Refusal {
    Refusal::invalid(INVALID_REQUEST, detail)
}

fn invalid_client() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "invalid_client",
        "the client credentials are missing or not valid",
    )
    .header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(r#"Basic realm="signet""#),
    )
}

fn refuse_grant(error: GrantError) -> Refusal {
    match error {
        GrantError::Authentication(error) => match error.class() {
            ErrorClass::Forbidden => invalid_client(),
            class => Refusal::of_class(class, "temporarily_unavailable", error),
        },
        // RFC 8707 §2
        GrantError::Audience => Refusal::invalid(
            "invalid_target",
            "tokens are issued for the audience sigstore only",
        ),
        GrantError::Signing(_) => Refusal::of_class(
            ErrorClass::Internal,
            "server_error",
            "the token could not be signed",
        ),
    }
}

#[cfg(test)]
mod tests;
