//! The signing configuration v0.2 and the client trust configuration (contract §7.2–7.3).

use serde::Serialize;

use super::{Anchors, timestamp_url};
use crate::protocol::bundle::trusted_root::wire::{TrustedRoot, ValidFor};

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SigningConfig {
    media_type: &'static str,
    ca_urls: Vec<Service>,
    oidc_urls: Vec<Service>,
    rekor_tlog_urls: Vec<Service>,
    rekor_tlog_config: Selection,
    tsa_urls: Vec<Service>,
    tsa_config: Selection,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    url: String,
    major_api_version: u32,
    valid_for: ValidFor,
    operator: String,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Selection {
    selector: Selector,
}

#[derive(Clone, Copy, Debug, Serialize)]
enum Selector {
    /// One of them; the only choice that all clients know.
    #[serde(rename = "ANY")]
    Any,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientTrustConfig<'a> {
    media_type: &'static str,
    trusted_root: &'a TrustedRoot,
    signing_config: &'a SigningConfig,
}

impl SigningConfig {
    /// None where there is no issuer.
    pub(super) fn new(anchors: &Anchors, origin: &str) -> Option<Self> {
        let service = |url: String, major_api_version| Service {
            url,
            major_api_version,
            valid_for: ValidFor {
                start: anchors.start.to_rfc3339(),
                end: None,
            },
            operator: anchors.operator.clone(),
        };
        let issuers = anchors.issuers.iter();
        let oidc_urls: Vec<_> = issuers.map(|url| service(url.clone(), 1)).collect();
        let any = Selection {
            selector: Selector::Any,
        };
        (!oidc_urls.is_empty()).then(|| Self {
            media_type: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            // Fulcio is version 1 here, although its paths say v2.
            ca_urls: vec![service(origin.to_owned(), 1)],
            oidc_urls,
            rekor_tlog_urls: vec![service(origin.to_owned(), 2)],
            rekor_tlog_config: any,
            tsa_urls: vec![service(timestamp_url(origin), 1)],
            tsa_config: any,
        })
    }
}

impl<'a> ClientTrustConfig<'a> {
    pub(super) const fn new(
        trusted_root: &'a TrustedRoot,
        signing_config: &'a SigningConfig,
    ) -> Self {
        Self {
            media_type: "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            trusted_root,
            signing_config,
        }
    }
}
