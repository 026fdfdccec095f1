//! The OpenID Connect issuers of an instance: the embedded one, and those of the settings.

use std::sync::Arc;

use super::error::StartError;
use crate::adapters::outbound::oidc::{EndpointSettings, FetchLimits, HttpKeySource};
use crate::adapters::system::SYSTEM_RNG;
use crate::config::{IssuerSettings, Settings};
use crate::protocol::identity::IssuerUrl;
use crate::protocol::keys::SigningKey;
use crate::protocol::time::Clock;
use crate::services::account::Accounts;
use crate::services::issuer::EmbeddedIssuer;
use crate::services::oidc::{IdentityVerifier, KeyPolicy, KeySource, TrustedIssuer};

/// Every accepted issuer: first the configured ones in order, because people sign in there, then the
/// embedded one, which has machine accounts only.
pub(super) fn issuer_urls(settings: &Settings) -> Vec<String> {
    let embedded = settings
        .accounts
        .enabled
        .then(|| settings.server.public_url.as_str());
    let configured = settings.issuers.iter().map(|issuer| issuer.url.as_str());
    configured.chain(embedded).map(str::to_owned).collect()
}

/// The embedded issuer, if it is enabled.
pub(super) fn embedded_issuer(
    settings: &Settings,
    key: SigningKey,
    accounts: &Arc<Accounts>,
    clock: &Arc<dyn Clock>,
) -> Result<Option<EmbeddedIssuer>, StartError> {
    if !settings.accounts.enabled {
        return Ok(None);
    }
    let url = IssuerUrl::new(settings.server.public_url.as_str())?;
    Ok(Some(EmbeddedIssuer::new(
        url,
        key,
        Arc::clone(accounts),
        Arc::clone(clock),
        SYSTEM_RNG,
    )?))
}

/// The issuers whose tokens are accepted, with the sources of their keys.
pub(super) fn trusted_issuers(
    settings: &Settings,
    embedded: Option<&EmbeddedIssuer>,
    clock: &Arc<dyn Clock>,
) -> Result<IdentityVerifier, StartError> {
    let mut source = HttpKeySource::new(FetchLimits::default());
    let mut issuers = Vec::new();
    if let Some(embedded) = embedded {
        let url = settings.server.public_url.as_str().to_owned();
        let trusted = embedded.as_trusted();
        issuers.push(trusted.map_err(|source| StartError::TrustedIssuer { url, source })?);
    }
    for issuer in &settings.issuers {
        issuers.push(trusted_issuer(issuer)?);
        let ca_pem = read_ca_file(issuer)?;
        let endpoint = EndpointSettings {
            ca_pem,
            key_hosts: issuer.key_hosts.clone(),
        };
        let url = issuer.url.as_str().to_owned();
        source
            .add(&issuer.url, endpoint)
            .map_err(|source| StartError::Endpoint { url, source })?;
    }
    let source: Arc<dyn KeySource> = Arc::new(source);
    Ok(IdentityVerifier::new(
        issuers,
        KeyPolicy::default(),
        &source,
        Arc::clone(clock),
    ))
}

fn trusted_issuer(issuer: &IssuerSettings) -> Result<TrustedIssuer, StartError> {
    let (url, audience) = (issuer.url.clone(), issuer.audience.as_str());
    TrustedIssuer::new(url, audience, issuer.subject.clone()).map_err(|source| {
        StartError::TrustedIssuer {
            url: issuer.url.to_string(),
            source,
        }
    })
}

fn read_ca_file(issuer: &IssuerSettings) -> Result<Option<Vec<u8>>, StartError> {
    let Some(file) = &issuer.ca_file else {
        return Ok(None);
    };
    let read = std::fs::read(file).map_err(|source| StartError::CaFile {
        url: issuer.url.to_string(),
        file: file.display().to_string(),
        source,
    });
    read.map(Some)
}
