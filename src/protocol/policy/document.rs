//! The policy as it is written, in TOML or JSON: names and shapes, nothing decided yet.

use std::collections::BTreeMap;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{PolicyError, PolicyFault};
use crate::protocol::json::{self, LocatedError};
use crate::protocol::time::UnixTime;

/// The longest policy, in bytes.
pub(super) const MAX_POLICY_LENGTH: usize = 256 * 1024;

/// A policy as it is written.
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

/// The value of a claim: a text, or a table with a pattern.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a text, or a table with `pattern` and nothing else"
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
    pub(super) count: u32,
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
    pub(super) log_entries: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timestamps: Option<u32>,
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
    pub(super) signed_after: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signed_before: Option<Moment>,
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
    pub(super) of: Moment,
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
    pub(super) from: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

impl RequireTable {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl PolicyDocument {
    /// Reads a policy: JSON where the first character is `{`, else TOML.
    ///
    /// # Errors
    /// What is wrong, with the path of the key.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_LENGTH {
            return Err(PolicyError::whole(PolicyFault::Length));
        }
        if text.trim_start().starts_with('{') {
            Self::from_json(text)
        } else {
            Self::from_toml(text)
        }
    }

    fn from_json(text: &str) -> Result<Self, PolicyError> {
        json::from_slice_located(text.as_bytes()).map_err(shape)
    }

    fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| line_at(text, span.start));
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

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    before
        .filter(|byte| *byte == b'\n')
        .count()
        .saturating_add(1)
}

/// The same value in JSON; a TOML date is its text.
fn to_json(value: toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Array(list) => list.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            let members = table.into_iter().map(|(key, value)| (key, to_json(value)));
            serde_json::Value::Object(members.collect())
        }
    }
}

/// A moment in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(pub(super) UnixTime);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A time of day without an offset is a different moment in every place.
        UnixTime::from_rfc3339(&text).map(Self).ok_or_else(|| {
            de::Error::custom("must be a time with its offset, as in 2026-11-20T12:00:00Z")
        })
    }
}
