//! Step 3: a trusted third party established at least one signing time.

use super::recorder::CheckRecorder;
use super::well_formed::WellFormedBundle;
use super::{CheckEvidence, CheckName, Refusal};
use crate::protocol::bundle::{LogEntry, TrustedLog, TrustedRoot};
use crate::protocol::evidence::{TimeEvidence, TimeSource};
use crate::protocol::keys::SignatureValid;
use crate::protocol::note::EntryPromise;
use crate::protocol::time::UnixTime;
use crate::protocol::tsp;

/// The established signing times; at least one.
pub(super) struct EstablishedTimes(Vec<TimeEvidence>);

impl EstablishedTimes {
    pub(super) fn establish(
        bundle: &WellFormedBundle<'_>,
        trust: &TrustedRoot,
        now: UnixTime,
        recorder: &mut CheckRecorder,
    ) -> Result<Self, Refusal> {
        let mut times = Vec::new();
        let mut establish = |evidence: TimeEvidence| {
            let by = match evidence.source {
                TimeSource::Timestamp => "timestamp authority",
                TimeSource::Promise => "the promise of log",
            };
            let detail = format!("{} by {by} {}", evidence.time, evidence.authority);
            recorder.passed(
                CheckName::SigningTime,
                CheckEvidence::Time(evidence.clone()),
                detail,
            );
            times.push(evidence);
        };
        for (response, number) in bundle.bundle().timestamps.iter().zip(1..) {
            // An invalid timestamp refuses the bundle, even if another timestamp is valid.
            establish(timestamp(response, number, bundle.signature(), trust)?);
        }
        for entry in &bundle.bundle().entries {
            if let Some(evidence) = promise(entry, trust, now)? {
                establish(evidence);
            }
        }
        if times.is_empty() {
            return Err(Refusal::NoSigningTime);
        }
        Ok(Self(times))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = UnixTime> + '_ {
        self.0.iter().map(|evidence| evidence.time)
    }

    pub(super) fn into_vec(self) -> Vec<TimeEvidence> {
        self.0
    }
}

fn timestamp(
    response: &[u8],
    number: usize,
    signature: &[u8],
    trust: &TrustedRoot,
) -> Result<TimeEvidence, Refusal> {
    let authorities = &trust.timestamp_authorities;
    let verified = tsp::verify_response(response, signature, authorities)
        .map_err(|reason| Refusal::Timestamp { number, reason })?;
    let authority = authorities.get(verified.authority);
    Ok(TimeEvidence {
        time: verified.time,
        source: TimeSource::Timestamp,
        authority: authority.map(|tsa| tsa.uri.clone()).unwrap_or_default(),
        key: verified.key,
    })
}

/// The time at which a Rekor v1 log promised to include the entry. The integrated time of an entry without
/// a promise is not signed and is ignored (CVE-2024-55655).
fn promise(
    entry: &LogEntry,
    trust: &TrustedRoot,
    now: UnixTime,
) -> Result<Option<TimeEvidence>, Refusal> {
    let Some(promise) = &entry.promise else {
        return Ok(None);
    };
    let mut refusal = None;
    for log in trust.logs_with(&entry.log_id) {
        match promise_by(log, entry, promise, now) {
            Ok(evidence) => return Ok(Some(evidence)),
            // Prefer the error of a log whose key did sign the promise.
            Err(Refusal::Promise { .. }) if refusal.is_some() => {}
            Err(reason) => refusal = Some(reason),
        }
    }
    refusal.map_or(Ok(None), Err)
}

fn promise_by(
    log: &TrustedLog,
    entry: &LogEntry,
    set: &[u8],
    now: UnixTime,
) -> Result<TimeEvidence, Refusal> {
    let index = entry.index;
    let promise = EntryPromise {
        body: &entry.body,
        integrated_time: entry.integrated_time,
        log_id: &log.id,
        log_index: index,
    };
    let _evidence: SignatureValid =
        promise
            .verify_set(&log.key, set)
            .map_err(|_| Refusal::Promise {
                index,
                log: log.base_url.clone(),
            })?;
    let at = UnixTime::from_seconds(entry.integrated_time);
    if at > now {
        return Err(Refusal::FutureTime { index, at });
    }
    if !log.validity.contains(at) {
        return Err(Refusal::LogNotTrusted {
            index,
            log: log.base_url.clone(),
            at,
        });
    }
    Ok(TimeEvidence {
        time: at,
        source: TimeSource::Promise,
        authority: log.base_url.clone(),
        key: log.key.fingerprint(),
    })
}
