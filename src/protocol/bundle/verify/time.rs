//! Step 3: at least one moment of signing is established by a trusted third party.

use super::form::Form;
use super::trail::Trail;
use super::{CheckEvidence, CheckName, Refusal};
use crate::protocol::bundle::{LogEntry, TrustedLog, TrustedRoot};
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::SignatureValid;
use crate::protocol::note::EntryPromise;
use crate::protocol::time::UnixTime;
use crate::protocol::tsp;

/// Evidence that the signature existed at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EstablishedTime {
    /// The moment.
    pub time: UnixTime,
    /// Who says so.
    pub source: TimeSource,
    /// SHA-256 of the SubjectPublicKeyInfo of the key with which they say so.
    pub key: Sha256,
}

/// Who established a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// A timestamp authority, by its URI (RFC 3161)
    Timestamp(String),
    /// A Rekor v1 log's signed entry timestamp, by the log's URL
    Promise(String),
}

/// All established moments: at least one.
pub(super) struct Times(Vec<EstablishedTime>);

impl Times {
    pub(super) fn establish(
        form: &Form<'_>,
        trust: &TrustedRoot,
        now: UnixTime,
        trail: &mut Trail,
    ) -> Result<Self, Refusal> {
        let mut times: Vec<EstablishedTime> = Vec::new();
        let mut establish = |time: EstablishedTime| {
            let evidence = CheckEvidence::Time(time.clone());
            trail.passed(CheckName::SigningTime, evidence, time.describe());
            times.push(time);
        };
        for (response, number) in form.bundle().timestamps.iter().zip(1..) {
            establish(timestamp(response, number, form.signature(), trust)?);
        }
        for entry in &form.bundle().entries {
            if let Some(time) = promise(entry, trust, now)? {
                establish(time);
            }
        }
        if times.is_empty() {
            return Err(Refusal::NoTime);
        }
        Ok(Self(times))
    }

    pub(super) fn moments(&self) -> impl Iterator<Item = UnixTime> + '_ {
        self.0.iter().map(|established| established.time)
    }

    pub(super) fn into_vec(self) -> Vec<EstablishedTime> {
        self.0
    }
}

impl TimeSource {
    /// The authority's URI or the log's URL, as the trust root says.
    pub fn url(&self) -> &str {
        match self {
            Self::Timestamp(url) | Self::Promise(url) => url,
        }
    }
}

impl EstablishedTime {
    /// The log's signature over the promise is the evidence.
    fn promised(time: UnixTime, log: &TrustedLog, _signed: SignatureValid) -> Self {
        Self {
            time,
            source: TimeSource::Promise(log.base_url.clone()),
            key: log.key.fingerprint(),
        }
    }

    fn describe(&self) -> String {
        match &self.source {
            TimeSource::Timestamp(uri) => format!("{} by timestamp authority {uri}", self.time),
            TimeSource::Promise(log) => format!("{} by the promise of log {log}", self.time),
        }
    }
}

/// A timestamp that is there must hold: one that cannot be verified is not passed over.
fn timestamp(
    response: &[u8],
    number: usize,
    signature: &[u8],
    trust: &TrustedRoot,
) -> Result<EstablishedTime, Refusal> {
    let authorities = &trust.timestamp_authorities;
    let verified = tsp::verify_response(response, signature, authorities)
        .map_err(|reason| Refusal::Timestamp { number, reason })?;
    let authority = authorities.get(verified.authority);
    Ok(EstablishedTime {
        time: verified.time,
        source: TimeSource::Timestamp(authority.map(|tsa| tsa.uri.clone()).unwrap_or_default()),
        key: verified.key,
    })
}

/// The moment at which a Rekor v1 log promised to include the entry. A time without a promise is
/// nobody's word and establishes nothing (CVE-2024-55655).
fn promise(
    entry: &LogEntry,
    trust: &TrustedRoot,
    now: UnixTime,
) -> Result<Option<EstablishedTime>, Refusal> {
    let Some(set) = &entry.promise else {
        return Ok(None);
    };
    let mut refusal = None;
    for log in trust.logs_with(&entry.log_id) {
        match promise_by(log, entry, set, now) {
            Ok(time) => return Ok(Some(time)),
            // A log that did sign the promise has the better reason.
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
) -> Result<EstablishedTime, Refusal> {
    let (index, log_url) = (entry.index, &log.base_url);
    let promise = EntryPromise {
        body: &entry.body,
        integrated_time: entry.integrated_time,
        log_id: &log.id,
        log_index: index,
    };
    let signed = promise
        .verify(&log.key, set)
        .map_err(|_| Refusal::Promise {
            index,
            log: log_url.clone(),
        })?;
    let at = UnixTime::from_seconds(entry.integrated_time);
    if at > now {
        return Err(Refusal::FutureTime { index, at });
    }
    if !log.validity.contains(at) {
        return Err(Refusal::LogWindow {
            index,
            log: log_url.clone(),
            at,
        });
    }
    Ok(EstablishedTime::promised(at, log, signed))
}
