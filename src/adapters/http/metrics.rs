//! `GET /metrics`: counters for Prometheus. Every label has few values, none chosen by a client.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use prometheus::core::Collector;
use prometheus::{
    Encoder as _, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::fulcio::grpc::CREATE_SIGNING_CERTIFICATE;
use super::problem::Problem;
use crate::log::{LogId, SignedHead};
use crate::protocol::time::UnixTime;
use crate::protocol::tuf::Role;

/// The server's counters. Made once and handed to whoever counts.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    latency: HistogramVec,
    in_flight: IntGauge,
    panics: IntCounter,
    certificates: IntCounter,
    entries: IntCounterVec,
    timestamps: IntCounter,
    verifications: IntCounterVec,
    log_size: IntGaugeVec,
    log_head_age: GaugeVec,
    tuf_expiry: GaugeVec,
}

/// How a verification ended.
#[derive(Clone, Copy)]
enum Verdict {
    /// The bundle holds
    Verified,
    /// A bundle that does not hold
    Refused,
    /// Not a bundle
    Malformed,
}

impl Metrics {
    /// All counters at zero.
    ///
    /// # Errors
    /// Two counters have one name, which a test excludes.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let latency = HistogramOpts::new(
            "signet_http_request_duration_seconds",
            "Time from a request's header to the end of its handler",
        )
        .buckets(LATENCY_BUCKETS.to_vec());
        let metrics = Self {
            requests: register(
                &registry,
                IntCounterVec::new(
                    Opts::new("signet_http_requests_total", "Requests answered"),
                    &["route", "method", "status"],
                )?,
            )?,
            latency: register(&registry, HistogramVec::new(latency, &["route"])?)?,
            in_flight: register(
                &registry,
                IntGauge::new("signet_http_requests_in_flight", "Requests being answered")?,
            )?,
            panics: counter(&registry, "signet_panics_total", "Handlers that panicked")?,
            certificates: counter(
                &registry,
                "signet_certificates_issued_total",
                "Certificates issued",
            )?,
            entries: counters(
                &registry,
                ["signet_log_entries_appended_total", "log"],
                "Entries appended",
            )?,
            timestamps: counter(
                &registry,
                "signet_timestamps_issued_total",
                "Timestamps issued",
            )?,
            verifications: counters(
                &registry,
                ["signet_verifications_total", "outcome"],
                "Verifications",
            )?,
            log_size: register(
                &registry,
                IntGaugeVec::new(Opts::new("signet_log_size", "Entries in a log"), &["log"])?,
            )?,
            log_head_age: gauges(
                &registry,
                ["signet_log_head_age_seconds", "log"],
                "Age of a log's newest head",
            )?,
            tuf_expiry: gauges(
                &registry,
                ["signet_tuf_expiry_seconds", "role"],
                "Time until a role's trust metadata expires; negative once it has",
            )?,
            registry,
        };
        metrics.register_build()?;
        Ok(metrics)
    }

    fn register_build(&self) -> Result<(), prometheus::Error> {
        let options = Opts::new("signet_build_info", "Always 1; the version is the label")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        let build = register(&self.registry, Gauge::with_opts(options)?)?;
        build.set(1.0);
        Ok(())
    }

    /// A request begins.
    pub(crate) fn request_began(&self) {
        self.in_flight.inc();
    }

    /// A request that began was dropped before it was answered, or was answered.
    pub(crate) fn request_ended(&self) {
        self.in_flight.dec();
    }

    /// A request was answered. `route` is the pattern that matched, never the path.
    pub(crate) fn request_answered(
        &self,
        route: Option<&str>,
        method: &Method,
        status: StatusCode,
        elapsed: Duration,
    ) {
        let route = route.unwrap_or("unmatched");
        self.requests
            .with_label_values(&[route, method_label(method), status_class(status)])
            .inc();
        self.latency
            .with_label_values(&[route])
            .observe(elapsed.as_secs_f64());
        self.count_work(route, status);
    }

    /// Counts what an answer stands for. The services know of no counters; here alone is written
    /// which route's success is whose work.
    fn count_work(&self, route: &str, status: StatusCode) {
        match (route, status.as_u16()) {
            ("/api/v2/signingCert" | CREATE_SIGNING_CERTIFICATE, 200)
            | ("/api/v1/signingCert", 201) => {
                self.certificates.inc();
                // No certificate leaves before its precertificate is in the log.
                self.entry_appended(LogId::Ct);
            }
            ("/api/v2/log/entries", 201) => self.entry_appended(LogId::RekorV2),
            ("/api/v1/log/entries", 201) => self.entry_appended(LogId::RekorV1),
            ("/api/v1/timestamp" | "/api/v1/timestamp/api/v1/timestamp", 200) => {
                self.timestamps.inc();
            }
            ("/signet/v1/verify", 200) => self.verified(Verdict::Verified),
            ("/signet/v1/verify", 422) => self.verified(Verdict::Refused),
            ("/signet/v1/verify", 400) => self.verified(Verdict::Malformed),
            _ => {}
        }
    }

    /// A handler panicked.
    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }

    fn entry_appended(&self, log: LogId) {
        self.entries.with_label_values(&[log_label(log)]).inc();
    }

    fn verified(&self, verdict: Verdict) {
        let outcome = match verdict {
            Verdict::Verified => "verified",
            Verdict::Refused => "refused",
            Verdict::Malformed => "malformed",
        };
        self.verifications.with_label_values(&[outcome]).inc();
    }

    /// A log's newest head, as of `now`.
    pub(crate) fn log_head(&self, log: LogId, head: &SignedHead, now: UnixTime) {
        let size = i64::try_from(head.size.get()).unwrap_or(i64::MAX);
        let age = Duration::from_millis(now.millis().saturating_sub(head.time.millis()));
        let label = [log_label(log)];
        self.log_size.with_label_values(&label).set(size);
        self.log_head_age
            .with_label_values(&label)
            .set(age.as_secs_f64());
    }

    /// When a role's trust metadata expires, as of `now`.
    pub(crate) fn tuf_expiry(&self, role: Role, expires: UnixTime, now: UnixTime) {
        let span = |later: UnixTime, earlier: UnixTime| {
            Duration::from_millis(later.millis().saturating_sub(earlier.millis())).as_secs_f64()
        };
        self.tuf_expiry
            .with_label_values(&[role.name()])
            .set(span(expires, now) - span(now, expires));
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// A counter has no values, which a test excludes.
    pub(crate) fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    register(registry, IntCounter::new(name, help)?)
}

fn counters(
    registry: &Registry,
    [name, label]: [&str; 2],
    help: &str,
) -> Result<IntCounterVec, prometheus::Error> {
    register(
        registry,
        IntCounterVec::new(Opts::new(name, help), &[label])?,
    )
}

fn gauges(
    registry: &Registry,
    [name, label]: [&str; 2],
    help: &str,
) -> Result<GaugeVec, prometheus::Error> {
    register(registry, GaugeVec::new(Opts::new(name, help), &[label])?)
}

/// A method's name, or "other": clients may invent methods of any length.
pub(super) fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

const fn log_label(log: LogId) -> &'static str {
    match log {
        LogId::Ct => "ct",
        LogId::RekorV2 => "rekor-v2",
        LogId::RekorV1 => "rekor-v1",
    }
}

/// Seconds; around the time of one durable write on a quick and on an ordinary disk.
const LATENCY_BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// Brings gauges up to date before they are read.
pub(crate) type Gauging = Box<dyn Fn(&Metrics) + Send + Sync>;

/// What `GET /metrics` needs, as `web::Data`.
pub(crate) struct Scrape {
    /// The counters
    pub metrics: Arc<Metrics>,
    /// Brings gauges, the logs' heads for example, up to date
    pub gauging: Vec<Gauging>,
}

/// Routes `GET /metrics`, which needs `web::Data<Scrape>`.
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(web::resource("/metrics").get(scrape));
}

/// `GET /metrics`
async fn scrape(scrape: web::Data<Scrape>) -> Result<HttpResponse, Problem> {
    for gauge in &scrape.gauging {
        gauge(&scrape.metrics);
    }
    let text = scrape.metrics.render().map_err(|error| {
        tracing::error!(%error, "metrics could not be rendered");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the metrics could not be rendered",
        )
    })?;
    Ok(HttpResponse::Ok()
        .content_type(prometheus::TEXT_FORMAT)
        .body(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(metrics: &Metrics) -> String {
        String::from_utf8(metrics.render().unwrap()).unwrap()
    }

    #[test]
    fn what_clients_choose_never_becomes_a_label() {
        let metrics = Metrics::new().unwrap();

        for number in 0..100 {
            let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
            let status = StatusCode::NOT_FOUND;
            metrics.request_answered(None, &method, status, Duration::from_millis(1));
        }

        let text = rendered(&metrics);
        let series = text
            .lines()
            .filter(|line| line.starts_with("signet_http_requests_total"));
        assert_eq!(
            series.collect::<Vec<_>>(),
            ["signet_http_requests_total{method=\"other\",route=\"unmatched\",status=\"4xx\"} 100"]
        );
    }

    #[test]
    fn what_answers_stand_for_is_counted_and_failures_are_not() {
        let metrics = Metrics::new().unwrap();

        for (route, status) in [
            ("/api/v2/signingCert", 200),
            ("/api/v2/signingCert", 400),
            ("/api/v1/signingCert", 201),
            (CREATE_SIGNING_CERTIFICATE, 200),
            (CREATE_SIGNING_CERTIFICATE, 400),
            ("/api/v2/log/entries", 201),
            ("/api/v2/log/entries", 201),
            ("/api/v2/log/entries", 409),
            ("/api/v1/log/entries", 201),
            ("/api/v1/log/entries", 409),
            ("/api/v1/log/entries", 200),
            ("/api/v1/timestamp", 200),
            ("/api/v1/timestamp", 503),
            ("/signet/v1/verify", 422),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            metrics.request_answered(Some(route), &Method::POST, status, Duration::ZERO);
        }
        metrics.panicked();

        let text = rendered(&metrics);
        for line in [
            "signet_certificates_issued_total 3",
            "signet_timestamps_issued_total 1",
            "signet_log_entries_appended_total{log=\"ct\"} 3",
            "signet_log_entries_appended_total{log=\"rekor-v2\"} 2",
            "signet_log_entries_appended_total{log=\"rekor-v1\"} 1",
            "signet_verifications_total{outcome=\"refused\"} 1",
            "signet_panics_total 1",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}");
        }
    }
}
