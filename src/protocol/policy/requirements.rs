//! What every bundle must have to count, whoever signed it.

use std::collections::HashSet;

use super::condition::{Condition, Steps};
use super::decision::NotCounted;
use super::{Evidence, TimeKind};
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::KeyDetails;
use crate::protocol::time::UnixTime;

/// The requirements of a policy; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Requirements {
    /// From so many distinct logs, accepted ones where they are named.
    pub(super) log_entries: usize,
    pub(super) scts: usize,
    pub(super) timestamps: usize,
    /// By URL or log ID, as the others.
    pub(super) logs: Option<Vec<String>>,
    pub(super) certificate_logs: Option<Vec<String>>,
    pub(super) timestamp_authorities: Option<Vec<String>>,
    pub(super) certificate_authorities: Option<Vec<Sha256>>,
    pub(super) key_algorithms: Option<Vec<KeyDetails>>,
    pub(super) predicate_types: Option<Vec<String>>,
    /// Both ends belong to the window.
    pub(super) signed_after: Option<UnixTime>,
    pub(super) signed_before: Option<UnixTime>,
    pub(super) condition: Option<Condition>,
}

impl Requirements {
    /// Every reason for which a bundle does not count, but the condition.
    pub(super) fn examine(&self, evidence: &Evidence) -> Vec<NotCounted> {
        let mut reasons = Vec::new();
        reasons.extend(self.too_few(evidence));
        reasons.extend(self.not_accepted(evidence));
        reasons.extend(self.untimely(evidence));
        reasons
    }

    pub(super) fn failed_condition(
        &self,
        evidence: &Evidence,
        steps: &mut Steps,
    ) -> Option<NotCounted> {
        let outcome = self.condition.as_ref()?.check(evidence, steps);
        outcome.err().map(NotCounted::Condition)
    }

    fn too_few(&self, evidence: &Evidence) -> Vec<NotCounted> {
        let entries = evidence
            .entries
            .iter()
            .filter(|entry| is_accepted(&self.logs, &entry.log, Some(&entry.log_id)))
            .map(|entry| entry.log_id)
            .collect::<HashSet<_>>();
        let scts = evidence
            .certificate
            .iter()
            .flat_map(|certificate| &certificate.scts)
            .filter(|sct| is_accepted(&self.certificate_logs, &sct.log, Some(&sct.log_id)))
            .map(|sct| sct.log_id)
            .collect::<HashSet<_>>();
        let timestamps = evidence
            .times
            .iter()
            .filter(|time| time.source == TimeKind::Timestamp)
            .filter(|time| is_accepted(&self.timestamp_authorities, &time.authority, None))
            .map(|time| time.authority.as_str())
            .collect::<HashSet<_>>();
        let counts = [
            ("signature logs", entries.len(), self.needed_entries()),
            ("certificate logs", scts.len(), self.needed_scts()),
            (
                "timestamp authorities",
                timestamps.len(),
                self.needed_timestamps(),
            ),
        ];
        counts
            .into_iter()
            .filter(|(_, found, needed)| found < needed)
            .map(|(what, found, needed)| NotCounted::TooFew {
                what,
                found,
                needed,
            })
            .collect()
    }

    /// To name what is accepted is to ask for one at least.
    pub(super) fn needed_entries(&self) -> usize {
        self.log_entries.max(usize::from(self.logs.is_some()))
    }

    pub(super) fn needed_scts(&self) -> usize {
        self.scts.max(usize::from(self.certificate_logs.is_some()))
    }

    pub(super) fn needed_timestamps(&self) -> usize {
        self.timestamps
            .max(usize::from(self.timestamp_authorities.is_some()))
    }

    fn not_accepted(&self, evidence: &Evidence) -> Vec<NotCounted> {
        let mut reasons = Vec::new();
        let authority = evidence.certificate.as_ref().map(|one| one.authority);
        if let Some(accepted) = &self.certificate_authorities
            && !authority.is_some_and(|authority| accepted.contains(&authority))
        {
            reasons.push(NotCounted::Authority(authority));
        }
        let details = evidence.key.details;
        if let Some(accepted) = &self.key_algorithms
            && !accepted.contains(&details)
        {
            reasons.push(NotCounted::KeyAlgorithm(details));
        }
        let predicate_type = evidence.statement.as_ref().map(|one| &one.predicate_type);
        if let Some(accepted) = &self.predicate_types
            && !predicate_type.is_some_and(|one| accepted.contains(one))
        {
            reasons.push(NotCounted::PredicateType(predicate_type.cloned()));
        }
        reasons
    }

    /// Every established time must lie within the window: one outside is doubt enough.
    fn untimely(&self, evidence: &Evidence) -> Option<NotCounted> {
        let mut times = evidence.times.iter().map(|established| established.time);
        let early = |at: &UnixTime| self.signed_after.is_some_and(|start| *at < start);
        let late = |at: &UnixTime| self.signed_before.is_some_and(|end| *at > end);
        times
            .find(|at| early(at) || late(at))
            .map(NotCounted::SignedAt)
    }
}

/// Whether a party is accepted: any is where none are named, else by URL or by ID.
fn is_accepted(accepted: &Option<Vec<String>>, url: &str, id: Option<&Sha256>) -> bool {
    let Some(accepted) = accepted else {
        return true;
    };
    let id = id.map(|hash| hash.to_hex());
    accepted
        .iter()
        .any(|one| one == url || id.as_ref().is_some_and(|id| id.eq_ignore_ascii_case(one)))
}
