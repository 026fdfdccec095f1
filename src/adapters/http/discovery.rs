//! `GET /.well-known/signet.json`: what this server offers, and the commands of each client.
//!
//! The front page renders the same value, so the two cannot differ.

mod clients;

use std::fmt;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::web::{self, Data};
use serde::Serialize;

pub(crate) use clients::Client;

use super::refusal::ErrorFormat;
use super::route::{Api, Mount, Route};
pub(crate) use super::route::{Endpoint, Feature};
use super::trust::path_of;
use crate::protocol::bytes::to_base64;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::PublicKey;
use crate::services::rekor::TreeId;
use crate::services::roster::{AuthorityRole, LogDescription, LogRole, LogState, Roster};
use crate::services::trust::TrustDocuments;

/// Path of the document.
pub(crate) const PATH: &str = "/.well-known/signet.json";

/// Input of the discovery document.
pub(crate) struct Facts<'a> {
    pub roster: &'a Roster,
    pub documents: &'a TrustDocuments,
    pub mounts: &'a [Mount],
    /// URL of the embedded issuer, if it is enabled
    pub embedded_issuer: Option<&'a str>,
    /// SHA-256 of the first TUF root, if there is a repository
    pub initial_root: Option<Sha256>,
    pub serves_metrics: bool,
    /// Problems that the operator should fix
    pub warnings: Vec<String>,
}

/// The discovery document. All of its contents are public.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Discovery {
    /// Version of this format: members may be added, and none changes its meaning
    pub version: u32,
    /// Public URL
    pub url: String,
    pub operator: String,
    pub software: Software,
    /// Problems that the operator should fix
    pub warnings: Vec<String>,
    pub features: Vec<Feature>,
    /// Issuers whose tokens are accepted
    pub issuers: Vec<Issuer>,
    /// Keys that users compare with what the operator published
    pub keys: Vec<Key>,
    pub logs: Vec<LogIdentity>,
    pub tuf: Option<TufRepository>,
    /// Trust documents
    pub documents: Vec<DocumentLink>,
    pub endpoints: Vec<Endpoint>,
    /// Commands for each client
    pub clients: Vec<Client>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Software {
    pub name: &'static str,
    pub version: &'static str,
}

/// An issuer whose tokens are accepted.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Issuer {
    /// The token's `iss`
    pub url: String,
    /// Whether the server itself is the issuer
    pub embedded: bool,
}

/// A public key of the server.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Key {
    /// What the key is for, such as `log rekor-v2`
    pub role: String,
    pub algorithm: &'static str,
    /// SHA-256 of its SubjectPublicKeyInfo, in hexadecimal
    pub sha256: String,
}

/// A log as clients find it in the trust root and in entries.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogIdentity {
    pub name: String,
    /// Base URL of its API
    pub url: String,
    /// First line of its checkpoints
    pub origin: String,
    /// The log ID in hexadecimal, as in Rekor v1 entries
    pub log_id: String,
    /// The log ID in base64, as in bundles and the trust root
    pub key_id: String,
    /// Rekor v1's tree ID in decimal, which is the prefix of entry IDs
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_id: Option<String>,
    /// Who may append entries
    pub admits: Admission,
}

/// Who may append entries to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Admission {
    /// Every client, with a valid signature
    Clients,
    /// The certificate authority
    Authority,
    /// No one: the log is frozen
    Nobody,
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clients => "from clients",
            Self::Authority => "from the certificate authority",
            Self::Nobody => "none (frozen)",
        })
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TufRepository {
    /// Base URL, which clients call the mirror
    pub url: String,
    pub initial_root_url: String,
    /// SHA-256 in hexadecimal, which users compare with what the operator published
    pub initial_root_sha256: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct DocumentLink {
    pub title: String,
    /// Path below the public URL
    pub path: String,
    pub url: String,
    /// SHA-256 in hexadecimal
    pub sha256: String,
}

/// Needs `web::Data<Discovery>`.
pub(crate) const API: Api = Api {
    name: "Signet",
    errors: ErrorFormat::Problem,
    owns: &[],
    cors: false,
    routes: &[Route::get(PATH, || web::to(discovery))],
};

/// `GET /.well-known/signet.json`
async fn discovery(discovery: Data<Discovery>) -> HttpResponse {
    let text = serde_json::to_string_pretty(&discovery);
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text.expect("the document has text keys and no floats"))
}

impl Discovery {
    pub(crate) fn new(facts: Facts<'_>) -> Self {
        let roster = facts.roster;
        let url = &roster.public_url;
        let features = features(&facts);
        let tuf = facts.initial_root.map(|root| TufRepository {
            url: url.join("/tuf"),
            initial_root_url: url.join("/tuf/1.root.json"),
            initial_root_sha256: root.to_hex(),
        });
        let issuers = roster.issuers.iter().map(|text| Issuer {
            embedded: facts.embedded_issuer == Some(text),
            url: text.clone(),
        });
        let logs = roster.logs.iter().map(LogIdentity::of);
        let documents = facts.documents.published().iter().filter_map(|published| {
            let path = path_of(&published.file);
            Some(DocumentLink {
                title: published.title.clone(),
                url: url.join(&path),
                path,
                sha256: published.content.as_ref()?.tag.clone(),
            })
        });
        let endpoints = facts.mounts.iter().flat_map(Mount::endpoints);
        let endpoints = endpoints.map(|endpoint| Endpoint {
            url: url.join(&endpoint.url),
            ..endpoint
        });
        Self {
            version: 1,
            url: url.to_string(),
            operator: roster.operator.clone(),
            software: Software {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
            },
            issuers: issuers.collect(),
            keys: keys(roster),
            logs: logs.collect(),
            documents: documents.collect(),
            endpoints: endpoints.collect(),
            clients: clients::of(roster, tuf.as_ref(), &features),
            warnings: facts.warnings,
            features,
            tuf,
        }
    }
}

fn features(facts: &Facts<'_>) -> Vec<Feature> {
    let roster = facts.roster;
    let url = &roster.public_url;
    let all = [
        (Feature::RekorV1, roster.accepts(LogRole::RekorV1)),
        (Feature::RekorV2, roster.accepts(LogRole::RekorV2)),
        (Feature::EmbeddedIssuer, facts.embedded_issuer.is_some()),
        (Feature::Tls, url.is_https()),
        (Feature::DefaultPort, url.as_str().ends_with(url.host())),
        (Feature::TufRepository, facts.initial_root.is_some()),
        (Feature::Metrics, facts.serves_metrics),
    ];
    let present = all.into_iter().filter(|(_, is_present)| *is_present);
    present.map(|(feature, _)| feature).collect()
}

fn keys(roster: &Roster) -> Vec<Key> {
    let key = |role: String, key: &PublicKey| Key {
        role,
        algorithm: key.algorithm().name(),
        sha256: key.fingerprint().to_hex(),
    };
    let roots = |role| {
        roster.authorities_of(role).filter_map(|authority| {
            let root = authority.chain.last()?;
            Some(key(format!("{} root", authority.name), root.public_key()))
        })
    };
    let logs = roster.logs.iter();
    roots(AuthorityRole::Certificates)
        .chain(logs.map(|log| key(format!("log {}", log.id), &log.key)))
        .chain(roots(AuthorityRole::Timestamps))
        .collect()
}

impl LogIdentity {
    fn of(log: &LogDescription) -> Self {
        Self {
            name: log.id.to_string(),
            url: log.url.clone(),
            origin: log.origin.clone(),
            log_id: log.log_id.to_hex(),
            key_id: to_base64(log.log_id.as_bytes()),
            tree_id: (log.role == LogRole::RekorV1).then(|| TreeId::of(&log.key).to_string()),
            admits: match (log.state, log.role) {
                (LogState::Frozen | LogState::Retired, _) => Admission::Nobody,
                (LogState::Active, LogRole::Ct) => Admission::Authority,
                (LogState::Active, LogRole::RekorV1 | LogRole::RekorV2) => Admission::Clients,
            },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
