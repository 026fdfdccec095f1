//! The variables of a condition, from the evidence.

use std::collections::HashMap;

use cel::Value;
use cel::objects::Key;
use chrono::DateTime;

use crate::protocol::policy::Evidence;
use crate::protocol::time::UnixTime;

/// How much there is to look at: each value of the predicate, and each 64 bytes of text in it, count
/// one; so do the members of everything else.
pub(super) fn size(evidence: &Evidence) -> u64 {
    let statement = evidence.statement.iter().map(|statement| {
        size_of(&statement.predicate).saturating_add(text_size(&statement.predicate_type))
    });
    let certificate = evidence.certificate.iter().flat_map(|certificate| {
        let names = [&certificate.identity.issuer, &certificate.identity.subject];
        let texts = names.into_iter().chain(certificate.claims.values());
        let scts = certificate.scts.len().saturating_mul(4);
        texts.map(|text| text_size(text)).chain([count(scts)])
    });
    let times = count(evidence.times.len().saturating_mul(4));
    let entries = count(evidence.entries.len().saturating_mul(5));
    statement
        .chain(certificate)
        .chain([times, entries, SHORT_TEXTS])
        .fold(0, u64::saturating_add)
}

/// Digests, fingerprints and names of our own.
const SHORT_TEXTS: u64 = 24;

fn size_of(value: &serde_json::Value) -> u64 {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => text_size(text),
        Value::Array(list) => list.iter().map(size_of).fold(1, u64::saturating_add),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| text_size(key).saturating_add(size_of(value)))
            .fold(1, u64::saturating_add),
    }
}

fn text_size(text: &str) -> u64 {
    count(text.len()).wrapping_div(64).saturating_add(1)
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Every variable of [`super::VARIABLES`] with its value; null for what the bundle does not have.
pub(super) fn values(evidence: &Evidence) -> Vec<(&'static str, Value)> {
    let certificate = evidence.certificate.as_ref();
    let statement = evidence.statement.as_ref();
    let identity = certificate.map(|certificate| {
        let identity = &certificate.identity;
        map([
            ("issuer", text(&identity.issuer)),
            ("subject", text(&identity.subject)),
        ])
    });
    let claims = certificate
        .into_iter()
        .flat_map(|certificate| &certificate.claims);
    let predicate = statement.map(|statement| from_json(&statement.predicate));
    let statement =
        statement.map(|statement| map([("predicate_type", text(&statement.predicate_type))]));
    let digests = evidence
        .artifact
        .iter()
        .map(|digest| (digest.algorithm_name(), text(&hex::encode(&digest.bytes))));
    vec![
        ("identity", identity.unwrap_or(Value::Null)),
        ("certificate", certificate_value(evidence)),
        (
            "claims",
            map(claims.map(|(name, value)| (*name, text(value)))),
        ),
        ("key", key_value(evidence)),
        ("times", list(evidence.times.iter().map(time_value))),
        ("entries", list(evidence.entries.iter().map(entry_value))),
        ("artifact", map(digests)),
        ("statement", statement.unwrap_or(Value::Null)),
        ("predicate", predicate.unwrap_or(Value::Null)),
    ]
}

fn certificate_value(evidence: &Evidence) -> Value {
    let Some(certificate) = &evidence.certificate else {
        return Value::Null;
    };
    let scts = certificate.scts.iter().map(|sct| {
        map([
            ("log", text(&sct.log)),
            ("log_id", text(&sct.log_id.to_hex())),
            ("time", moment(sct.time)),
        ])
    });
    map([
        ("serial", text(&hex::encode(&certificate.serial))),
        ("fingerprint", text(&certificate.fingerprint.to_string())),
        ("authority", text(&certificate.authority.to_string())),
        ("scts", list(scts)),
    ])
}

fn key_value(evidence: &Evidence) -> Value {
    map([
        ("fingerprint", text(&evidence.key.fingerprint.to_string())),
        ("algorithm", text(evidence.key.details.registry_name())),
    ])
}

fn time_value(established: &super::super::TimeEvidence) -> Value {
    map([
        ("time", moment(established.time)),
        ("source", text(established.source.name())),
        ("authority", text(&established.authority)),
    ])
}

fn entry_value(entry: &super::super::EntryEvidence) -> Value {
    let index = i64::try_from(entry.index).unwrap_or(i64::MAX);
    map([
        ("log", text(&entry.log)),
        ("log_id", text(&entry.log_id.to_hex())),
        ("index", Value::Int(index)),
        ("kind", text(&entry.kind)),
    ])
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn moment(time: UnixTime) -> Value {
    i64::try_from(time.millis())
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .map_or(Value::Null, |time| Value::Timestamp(time.fixed_offset()))
}

fn list(elements: impl IntoIterator<Item = Value>) -> Value {
    Value::from(elements.into_iter().collect::<Vec<_>>())
}

fn map<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let members = members
        .into_iter()
        .map(|(key, value)| (Key::from(key), value));
    Value::from(members.collect::<HashMap<_, _>>())
}

/// A whole number is an `int` where it fits, as people write them, else `uint`, else `double`.
fn from_json(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => number
            .as_i64()
            .map(Value::Int)
            .or_else(|| number.as_u64().map(Value::UInt))
            .or_else(|| number.as_f64().map(Value::Float))
            .unwrap_or(Value::Null),
        Json::String(content) => text(content),
        Json::Array(elements) => list(elements.iter().map(from_json)),
        Json::Object(members) => map(members
            .iter()
            .map(|(key, value)| (key.as_str(), from_json(value)))),
    }
}
