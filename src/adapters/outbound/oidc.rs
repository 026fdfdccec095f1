//! Fetches the keys of trusted issuers: the discovery document, then the key set (OpenID Connect
//! Discovery).
//!
//! Requests go to configured issuers only. They cannot redirect us: redirects fail the fetch, and
//! `jwks_uri` must be on the issuer's own host unless the operator lists another.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use url::{Host, Url};

use crate::protocol::identity::IssuerUrl;
use crate::services::oidc::{FetchError, IssuerKeys, KeySetError, KeySource};

/// Settings for connections to one issuer.
#[derive(Clone, Debug, Default)]
pub struct EndpointSettings {
    /// PEM certificates that replace the system's roots for this issuer
    pub ca_pem: Option<Vec<u8>>,
    /// Hosts that may serve the issuer's keys in addition to its own: `host`, or `host:port`
    pub key_hosts: Vec<String>,
}

/// Error in the settings of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("the URL must be http or https, without user name, query or fragment")]
    Url,
    /// Keys that are fetched over plain HTTP can be replaced in transit
    #[error("plain http is allowed for localhost only; use https")]
    PlainHttp,
    #[error("ca_file must contain one or more PEM certificates")]
    CaFile,
    #[error("the system has no root certificates; install them, or set ca_file for this issuer")]
    NoRoots,
    #[error("the HTTP client cannot be set up")]
    Client,
}

/// Limits of one fetch.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// Maximum time for both requests together
    pub total_time: Duration,
    /// Maximum size of each response body, in bytes
    pub body: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            total_time: Duration::from_secs(5),
            body: 1024 * 1024,
        }
    }
}

/// Fetches the keys of the issuers that were added to it, with a separate HTTP client for each.
#[derive(Default)]
pub struct HttpKeySource {
    limits: FetchLimits,
    endpoints: HashMap<String, Endpoint>,
}

impl HttpKeySource {
    /// A source without issuers.
    pub fn new(limits: FetchLimits) -> Self {
        Self {
            limits,
            endpoints: HashMap::new(),
        }
    }

    /// Adds an issuer. Reads the system's roots unless the settings replace them; does not use the
    /// network.
    ///
    /// # Errors
    /// See [`EndpointError`].
    pub fn add(
        &mut self,
        issuer: &IssuerUrl,
        settings: EndpointSettings,
    ) -> Result<(), EndpointError> {
        let endpoint = Endpoint::new(issuer, settings)?;
        self.endpoints.insert(issuer.as_str().to_owned(), endpoint);
        Ok(())
    }
}

impl KeySource for HttpKeySource {
    fn fetch<'a>(&'a self, issuer: &'a IssuerUrl) -> BoxFuture<'a, Result<IssuerKeys, FetchError>> {
        Box::pin(async move {
            let endpoint = self
                .endpoints
                .get(issuer.as_str())
                .ok_or(FetchError::NotConfigured)?;
            let fetch = endpoint.fetch_keys(issuer, self.limits.body);
            tokio::time::timeout(self.limits.total_time, fetch)
                .await
                .unwrap_or(Err(FetchError::TimedOut))
        })
    }
}

struct Endpoint {
    issuer: Url,
    key_hosts: Vec<String>,
    client: Client,
}

/// The required members of a discovery document. Issuers of workload tokens omit most of what the
/// standard requires, above all `authorization_endpoint`, so openidconnect's own type refuses them.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

struct Document {
    /// `Content-Type`, without parameters and in lower case; none if the header is absent
    media_type: Option<String>,
    body: Vec<u8>,
}

impl Endpoint {
    fn new(issuer: &IssuerUrl, settings: EndpointSettings) -> Result<Self, EndpointError> {
        let url = Url::parse(issuer.as_str()).map_err(|_| EndpointError::Url)?;
        if has_user(&url) || url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::Url);
        }
        if url.scheme() != "https" && !is_this_machine(&url) {
            return Err(EndpointError::PlainHttp);
        }
        let roots = match settings.ca_pem {
            Some(pem) => roots_from_pem(&pem)?,
            None if url.scheme() == "https" => system_roots()?,
            // The key address may still be https; that requires a ca_file.
            None => RootCertStore::empty(),
        };
        Ok(Self {
            issuer: url,
            key_hosts: settings.key_hosts,
            client: client(roots)?,
        })
    }

    async fn fetch_keys(
        &self,
        issuer: &IssuerUrl,
        body_limit: usize,
    ) -> Result<IssuerKeys, FetchError> {
        // OpenID Connect Discovery §4.1: a trailing slash is removed before the path is appended.
        let base = issuer.as_str();
        let base = base.strip_suffix('/').unwrap_or(base);
        let address = format!("{base}/.well-known/openid-configuration");
        let document = self.get(&address, body_limit).await?;
        let metadata: Metadata =
            serde_json::from_slice(&document.body).map_err(|_| FetchError::BadDiscovery)?;
        // OpenID Connect Discovery §4.3: `issuer` must be identical to the URL that was asked.
        if metadata.issuer != issuer.as_str() {
            return Err(FetchError::IssuerMismatch);
        }
        let address = Url::parse(&metadata.jwks_uri).map_err(|_| FetchError::BadDiscovery)?;
        if !self.may_serve_keys(&address) {
            return Err(FetchError::ForeignKeyAddress);
        }
        let keys = self.get(address.as_str(), body_limit).await?;
        // RFC 7517 §8.5.2. Many issuers send plain JSON, and some no type at all.
        if !matches!(
            keys.media_type.as_deref(),
            None | Some("application/json" | "application/jwk-set+json")
        ) {
            return Err(KeySetError::Malformed.into());
        }
        Ok(IssuerKeys::parse(&keys.body)?)
    }

    async fn get(&self, address: &str, body_limit: usize) -> Result<Document, FetchError> {
        let request = self
            .client
            .get(address)
            .header("accept", "application/json");
        let mut response = request.send().await.map_err(|_| FetchError::Unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let media_type = response.headers().get(CONTENT_TYPE).map(|value| {
            let text = value.to_str().unwrap_or_default();
            let essence = text.split(';').next().unwrap_or_default();
            essence.to_ascii_lowercase()
        });
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|_| FetchError::Unreachable)?
        {
            if body.len() + chunk.len() > body_limit {
                return Err(FetchError::TooLarge(body_limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Document { media_type, body })
    }

    fn may_serve_keys(&self, address: &Url) -> bool {
        let scheme_ok = match address.scheme() {
            "https" => true,
            "http" => self.issuer.scheme() == "http",
            _ => false,
        };
        let is_own = address.host() == self.issuer.host()
            && address.port_or_known_default() == self.issuer.port_or_known_default();
        scheme_ok && !has_user(address) && (is_own || self.is_listed(address))
    }

    fn is_listed(&self, address: &Url) -> bool {
        let Some(host) = address.host_str() else {
            return false;
        };
        let with_port = address.port().map(|port| format!("{host}:{port}"));
        let name = with_port.as_deref().unwrap_or(host);
        self.key_hosts.iter().any(|listed| listed == name)
    }
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn roots_from_pem(pem: &[u8]) -> Result<RootCertStore, EndpointError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| EndpointError::CaFile)?;
        roots.add(certificate).map_err(|_| EndpointError::CaFile)?;
    }
    if roots.is_empty() {
        return Err(EndpointError::CaFile);
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, EndpointError> {
    let mut roots = RootCertStore::empty();
    // Some systems have a root certificate that cannot be parsed; the others are still usable.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(EndpointError::NoRoots);
    }
    Ok(roots)
}

fn client(roots: RootCertStore) -> Result<Client, EndpointError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| EndpointError::Client)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        // Fetches are minutes apart and come from whichever worker needs the keys, so a pooled
        // connection would be stale or belong to another runtime.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("signet/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| EndpointError::Client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(issuer: &str, settings: EndpointSettings) -> Result<Endpoint, EndpointError> {
        Endpoint::new(&IssuerUrl::new(issuer).unwrap(), settings)
    }

    fn test_ca() -> Option<Vec<u8>> {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        Some(certificate.pem().into_bytes())
    }

    #[test]
    fn plain_http_is_accepted_for_localhost_only() {
        for issuer in ["http://localhost:1", "http://127.0.0.1", "http://[::1]:8"] {
            assert!(endpoint(issuer, EndpointSettings::default()).is_ok());
        }
        for issuer in [
            "http://idp.example",
            "http://localhost.",
            "http://127.0.0.1.evil",
        ] {
            assert_eq!(
                endpoint(issuer, EndpointSettings::default()).err(),
                Some(EndpointError::PlainHttp),
                "{issuer}"
            );
        }
    }

    #[test]
    fn an_issuer_url_has_no_user_query_or_fragment() {
        for issuer in [
            "https://u@idp.example",
            "https://u:p@idp.example",
            "https://idp.example?x",
            "https://idp.example#x",
            "https://:x",
        ] {
            assert_eq!(
                endpoint(issuer, EndpointSettings::default()).err(),
                Some(EndpointError::Url),
                "{issuer}"
            );
        }
    }

    #[test]
    fn a_ca_file_without_certificates_is_refused() {
        for pem in [
            "",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        ] {
            let settings = EndpointSettings {
                ca_pem: Some(pem.as_bytes().to_vec()),
                ..EndpointSettings::default()
            };
            assert_eq!(
                endpoint("https://idp.example", settings).err(),
                Some(EndpointError::CaFile)
            );
        }
    }

    #[test]
    fn keys_come_from_the_issuers_own_host_or_a_listed_one() {
        let settings = EndpointSettings {
            ca_pem: test_ca(),
            key_hosts: vec!["keys.example".to_owned(), "keys.example:8443".to_owned()],
        };
        let endpoint = endpoint("https://idp.example/realm", settings).unwrap();
        let may = |address: &str| endpoint.may_serve_keys(&Url::parse(address).unwrap());

        for address in [
            "https://idp.example/keys",
            "https://idp.example:443/keys",
            "https://keys.example/x",
            "https://keys.example:8443/x",
        ] {
            assert!(may(address), "{address}");
        }
        for address in [
            "https://idp.example:8443/keys",
            "https://idp.example.evil/keys",
            "https://evil/keys",
            "http://idp.example/keys",
            "http://keys.example/x",
            "https://user@idp.example/keys",
            "https://keys.example:9/x",
            "file:///etc/passwd",
            "data:application/json,{}",
        ] {
            assert!(!may(address), "{address}");
        }
    }
}
