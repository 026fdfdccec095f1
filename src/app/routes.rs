//! Which APIs are served, and with which services behind them.

use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};

use super::App;
use crate::adapters::http::fulcio::{ConfiguredIssuer, FulcioConfiguration};
use crate::adapters::http::health::{PartState, Readiness};
use crate::adapters::http::metrics::{Gauging, Metrics, Scrape};
use crate::adapters::http::server::Routes;
use crate::adapters::http::verify::{Intake, Limits};
use crate::adapters::http::{
    ct, fulcio, health, issuer, metrics, rekor, rekor_v1, tiles, timestamp, trust, verify,
};
use crate::adapters::web::{self, Document, FrontPage, KeyIdentity};
use crate::services::log::Health;
use crate::services::oidc::{IssuerKind, TrustedIssuer};

/// The routes of an instance and the data that their handlers take.
pub(super) fn all(app: &Arc<App>, counters: &Arc<Metrics>) -> Vec<Routes> {
    let configuration = Data::new(FulcioConfiguration {
        issuers: app.identities.issuers().map(configured_issuer).collect(),
    });
    let readiness = Data::new(readiness(app));
    let page = Data::new(front_page(app));
    let intake = Data::new(intake(app));
    let scrape = Data::new(Scrape {
        metrics: Arc::clone(counters),
        gauging: vec![log_gauges(app)],
    });
    let app = Arc::clone(app);
    let serve_metrics = app.settings.telemetry.metrics;
    vec![Arc::new(move |cfg: &mut ServiceConfig| {
        cfg.app_data(configuration.clone())
            .app_data(readiness.clone())
            .app_data(page.clone())
            .app_data(intake.clone())
            .app_data(scrape.clone())
            .configure(|cfg| services(cfg, &app))
            .configure(health::configure)
            .configure(web::configure)
            .configure(fulcio::configure)
            .configure(ct::configure)
            .configure(rekor::configure)
            .configure(rekor_v1::configure)
            .configure(tiles::configure)
            .configure(timestamp::configure)
            .configure(trust::configure)
            .configure(verify::configure);
        if app.issuer.is_some() {
            cfg.configure(issuer::configure);
        }
        if serve_metrics {
            cfg.configure(metrics::configure);
        }
    })]
}

fn intake(app: &App) -> Intake {
    let limits = &app.settings.limits;
    let largest = Limits {
        body_bytes: limits.verify_body_bytes,
        artifact_bytes: limits.verify_artifact_bytes,
    };
    Intake::new(largest, limits.concurrent_verifications)
}

fn services(cfg: &mut ServiceConfig, app: &App) {
    cfg.app_data(Data::from(Arc::clone(&app.identities)))
        .app_data(Data::from(Arc::clone(&app.authority)))
        .app_data(Data::from(Arc::clone(&app.certificates)))
        .app_data(Data::from(Arc::clone(&app.signatures)))
        .app_data(Data::from(Arc::clone(&app.signatures_v1)))
        .app_data(Data::from(Arc::clone(&app.timestamps)))
        .app_data(Data::from(Arc::clone(&app.trust)))
        .app_data(Data::from(Arc::clone(&app.verifier)));
    if let Some(issuer) = &app.issuer {
        cfg.app_data(Data::from(Arc::clone(issuer)));
    }
}

fn configured_issuer(issuer: &TrustedIssuer) -> ConfiguredIssuer {
    let (issuer_type, subject_domain) = match issuer.kind() {
        IssuerKind::Email => ("email", String::new()),
        IssuerKind::Uri(domain) => ("uri", domain.as_str().to_owned()),
    };
    ConfiguredIssuer {
        issuer_url: issuer.url().to_string(),
        audience: issuer.audience().to_owned(),
        challenge_claim: issuer.challenge_claim(),
        spiffe_trust_domain: String::new(),
        issuer_type,
        subject_domain,
        skip_email_verification: false,
    }
}

fn readiness(app: &Arc<App>) -> Readiness {
    let mut readiness = Readiness::new();
    for (name, _, log) in app.logs() {
        let log = log.clone();
        readiness = readiness.part(name, move || match log.health() {
            Health::Ok => PartState::Ready,
            Health::ReadOnly { missing } => PartState::ReadOnly {
                reason: format!("{missing} entries that were once signed are missing"),
            },
            Health::Drained => failed("the server is stopping"),
            Health::Failed => failed("the log cannot vouch for its storage and is ending"),
        });
    }
    let (authority, clock) = (Arc::clone(&app.authority), Arc::clone(&app.clock));
    let (timestamps, storage) = (Arc::clone(&app.timestamps), app.storage.clone());
    readiness
        .part("certificate-authority", move || {
            match authority.check_validity(clock.now()) {
                Ok(()) => PartState::Ready,
                Err(error) => failed(&error.to_string()),
            }
        })
        .part("timestamp-authority", move || {
            if timestamps.is_ready() {
                PartState::Ready
            } else {
                failed("the clock stands before the last timestamp, or the certificates have ended")
            }
        })
        .part("store", move || {
            if storage.is_read_only() {
                PartState::ReadOnly {
                    reason: "the journal ends before what was once signed: entries are missing"
                        .to_owned(),
                }
            } else {
                PartState::Ready
            }
        })
}

fn failed(reason: &str) -> PartState {
    PartState::Failed {
        reason: reason.to_owned(),
    }
}

fn log_gauges(app: &Arc<App>) -> Gauging {
    let app = Arc::clone(app);
    Box::new(move |metrics| {
        for (_, id, log) in app.logs() {
            metrics.log_head(id, &log.head(), app.clock.now());
        }
    })
}

fn front_page(app: &App) -> FrontPage {
    let anchors = &app.anchors;
    let certificate_keys = |role, chain: &[crate::protocol::x509::Certificate]| {
        chain
            .last()
            .map(|root| KeyIdentity::new(role, root.public_key()))
    };
    let keys = [
        certificate_keys("Certificate authority's root", &anchors.ca_chain),
        Some(KeyIdentity::new("Certificate log", &anchors.ct_key)),
        Some(KeyIdentity::new("Signature log", anchors.log_key.key())),
        certificate_keys("Timestamp authority's root", &anchors.tsa_chain),
    ];
    FrontPage {
        public_url: anchors.public_url.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        keys: keys.into_iter().flatten().collect(),
        documents: DOCUMENTS
            .map(|(title, path)| Document { title, path })
            .to_vec(),
        issuers: anchors.issuers.clone(),
        embedded_issuer: app.issuer.is_some(),
    }
}

const DOCUMENTS: [(&str, &str); 8] = [
    (
        "Client trust configuration",
        "/trust/client_trust_config.json",
    ),
    ("Trusted root", "/trust/trusted_root.json"),
    ("Signing configuration", "/trust/signing_config.v0.2.json"),
    ("Certificate authority (PEM)", "/trust/fulcio-chain.pem"),
    ("Certificate log (PEM)", "/trust/ctlog.pem"),
    ("Signature log v1 (PEM)", "/trust/rekor-v1.pem"),
    ("Signature log v2 (PEM)", "/trust/rekor-v2.pem"),
    ("Timestamp authority (PEM)", "/trust/tsa-chain.pem"),
];
