//! Values that are checked while they are deserialized: numbers in a range, and texts with a syntax.
//! For `#[serde(deserialize_with)]`; the error gets its key from the deserializer.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::error::Problem;

/// A number from `MIN` to `MAX`.
pub(super) fn number<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<u64, D::Error> {
    let value = u64::deserialize(deserializer)?;
    if (MIN..=MAX).contains(&value) {
        return Ok(value);
    }
    Err(D::Error::custom(Problem::OutOfRange {
        value,
        min: MIN,
        max: MAX,
    }))
}

/// A number of things in memory, from `MIN` to `MAX`.
pub(super) fn count<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<usize, D::Error> {
    let value = number::<MIN, MAX, D>(deserializer)?;
    usize::try_from(value).map_err(D::Error::custom)
}

/// A time in seconds, from `MIN` to `MAX`.
pub(super) fn seconds<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    number::<MIN, MAX, D>(deserializer).map(Duration::from_secs)
}

/// A text that `parse` accepts; `allowed` describes such texts.
pub(super) fn text<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    allowed: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom(Problem::not_accepted(&text, allowed)))
}

/// A file that may be absent: an empty text means none.
pub(super) fn optional_file<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| text.into()))
}

/// A name that is written into a certificate or a document.
pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, NAME, |text| {
        is_name(text).then(|| text.to_owned())
    })
}

pub(super) const NAME: &str =
    "1 to 64 characters, without control characters and without spaces at either end";

pub(super) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && text.trim() == text
}
