//! What is said about a configuration that is not accepted.

use std::fmt;
use std::path::PathBuf;

/// Why the configuration was not accepted. Every message names the place, the key and what is
/// allowed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read
    #[error("{}: cannot be read", .file.display())]
    Unreadable {
        /// The file that was named
        file: PathBuf,
        /// What the system said
        #[source]
        source: std::io::Error,
    },
    /// Someone besides the owner may write to the file
    #[error("{}: others may write to it (mode {mode:04o}); run: chmod go-w {}", .file.display(), .file.display())]
    Writable {
        /// The file that was named
        file: PathBuf,
        /// Its permission bits
        mode: u32,
    },
    /// The file is larger than any configuration
    #[error("{}: has {bytes} bytes; the limit is {limit}", .file.display())]
    TooLarge {
        /// The file that was named
        file: PathBuf,
        /// Its size
        bytes: u64,
        /// The largest accepted size
        limit: u64,
    },
    /// The text is not TOML
    #[error("{place}: not valid TOML")]
    Syntax {
        /// Which layer
        place: String,
        /// Where and why
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A key that no table has
    #[error("{place}: unknown key `{key}`; allowed here: {}", Listed(.allowed))]
    UnknownKey {
        /// Which layer
        place: String,
        /// The key with its table
        key: String,
        /// The keys that the table has
        allowed: Vec<String>,
    },
    /// A value of another type than the key's
    #[error("{place}: `{key}` must be {expected}, not {found}")]
    WrongType {
        /// Which layer
        place: String,
        /// The key with its table
        key: String,
        /// The type that the key has
        expected: &'static str,
        /// What stands there
        found: &'static str,
    },
    /// A variable with one underscore where two divide the levels
    #[error(
        "the environment: `{variable}` sets nothing; two underscores divide table and key: {example}"
    )]
    MisspeltVariable {
        /// The variable's name
        variable: String,
        /// The name that would work
        example: String,
    },
    /// The joined layers could not be read as the tables
    #[error("the configuration could not be read: {0}")]
    Unexpected(config::ConfigError),
    /// A value that is out of range, or contradicts another
    #[error("{place}: {refusal}")]
    Refused {
        /// Which layer said so
        place: String,
        /// What and why
        refusal: Refusal,
    },
}

/// A value that its table does not accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A number outside its range
    #[error("`{key}` is {value}, but must be {min} to {max}")]
    OutOfRange {
        /// The key with its table
        key: String,
        /// What stands there
        value: u64,
        /// The smallest accepted
        min: u64,
        /// The largest accepted
        max: u64,
    },
    /// A text that is none of those that are accepted
    #[error("`{key}` is {value:?}, but must be {allowed}")]
    NotAccepted {
        /// The key with its table
        key: String,
        /// What stands there
        value: String,
        /// What may stand there
        allowed: &'static str,
    },
    /// Two settings that cannot both hold
    #[error("`{key}` contradicts another setting: {why}")]
    Contradiction {
        /// The key with its table
        key: String,
        /// What to do about it
        why: &'static str,
    },
}

impl Refusal {
    /// The key that is at fault, with its table.
    pub fn key(&self) -> &str {
        match self {
            Self::OutOfRange { key, .. }
            | Self::NotAccepted { key, .. }
            | Self::Contradiction { key, .. } => key,
        }
    }

    pub(super) fn not_accepted(key: &str, value: &str, allowed: &'static str) -> Self {
        Self::NotAccepted {
            key: key.to_owned(),
            value: value.to_owned(),
            allowed,
        }
    }

    pub(super) fn contradiction(key: &str, why: &'static str) -> Self {
        Self::Contradiction {
            key: key.to_owned(),
            why,
        }
    }
}

/// Accepts a number within its range, both ends included.
pub(super) fn within(
    key: &str,
    value: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, Refusal> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(Refusal::OutOfRange {
        key: key.to_owned(),
        value,
        min: *range.start(),
        max: *range.end(),
    })
}

/// A number within its range as a count in memory.
pub(super) fn count_within(
    key: &str,
    value: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<usize, Refusal> {
    within(key, value, range).map(|value| usize::try_from(value).unwrap_or(usize::MAX))
}

/// Two file names that only make sense together: both, or neither where both are empty.
pub(super) fn both_or_neither(
    first: (&str, String),
    second: (&str, String),
) -> Result<Option<(PathBuf, PathBuf)>, Refusal> {
    match (first.1.is_empty(), second.1.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some((first.1.into(), second.1.into()))),
        (true, false) => Err(Refusal::contradiction(second.0, ONE_OF_TWO)),
        (false, true) => Err(Refusal::contradiction(first.0, ONE_OF_TWO)),
    }
}

const ONE_OF_TWO: &str = "the certificate file and the key file are set together or not at all";

/// A name that goes into a certificate or a document.
pub(super) fn name(key: &str, value: String) -> Result<String, Refusal> {
    let accepted = (1..=64).contains(&value.chars().count())
        && !value.chars().any(char::is_control)
        && value.trim() == value;
    if accepted {
        return Ok(value);
    }
    Err(Refusal::not_accepted(
        key,
        &value,
        "1 to 64 characters, without control characters and outer spaces",
    ))
}

struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}
