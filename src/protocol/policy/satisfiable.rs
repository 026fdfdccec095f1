//! Whether enough distinct signers can exist to meet a policy.

use std::collections::BTreeMap;

use super::assign::can_assign;
use super::error::{PolicyError, PolicyFault};
use super::{Member, Policy, Threshold};
use crate::protocol::evidence::SignerIdentity;

/// Refuses a policy if any of its sets of thresholds cannot be filled: such a set is a mistake even
/// if another set can. `alternatives` are the policy's, with their paths.
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
            let (needed, possible) = (threshold.needed, possible.len());
            if needed > possible {
                let at = if is_list {
                    format!("{at}[{index}]")
                } else {
                    at.clone()
                };
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

/// A signer that the policy names.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum PossibleSigner {
    Identity(SignerIdentity),
    /// Any signer that fits the member at this index, all of whose signers count as one
    AnyOf(usize),
}

impl Policy {
    /// Whether the thresholds can be filled together. One that a pattern leaves open always can.
    fn can_fill(&self, thresholds: &[Threshold]) -> bool {
        let bounded: Vec<_> = thresholds
            .iter()
            .filter_map(|threshold| Some((threshold.needed, self.possible_signers(threshold)?)))
            .collect();
        let mut fits: BTreeMap<&PossibleSigner, Vec<bool>> = BTreeMap::new();
        for (index, (_, possible)) in bounded.iter().enumerate() {
            for one in possible {
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

    /// The distinct signers that a threshold can have; none if a pattern leaves that open.
    fn possible_signers(&self, threshold: &Threshold) -> Option<Vec<PossibleSigner>> {
        let mut possible = Vec::new();
        for index in &threshold.members {
            let member = self.members.get(*index)?;
            if self.always_denies(member) {
                continue;
            }
            possible.push(if member.counts_once {
                PossibleSigner::AnyOf(*index)
            } else {
                PossibleSigner::Identity(member.only_signer()?)
            });
        }
        possible.sort();
        possible.dedup();
        Some(possible)
    }

    fn always_denies(&self, member: &Member) -> bool {
        let signer = member.only_signer();
        signer.is_some_and(|signer| self.deny.iter().any(|rule| rule.always_denies(&signer)))
    }
}
