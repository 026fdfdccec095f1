//! The configuration: layers that are merged, and tables that are checked.
//!
//! Code that receives [`Settings`] may rely on everything that is checked here.

mod error;
mod layer;
mod tables;
mod value;

use std::path::PathBuf;

use serde::Deserialize;

pub(crate) use error::ConfigError;
use error::Refusal;
pub(crate) use tables::{
    AccountsSettings, CaSettings, CtLogSettings, IssuerSettings, LimitsSettings, LogFormat,
    LogSettings, OwnCa, PolicySettings, ServerSettings, TelemetrySettings, TimestampSettings,
    TlsSettings, TrustSettings,
};
use tables::{IssuerTable, check_issuers, check_policies};

/// The lowest layer: every key with its default value.
pub(crate) const DEFAULT: &str = include_str!("../../config/default.toml");

/// The checked configuration. Only [`load`] makes one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[server]`
    pub server: ServerSettings,
    /// `[tls]`; none if the server does not terminate TLS
    pub(crate) tls: Option<TlsSettings>,
    /// `[[issuers]]`: the issuers in addition to the embedded one
    pub(crate) issuers: Vec<IssuerSettings>,
    /// `[accounts]`
    pub accounts: AccountsSettings,
    /// `[ca]`
    pub ca: CaSettings,
    /// `[ctlog]`
    pub ctlog: CtLogSettings,
    /// `[log]`
    pub log: LogSettings,
    /// `[timestamp]`
    pub timestamp: TimestampSettings,
    /// `[trust]`
    pub trust: TrustSettings,
    /// `[[policies]]`: the policies that clients may name
    pub policies: Vec<PolicySettings>,
    /// `[limits]`
    pub limits: LimitsSettings,
    /// `[telemetry]`
    pub telemetry: TelemetrySettings,
}

/// The sources of the configuration, above the defaults. Later fields override earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by `--config`
    pub file: Option<PathBuf>,
    /// The process's environment; only `SIGNET_…` variables are used
    pub environment: Vec<(String, String)>,
    /// The command line
    pub flags: Flags,
}

/// The settings that have a command-line flag.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--public-url`
    pub public_url: Option<String>,
}

/// The merged layers. The tables are already those of [`Settings`], but for what [`check`] changes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    server: ServerSettings,
    tls: TlsSettings,
    issuers: Vec<IssuerTable>,
    accounts: AccountsSettings,
    ca: CaSettings,
    ctlog: CtLogSettings,
    log: LogSettings,
    timestamp: TimestampSettings,
    trust: TrustSettings,
    policies: Vec<PolicySettings>,
    limits: LimitsSettings,
    telemetry: TelemetrySettings,
}

/// Merges the layers and checks them.
///
/// # Errors
/// Unknown keys, wrong types, values out of range and contradictions.
pub fn load(sources: &Sources) -> Result<Settings, ConfigError> {
    let merged = layer::merge(sources)?;
    check(merged.tables()?).map_err(|Refusal { key, problem }| ConfigError::Refused {
        place: merged.place(&key),
        key,
        problem: problem.to_string(),
    })
}

fn check(tables: Tables) -> Result<Settings, Refusal> {
    let Tables {
        mut server,
        tls,
        issuers,
        accounts,
        ca,
        ctlog,
        mut log,
        timestamp,
        mut trust,
        policies,
        limits,
        telemetry,
    } = tables;
    let tls = tls.check()?;
    server.check(tls.is_some())?;
    let embedded = accounts.enabled.then(|| server.public_url.as_str());
    let issuers = check_issuers(issuers, embedded)?;
    ca.check()?;
    log.check(server.public_url.host())?;
    trust.check(server.public_url.host())?;
    check_policies(&policies)?;
    Ok(Settings {
        server,
        tls,
        issuers,
        accounts,
        ca,
        ctlog,
        log,
        timestamp,
        trust,
        policies,
        limits,
        telemetry,
    })
}

#[cfg(test)]
mod tests;
