//! The signing configuration v0.2 and the client trust configuration.
//!
//! Clients select one of several services by different rules, so order and start are chosen to suit
//! all of them. The Go, Python, Java and Rust clients take the highest version that they support;
//! sigstore-js takes the newest start, whatever the version. Among services of one version, Go, Java
//! and JavaScript take the newest start and Python takes the last in the list. rekor-monitor takes the
//! version of the last service in the list.

use std::iter;
use std::time::Duration;

use serde::Serialize;

use crate::protocol::bundle::trusted_root::wire::{TrustedRoot, ValidFor};
use crate::services::roster::{AuthorityRole, LogDescription, Roster};

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
    /// One of the services. All clients support this selector.
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
    /// The services of an instance, with these signature logs.
    pub(super) fn new<'a>(roster: &Roster, logs: impl Iterator<Item = &'a LogDescription>) -> Self {
        let url = || roster.public_url.to_string();
        // sigstore-go cannot verify the entries that sigstore-js makes of attestations in a Rekor v2
        // log, so the v1 log has the newest start.
        let logs = logs.filter_map(|log| Some((log.url.clone(), log.role.rekor_version()?)));
        let issuers = roster.issuers.iter().map(|url| (url.clone(), 1));
        let timestamps = roster.authorities_of(AuthorityRole::Timestamps);
        let any = Selection {
            selector: Selector::Any,
        };
        Self {
            media_type: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            // Fulcio's API is version 1 in signing configurations, although its paths contain v2.
            ca_urls: services(roster, [(url(), 1)]),
            oidc_urls: best_last(services(roster, issuers)),
            rekor_tlog_urls: services(roster, logs),
            rekor_tlog_config: any,
            tsa_urls: services(roster, timestamps.map(|tsa| (tsa.url.clone(), 1)).take(1)),
            tsa_config: any,
        }
    }
}

/// Services by URL and major version, each with a start one second before the previous one's.
fn services(roster: &Roster, named: impl IntoIterator<Item = (String, u32)>) -> Vec<Service> {
    let starts = iter::successors(Some(roster.start()), |start| {
        Some(start.before(Duration::from_secs(1)))
    });
    named
        .into_iter()
        .zip(starts)
        .map(|((url, major_api_version), start)| Service {
            url,
            major_api_version,
            valid_for: ValidFor {
                start: start.to_rfc3339(),
                end: None,
            },
            operator: roster.operator.clone(),
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
