//! Which APIs are served, and with which services behind them.

use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};

use super::App;
use crate::adapters::http::discovery::{Discovery, Facts};
use crate::adapters::http::fulcio::{ConfiguredIssuer, FulcioConfiguration};
use crate::adapters::http::grpc::Method;
use crate::adapters::http::health::{PartState, Readiness};
use crate::adapters::http::metrics::{Gauging, Metrics, Scrape};
use crate::adapters::http::server::Routes;
use crate::adapters::http::verify::{Intake, Limits};
use crate::adapters::http::{
    closed, ct, ct_tiles, discovery, fulcio, health, issuer, metrics, rekor, rekor_v1, tiles,
    timestamp, trust, tuf, verify,
};
use crate::adapters::web;
use crate::log::{Health, LogId};
use crate::services::oidc::{IssuerKind, TrustedIssuer};
use crate::services::rekor::{Dialect, OpenDialects};
use crate::services::trust::renewal::RepositoryHealth;

/// The routes of an instance and the data that their handlers take.
pub(super) fn all(app: &Arc<App>, counters: &Arc<Metrics>) -> Vec<Routes> {
    let configuration = Data::new(fulcio_configuration(app));
    let readiness = Data::new(readiness(app));
    let discovery = Data::new(discovery(app));
    let intake = Data::new(intake(app));
    let scrape = Data::new(Scrape {
        metrics: Arc::clone(counters),
        gauging: vec![gauges(app)],
    });
    let app = Arc::clone(app);
    let dialects = app.settings.log.dialects;
    let serve_metrics = app.settings.telemetry.metrics;
    vec![Arc::new(move |cfg: &mut ServiceConfig| {
        cfg.app_data(configuration.clone())
            .app_data(readiness.clone())
            .app_data(discovery.clone())
            .app_data(intake.clone())
            .app_data(scrape.clone())
            .configure(|cfg| services(cfg, &app))
            .configure(|cfg| closed::configure(cfg, dialects))
            .configure(health::configure)
            .configure(discovery::configure)
            .configure(web::configure)
            .configure(fulcio::configure)
            .configure(ct::configure)
            .configure(ct_tiles::configure)
            .configure(rekor::configure)
            .configure(rekor_v1::configure)
            .configure(tiles::configure)
            .configure(timestamp::configure)
            .configure(trust::configure)
            .configure(tuf::configure)
            .configure(verify::configure);
        if app.issuer.is_some() {
            cfg.configure(issuer::configure);
        }
        if serve_metrics {
            cfg.configure(metrics::configure);
        }
    })]
}

/// What is served as gRPC.
pub(super) fn grpc(app: &App) -> Vec<Method> {
    fulcio::grpc::methods(&app.identities, &app.authority, &fulcio_configuration(app))
}

fn fulcio_configuration(app: &App) -> FulcioConfiguration {
    FulcioConfiguration {
        issuers: app.identities.issuers().map(configured_issuer).collect(),
    }
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
        .app_data(Data::from(Arc::clone(&app.repository)))
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
    for (name, id, log) in app.logs() {
        let log = log.clone();
        let is_closed = is_closed(id, app.settings.log.dialects);
        readiness = readiness.part(name, move || match log.health() {
            Health::Ok if is_closed => PartState::Closed,
            Health::Ok => PartState::Ready,
            Health::ReadOnly { missing } => PartState::ReadOnly {
                reason: format!("{missing} entries that were once signed are missing"),
            },
            Health::Drained => failed("the server is stopping"),
            Health::Failed => failed("the log cannot vouch for its storage and is ending"),
        });
    }
    let (authority, clock) = (Arc::clone(&app.authority), Arc::clone(&app.clock));
    let repository = Arc::clone(&app.repository);
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
        .part("trust-repository", move || {
            let health = repository.health();
            let reason = health.to_string();
            match health {
                RepositoryHealth::Good => PartState::Ready,
                RepositoryHealth::Root(_) | RepositoryHealth::Overdue(_) => {
                    PartState::Warning { reason }
                }
                RepositoryHealth::Ended(_) | RepositoryHealth::NotBegun => {
                    PartState::Failed { reason }
                }
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

fn is_closed(log: LogId, open: OpenDialects) -> bool {
    match log {
        LogId::Ct => false,
        LogId::RekorV1 => !open.contains(Dialect::V1),
        LogId::RekorV2 => !open.contains(Dialect::V2),
    }
}

fn failed(reason: &str) -> PartState {
    PartState::Failed {
        reason: reason.to_owned(),
    }
}

fn gauges(app: &Arc<App>) -> Gauging {
    let app = Arc::clone(app);
    Box::new(move |metrics| {
        for (_, id, log) in app.logs() {
            metrics.log_head(id, &log.head(), app.clock.now());
        }
        for (role, _, expires) in app.repository.expiries() {
            metrics.tuf_expiry(role, expires, app.clock.now());
        }
    })
}

/// Clients are told here what there is; whoever adds an API names it in `discovery/endpoints.rs`.
fn discovery(app: &App) -> Discovery {
    let server = &app.settings.server;
    let unnamed = server.is_unnamed().then(|| {
        let url = &server.public_url;
        format!(
            "server.public_url is not set: clients are told {url}, which on every machine is that \
             machine itself. The operator should set it before anything is signed."
        )
    });
    Discovery::new(Facts {
        anchors: &app.anchors,
        documents: &app.trust,
        embedded_issuer: app.issuer.as_ref().map(|_| server.public_url.as_str()),
        initial_root: app.repository.initial_root_hash(),
        serves_metrics: app.settings.telemetry.metrics,
        warnings: unnamed.into_iter().collect(),
    })
}
