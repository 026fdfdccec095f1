//! Why a configuration is refused.

use std::path::PathBuf;

/// Why the configuration is refused. Every message names the place, the key, and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: cannot be read", .file.display())]
    Unreadable {
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "{}: other users may write to it (mode {mode:04o}); run: chmod go-w {}",
        .file.display(), .file.display()
    )]
    Writable { file: PathBuf, mode: u32 },
    #[error("{}: has {bytes} bytes; the limit is {limit}", .file.display())]
    TooLarge {
        file: PathBuf,
        bytes: u64,
        limit: u64,
    },
    #[error("{place}: not valid TOML")]
    Syntax {
        place: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{place}: unknown key `{key}`; allowed here: {}", .allowed.join(", "))]
    UnknownKey {
        place: String,
        key: String,
        allowed: Vec<String>,
    },
    #[error("{place}: `{key}` must be {expected}, not {found}")]
    WrongType {
        place: String,
        key: String,
        expected: &'static str,
        found: &'static str,
    },
    /// A variable with one underscore between table and key
    #[error(
        "the environment: `{variable}` has no effect; \
         separate table and key by two underscores: {example}"
    )]
    MisspeltVariable { variable: String, example: String },
    /// The merged layers do not fit the tables, although every layer was checked against the defaults
    #[error("the configuration cannot be read: {0}")]
    Unexpected(config::ConfigError),
    /// A value that is out of range, malformed, or contradicts another
    #[error("{place}: `{key}` {problem}")]
    Refused {
        place: String,
        key: String,
        problem: String,
    },
}

/// What is wrong with one value. The message continues a sentence that begins with the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("is {value}, but must be {min} to {max}")]
    OutOfRange { value: u64, min: u64, max: u64 },
    #[error("is {value:?}, but must be {allowed}")]
    NotAccepted {
        value: String,
        allowed: &'static str,
    },
    #[error("contradicts another setting: {0}")]
    Contradiction(&'static str),
}

impl Problem {
    pub(super) fn not_accepted(value: &str, allowed: &'static str) -> Self {
        Self::NotAccepted {
            value: value.to_owned(),
            allowed,
        }
    }
}

/// A problem and the key that has it, with its table.
pub(super) struct Refusal {
    pub(super) key: String,
    pub(super) problem: Problem,
}

impl Refusal {
    pub(super) fn new(key: impl Into<String>, problem: Problem) -> Self {
        Self {
            key: key.into(),
            problem,
        }
    }

    pub(super) fn contradiction(key: impl Into<String>, why: &'static str) -> Self {
        Self::new(key, Problem::Contradiction(why))
    }
}
