//! The client of a Signet server: what `signet sign` and `signet verify --url` ask of it.
//!
//! No redirects, every answer bounded in time and size, and a token never becomes part of an error.

use std::fmt;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, redirect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::protocol::bytes::to_base64;
use crate::services::issuer::TOKEN_PATH;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// How much of a server's message is shown, in characters.
const MAX_MESSAGE: usize = 500;

/// Why a server did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Not a URL that a server can have
    #[error("{url:?} is not the URL of a server: http:// or https:// and a host")]
    Url {
        /// What was given
        url: String,
    },
    /// The CA file holds no certificates
    #[error("the CA file holds no PEM certificates")]
    CaFile,
    /// The client could not be set up
    #[error("the HTTP client could not be set up: {0}")]
    Setup(String),
    /// No answer: no connection, no trust in its certificate, or no time left
    #[error("{server} cannot be reached: {cause}")]
    Unreachable {
        /// Scheme, host and port
        server: String,
        /// The innermost cause
        cause: String,
    },
    /// An answer that says no
    #[error("{server} refused {what} ({status}): {message}")]
    Refused {
        /// Scheme, host and port
        server: String,
        /// What was asked for
        what: &'static str,
        /// The HTTP status
        status: u16,
        /// What the server says
        message: String,
    },
    /// An answer that is too long
    #[error("the answer to {what} is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLarge {
        /// What was asked for
        what: &'static str,
    },
    /// An answer that cannot be read
    #[error("the answer to {what} cannot be read: {cause}")]
    Malformed {
        /// What was asked for
        what: &'static str,
        /// Where and why
        cause: serde_json::Error,
    },
}

/// A public key for which a certificate is requested.
pub struct CertificateRequest<'a> {
    /// PEM, `PUBLIC KEY`
    pub pem: &'a str,
    /// The private half's signature over the token's subject
    pub proof: &'a [u8],
}

impl CertificateRequest<'_> {
    fn body(&self) -> Value {
        json!({
            "publicKeyRequest": {
                "publicKey": { "content": self.pem },
                "proofOfPossession": to_base64(self.proof),
            }
        })
    }
}

/// A client of one server.
#[derive(Clone)]
pub struct InstanceClient {
    http: Client,
    base: Url,
}

impl InstanceClient {
    /// A client of the server at `url`. Its TLS certificate must lead to a root of the system's, or
    /// to one in `ca_pem`.
    ///
    /// # Errors
    /// The URL is none, or the CA file holds no certificate.
    pub fn new(url: &str, ca_pem: Option<&[u8]>) -> Result<Self, InstanceError> {
        let base = parse_base(url).ok_or_else(|| InstanceError::Url {
            url: url.to_owned(),
        })?;
        // Another part of the process may have installed it already, which is as well.
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
    pub async fn fetch_trusted_root(&self) -> Result<Vec<u8>, InstanceError> {
        self.fetch_document("/trust/trusted_root.json", "the trusted root")
            .await
    }

    async fn fetch_document(
        &self,
        path: &str,
        what: &'static str,
    ) -> Result<Vec<u8>, InstanceError> {
        self.send(self.http.get(self.at(path)), what).await
    }

    /// A certificate for the bearer of `token`: PEM, the leaf first and the root last.
    ///
    /// # Errors
    /// See [`InstanceError`].
    pub async fn request_certificate(
        &self,
        token: &str,
        request: &CertificateRequest<'_>,
    ) -> Result<Vec<String>, InstanceError> {
        let what = "a certificate";
        let mut body = request.body();
        if let Some(body) = body.as_object_mut() {
            let credentials = json!({ "oidcIdentityToken": token });
            body.insert("credentials".to_owned(), credentials);
        }
        let answer = self.post_json("/api/v2/signingCert", &body, what).await?;
        let reply: SigningCertReply = parse(&answer, what)?;
        Ok(reply.signed_certificate_embedded_sct.chain.certificates)
    }

    /// A timestamp: DER `TimeStampReq` in, DER `TimeStampResp` out.
    ///
    /// # Errors
    /// See [`InstanceError`].
    pub async fn request_timestamp(&self, request: Vec<u8>) -> Result<Vec<u8>, InstanceError> {
        let kind = HeaderValue::from_static("application/timestamp-query");
        let request = self
            .http
            .post(self.at("/api/v1/timestamp"))
            .header(CONTENT_TYPE, kind)
            .body(request);
        self.send(request, "a timestamp").await
    }

    /// An entry in the signature log: a `CreateEntryRequest` in, a `TransparencyLogEntry` out, both
    /// as JSON.
    ///
    /// # Errors
    /// See [`InstanceError`].
    pub async fn append_entry(&self, entry: &impl Serialize) -> Result<Vec<u8>, InstanceError> {
        self.post_json("/api/v2/log/entries", entry, "a log entry")
            .await
    }

    /// A token for a machine account of the server's own issuer (RFC 6749 §4.4).
    ///
    /// # Errors
    /// See [`InstanceError`].
    pub async fn request_token(
        &self,
        client_id: &str,
        client_secret: &str,
    ) -> Result<Zeroizing<String>, InstanceError> {
        #[derive(Deserialize)]
        struct Grant {
            id_token: Zeroizing<String>,
        }
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
        let answer = Zeroizing::new(self.send(request, what).await?);
        Ok(parse::<Grant>(&answer, what)?.id_token)
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
            if body.len().saturating_add(piece.len()) > MAX_ANSWER_BYTES {
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
                format!("no answer within {} s", TIMEOUT.as_secs())
            } else {
                innermost(error)
            },
        }
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

/// The cause that people can act on: the HTTP client wraps it several times.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// What the server says, whichever of its forms it says it in.
fn message_of(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Form {
        // grpc-gateway
        message: Option<String>,
        // RFC 9457
        detail: Option<String>,
        // RFC 6749 §5.2
        error_description: Option<String>,
    }
    let said = serde_json::from_slice::<Form>(body)
        .ok()
        .and_then(|form| form.message.or(form.detail).or(form.error_description));
    match said {
        Some(message) => message.chars().take(MAX_MESSAGE).collect(),
        None => "it gave no reason".to_owned(),
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8], what: &'static str) -> Result<T, InstanceError> {
    serde_json::from_slice(body).map_err(|cause| InstanceError::Malformed { what, cause })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SigningCertReply {
    signed_certificate_embedded_sct: CertificateWithChain,
}

#[derive(Deserialize)]
struct CertificateWithChain {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}

#[cfg(test)]
mod tests;
