//! Converts the evidence of one bundle to the variables of a condition.

use std::collections::HashMap;

use cel::Value;
use cel::objects::Key;
use chrono::DateTime;
use serde_json::Value as Json;

use crate::protocol::evidence::{CertificateEvidence, Evidence, TimeSource};
use crate::protocol::time::UnixTime;

/// Parses the statement's predicate; null if there is none. A verified statement stores its predicate
/// as text, because only conditions read it.
pub(super) fn predicate(evidence: &Evidence) -> Json {
    let text = evidence.statement.as_ref().and_then(|one| one.predicate());
    text.map(|text| {
        serde_json::from_str(text).expect("the statement was parsed as JSON when it was verified")
    })
    .unwrap_or_default()
}

/// Size of the variables, in units: one for each value of the predicate, one for each 64 bytes of text,
/// and one for each member of all other evidence.
pub(super) fn size(evidence: &Evidence, predicate: &Json) -> u64 {
    let statement = evidence
        .statement
        .iter()
        .map(|statement| size_of(predicate) + text_size(statement.predicate_type()));
    let certificate = evidence.certificate.iter().map(|certificate| {
        let identity = &certificate.identity;
        let claims = certificate.claims.values().map(|text| text_size(text));
        text_size(&identity.issuer)
            + text_size(&identity.subject)
            + claims.sum::<u64>()
            + 4 * count(certificate.scts.len())
    });
    statement.chain(certificate).sum::<u64>()
        + 4 * count(evidence.times.len())
        + 5 * count(evidence.entries.len())
        + SHORT_TEXTS
}

/// Units for digests, fingerprints and fixed names.
const SHORT_TEXTS: u64 = 24;

fn size_of(value: &Json) -> u64 {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => 1,
        Json::String(text) => text_size(text),
        Json::Array(list) => 1 + list.iter().map(size_of).sum::<u64>(),
        Json::Object(members) => {
            let sizes = members
                .iter()
                .map(|(key, value)| text_size(key) + size_of(value));
            1 + sizes.sum::<u64>()
        }
    }
}

fn text_size(text: &str) -> u64 {
    count(text.len()) / 64 + 1
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// All [`super::VARIABLES`] with their values. A variable without evidence is null.
pub(super) fn values(evidence: &Evidence, predicate: &Json) -> [(&'static str, Value); 9] {
    let certificate = evidence.certificate.as_ref();
    let identity = certificate.map(|certificate| {
        map([
            ("issuer", text(&certificate.identity.issuer)),
            ("subject", text(&certificate.identity.subject)),
        ])
    });
    let claims = certificate.into_iter().flat_map(|one| &one.claims);
    let key = map([
        ("fingerprint", text(&evidence.key.fingerprint.to_string())),
        ("algorithm", text(evidence.key.details.registry_name())),
    ]);
    let times = evidence.times.iter().map(|established| {
        let source = match established.source {
            TimeSource::Timestamp => "timestamp",
            TimeSource::Promise => "promise",
        };
        map([
            ("time", timestamp(established.time)),
            ("source", text(source)),
            ("authority", text(&established.authority)),
        ])
    });
    let entries = evidence.entries.iter().map(|entry| {
        map([
            ("log", text(&entry.log)),
            ("log_id", text(&entry.log_id.to_hex())),
            // The maximum of CEL's int is 2^63 - 1, which no log index reaches.
            (
                "index",
                Value::Int(i64::try_from(entry.index).unwrap_or(i64::MAX)),
            ),
            ("kind", text(&entry.kind)),
        ])
    });
    let digests = evidence.artifact.digests().iter().map(|digest| {
        let hex = hex::encode(digest.as_bytes());
        (digest.algorithm().name(), text(&hex))
    });
    let statement = evidence
        .statement
        .as_ref()
        .map(|statement| map([("predicate_type", text(statement.predicate_type()))]));
    [
        ("identity", identity.unwrap_or(Value::Null)),
        (
            "certificate",
            certificate.map_or(Value::Null, certificate_value),
        ),
        (
            "claims",
            map(claims.map(|(name, value)| (*name, text(value)))),
        ),
        ("key", key),
        ("times", list(times)),
        ("entries", list(entries)),
        ("artifact", map(digests)),
        ("statement", statement.unwrap_or(Value::Null)),
        ("predicate", from_json(predicate)),
    ]
}

fn certificate_value(certificate: &CertificateEvidence) -> Value {
    let scts = certificate.scts.iter().map(|sct| {
        map([
            ("log", text(&sct.log)),
            ("log_id", text(&sct.log_id.to_hex())),
            ("time", timestamp(sct.time)),
        ])
    });
    let path = &certificate.path;
    map([
        ("serial", text(&hex::encode(&certificate.serial))),
        ("fingerprint", text(&path.certificate.to_string())),
        ("authority", text(&path.anchor.to_string())),
        ("scts", list(scts)),
    ])
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn timestamp(time: UnixTime) -> Value {
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

/// A number becomes an `int` if it fits, because integer literals are `int`; else a `uint`; else a
/// `double`.
fn from_json(value: &serde_json::Value) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(boolean) => Value::Bool(*boolean),
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
