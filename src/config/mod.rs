//! The configuration: tables as they are written, checked into settings at the door.
//!
//! One file for each table. Everything behind [`Settings`] may rely on what was checked here.

mod accounts;
mod ca;
mod ctlog;
mod error;
mod issuers;
mod layer;
mod limits;
mod log;
mod policies;
mod server;
mod telemetry;
mod timestamp;
mod tls;
mod trust;

use std::path::PathBuf;

use serde::Deserialize;

pub(crate) use accounts::AccountsSettings;
pub(crate) use ca::CaSettings;
pub(crate) use ca::OwnCa;
pub(crate) use ctlog::CtLogSettings;
pub(crate) use error::ConfigError;
pub(crate) use error::Refusal;
pub(crate) use issuers::IssuerSettings;
pub(crate) use limits::LimitsSettings;
pub(crate) use log::LogSettings;
pub(crate) use policies::PolicySettings;
pub(crate) use server::ServerSettings;
pub(crate) use telemetry::{LogFormat, TelemetrySettings};
pub(crate) use timestamp::TimestampSettings;
pub(crate) use tls::TlsSettings;
pub(crate) use trust::TrustSettings;

/// The lowest layer: every key with its default.
pub(crate) const DEFAULT: &str = include_str!("../../config/default.toml");

/// All that the server is told, checked. Only [`load`] makes one.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[server]`
    pub server: ServerSettings,
    /// `[tls]`; none where plain HTTP is served
    pub tls: Option<TlsSettings>,
    /// `[[issuers]]`: the issuers besides the embedded one
    pub issuers: Vec<IssuerSettings>,
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

/// Where settings come from, above the defaults; later fields win over earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by `--config`
    pub file: Option<PathBuf>,
    /// The process's environment; only `SIGNET_…` variables are looked at
    pub environment: Vec<(String, String)>,
    /// The command line
    pub flags: Flags,
}

/// The settings that have a flag of their own.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--public-url`
    pub public_url: Option<String>,
}

/// The whole configuration as it is written, after the layers were joined.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    server: server::ServerTable,
    tls: tls::TlsTable,
    issuers: Vec<issuers::IssuerTable>,
    accounts: accounts::AccountsTable,
    ca: ca::CaTable,
    ctlog: ctlog::CtLogTable,
    log: log::LogTable,
    timestamp: timestamp::TimestampTable,
    trust: trust::TrustTable,
    policies: Vec<policies::PolicyTable>,
    limits: limits::LimitsTable,
    telemetry: telemetry::TelemetryTable,
}

/// Joins the layers and checks them.
///
/// # Errors
/// Unknown keys, wrong types, values out of range and contradictions, each with the place that
/// said so, the key, and what is allowed there.
pub fn load(sources: &Sources) -> Result<Settings, ConfigError> {
    let joined = layer::join(sources)?;
    let tables = joined.tables()?;
    check(tables).map_err(|refusal| ConfigError::Refused {
        place: joined.place(refusal.key()),
        refusal,
    })
}

fn check(tables: Tables) -> Result<Settings, Refusal> {
    let tls = tables.tls.check()?;
    let server = tables.server.check(tls.is_some())?;
    let accounts = tables.accounts.check();
    let embedded = accounts.enabled.then(|| server.public_url.as_str());
    let issuers = issuers::check_all(tables.issuers, embedded)?;
    let host = server.public_url.host().to_owned();
    Ok(Settings {
        issuers,
        accounts,
        ca: tables.ca.check()?,
        ctlog: tables.ctlog.check()?,
        log: tables.log.check(&host)?,
        timestamp: tables.timestamp.check()?,
        trust: tables.trust.check(&host)?,
        policies: policies::check_all(tables.policies)?,
        limits: tables.limits.check()?,
        telemetry: tables.telemetry.check()?,
        tls,
        server,
    })
}

#[cfg(test)]
mod tests;
