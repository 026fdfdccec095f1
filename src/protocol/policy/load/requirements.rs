//! What every bundle must have.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as ValueError;

use super::{count, fingerprint, text};
use crate::protocol::keys::KeyDetails;
use crate::protocol::policy::condition::Condition;
use crate::protocol::policy::document::RequireTable;
use crate::protocol::policy::error::{PolicyError, PolicyFault};
use crate::protocol::policy::requirements::Requirements;
use crate::protocol::policy::{Member, Who};
use crate::protocol::time::UnixTime;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn check(table: &RequireTable, members: &[Member]) -> Result<Requirements, PolicyError> {
    let (signed_after, signed_before) = window(table)?;
    let requirements = Requirements {
        log_entries: number(table.log_entries),
        scts: number(table.scts),
        timestamps: number(table.timestamps),
        logs: parties("require.logs", &table.logs)?,
        certificate_logs: parties("require.certificate_logs", &table.certificate_logs)?,
        timestamp_authorities: parties(
            "require.timestamp_authorities",
            &table.timestamp_authorities,
        )?,
        certificate_authorities: list(
            "require.certificate_authorities",
            &table.certificate_authorities,
            fingerprint,
        )?,
        key_algorithms: list("require.key_algorithms", &table.key_algorithms, key_details)?,
        predicate_types: parties("require.predicate_types", &table.predicate_types)?,
        signed_after,
        signed_before,
        condition: condition(&table.condition)?,
    };
    check_counts(&requirements)?;
    check_certificates(&requirements, members)?;
    Ok(requirements)
}

fn number(written: Option<u32>) -> usize {
    written.map_or(0, |number| usize::try_from(number).unwrap_or(usize::MAX))
}

fn parties(at: &str, written: &Option<Vec<String>>) -> Result<Option<Vec<String>>, PolicyError> {
    list(at, written, |at, one| {
        text(at, one)?;
        Ok(one.to_owned())
    })
}

/// A list that is there has one entry at least: an empty one would accept nothing.
fn list<T>(
    at: &str,
    written: &Option<Vec<String>>,
    read: impl Fn(&str, &str) -> Result<T, PolicyError>,
) -> Result<Option<Vec<T>>, PolicyError> {
    let Some(written) = written else {
        return Ok(None);
    };
    count(at, written.len())?;
    let read = written
        .iter()
        .enumerate()
        .map(|(index, one)| read(&format!("{at}[{index}]"), one));
    read.collect::<Result<_, _>>().map(Some)
}

fn key_details(at: &str, name: &str) -> Result<KeyDetails, PolicyError> {
    let reader: serde::de::value::StrDeserializer<'_, ValueError> = name.into_deserializer();
    KeyDetails::deserialize(reader)
        .map_err(|error| PolicyError::new(at, PolicyFault::Shape(error.to_string())))
}

/// The window that all of the table's limits leave.
fn window(table: &RequireTable) -> Result<(Option<UnixTime>, Option<UnixTime>), PolicyError> {
    let within = table.signed_within.as_ref().map(|within| {
        let span = DAY.saturating_mul(within.days);
        (within.of.0.before(span), within.of.0.after(span))
    });
    let (start, end) = (within.map(|span| span.0), within.map(|span| span.1));
    let after = table.signed_after.map(|moment| moment.0).max(start);
    let before = [table.signed_before.map(|moment| moment.0), end];
    let before = before.into_iter().flatten().min();
    match (after, before) {
        (Some(after), Some(before)) if before < after => {
            Err(PolicyError::new("require", PolicyFault::EmptyWindow))
        }
        window => Ok(window),
    }
}

fn condition(source: &Option<String>) -> Result<Option<Condition>, PolicyError> {
    let condition = source.as_deref().map(Condition::new).transpose();
    condition
        .map_err(|reason| PolicyError::new("require.condition", PolicyFault::Condition(reason)))
}

/// No more parties can be required than are accepted.
fn check_counts(requirements: &Requirements) -> Result<(), PolicyError> {
    let counts = [
        (
            "require.log_entries",
            requirements.log_entries,
            &requirements.logs,
        ),
        (
            "require.scts",
            requirements.scts,
            &requirements.certificate_logs,
        ),
        (
            "require.timestamps",
            requirements.timestamps,
            &requirements.timestamp_authorities,
        ),
    ];
    for (at, needed, accepted) in counts {
        // No bundle may have more: see the limits of the bundle's reader.
        let accepted = accepted.as_ref().map_or(MAX_PARTIES, |accepted| {
            accepted.iter().collect::<HashSet<_>>().len()
        });
        if needed > accepted {
            let fault = PolicyFault::TooFewAccepted { needed, accepted };
            return Err(PolicyError::new(at, fault));
        }
    }
    Ok(())
}

/// A bundle has at most so many entries and timestamps.
const MAX_PARTIES: usize = 32;

/// A bare key has no certificate, and so none of what comes with one.
fn check_certificates(requirements: &Requirements, members: &[Member]) -> Result<(), PolicyError> {
    let asks = requirements.needed_scts() > 0 || requirements.certificate_authorities.is_some();
    let all_keys = members
        .iter()
        .all(|member| matches!(member.who, Who::Key(_)));
    if asks && all_keys {
        return Err(PolicyError::new("require", PolicyFault::NoCertificate));
    }
    Ok(())
}
