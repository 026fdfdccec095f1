//! `[telemetry]`: what the server tells about itself.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::error::Refusal;

/// `[telemetry]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TelemetryTable {
    format: String,
    level: String,
    metrics: bool,
}

/// What the server tells about itself.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// How events are written
    pub format: LogFormat,
    /// Which events are written; a filter that was parsed
    pub level: String,
    /// Whether `GET /metrics` is served
    pub metrics: bool,
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line, for collectors
    Json,
}

impl TelemetryTable {
    pub(super) fn check(self) -> Result<TelemetrySettings, Refusal> {
        let format = match self.format.as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => {
                let allowed = "\"text\" or \"json\"";
                return Err(Refusal::not_accepted("telemetry.format", other, allowed));
            }
        };
        if self.level.is_empty() || EnvFilter::try_new(&self.level).is_err() {
            return Err(Refusal::not_accepted(
                "telemetry.level",
                &self.level,
                "error, warn, info, debug, trace, or a filter such as \"info,signet=debug\"",
            ));
        }
        Ok(TelemetrySettings {
            format,
            level: self.level,
            metrics: self.metrics,
        })
    }
}
