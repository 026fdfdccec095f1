//! The client of a Signet server, for `signet sign`, `signet demo` and `signet verify --url`.
//!
//! It follows no redirects, bounds every reply in time and size, and never puts a token into an error.

use std::fmt;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, redirect};
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::adapters::wire::fulcio::{
    CreateSigningCertificateRequest, Credentials, PublicKeyRequest, RequestedKey,
    SIGNING_CERT_PATH, SigningCertificateReply,
};
use crate::adapters::wire::token::TokenReply;
use crate::protocol::bytes::ProtoBytes;
use crate::protocol::entry::UnverifiedHashedRekord;
use crate::protocol::entry::v2::CreateEntryRequest;
use crate::protocol::keys::PublicKey;
use crate::services::issuer::TOKEN_PATH;
use crate::services::oidc::RawToken;
use crate::services::sign::SigningServer;

/// Maximum time for one request and its reply.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum size of a reply, in bytes.
const MAX_REPLY_BYTES: usize = 16 << 20;

/// Maximum length of a server's message in an error, in characters.
const MAX_MESSAGE: usize = 500;

/// Error requesting something from a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstanceError {
    #[error(
        "{url:?} is not the URL of a server: expected http:// or https://, a host, and no path"
    )]
    Url { url: String },
    #[error("the CA file contains no PEM certificates")]
    CaFile,
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(String),
    /// No connection, an untrusted certificate, or a timeout
    #[error("{server} cannot be reached: {cause}")]
    Unreachable {
        /// Scheme, host and port
        server: String,
        /// The innermost cause
        cause: String,
    },
    #[error("{server} refused {what} ({status}): {message}")]
    Refused {
        /// Scheme, host and port
        server: String,
        /// The object of the request, such as "a certificate"
        what: &'static str,
        /// The HTTP status
        status: u16,
        /// The server's message
        message: String,
    },
    #[error("the reply to the request for {what} is larger than {MAX_REPLY_BYTES} bytes")]
    TooLarge { what: &'static str },
    #[error("the reply to the request for {what} cannot be parsed: {cause}")]
    Malformed {
        what: &'static str,
        cause: serde_json::Error,
    },
}

/// A client of one server.
#[derive(Clone)]
pub(crate) struct InstanceClient {
    http: Client,
    base: Url,
}

impl InstanceClient {
    /// A client of the server at `url`. The server's TLS certificate must chain to one of the system's
    /// roots or to one in `ca_pem`.
    ///
    /// # Errors
    /// See [`InstanceError`].
    pub(crate) fn new(url: &str, ca_pem: Option<&[u8]>) -> Result<Self, InstanceError> {
        let base = parse_base(url).ok_or_else(|| InstanceError::Url {
            url: url.to_owned(),
        })?;
        // Fails if another part of the process has installed it, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("signet/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = ca_pem {
            let roots = Certificate::from_pem_bundle(pem).map_err(|_| InstanceError::CaFile)?;
            if roots.is_empty() {
                return Err(InstanceError::CaFile);
            }
            builder = builder.tls_certs_merge(roots);
        }
        let http = builder
            .build()
            .map_err(|error| InstanceError::Setup(innermost(&error)))?;
        Ok(Self { http, base })
    }

    /// The trusted root, as JSON.
    ///
    /// # Errors
    /// See [`InstanceError`].
    pub(crate) async fn fetch_trusted_root(&self) -> Result<Vec<u8>, InstanceError> {
        let request = self.http.get(self.at("/trust/trusted_root.json"));
        self.send(request, "the trusted root").await
    }

    /// A token for a machine account of the server's own issuer (RFC 6749 §4.4).
    ///
    /// # Errors
    /// See [`InstanceError`].
    pub(crate) async fn request_token(
        &self,
        client_id: &str,
        client_secret: &str,
    ) -> Result<Zeroizing<String>, InstanceError> {
        let what = "an identity token";
        let request = self
            .http
            .post(self.at(TOKEN_PATH))
            .basic_auth(client_id, Some(client_secret))
            .header(
                CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            )
            .body("grant_type=client_credentials");
        let reply = Zeroizing::new(self.send(request, what).await?);
        Ok(parse::<TokenReply>(&reply, what)?.id_token)
    }

    async fn post_json(
        &self,
        path: &str,
        body: &impl Serialize,
        what: &'static str,
    ) -> Result<Vec<u8>, InstanceError> {
        let body =
            serde_json::to_vec(body).map_err(|cause| InstanceError::Malformed { what, cause })?;
        let request = self
            .http
            .post(self.at(path))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body);
        self.send(request, what).await
    }

    async fn send(
        &self,
        request: RequestBuilder,
        what: &'static str,
    ) -> Result<Vec<u8>, InstanceError> {
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        let body = self.read(response, what).await?;
        if status == StatusCode::OK || status == StatusCode::CREATED {
            return Ok(body);
        }
        Err(InstanceError::Refused {
            server: self.to_string(),
            what,
            status: status.as_u16(),
            message: message_of(&body),
        })
    }

    async fn read(
        &self,
        mut response: Response,
        what: &'static str,
    ) -> Result<Vec<u8>, InstanceError> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if body.len() + piece.len() > MAX_REPLY_BYTES {
                return Err(InstanceError::TooLarge { what });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    fn unreachable(&self, error: &reqwest::Error) -> InstanceError {
        InstanceError::Unreachable {
            server: self.to_string(),
            cause: if error.is_timeout() {
                format!("no response within {} s", TIMEOUT.as_secs())
            } else {
                innermost(error)
            },
        }
    }
}

impl SigningServer for InstanceClient {
    type Error = InstanceError;

    async fn request_certificate(
        &self,
        token: &RawToken,
        key: &PublicKey,
        proof: &[u8],
    ) -> Result<Vec<String>, InstanceError> {
        let what = "a certificate";
        let body = CreateSigningCertificateRequest {
            credentials: Some(Credentials {
                oidc_identity_token: Some(token.expose().to_owned()),
            }),
            public_key_request: Some(PublicKeyRequest {
                public_key: Some(RequestedKey::pem(key.to_pem())),
                proof_of_possession: Some(ProtoBytes(proof.to_vec())),
            }),
            certificate_signing_request: None,
        };
        let reply = self.post_json(SIGNING_CERT_PATH, &body, what).await?;
        Ok(parse::<SigningCertificateReply>(&reply, what)?.into_certificates())
    }

    async fn request_timestamp(&self, request: Vec<u8>) -> Result<Vec<u8>, InstanceError> {
        let kind = HeaderValue::from_static("application/timestamp-query");
        let request = self
            .http
            .post(self.at("/api/v1/timestamp"))
            .header(CONTENT_TYPE, kind)
            .body(request);
        self.send(request, "a timestamp").await
    }

    async fn append_entry(&self, entry: &UnverifiedHashedRekord) -> Result<Vec<u8>, InstanceError> {
        let body = CreateEntryRequest::from(entry);
        self.post_json("/api/v2/log/entries", &body, "a log entry")
            .await
    }
}

impl fmt::Display for InstanceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.as_str().trim_end_matches('/'))
    }
}

fn parse_base(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.path() == "/"
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then_some(url)
}

/// The innermost cause, because the outer errors of reqwest are generic.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The message of an error body in any of the server's formats.
fn message_of(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct ErrorBody {
        // grpc-gateway
        message: Option<String>,
        // RFC 9457
        detail: Option<String>,
        // RFC 6749 §5.2
        error_description: Option<String>,
    }
    let message = serde_json::from_slice::<ErrorBody>(body)
        .ok()
        .and_then(|body| body.message.or(body.detail).or(body.error_description));
    match message {
        Some(message) => message.chars().take(MAX_MESSAGE).collect(),
        None => "no reason given".to_owned(),
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8], what: &'static str) -> Result<T, InstanceError> {
    serde_json::from_slice(body).map_err(|cause| InstanceError::Malformed { what, cause })
}

#[cfg(test)]
mod tests;
