//! Lines, colours, progress bars and exit statuses.
//!
//! Standard output carries results only, so that it can be piped; everything else goes to standard
//! error.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::config::ConfigError;

/// The exit status of a command that fails. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitStatus {
    /// The input does not verify, or the work failed
    Refused = 1,
    /// Wrong usage, or input that cannot be read
    Usage = 2,
    /// The configuration is refused
    Configuration = 3,
    /// The store is damaged
    StorageDamaged = 4,
    /// Memory and disk might disagree, so the server stopped; the next start recovers
    Fatal = 5,
}

/// Why a command fails, with its exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    status: ExitStatus,
    cause: anyhow::Error,
}

impl Failure {
    pub(crate) const fn new(status: ExitStatus, cause: anyhow::Error) -> Self {
        Self { status, cause }
    }

    pub(crate) const fn failed(cause: anyhow::Error) -> Self {
        Self::new(ExitStatus::Refused, cause)
    }

    pub(crate) const fn usage(cause: anyhow::Error) -> Self {
        Self::new(ExitStatus::Usage, cause)
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status as u8)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(cause: anyhow::Error) -> Self {
        Self::failed(cause)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(ExitStatus::Configuration, error.into())
    }
}

impl Display for Failure {
    /// The error and its causes on one line, separated by colons. A cause that the previous message
    /// already ends with is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous = self.cause.to_string();
        f.write_str(&previous)?;
        for cause in self.cause.chain().skip(1) {
            let cause = cause.to_string();
            if !previous.ends_with(&cause) {
                write!(f, ": {cause}")?;
                previous = cause;
            }
        }
        Ok(())
    }
}

/// Lines for people.
pub(crate) struct Output<W> {
    sink: W,
    colour: bool,
}

impl Output<io::Stderr> {
    /// Standard error, in colour on a terminal unless `NO_COLOR` is set (no-color.org).
    pub(crate) fn stderr() -> Self {
        let sink = io::stderr();
        let colour = sink.is_terminal() && wants_colour();
        Self { sink, colour }
    }
}

impl Output<io::Stdout> {
    /// Standard output, for commands whose result is text for people.
    pub(crate) fn stdout() -> Self {
        let sink = io::stdout();
        let colour = sink.is_terminal() && wants_colour();
        Self { sink, colour }
    }
}

fn wants_colour() -> bool {
    let unset = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    unset && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl<W: Write> Output<W> {
    /// Any other sink, without colour.
    pub(crate) const fn plain(sink: W) -> Self {
        Self {
            sink,
            colour: false,
        }
    }

    pub(crate) fn line(&mut self, text: impl Display) {
        self.write(&clean(text));
    }

    /// A line with a check mark.
    pub(crate) fn success(&mut self, text: impl Display) {
        let mark = self.paint(GREEN, "✓");
        self.write(&format!("{mark} {}", clean(text)));
    }

    /// A line with a cross: the input does not verify.
    pub(crate) fn refusal(&mut self, text: impl Display) {
        let mark = self.paint(RED, "✗");
        self.write(&format!("{mark} {}", clean(text)));
    }

    /// The heading of a block of fields.
    pub(crate) fn heading(&mut self, text: impl Display) {
        let text = self.paint(BOLD, &clean(text));
        self.write(&text);
    }

    /// A name and a value; the values of a block are aligned.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) {
        let name = self.paint(DIM, &format!("{name:<14}"));
        self.write(&format!("  {name} {}", clean(value)));
    }

    pub(crate) fn failure(&mut self, failure: &Failure) {
        let mark = self.paint(RED, "error:");
        self.write(&format!("{mark} {}", clean(failure)));
    }

    // If the sink is closed, there is nowhere left to report that.
    fn write(&mut self, line: &str) {
        let _ = writeln!(self.sink, "{line}");
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

const RED: &str = "31";
const GREEN: &str = "32";
const BOLD: &str = "1";
const DIM: &str = "2";

/// The text without control characters, which a terminal would obey: the names in bundles and
/// certificates are untrusted input. Line breaks stay, because our own blocks contain them.
fn clean(text: impl Display) -> String {
    text.to_string()
        .chars()
        .map(|character| match character {
            '\n' | '\t' => character,
            hidden if hidden.is_control() || changes_direction(hidden) => '\u{fffd}',
            shown => shown,
        })
        .collect()
}

/// Whether a character changes the direction of text, which can make one name look like another.
const fn changes_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Prints a line of the result.
pub(crate) fn print_result(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Prints the result as indented JSON.
pub(crate) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)?;
    writeln!(stdout)
}

/// Minimum size of a file whose progress is shown, in bytes.
const SHOW_PROGRESS_FROM: u64 = 64 << 20;

/// A progress bar for a file of this size. It is hidden for small files and if standard error is not a
/// terminal.
pub(crate) fn progress(bytes: u64) -> ProgressBar {
    let target = if bytes >= SHOW_PROGRESS_FROM && io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(bytes), target);
    match ProgressStyle::with_template("{bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Output<&mut Vec<u8>>)) -> String {
        let mut sink = Vec::new();
        write(&mut Output::plain(&mut sink));
        String::from_utf8(sink).unwrap()
    }

    #[test]
    fn without_a_terminal_nothing_is_coloured() {
        let text = written(|output| {
            output.success("verified");
            output.refusal("refused");
            output.field("identity", "a@example.com");
        });

        assert_eq!(
            text,
            "✓ verified\n✗ refused\n  identity       a@example.com\n"
        );
    }

    #[test]
    fn untrusted_names_cannot_control_the_terminal() {
        let text = written(|output| output.line("a\x1b[2Jb\u{202e}c\rd\u{7}"));

        assert_eq!(text, "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}\n");
    }

    #[test]
    fn a_cause_is_printed_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("issuer: {0}")]
        struct Outer(#[source] std::fmt::Error);
        let failure = Failure::failed(Outer(std::fmt::Error).into());

        assert_eq!(failure.to_string(), format!("issuer: {}", std::fmt::Error));
    }

    #[test]
    fn a_failure_and_its_causes_are_printed_on_one_line() {
        let cause = anyhow::anyhow!("connection refused").context("the server cannot be reached");
        let text = written(|output| output.failure(&Failure::failed(cause)));

        assert_eq!(
            text,
            "error: the server cannot be reached: connection refused\n"
        );
    }

    #[test]
    fn exit_statuses_are_the_documented_ones() {
        let statuses = [
            (ExitStatus::Refused, 1),
            (ExitStatus::Usage, 2),
            (ExitStatus::Configuration, 3),
            (ExitStatus::StorageDamaged, 4),
            (ExitStatus::Fatal, 5),
        ];
        for (status, number) in statuses {
            assert_eq!(status as u8, number);
        }
    }

    #[test]
    fn systemd_does_not_restart_after_failures_that_need_an_operator() {
        let unit = include_str!("../../systemd/signet.service");
        let needs_an_operator = [
            ExitStatus::Usage,
            ExitStatus::Configuration,
            ExitStatus::StorageDamaged,
        ]
        .map(|status| (status as u8).to_string());

        let line = format!("RestartPreventExitStatus={}", needs_an_operator.join(" "));
        for line in [line.as_str(), "Restart=always", "LimitCORE=0", "UMask=0077"] {
            assert!(unit.lines().any(|shown| shown == line), "{line}");
        }
    }

    #[test]
    fn small_files_show_no_progress() {
        assert!(progress(SHOW_PROGRESS_FROM - 1).is_hidden());
    }
}
