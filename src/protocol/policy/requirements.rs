//! `[require]`: what every bundle needs in order to count, regardless of its signer.

use std::collections::HashSet;
use std::time::Duration;

use super::condition::{Condition, StepBudget};
use super::decision::NotCounted;
use super::document::{RequireTable, check_count, check_text, parse_fingerprint};
use super::error::{PolicyError, PolicyFault};
use super::{Member, SignerMatcher};
use crate::protocol::evidence::{Evidence, TimeSource};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::KeyDetails;
use crate::protocol::time::Validity;

/// Maximum number of log entries, SCTs and timestamps that the bundle parser accepts, each.
const MAX_PARTIES: usize = 32;

/// By default nothing is required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirements {
    pub(super) logs: PartyRequirement,
    pub(super) certificate_logs: PartyRequirement,
    pub(super) timestamp_authorities: PartyRequirement,
    /// SHA-256 of the accepted trust anchors' DER.
    pub(super) certificate_authorities: Option<Vec<Sha256>>,
    pub(super) key_algorithms: Option<Vec<KeyDetails>>,
    pub(super) predicate_types: Option<Vec<String>>,
    /// Every established time of a bundle must be in this window.
    pub(super) window: Validity,
    pub(super) condition: Option<Condition>,
}

/// Logs or authorities of one kind: how many distinct ones are required, and which are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PartyRequirement {
    needed: usize,
    /// URLs or log IDs; `None` accepts every log or authority of the trust root.
    pub(super) accepted: Option<Vec<String>>,
}

impl Default for Requirements {
    fn default() -> Self {
        Self {
            logs: PartyRequirement::default(),
            certificate_logs: PartyRequirement::default(),
            timestamp_authorities: PartyRequirement::default(),
            certificate_authorities: None,
            key_algorithms: None,
            predicate_types: None,
            window: Validity::ALWAYS,
            condition: None,
        }
    }
}

impl Requirements {
    pub(super) fn read(table: &RequireTable, members: &[Member]) -> Result<Self, PolicyError> {
        let window = read_window(table)?;
        let texts = |at: &str, list: &Option<Vec<String>>| {
            read_list(at, list, |at, one| {
                check_text(at, one).map(|()| one.to_owned())
            })
        };
        let parties = |count_key: &str, needed: Option<usize>, key: &str, list| {
            let accepted = texts(&format!("require.{key}"), list)?;
            let needed = needed.unwrap_or_default();
            let requirement = PartyRequirement { needed, accepted };
            Ok((format!("require.{count_key}"), requirement))
        };
        let logs = parties("log_entries", table.log_entries, "logs", &table.logs)?;
        let certificate_logs = parties(
            "scts",
            table.scts,
            "certificate_logs",
            &table.certificate_logs,
        )?;
        let timestamp_authorities = parties(
            "timestamps",
            table.timestamps,
            "timestamp_authorities",
            &table.timestamp_authorities,
        )?;
        let certificate_authorities = read_list(
            "require.certificate_authorities",
            &table.certificate_authorities,
            parse_fingerprint,
        )?;
        let key_algorithms = read_list(
            "require.key_algorithms",
            &table.key_algorithms,
            |at, name| {
                let details = KeyDetails::from_registry_name(name);
                details.map_err(|error| PolicyError::new(at, PolicyFault::Shape(error.to_string())))
            },
        )?;
        let predicate_types = texts("require.predicate_types", &table.predicate_types)?;
        let condition = table.condition.as_deref().map(Condition::new).transpose();
        let condition = condition.map_err(|reason| {
            PolicyError::new("require.condition", PolicyFault::Condition(reason))
        })?;
        for (at, parties) in [&logs, &certificate_logs, &timestamp_authorities] {
            parties.check(at)?;
        }
        let requirements = Self {
            logs: logs.1,
            certificate_logs: certificate_logs.1,
            timestamp_authorities: timestamp_authorities.1,
            certificate_authorities,
            key_algorithms,
            predicate_types,
            window,
            condition,
        };
        let needs_certificate = requirements.certificate_logs.needed() > 0
            || requirements.certificate_authorities.is_some();
        let all_are_keys = members
            .iter()
            .all(|member| matches!(member.signer, SignerMatcher::Key(_)));
        if needs_certificate && all_are_keys {
            return Err(PolicyError::new("require", PolicyFault::NoCertificate));
        }
        Ok(requirements)
    }

    /// All reasons why a bundle does not count, except the condition.
    pub(super) fn examine(&self, evidence: &Evidence) -> Vec<NotCounted> {
        let mut reasons = Vec::new();
        let certificate = evidence.certificate.as_ref();
        let entries = evidence
            .entries
            .iter()
            .filter(|entry| self.logs.accepts(&entry.log, Some(&entry.log_id)))
            .map(|entry| entry.log_id);
        let scts = certificate
            .into_iter()
            .flat_map(|certificate| &certificate.scts)
            .filter(|sct| self.certificate_logs.accepts(&sct.log, Some(&sct.log_id)))
            .map(|sct| sct.log_id);
        let timestamps = evidence
            .times
            .iter()
            .filter(|time| time.source == TimeSource::Timestamp)
            .filter(|time| self.timestamp_authorities.accepts(&time.authority, None))
            .map(|time| time.authority.as_str());
        let parties = [
            ("signature logs", &self.logs, distinct(entries)),
            ("certificate logs", &self.certificate_logs, distinct(scts)),
            (
                "timestamp authorities",
                &self.timestamp_authorities,
                distinct(timestamps),
            ),
        ];
        for (what, requirement, found) in parties {
            let needed = requirement.needed();
            if found < needed {
                reasons.push(NotCounted::TooFew {
                    what,
                    found,
                    needed,
                });
            }
        }

        let anchor = certificate.map(|certificate| certificate.path.anchor);
        if let Some(accepted) = &self.certificate_authorities
            && !anchor.is_some_and(|anchor| accepted.contains(&anchor))
        {
            reasons.push(NotCounted::Authority(anchor));
        }
        let details = evidence.key.details;
        if let Some(accepted) = &self.key_algorithms
            && !accepted.contains(&details)
        {
            reasons.push(NotCounted::KeyAlgorithm(details));
        }
        let statement = evidence.statement.as_ref();
        let predicate_type = statement.map(|statement| statement.predicate_type().to_owned());
        if let Some(accepted) = &self.predicate_types
            && !predicate_type
                .as_ref()
                .is_some_and(|one| accepted.contains(one))
        {
            reasons.push(NotCounted::PredicateType(predicate_type));
        }

        let mut times = evidence.times.iter().map(|established| established.time);
        let outside = times.find(|at| !self.window.contains(*at));
        reasons.extend(outside.map(NotCounted::SignedAt));
        reasons
    }

    pub(super) fn failed_condition(
        &self,
        evidence: &Evidence,
        steps: &mut StepBudget,
    ) -> Option<NotCounted> {
        let outcome = self.condition.as_ref()?.check(evidence, steps);
        outcome.err().map(NotCounted::Condition)
    }
}

impl PartyRequirement {
    /// A list of accepted parties implies that at least one is required.
    pub(super) fn needed(&self) -> usize {
        self.needed.max(usize::from(self.accepted.is_some()))
    }

    fn accepts(&self, url: &str, id: Option<&Sha256>) -> bool {
        let Some(accepted) = &self.accepted else {
            return true;
        };
        let id = id.map(|hash| hash.to_hex());
        accepted
            .iter()
            .any(|one| one == url || id.as_ref().is_some_and(|id| id.eq_ignore_ascii_case(one)))
    }

    /// Rejects a requirement for more parties than are accepted or than fit in a bundle.
    fn check(&self, at: &str) -> Result<(), PolicyError> {
        let accepted = self
            .accepted
            .as_ref()
            .map_or(MAX_PARTIES, |accepted| distinct(accepted.iter()));
        if self.needed > accepted {
            let fault = PolicyFault::TooFewAccepted {
                needed: self.needed,
                accepted,
            };
            return Err(PolicyError::new(at, fault));
        }
        Ok(())
    }
}

fn distinct<T: Eq + std::hash::Hash>(parties: impl Iterator<Item = T>) -> usize {
    parties.collect::<HashSet<_>>().len()
}

/// Parses a list that may be absent but not empty: an empty list would accept nothing.
fn read_list<T>(
    at: &str,
    list: &Option<Vec<String>>,
    read: impl Fn(&str, &str) -> Result<T, PolicyError>,
) -> Result<Option<Vec<T>>, PolicyError> {
    let Some(list) = list else {
        return Ok(None);
    };
    check_count(at, list.len())?;
    let read = list
        .iter()
        .enumerate()
        .map(|(index, one)| read(&format!("{at}[{index}]"), one));
    read.collect::<Result<_, _>>().map(Some)
}

/// Intersection of `signed_after`, `signed_before` and `signed_within`.
fn read_window(table: &RequireTable) -> Result<Validity, PolicyError> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let mut window = Validity {
        start: table.signed_after.unwrap_or(Validity::ALWAYS.start),
        end: table.signed_before,
    };
    if let Some(within) = &table.signed_within {
        // Saturating: a window wider than the range of times covers the whole range.
        let span = DAY.saturating_mul(within.days);
        window = window.intersection(Validity {
            start: within.of.before(span),
            end: Some(within.of.after(span)),
        });
    }
    if window.is_empty() {
        return Err(PolicyError::new("require", PolicyFault::EmptyWindow));
    }
    Ok(window)
}
