//! Events: what the server tells about itself on standard error, as text or JSON lines.
//!
//! Tokens, keys, bodies and e-mail addresses are never part of an event.

use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

use crate::config::{LogFormat, TelemetrySettings};

use tracing_subscriber::util::SubscriberInitExt as _;

/// Why events cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `telemetry.level` is no filter
    #[error("telemetry.level is not a filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Someone started writing events already
    #[error("events are written already")]
    Started(#[from] TryInitError),
}

/// Starts writing events to standard error, for the whole process and once.
///
/// # Errors
/// See [`TelemetryError`].
pub fn start(settings: &TelemetrySettings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.level)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match settings.format {
        LogFormat::Text => builder
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .finish()
            .try_init()?,
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .finish()
            .try_init()?,
    }
    Ok(())
}

/// Makes a panic an event with its place. What it says is left out unless it is a constant: a
/// formatted message can hold what a client sent.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(report_panic));
}

fn report_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let message = info.payload().downcast_ref::<&'static str>().copied();
    let message = message.unwrap_or("(message withheld)");
    if tracing::event_enabled!(tracing::Level::ERROR) {
        tracing::error!(panic.place = %place, panic.message = message, "panicked");
    } else {
        // Commands that write no events still owe the reader a word.
        let line = format!("signet: internal error at {place}: {message}\n");
        let _ = io::Write::write_all(&mut io::stderr(), line.as_bytes());
    }
}
