//! `GET /metrics` for Prometheus. Labels have few values, and clients cannot choose them.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{
    Encoder as _, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};

use super::refusal::{ErrorFormat, Refusal};
use super::route::{Api, Route};

/// The metrics of the HTTP server, and those that are registered.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    latency: HistogramVec,
    in_flight: IntGauge,
    panics: IntCounter,
}

/// Reads a number at each scrape.
pub(crate) type ReadValue = Box<dyn Fn() -> f64 + Send + Sync>;

/// A counter or gauge whose values are read from a service.
pub(crate) struct ObservedMetric {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: ObservedKind,
    /// The label's name; none if there is one value
    pub label: Option<&'static str>,
    /// The label's values with their readings
    pub values: Vec<(String, ReadValue)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObservedKind {
    Counter,
    Gauge,
}

impl Metrics {
    /// # Errors
    /// Two metrics have one name. A test excludes this.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("signet_http_requests_total", "Requests answered"),
            &["route", "method", "status"],
        )?;
        let latency = HistogramVec::new(
            HistogramOpts::new(
                "signet_http_request_duration_seconds",
                "Time from a request's header to the end of its handler",
            )
            .buckets(LATENCY_BUCKETS.to_vec()),
            &["route"],
        )?;
        let in_flight = IntGauge::new("signet_http_requests_in_flight", "Requests being answered")?;
        let panics = IntCounter::new("signet_panics_total", "Handlers that panicked")?;
        let build = Gauge::with_opts(
            Opts::new("signet_build_info", "Always 1; the version is the label")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )?;
        build.set(1.0);
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(latency.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;
        registry.register(Box::new(panics.clone()))?;
        registry.register(Box::new(build))?;
        Ok(Self {
            registry,
            requests,
            latency,
            in_flight,
            panics,
        })
    }

    /// Adds a metric that is read from services at each scrape.
    ///
    /// # Errors
    /// A metric of this name exists.
    pub(crate) fn observe(&self, observed: ObservedMetric) -> Result<(), prometheus::Error> {
        let labels = observed.label.iter().map(ToString::to_string).collect();
        let desc = Desc::new(
            observed.name.to_owned(),
            observed.help.to_owned(),
            labels,
            std::collections::HashMap::new(),
        )?;
        self.registry
            .register(Box::new(ObservedCollector { desc, observed }))
    }

    pub(super) fn request_began(&self) {
        self.in_flight.inc();
    }

    /// The response was sent, or the client disconnected.
    pub(super) fn request_ended(&self) {
        self.in_flight.dec();
    }

    /// `route` is the pattern that matched, never the path.
    pub(super) fn request_answered(
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
    }

    pub(super) fn panicked(&self) {
        self.panics.inc();
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// A metric has no values. A test excludes this.
    pub(super) fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

struct ObservedCollector {
    desc: Desc,
    observed: ObservedMetric,
}

impl Collector for ObservedCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let ObservedMetric {
            name,
            help,
            kind,
            label,
            values,
        } = &self.observed;
        let metrics = values.iter().map(|(label_value, read)| {
            let mut metric = Metric::default();
            if let Some(label) = label {
                let mut pair = LabelPair::default();
                pair.set_name((*label).to_owned());
                pair.set_value(label_value.clone());
                metric.set_label(vec![pair]);
            }
            match kind {
                ObservedKind::Counter => {
                    let mut counter = Counter::default();
                    counter.set_value(read());
                    metric.set_counter(counter);
                }
                ObservedKind::Gauge => {
                    let mut gauge = prometheus::proto::Gauge::default();
                    gauge.set_value(read());
                    metric.set_gauge(gauge);
                }
            }
            metric
        });
        let mut family = MetricFamily::default();
        family.set_name((*name).to_owned());
        family.set_help((*help).to_owned());
        family.set_field_type(match kind {
            ObservedKind::Counter => MetricType::COUNTER,
            ObservedKind::Gauge => MetricType::GAUGE,
        });
        family.set_metric(metrics.collect());
        vec![family]
    }
}

/// A method's name, or `other`, because clients may send arbitrary methods.
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

/// In seconds; finest around the time of a durable write, on fast and on slow disks.
const LATENCY_BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// Needs `web::Data<Metrics>`.
pub(crate) const API: Api = Api {
    name: "Signet",
    errors: ErrorFormat::Problem,
    owns: &[],
    cors: false,
    routes: &[Route::get("/metrics", || web::to(scrape))],
};

async fn scrape(metrics: web::Data<Metrics>) -> Result<HttpResponse, Refusal> {
    let text = metrics.render().map_err(|error| {
        tracing::error!(%error, "metrics.failed");
        Refusal::internal("the metrics could not be rendered; the server's log has the reason")
    })?;
    Ok(HttpResponse::Ok()
        .content_type(prometheus::TEXT_FORMAT)
        .body(text))
}

/// Reads an atomic counter.
pub(crate) fn reading(counter: &Arc<std::sync::atomic::AtomicU64>) -> ReadValue {
    let counter = Arc::clone(counter);
    Box::new(move || as_f64(counter.load(std::sync::atomic::Ordering::Relaxed)))
}

/// Prometheus uses floating point, which is exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "a metric may be rounded")]
pub(crate) const fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn rendered(metrics: &Metrics) -> String {
        String::from_utf8(metrics.render().unwrap()).unwrap()
    }

    #[test]
    fn text_from_clients_never_becomes_a_label() {
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
    fn numbers_of_services_are_read_at_each_scrape() {
        let metrics = Metrics::new().unwrap();
        let count = Arc::new(AtomicU64::new(0));
        let observed = |name, kind, label| ObservedMetric {
            name,
            help: "Help",
            kind,
            label,
            values: vec![("one".to_owned(), reading(&count))],
        };
        let counter = observed("signet_test_total", ObservedKind::Counter, None);
        let gauge = observed("signet_test_size", ObservedKind::Gauge, Some("log"));
        metrics.observe(counter).unwrap();
        metrics.observe(gauge).unwrap();

        for expected in [0, 7] {
            count.store(expected, Ordering::Relaxed);
            let text = rendered(&metrics);
            for line in [
                "# TYPE signet_test_total counter".to_owned(),
                format!("signet_test_total {expected}"),
                format!("signet_test_size{{log=\"one\"}} {expected}"),
            ] {
                assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
            }
        }
        let twice = observed("signet_test_total", ObservedKind::Counter, None);
        assert!(metrics.observe(twice).is_err());
    }
}
