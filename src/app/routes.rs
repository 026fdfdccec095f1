//! The APIs that an instance serves, and the data of their handlers.

use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};

use super::App;
use super::logs::LogService;
use super::observe::readiness;
use crate::adapters::http::discovery::{Discovery, Facts};
use crate::adapters::http::fulcio::{ConfiguredIssuer, FulcioConfiguration};
use crate::adapters::http::grpc::Method;
use crate::adapters::http::metrics::Metrics;
use crate::adapters::http::route::Mount;
use crate::adapters::http::server::HandlerData;
use crate::adapters::http::verify::{Outcomes, VerifyEndpoint, VerifyLimits};
use crate::adapters::http::{
    ct, discovery, fulcio, health, issuer, metrics, rekor_v1, rekor_v2, timestamp, trust, tuf,
    verify,
};
use crate::adapters::web;
use crate::protocol::identity::IssuerKind;
use crate::services::oidc::TrustedIssuer;
use crate::services::roster::LogState;

/// Every API, in the order of the discovery document.
pub(super) fn mounts(app: &App) -> Vec<Mount> {
    let mut mounts = vec![Mount::new(&fulcio::API)];
    for (log, description) in app.logs.iter().zip(&app.roster.logs) {
        if description.state == LogState::Retired {
            continue;
        }
        let mount = match &log.service {
            LogService::Ct(service) => Mount::new(&ct::API).data(Data::from(Arc::clone(service))),
            LogService::RekorV1(service) => {
                Mount::new(&rekor_v1::API).data(Data::from(Arc::clone(service)))
            }
            LogService::RekorV2(service) => {
                Mount::new(&rekor_v2::API).data(Data::from(Arc::clone(service)))
            }
        };
        let mount = mount.below(log.declaration.path);
        mounts.push(mount.frozen(description.state != LogState::Active));
    }
    mounts.push(Mount::new(&timestamp::API));
    mounts.push(Mount::new(&trust::API));
    mounts.push(Mount::new(&tuf::API));
    if app.issuer.is_some() {
        mounts.push(Mount::new(&issuer::API));
    }
    mounts.push(Mount::new(&verify::API));
    mounts.push(Mount::new(&discovery::API));
    mounts.push(Mount::new(&health::API));
    if app.settings.telemetry.metrics {
        mounts.push(Mount::new(&metrics::API));
    }
    mounts.push(Mount::new(&web::API));
    mounts
}

/// The data that handlers of every API share.
pub(super) fn data(
    app: &Arc<App>,
    metrics: &Arc<Metrics>,
    verifications: &Outcomes,
) -> HandlerData {
    let configuration = Data::new(fulcio_configuration(app));
    let readiness = Data::new(readiness(app));
    let discovery = Data::new(discovery(app));
    let limits = &app.settings.limits;
    let largest = VerifyLimits {
        body_bytes: limits.verify_body_bytes,
        artifact_bytes: limits.verify_artifact_bytes,
    };
    let endpoint = VerifyEndpoint::new(
        largest,
        limits.concurrent_verifications,
        verifications.clone(),
    );
    let (endpoint, metrics) = (Data::new(endpoint), Data::from(Arc::clone(metrics)));
    let app = Arc::clone(app);
    Arc::new(move |cfg: &mut ServiceConfig| {
        cfg.app_data(configuration.clone())
            .app_data(readiness.clone())
            .app_data(discovery.clone())
            .app_data(endpoint.clone())
            .app_data(metrics.clone())
            .app_data(Data::from(Arc::clone(&app.identities)))
            .app_data(Data::from(Arc::clone(&app.authority)))
            .app_data(Data::from(Arc::clone(&app.timestamps)))
            .app_data(Data::from(Arc::clone(&app.documents)))
            .app_data(Data::from(Arc::clone(&app.repository)))
            .app_data(Data::from(Arc::clone(&app.verifier)));
        if let Some(issuer) = &app.issuer {
            cfg.app_data(Data::from(Arc::clone(issuer)));
        }
    })
}

/// The gRPC methods.
pub(super) fn grpc(app: &App) -> Vec<Method> {
    fulcio::grpc::methods(&app.identities, &app.authority, &fulcio_configuration(app))
}

fn fulcio_configuration(app: &App) -> FulcioConfiguration {
    FulcioConfiguration {
        issuers: app.identities.issuers().map(configured_issuer).collect(),
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

fn discovery(app: &App) -> Discovery {
    let server = &app.settings.server;
    let unnamed = server.is_unnamed().then(|| {
        let url = &server.public_url;
        format!(
            "server.public_url is not set: clients are sent to {url}, which on every machine is that \
             machine itself. The operator should set it before anything is signed."
        )
    });
    Discovery::new(Facts {
        roster: &app.roster,
        documents: &app.documents,
        mounts: &mounts(app),
        embedded_issuer: app.issuer.as_ref().map(|_| server.public_url.as_str()),
        initial_root: app.repository.initial_root_hash(),
        serves_metrics: app.settings.telemetry.metrics,
        warnings: unnamed.into_iter().collect(),
    })
}
