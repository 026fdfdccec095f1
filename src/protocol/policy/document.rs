//! The policy format in TOML and JSON: its tables, and the checks of single values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::{MAX_POLICY_LENGTH, PolicyError, PolicyFault};
use super::matcher::{Pattern, TextMatcher};
use crate::protocol::hash::Sha256;
use crate::protocol::json::{self, LocatedError};
use crate::protocol::time::UnixTime;

/// Maximum number of entries of each list in a policy.
pub(super) const MAX_ENTRIES: usize = 1000;

/// Maximum length of a string in a policy, in bytes, for keys without a separate limit.
const MAX_TEXT: usize = 2048;

/// A policy in its textual form, before [`PolicyDocument::check`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) identities: Vec<IdentityTable>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) groups: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) threshold: Option<ThresholdTable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) thresholds: Option<Vec<ThresholdTable>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) any: Option<Vec<AlternativeTable>>,
    #[serde(default, skip_serializing_if = "RequireTable::is_empty")]
    pub(super) require: RequireTable,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) deny: Vec<DenyTable>,
}

/// `[[identities]]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) issuer_pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject_pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) claims: BTreeMap<String, ClaimTable>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) counts_once: bool,
}

/// The value of a claim: a string, or a table with a pattern.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a string, or a table with only the key `pattern`"
)]
pub(super) enum ClaimTable {
    Exact(String),
    Pattern(PatternTable),
}

/// `{ pattern = "…" }`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PatternTable {
    pub(super) pattern: String,
}

/// `{ count = 2, of = "…" }`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdTable {
    pub(super) count: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<String>,
}

/// `[[any]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlternativeTable {
    pub(super) thresholds: Vec<ThresholdTable>,
}

/// `[require]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequireTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) log_entries: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scts: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timestamps: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) logs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certificate_logs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timestamp_authorities: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certificate_authorities: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_algorithms: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) predicate_types: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signed_after: Option<UnixTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signed_before: Option<UnixTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signed_within: Option<WithinTable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) condition: Option<String>,
}

/// `{ days = 30, of = 2026-11-20T00:00:00Z }`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WithinTable {
    pub(super) days: u32,
    pub(super) of: UnixTime,
}

/// `[[deny]]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DenyTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject_pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certificate_serial: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<UnixTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<UnixTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

impl RequireTable {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl PolicyDocument {
    /// Parses a policy. Text that starts with `{` is JSON; everything else is TOML.
    ///
    /// # Errors
    /// The text is malformed. The error contains the path of the key.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_LENGTH {
            return Err(PolicyError::whole(PolicyFault::Length));
        }
        if text.trim_start().starts_with('{') {
            return json::from_slice_located(text.as_bytes()).map_err(shape);
        }
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| {
                let before = text.bytes().take(span.start);
                before.filter(|byte| *byte == b'\n').count() + 1
            });
            let message = format!("line {line}: {}", error.message());
            PolicyError::whole(PolicyFault::Syntax(message))
        })?;
        let value = to_json(toml::Value::Table(table));
        json::from_value_located(value).map_err(shape)
    }
}

fn shape(error: LocatedError) -> PolicyError {
    let LocatedError { path, source } = error;
    if !source.is_data() {
        return PolicyError::whole(PolicyFault::Syntax(source.to_string()));
    }
    PolicyError::new(path, PolicyFault::Shape(source.to_string()))
}

/// Converts TOML to JSON, so that one deserializer reads both formats. A date becomes a string.
fn to_json(value: toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(boolean) => boolean.into(),
        toml::Value::Datetime(datetime) => datetime.to_string().into(),
        toml::Value::Array(list) => list.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            let members = table.into_iter().map(|(key, value)| (key, to_json(value)));
            serde_json::Value::Object(members.collect())
        }
    }
}

/// Checks that a list has between 1 and [`MAX_ENTRIES`] entries.
pub(super) fn check_count(at: &str, length: usize) -> Result<(), PolicyError> {
    if (1..=MAX_ENTRIES).contains(&length) {
        return Ok(());
    }
    Err(PolicyError::new(at, PolicyFault::Count(1, MAX_ENTRIES)))
}

pub(super) fn check_text(at: &str, text: &str) -> Result<(), PolicyError> {
    if (1..=MAX_TEXT).contains(&text.len()) {
        return Ok(());
    }
    Err(PolicyError::new(at, PolicyFault::TextLength(MAX_TEXT)))
}

/// Parses `sha256:` followed by 64 hexadecimal digits.
pub(super) fn parse_fingerprint(at: &str, text: &str) -> Result<Sha256, PolicyError> {
    let hex = text.strip_prefix("sha256:");
    hex.and_then(Sha256::from_hex).ok_or_else(|| {
        let form = "sha256: followed by 64 hexadecimal digits";
        PolicyError::new(at, PolicyFault::Form(form))
    })
}

/// Reads a matcher from a pair of keys, one for exact text and one for a pattern. Returns `None` if
/// both are absent.
pub(super) fn text_matcher(
    at: &str,
    [exact_key, pattern_key]: [&str; 2],
    exact: &Option<String>,
    pattern: &Option<String>,
) -> Result<Option<TextMatcher>, PolicyError> {
    match (exact, pattern) {
        (Some(_), Some(_)) => {
            let fault = "an exact value and a pattern are mutually exclusive";
            Err(PolicyError::new(at, PolicyFault::MutuallyExclusive(fault)))
        }
        (Some(exact), None) => {
            check_text(&format!("{at}.{exact_key}"), exact)?;
            Ok(Some(TextMatcher::Exact(exact.clone())))
        }
        (None, Some(source)) => read_pattern(&format!("{at}.{pattern_key}"), source).map(Some),
        (None, None) => Ok(None),
    }
}

impl ClaimTable {
    pub(super) fn matcher(&self, at: &str) -> Result<TextMatcher, PolicyError> {
        match self {
            Self::Exact(exact) => {
                check_text(at, exact)?;
                Ok(TextMatcher::Exact(exact.clone()))
            }
            Self::Pattern(table) => read_pattern(&format!("{at}.pattern"), &table.pattern),
        }
    }
}

fn read_pattern(at: &str, source: &str) -> Result<TextMatcher, PolicyError> {
    Pattern::new(source)
        .map(TextMatcher::Pattern)
        .map_err(|reason| PolicyError::new(at, PolicyFault::Pattern(reason)))
}
