//! Events on standard error, as text or JSON lines.
//!
//! An event never contains a token, a key, a body or an e-mail address.

use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{LogFormat, TelemetrySettings};

/// Why events cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TelemetryError {
    #[error("telemetry.level is not a valid filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("events are already written in this process")]
    Started(#[from] TryInitError),
}

/// Starts writing events to standard error, for the whole process. Can be called once.
pub(crate) fn start(settings: &TelemetrySettings) -> Result<(), TelemetryError> {
    // NO_COLOR: no-color.org
    let allowed = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let colour = allowed && io::stderr().is_terminal();
    subscriber(settings, io::stderr, colour)?.try_init()?;
    Ok(())
}

fn subscriber<W>(
    settings: &TelemetrySettings,
    writer: W,
    colour: bool,
) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&settings.level)?)
        .with_writer(writer);
    Ok(match settings.format {
        LogFormat::Text => Box::new(builder.with_ansi(colour).with_target(false).finish()),
        LogFormat::Json => Box::new(
            builder
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .finish(),
        ),
    })
}

/// Reports panics as events with their location. A formatted message is withheld, because it can
/// contain what a client sent; a constant one is shown.
pub(crate) fn install_panic_hook() {
    std::panic::set_hook(Box::new(report_panic));
}

fn report_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let message = info.payload().downcast_ref::<&'static str>().copied();
    let message = message.unwrap_or("(message withheld)");
    if tracing::event_enabled!(tracing::Level::ERROR) {
        tracing::error!(panic.place = %place, panic.message = message, "thread.panicked");
    } else {
        // Commands that write no events report the panic themselves.
        let line = format!("signet: internal error at {place}: {message}\n");
        let _ = io::Write::write_all(&mut io::stderr(), line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, emit: impl FnOnce()) -> String {
        let settings = TelemetrySettings {
            format,
            level: "info".to_owned(),
            metrics: true,
        };
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(&settings, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, emit);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const HOSTILE: &str = "a\r\nlevel=ERROR forged\u{1b}[2J\u{0}";

    #[test]
    fn an_event_is_one_line_whatever_it_contains() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = written(format, || tracing::info!(subject = ?HOSTILE, "refused"));

            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(
                !text.contains('\u{1b}') && !text.contains('\u{0}'),
                "{text}"
            );
        }
    }

    #[test]
    fn a_json_event_contains_the_request_id() {
        let text = written(LogFormat::Json, || {
            let span = tracing::info_span!("request", request.id = %"abc");
            span.in_scope(|| tracing::info!(elapsed_ms = 3, "request.answered"));
        });

        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["message"], "request.answered");
        assert_eq!(event["elapsed_ms"], 3);
        assert_eq!(event["span"]["request.id"], "abc");
    }

    #[test]
    fn events_below_the_level_are_omitted() {
        assert_eq!(written(LogFormat::Text, || tracing::debug!("detail")), "");
    }
}
