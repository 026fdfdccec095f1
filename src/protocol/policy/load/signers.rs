//! Whether enough distinct signers can exist at all.

use std::collections::BTreeMap;

use crate::protocol::policy::assign::can_assign;
use crate::protocol::policy::decision::Signer;
use crate::protocol::policy::error::{PolicyError, PolicyFault};
use crate::protocol::policy::{Member, Policy, Threshold};

/// Refuses a policy none of whose sets of thresholds can be filled, and names the first fault; also
/// one of whose sets cannot, since that is a mistake.
pub(super) fn check(
    policy: &Policy,
    alternatives: &[(String, Vec<Threshold>)],
) -> Result<(), PolicyError> {
    for (at, thresholds) in alternatives {
        let is_list = at.ends_with("thresholds");
        for (index, threshold) in thresholds.iter().enumerate() {
            let Some(possible) = policy.possible_signers(threshold) else {
                continue;
            };
            if threshold.needed > possible {
                let at = if is_list {
                    format!("{at}[{index}]")
                } else {
                    at.clone()
                };
                let needed = threshold.needed;
                let fault = PolicyFault::TooFewSigners { needed, possible };
                return Err(PolicyError::new(at, fault));
            }
        }
        if !policy.can_fill(thresholds) {
            return Err(PolicyError::new(at, PolicyFault::SharedSigners));
        }
    }
    Ok(())
}

/// One who may sign, as far as that is known beforehand.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Expected {
    Signer(Signer),
    /// Whoever fits a member under which all count as one
    Once(usize),
}

impl Policy {
    /// How many distinct signers a threshold can have; none where a pattern leaves that open.
    fn possible_signers(&self, threshold: &Threshold) -> Option<usize> {
        let expected = self.expected(threshold)?;
        Some(expected.len())
    }

    /// Whether the thresholds can be filled together. One that a pattern leaves open can always.
    fn can_fill(&self, thresholds: &[Threshold]) -> bool {
        let bounded: Vec<_> = thresholds
            .iter()
            .filter_map(|threshold| Some((threshold.needed, self.expected(threshold)?)))
            .collect();
        let mut fits: BTreeMap<&Expected, Vec<bool>> = BTreeMap::new();
        for (index, (_, expected)) in bounded.iter().enumerate() {
            for one in expected {
                let fit = fits
                    .entry(one)
                    .or_insert_with(|| vec![false; bounded.len()]);
                if let Some(place) = fit.get_mut(index) {
                    *place = true;
                }
            }
        }
        let needs: Vec<_> = bounded.iter().map(|(needed, _)| *needed).collect();
        let fits: Vec<_> = fits.into_values().collect();
        can_assign(&needs, &fits)
    }

    /// The distinct ones who may sign for a threshold; none where that is open.
    fn expected(&self, threshold: &Threshold) -> Option<Vec<Expected>> {
        let mut expected = Vec::new();
        for index in &threshold.members {
            let member = self.members.get(*index)?;
            if self.is_denied_for_good(member) {
                continue;
            }
            let one = if member.counts_once {
                Expected::Once(*index)
            } else {
                Expected::Signer(member.only_signer()?)
            };
            expected.push(one);
        }
        expected.sort();
        expected.dedup();
        Some(expected)
    }

    fn is_denied_for_good(&self, member: &Member) -> bool {
        let rules = self.deny.iter().filter(|rule| rule.is_for_good());
        let mut rules = rules.filter(|rule| match member.only_signer() {
            Some(Signer::Identity(identity)) => rule.names(&identity),
            Some(Signer::Key(key)) => rule.is_about_key(&key),
            None => false,
        });
        rules.next().is_some()
    }
}
