//! What people see, and what the shell gets: lines, colours, progress, exit statuses.
//!
//! Standard output carries results only, so that it can be piped; all else goes to standard error.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::config::ConfigError;

/// How a command ended, as the shell sees it. The numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// A verdict against the input, or a failure underway
    Refused = 1,
    /// Wrong usage, or input that cannot be read
    Usage = 2,
    /// The configuration is not accepted
    Configuration = 3,
    /// The store is damaged, and the message says where
    StorageDamaged = 4,
    /// Memory and disk might disagree, so the server ended; the next start recovers
    Fatal = 5,
}

/// Why a command did not succeed, with the exit status that tells a script so.
#[derive(Debug)]
pub struct Failure {
    status: ExitStatus,
    cause: anyhow::Error,
}

impl Failure {
    /// A failure with a status of its own.
    pub const fn new(status: ExitStatus, cause: anyhow::Error) -> Self {
        Self { status, cause }
    }

    /// A verdict against the input, or a failure underway.
    pub const fn failed(cause: anyhow::Error) -> Self {
        Self::new(ExitStatus::Refused, cause)
    }

    /// Wrong usage, or input that cannot be read.
    pub const fn usage(cause: anyhow::Error) -> Self {
        Self::new(ExitStatus::Usage, cause)
    }

    /// What the shell gets, as `main` returns it.
    pub fn exit_code(&self) -> ExitCode {
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
    /// The failure and its causes on one line, each separated by a colon. A cause that the one
    /// before has told already is not told again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.cause.to_string();
        f.write_str(&told)?;
        for cause in self.cause.chain().skip(1) {
            let cause = cause.to_string();
            if !told.ends_with(&cause) {
                write!(f, ": {cause}")?;
                told = cause;
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
    /// Standard error, coloured on a terminal unless `NO_COLOR` is set (no-color.org).
    pub(crate) fn stderr() -> Self {
        let sink = io::stderr();
        let colour = sink.is_terminal() && wants_colour();
        Self { sink, colour }
    }
}

impl Output<io::Stdout> {
    /// Standard output, for commands whose result is lines for people.
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
    /// Lines into a sink of one's own, without colour.
    pub(crate) const fn plain(sink: W) -> Self {
        Self {
            sink,
            colour: false,
        }
    }

    /// A line.
    pub(crate) fn line(&mut self, text: impl Display) {
        self.write(&clean(text));
    }

    /// A step that ended well.
    pub(crate) fn success(&mut self, text: impl Display) {
        let mark = self.paint(GREEN, "✓");
        self.write(&format!("{mark} {}", clean(text)));
    }

    /// A verdict against the input.
    pub(crate) fn refusal(&mut self, text: impl Display) {
        let mark = self.paint(RED, "✗");
        self.write(&format!("{mark} {}", clean(text)));
    }

    /// The heading of a block of lines.
    pub(crate) fn heading(&mut self, text: impl Display) {
        let text = self.paint(BOLD, &clean(text));
        self.write(&text);
    }

    /// A name and a value, the values of a block in one column.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) {
        let name = self.paint(DIM, &format!("{name:<14}"));
        self.write(&format!("  {name} {}", clean(value)));
    }

    /// Why the command did not succeed.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        let mark = self.paint(RED, "error:");
        self.write(&format!("{mark} {}", clean(failure)));
    }

    // Nothing can be told to anyone when the sink is closed.
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

/// A text without anything that a terminal would obey: names in files and certificates are
/// chosen by strangers. Line breaks stay, so that our own blocks can have them.
fn clean(text: impl Display) -> String {
    text.to_string()
        .chars()
        .map(|character| match character {
            '\n' | '\t' => character,
            hidden if hidden.is_control() || turns_text(hidden) => '\u{fffd}',
            shown => shown,
        })
        .collect()
}

/// The marks that turn the direction of text, by which one name is made to look like another.
const fn turns_text(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes a result on standard output, a line of its own.
///
/// # Errors
/// Standard output is closed.
pub(crate) fn print_result(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Writes a result on standard output as indented JSON.
///
/// # Errors
/// Standard output is closed.
pub(crate) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)?;
    writeln!(stdout)
}

/// Files from this size on have their progress shown, in bytes.
pub(crate) const SHOW_PROGRESS_FROM: u64 = 64 << 20;

/// A progress bar for work on so many bytes: on a terminal and for large work, else invisible.
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
    fn names_of_strangers_cannot_steer_the_terminal() {
        let text = written(|output| output.line("a\x1b[2Jb\u{202e}c\rd\u{7}"));

        assert_eq!(text, "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}\n");
    }

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("issuer: {0}")]
        struct Outer(#[source] std::fmt::Error);
        let failure = Failure::failed(Outer(std::fmt::Error).into());

        assert_eq!(failure.to_string(), format!("issuer: {}", std::fmt::Error));
    }

    #[test]
    fn a_failure_tells_its_causes_on_one_line() {
        let cause = anyhow::anyhow!("connection refused").context("the server cannot be reached");
        let text = written(|output| output.failure(&Failure::failed(cause)));

        assert_eq!(
            text,
            "error: the server cannot be reached: connection refused\n"
        );
    }

    #[test]
    fn exit_statuses_are_those_promised() {
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
    fn systemd_gives_up_where_a_person_is_needed_and_only_there() {
        let unit = include_str!("../../systemd/signet.service");
        let needs_a_person = [
            ExitStatus::Usage,
            ExitStatus::Configuration,
            ExitStatus::StorageDamaged,
        ]
        .map(|status| (status as u8).to_string());

        let line = format!("RestartPreventExitStatus={}", needs_a_person.join(" "));
        for line in [line.as_str(), "Restart=always", "LimitCORE=0", "UMask=0077"] {
            assert!(unit.lines().any(|shown| shown == line), "{line}");
        }
    }

    #[test]
    fn small_work_shows_no_progress() {
        assert!(progress(SHOW_PROGRESS_FROM - 1).is_hidden());
    }
}
