//! The answer of a policy over all bundles of one artifact.
//!
//! Each bundle by itself counts or does not. Those that count are put together where they have a
//! signer, a key or a log entry in common, and what is put together counts once. Then the thresholds
//! are filled, and nobody fills two places.

mod outcome;

use super::assign::can_assign;
use super::condition::Steps;
use super::deny::DenyRule;
use super::identity::Identity;
use super::{Evidence, MAX_BUNDLES, Member, Policy, Threshold, Who};
pub(crate) use outcome::{
    Accepted, BundleOutcome, Denial, DenialReason, NotCounted, Signer, ThresholdOutcome,
};

impl Policy {
    /// Decides about one artifact from everything that was proved about its bundles.
    ///
    /// # Errors
    /// What is missing: silence means denial.
    pub fn decide(&self, evidence: &[Evidence]) -> Result<Accepted, Box<Denial>> {
        let refuse = |reason, thresholds, bundles| {
            Err(Box::new(Denial {
                reason,
                thresholds,
                bundles,
            }))
        };
        if let Err(reason) = self.check_artifact(evidence) {
            return refuse(reason, Vec::new(), Vec::new());
        }
        let mut steps = Steps::of_a_decision();
        let mut examined: Vec<_> = evidence
            .iter()
            .map(|one| self.examine(one, &mut steps))
            .collect();
        let units = unite(evidence, &mut examined);
        let outcomes: Vec<_> = (1..)
            .zip(&self.alternatives)
            .map(|(number, thresholds)| self.fill(number, thresholds, &units))
            .collect();
        let bundles: Vec<_> = examined.into_iter().map(|one| one.outcome).collect();
        let met = outcomes.iter().any(|alternative| alternative.is_met);
        let nearest = outcomes
            .iter()
            .min_by_key(|alternative| alternative.shortfall());
        let reason = nearest.and_then(|nearest| nearest.reason(&bundles));
        let thresholds = outcomes.iter().flat_map(|one| one.thresholds.clone());
        let thresholds = thresholds.collect();
        match reason {
            _ if met => Ok(Accepted::new(thresholds, bundles)),
            Some(reason) => refuse(reason, thresholds, bundles),
            None => refuse(DenialReason::SharedSigners, thresholds, bundles),
        }
    }

    /// What is asked of the bundles as a whole, before any of them is looked at.
    fn check_artifact(&self, evidence: &[Evidence]) -> Result<(), DenialReason> {
        let Some(first) = evidence.first() else {
            return Err(DenialReason::NoBundle);
        };
        if evidence.len() > MAX_BUNDLES {
            return Err(DenialReason::TooManyBundles(evidence.len()));
        }
        for (number, one) in (1..).zip(evidence) {
            if !is_same_artifact(first, one) {
                return Err(DenialReason::OtherArtifact { number });
            }
            if one.times.is_empty() {
                return Err(DenialReason::NoTime { number });
            }
        }
        let asks = |rule: &&DenyRule| evidence.iter().any(|one| rule.asks_for_digest(one));
        match self.deny.iter().find(asks) {
            Some(rule) => Err(DenialReason::DigestNeeded(rule.to_string())),
            None => Ok(()),
        }
    }

    /// Whether one bundle counts by itself, and as whose.
    fn examine(&self, evidence: &Evidence, steps: &mut Steps) -> Examined {
        let signer = Signer::of(evidence);
        let mut reasons = Vec::new();
        let named: Vec<_> = self.members_named(evidence).collect();
        let members: Vec<_> = named
            .iter()
            .filter(|(_, member)| member.missing_claim(evidence).is_none())
            .map(|(index, _)| *index)
            .collect();
        if named.is_empty() {
            reasons.push(NotCounted::NotNamed(signer.clone()));
        } else if members.is_empty() {
            let claim = named
                .iter()
                .find_map(|(_, one)| one.missing_claim(evidence));
            reasons.extend(claim.map(NotCounted::Claim));
        }
        reasons.extend(self.require.examine(evidence));
        let hits = self.deny.iter().filter(|rule| rule.hits(evidence));
        reasons.extend(hits.map(|rule| NotCounted::Denied(rule.to_string())));
        // Last and only where all else is well: it is the one check that strangers could make dear.
        if reasons.is_empty() {
            reasons.extend(self.require.failed_condition(evidence, steps));
        }
        let counts_as = members.iter().copied().find(|index| {
            self.members
                .get(*index)
                .is_some_and(|member| member.counts_once)
        });
        Examined {
            outcome: BundleOutcome { signer, reasons },
            members,
            counts_as,
        }
    }

    fn members_named(&self, evidence: &Evidence) -> impl Iterator<Item = (usize, &Member)> {
        self.members.iter().enumerate().filter(|(_, member)| {
            match (&member.who, &evidence.certificate) {
                (Who::Identity(matcher), Some(certificate)) => {
                    matcher.matches(&certificate.identity)
                }
                (Who::Key(key), None) => *key == evidence.key.fingerprint,
                _ => false,
            }
        })
    }

    /// Fills one set of thresholds from those who count.
    fn fill(&self, number: usize, thresholds: &[Threshold], units: &[Unit]) -> Filled {
        let outcomes: Vec<_> = thresholds
            .iter()
            .map(|threshold| ThresholdOutcome {
                alternative: (self.alternatives.len() > 1).then_some(number),
                group: threshold.group.clone(),
                needed: threshold.needed,
                counted: units
                    .iter()
                    .filter(|unit| unit.fits(threshold))
                    .map(|unit| unit.signer.clone())
                    .collect(),
                missing: self.missing(threshold, units),
            })
            .collect();
        let needs: Vec<_> = thresholds
            .iter()
            .map(|threshold| threshold.needed)
            .collect();
        let fits: Vec<Vec<bool>> = units
            .iter()
            .map(|unit| thresholds.iter().map(|one| unit.fits(one)).collect())
            .collect();
        Filled {
            // A set of nothing would be met by nobody.
            is_met: !needs.is_empty() && can_assign(&needs, &fits),
            thresholds: outcomes,
        }
    }

    fn missing(&self, threshold: &Threshold, units: &[Unit]) -> Vec<String> {
        let came = |index: &usize| units.iter().any(|unit| unit.members.contains(index));
        threshold
            .members
            .iter()
            .filter(|index| !came(index))
            .filter_map(|index| self.members.get(*index))
            .map(Member::label)
            .collect()
    }
}

/// One bundle, looked at by itself.
struct Examined {
    outcome: BundleOutcome,
    members: Vec<usize>,
    /// The member under whom all its signers count as one.
    counts_as: Option<usize>,
}

/// Bundles that count as one, with all that their signers are members of.
struct Unit {
    signer: Signer,
    members: Vec<usize>,
    bundles: Vec<usize>,
}

/// One set of thresholds, as far as it could be filled.
struct Filled {
    is_met: bool,
    thresholds: Vec<ThresholdOutcome>,
}

impl Unit {
    fn fits(&self, threshold: &Threshold) -> bool {
        self.members
            .iter()
            .any(|member| threshold.members.contains(member))
    }
}

impl Filled {
    fn shortfall(&self) -> usize {
        self.thresholds
            .iter()
            .map(|one| one.needed.saturating_sub(one.counted.len()))
            .fold(0, usize::saturating_add)
    }

    /// The reason for people: that of the one bundle, if there is but one, else who is missing.
    fn reason(&self, bundles: &[BundleOutcome]) -> Option<DenialReason> {
        let unmet = self.thresholds.iter().find(|one| !one.is_met())?;
        let by_bundle = match bundles {
            [only] => only.reasons.first().map(|reason| DenialReason::NotCounted {
                number: 1,
                reason: reason.clone(),
            }),
            _ => None,
        };
        Some(by_bundle.unwrap_or_else(|| DenialReason::Threshold(unmet.clone())))
    }
}

/// Puts together the bundles that count and share a signer, a key or a log entry. The first of them
/// stays; the others are marked as repetitions.
fn unite(evidence: &[Evidence], examined: &mut [Examined]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (index, (one, bundle)) in evidence.iter().zip(examined.iter_mut()).enumerate() {
        if !bundle.outcome.reasons.is_empty() {
            continue;
        }
        let mut unit = Unit {
            signer: bundle.outcome.signer.clone(),
            members: bundle.members.clone(),
            bundles: vec![index],
        };
        let (alike, others): (Vec<_>, Vec<_>) = units.into_iter().partition(|earlier| {
            earlier
                .members
                .iter()
                .any(|member| bundle.counts_as == Some(*member))
                || earlier.bundles.iter().any(|other| {
                    evidence
                        .get(*other)
                        .is_some_and(|other| common(one, other).is_some())
                })
        });
        units = others;
        if let Some((with, what)) = link(evidence, one, &alike) {
            let first = alike.iter().find(|earlier| earlier.bundles.contains(&with));
            unit.signer = first.map_or(unit.signer, |first| first.signer.clone());
            let number = with.saturating_add(1);
            let reason = NotCounted::Repeated { what, number };
            bundle.outcome.reasons.push(reason);
        }
        for earlier in alike {
            unit.members.extend(earlier.members);
            unit.bundles.extend(earlier.bundles);
        }
        units.push(unit);
    }
    units
}

/// The first of the earlier bundles with which one counts once, and why.
fn link(evidence: &[Evidence], one: &Evidence, alike: &[Unit]) -> Option<(usize, &'static str)> {
    let earlier = alike.iter().flat_map(|unit| unit.bundles.iter().copied());
    let direct = earlier
        .clone()
        .filter_map(|other| Some((other, common(one, evidence.get(other)?)?)))
        .min();
    direct.or_else(|| earlier.min().map(|other| (other, "accepted identity")))
}

/// What two bundles have in common that may count only once.
fn common(one: &Evidence, other: &Evidence) -> Option<&'static str> {
    let same_entry = one.entries.iter().any(|entry| {
        other
            .entries
            .iter()
            .any(|theirs| theirs.log_id == entry.log_id && theirs.index == entry.index)
    });
    if Signer::of(one) == Signer::of(other) {
        Some("signer")
    } else if one.key.fingerprint == other.key.fingerprint {
        Some("key")
    } else {
        same_entry.then_some("log entry")
    }
}

/// Two bundles are about one artifact if a digest under one function says so, and none otherwise.
fn is_same_artifact(one: &Evidence, other: &Evidence) -> bool {
    let mut shared = one.artifact.iter().filter_map(|digest| {
        let theirs = other
            .artifact
            .iter()
            .find(|d| d.algorithm == digest.algorithm)?;
        Some(theirs.bytes == digest.bytes)
    });
    shared
        .next()
        .is_some_and(|same| same && shared.all(|same| same))
}

impl Member {
    /// The first claim of the entry that the certificate does not have as asked.
    fn missing_claim(&self, evidence: &Evidence) -> Option<&'static str> {
        let claims = evidence.certificate.as_ref().map(|one| &one.claims);
        self.claims
            .iter()
            .find(|(name, wanted)| {
                let actual = claims.and_then(|claims| claims.get(name));
                !actual.is_some_and(|actual| wanted.matches(actual))
            })
            .map(|(name, _)| *name)
    }

    /// The entry's name, or whom it accepts.
    pub(super) fn label(&self) -> String {
        match (&self.name, &self.who) {
            (Some(name), _) => name.clone(),
            (None, Who::Identity(matcher)) => matcher.to_string(),
            (None, Who::Key(key)) => format!("the key {key}"),
        }
    }

    /// The one who is meant, in the form in which signers are counted; none where a pattern may mean
    /// many.
    pub(super) fn only_signer(&self) -> Option<Signer> {
        match &self.who {
            Who::Identity(matcher) => matcher
                .only()
                .as_ref()
                .map(Identity::canonical)
                .map(Signer::Identity),
            Who::Key(key) => Some(Signer::Key(*key)),
        }
    }
}
