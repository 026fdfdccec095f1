//! Checks that enough distinct signers can exist to meet a policy.

use std::collections::BTreeMap;

use super::assign::can_assign;
use super::error::{PolicyError, PolicyFault};
use super::{Member, Policy, Threshold};
use crate::protocol::evidence::SignerIdentity;

/// Rejects a policy if any of its alternatives can never be met: such an alternative is a mistake even
/// if another one can be met. `alternatives` are those of the policy, with their paths.
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
        if !policy.can_meet(thresholds) {
            return Err(PolicyError::new(at, PolicyFault::SharedSigners));
        }
    }
    Ok(())
}

/// A signer that can exist under the policy.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum PossibleSigner {
    Identity(SignerIdentity),
    /// Any signer that matches the member at this index, which has `counts_once`.
    AnyOf(usize),
}

impl Policy {
    /// Whether all thresholds can be met at the same time. A threshold with a pattern always can.
    fn can_meet(&self, thresholds: &[Threshold]) -> bool {
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

    /// All distinct signers that a threshold can have; `None` if a pattern makes their number unknown.
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
