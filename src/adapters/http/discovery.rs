//! `GET /.well-known/signet.json`: what there is on this server, and how each client is told of it.
//!
//! One value says it to machines here and to people on the front page, so the two cannot differ.

mod clients;
mod endpoints;
mod recipes;

use std::fmt;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::web::{self, Data, ServiceConfig};
use serde::Serialize;

pub(crate) use clients::Client;
pub(crate) use endpoints::Endpoint;

use super::trust::{PUBLISHED, Published};
use crate::protocol::bytes::{Sha256, to_base64};
use crate::protocol::keys::PublicKey;
use crate::protocol::note::NoteKey;
use crate::protocol::x509::Certificate;
use crate::services::rekor::Dialect;
use crate::services::rekor::v1::TreeId;
use crate::services::trust::{Anchors, TrustDocuments};

/// Where the document is.
pub(crate) const PATH: &str = "/.well-known/signet.json";

/// What an instance may have or lack, and endpoints and commands may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Feature {
    /// The signature log in the first dialect takes entries
    RekorV1,
    /// The signature log in the second dialect takes entries
    RekorV2,
    /// The server is an issuer itself
    EmbeddedIssuer,
    /// Clients speak TLS to the server
    Tls,
    /// The public URL has no port in it
    DefaultPort,
    /// The trust documents are in a TUF repository
    TufRepository,
    /// Counters are served
    Metrics,
}

/// What is known of an instance when it begins to serve.
pub(crate) struct Facts<'a> {
    /// Its names, keys and dialects
    pub anchors: &'a Anchors,
    /// What it publishes
    pub documents: &'a TrustDocuments,
    /// The issuer that the server itself is, if it is one
    pub embedded_issuer: Option<&'a str>,
    /// The root by which its TUF repository is trusted first, if it has one
    pub initial_root: Option<Sha256>,
    /// Whether counters are served
    pub serves_metrics: bool,
    /// What its operator should know and mend
    pub warnings: Vec<String>,
}

/// Everything that clients and people need to know of a server. All of it is public.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Discovery {
    /// The version of this form: members may be added to it, none changes its meaning.
    pub version: u32,
    /// What clients call the server
    pub url: String,
    /// Who runs it
    pub operator: String,
    /// The program
    pub software: Software,
    /// What the operator should mend
    pub warnings: Vec<String>,
    /// What the server has
    pub features: Vec<Feature>,
    /// Whose tokens are accepted
    pub issuers: Vec<Issuer>,
    /// The keys by which the server is known
    pub keys: Vec<Key>,
    /// The logs
    pub logs: Vec<LogIdentity>,
    /// The TUF repository
    pub tuf: Option<TufRepository>,
    /// The trust documents
    pub documents: Vec<DocumentLink>,
    /// Every endpoint
    pub endpoints: Vec<Endpoint>,
    /// Commands for each client
    pub clients: Vec<Client>,
}

/// The program that answers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Software {
    /// `signet`
    pub name: &'static str,
    /// The package's version
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

/// A key of the server, as people compare it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Key {
    /// What the key is for
    pub role: &'static str,
    /// Its kind
    pub algorithm: &'static str,
    /// SHA-256 of its SubjectPublicKeyInfo, in hexadecimal
    pub sha256: String,
}

/// A log as clients find it in the trust root and in entries.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogIdentity {
    /// `ct`, `rekor-v1` or `rekor-v2`
    pub name: String,
    /// Below which its API is
    pub url: String,
    /// Its ID in hexadecimal, as Rekor v1 writes it
    pub log_id: String,
    /// The same in base64, as bundles and the trust root write it
    pub key_id: String,
    /// What its entries' identifiers begin with, in decimal; the v1 dialect alone has it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_id: Option<String>,
    /// Whose new entries it takes
    pub admits: Admission,
}

/// Whose new entries a log takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Admission {
    /// Anyone's whose signature holds
    Clients,
    /// The certificate authority's alone
    Authority,
    /// Nobody's any more: it is read
    Nobody,
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clients => "from clients",
            Self::Authority => "from the certificate authority",
            Self::Nobody => "none any more",
        })
    }
}

/// The TUF repository and what it is trusted by.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TufRepository {
    /// Its base, which clients call mirror
    pub url: String,
    /// The first root
    pub initial_root_url: String,
    /// Its SHA-256 in hexadecimal, to be compared with what the operator said
    pub initial_root_sha256: String,
}

/// A published document.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DocumentLink {
    /// What it is
    pub title: &'static str,
    /// Where it is, below the public URL
    pub path: &'static str,
    /// Where it is
    pub url: String,
    /// SHA-256 of its bytes, in hexadecimal
    pub sha256: String,
}

/// Routes the document, which needs `web::Data<Discovery>`.
pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.service(web::resource(PATH).get(discovery).head(discovery));
}

/// `GET /.well-known/signet.json`
async fn discovery(discovery: Data<Discovery>) -> HttpResponse {
    let text = serde_json::to_string_pretty(&discovery);
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text.expect("the document has text keys and no floats"))
}

impl Discovery {
    /// Says of an instance what there is to say.
    pub(crate) fn new(facts: Facts<'_>) -> Self {
        let anchors = facts.anchors;
        let url = &anchors.public_url;
        let features = features(&facts);
        let issuer = |text: &String| Issuer {
            embedded: facts.embedded_issuer == Some(text),
            url: text.clone(),
        };
        let tuf = facts.initial_root.map(|root| TufRepository {
            url: url.join("/tuf"),
            initial_root_url: url.join("/tuf/1.root.json"),
            initial_root_sha256: root.to_hex(),
        });
        Self {
            version: 1,
            url: url.to_string(),
            operator: anchors.operator.clone(),
            software: Software {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
            },
            issuers: anchors.issuers.iter().map(issuer).collect(),
            keys: keys(anchors),
            logs: logs(anchors),
            documents: documents(anchors, facts.documents),
            endpoints: endpoints::of(url, &features),
            clients: clients::of(anchors, tuf.as_ref(), &features),
            warnings: facts.warnings,
            features,
            tuf,
        }
    }
}

fn features(facts: &Facts<'_>) -> Vec<Feature> {
    let anchors = facts.anchors;
    let url = &anchors.public_url;
    let all = [
        (Feature::RekorV1, anchors.dialects.contains(Dialect::V1)),
        (Feature::RekorV2, anchors.dialects.contains(Dialect::V2)),
        (Feature::EmbeddedIssuer, facts.embedded_issuer.is_some()),
        (Feature::Tls, url.is_https()),
        (Feature::DefaultPort, url.as_str().ends_with(url.host())),
        (Feature::TufRepository, facts.initial_root.is_some()),
        (Feature::Metrics, facts.serves_metrics),
    ];
    let present = all.into_iter().filter(|(_, is_there)| *is_there);
    present.map(|(feature, _)| feature).collect()
}

fn keys(anchors: &Anchors) -> Vec<Key> {
    let key = |role, key: &PublicKey| Key {
        role,
        algorithm: key.algorithm().name(),
        sha256: key.fingerprint().to_hex(),
    };
    let root = |role, chain: &[Certificate]| chain.last().map(|root| key(role, root.public_key()));
    let keys = [
        root("Certificate authority's root", &anchors.ca_chain),
        Some(key("Certificate log", &anchors.ct_key)),
        Some(key("Signature log v1", anchors.log_v1_key.key())),
        Some(key("Signature log v2", anchors.log_key.key())),
        root("Timestamp authority's root", &anchors.tsa_chain),
    ];
    keys.into_iter().flatten().collect()
}

fn logs(anchors: &Anchors) -> Vec<LogIdentity> {
    let url = &anchors.public_url;
    let log = |name: String, url: String, id: &Sha256| LogIdentity {
        name,
        url,
        log_id: id.to_hex(),
        key_id: to_base64(id.as_bytes()),
        tree_id: None,
        admits: Admission::Authority,
    };
    let signature_log = |dialect: Dialect, key: &NoteKey| LogIdentity {
        admits: if anchors.dialects.contains(dialect) {
            Admission::Clients
        } else {
            Admission::Nobody
        },
        ..log(dialect.to_string(), url.to_string(), key.hash())
    };
    vec![
        log(
            "ct".to_owned(),
            url.join("/ct"),
            &anchors.ct_key.fingerprint(),
        ),
        LogIdentity {
            tree_id: Some(TreeId::of(anchors.log_v1_key.key()).to_string()),
            ..signature_log(Dialect::V1, &anchors.log_v1_key)
        },
        signature_log(Dialect::V2, &anchors.log_key),
    ]
}

fn documents(anchors: &Anchors, documents: &TrustDocuments) -> Vec<DocumentLink> {
    let link = |published: &Published| {
        Some(DocumentLink {
            title: published.title,
            path: published.path,
            url: anchors.public_url.join(published.path),
            sha256: published.of(documents)?.tag.clone(),
        })
    };
    PUBLISHED.iter().filter_map(link).collect()
}

#[cfg(test)]
pub(crate) mod tests;
