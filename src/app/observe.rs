//! What operators see of an instance: metrics and readiness.

use std::sync::Arc;
use std::time::Duration;

use super::App;
use crate::adapters::http::health::{PartState, Readiness};
use crate::adapters::http::metrics::{
    Metrics, ObservedKind, ObservedMetric, ReadValue, as_f64, reading,
};
use crate::adapters::http::verify::Outcomes;
use crate::log::Health;
use crate::services::roster::LogState;
use crate::services::trust::RepositoryHealth;

/// The metrics of the HTTP server, and numbers that are read from the services.
pub(super) fn metrics(
    app: &Arc<App>,
    verifications: &Outcomes,
) -> Result<Metrics, prometheus::Error> {
    let metrics = Metrics::new()?;
    let counter = |name, help, count| ObservedMetric {
        name,
        help,
        kind: ObservedKind::Counter,
        label: None,
        values: vec![(String::new(), reading(count))],
    };
    metrics.observe(counter(
        "signet_certificates_issued_total",
        "Certificates issued",
        app.authority.issued(),
    ))?;
    metrics.observe(counter(
        "signet_timestamps_issued_total",
        "Timestamps issued",
        app.timestamps.issued(),
    ))?;
    metrics.observe(ObservedMetric {
        name: "signet_verifications_total",
        help: "Verifications",
        kind: ObservedKind::Counter,
        label: Some("outcome"),
        values: vec![
            ("verified".to_owned(), reading(&verifications.verified)),
            ("refused".to_owned(), reading(&verifications.refused)),
            ("malformed".to_owned(), reading(&verifications.malformed)),
        ],
    })?;
    metrics.observe(of_logs(
        app,
        ObservedKind::Counter,
        "signet_log_entries_appended_total",
        "Entries appended",
        |app, log| {
            let log = app.logs.get(log);
            as_f64(log.map_or(0, super::RunningLog::appended))
        },
    ))?;
    metrics.observe(of_logs(
        app,
        ObservedKind::Gauge,
        "signet_log_size",
        "Entries in a log",
        |app, log| {
            let log = app.logs.get(log);
            as_f64(log.map_or(0, |log| log.log.head().size.get()))
        },
    ))?;
    metrics.observe(of_logs(
        app,
        ObservedKind::Gauge,
        "signet_log_head_age_seconds",
        "Age of a log's newest head",
        |app, log| {
            let signed = app
                .logs
                .get(log)
                .map_or(0, |log| log.log.head().time.millis());
            // Saturating, because the clock may have been set back and alerts expect no negative age.
            let age = app.clock.now().millis().saturating_sub(signed);
            Duration::from_millis(age).as_secs_f64()
        },
    ))?;
    let roles = app.repository.expiries().into_iter().map(|(role, _, _)| {
        let app = Arc::clone(app);
        let read: ReadValue = Box::new(move || {
            let expiries = app.repository.expiries();
            let expiry = expiries.into_iter().find(|(one, _, _)| *one == role);
            let expires = expiry.map_or(0, |(_, _, expires)| expires.millis());
            (as_f64(expires) - as_f64(app.clock.now().millis())) / 1000.0
        });
        (role.name().to_owned(), read)
    });
    metrics.observe(ObservedMetric {
        name: "signet_tuf_expiry_seconds",
        help: "Time until a role's trust metadata expires; negative once it has",
        kind: ObservedKind::Gauge,
        label: Some("role"),
        values: roles.collect(),
    })?;
    Ok(metrics)
}

/// A metric with one value for each log.
fn of_logs(
    app: &Arc<App>,
    kind: ObservedKind,
    name: &'static str,
    help: &'static str,
    read: fn(&App, usize) -> f64,
) -> ObservedMetric {
    let values = app.logs.iter().enumerate().map(|(place, log)| {
        let app = Arc::clone(app);
        let read: ReadValue = Box::new(move || read(&app, place));
        (log.declaration.id.to_string(), read)
    });
    ObservedMetric {
        name,
        help,
        kind,
        label: Some("log"),
        values: values.collect(),
    }
}

/// The parts of the instance that `/readyz` reports.
pub(super) fn readiness(app: &Arc<App>) -> Readiness {
    let mut readiness = Readiness::new();
    for (log, description) in app.logs.iter().zip(&app.roster.logs) {
        if description.state == LogState::Retired {
            continue;
        }
        let (log, state) = (log.log.clone(), description.state);
        readiness = readiness.part(description.id.to_string(), move || match log.health() {
            Health::Ok if state != LogState::Active => PartState::Closed,
            Health::Ok => PartState::Ready,
            Health::ReadOnly { missing } => PartState::ReadOnly {
                reason: format!("the journal lacks signed entries, {missing} of this log"),
            },
            Health::Drained => failed("the server is stopping"),
            Health::Failed => failed("the log and its storage may disagree; the server is ending"),
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
                failed("the clock is before the last timestamp, or the certificates have expired")
            }
        })
        .part("trust-repository", move || {
            let health = repository.health();
            let reason = health.to_string();
            match health {
                RepositoryHealth::Current => PartState::Ready,
                RepositoryHealth::Root(_) | RepositoryHealth::Overdue(_) => {
                    PartState::Warning { reason }
                }
                RepositoryHealth::Expired(_) | RepositoryHealth::NotCreated => {
                    PartState::Failed { reason }
                }
            }
        })
        .part("store", move || {
            if storage.is_read_only() {
                PartState::ReadOnly {
                    reason: "the journal lacks signed entries".to_owned(),
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
