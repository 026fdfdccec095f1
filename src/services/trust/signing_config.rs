//! The signing configuration v0.2 and the client trust configuration.
//!
//! Where several services would do, clients choose by different rules, so order and start are chosen
//! for all of them: Go, Python, Java and Rust take the highest version that they know; JavaScript the
//! newest start, whatever the version; among services of one version Go, Java and JavaScript take the
//! newest start and Python the last in the list; rekor-monitor takes the version of the last in the
//! list.

use std::iter;
use std::time::Duration;

use serde::Serialize;

use super::{Anchors, timestamp_url};
use crate::protocol::bundle::trusted_root::wire::{TrustedRoot, ValidFor};
use crate::services::rekor::{Dialect, OpenDialects};

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
    /// The services of an instance, with its logs in the dialects given.
    pub(super) fn new(anchors: &Anchors, dialects: OpenDialects) -> Self {
        let origin = &anchors.public_url;
        let at_origin = |version| (origin.to_string(), version);
        // What JavaScript writes about attestations in the v2 dialect cannot be verified by Go, so
        // the v1 log is the one with the newest start.
        let logs = dialects.iter().map(Dialect::major_version).map(at_origin);
        let issuers = anchors.issuers.iter().map(|url| (url.clone(), 1));
        let any = Selection {
            selector: Selector::Any,
        };
        Self {
            media_type: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            // Fulcio is version 1 here, although its paths say v2.
            ca_urls: services(anchors, [at_origin(1)]),
            oidc_urls: best_last(services(anchors, issuers)),
            rekor_tlog_urls: services(anchors, logs),
            rekor_tlog_config: any,
            tsa_urls: services(anchors, [(timestamp_url(origin), 1)]),
            tsa_config: any,
        }
    }
}

/// Services by URL and major version, each a second older than the one before.
fn services(anchors: &Anchors, named: impl IntoIterator<Item = (String, u32)>) -> Vec<Service> {
    let older = iter::successors(Some(anchors.start), |start| {
        Some(start.before(Duration::from_secs(1)))
    });
    named
        .into_iter()
        .zip(older)
        .map(|((url, major_api_version), start)| Service {
            url,
            major_api_version,
            valid_for: ValidFor {
                start: start.to_rfc3339(),
                end: None,
            },
            operator: anchors.operator.clone(),
        })
        .collect()
}

fn best_last(mut services: Vec<Service>) -> Vec<Service> {
    services.reverse();
    services
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
