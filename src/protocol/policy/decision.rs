//! Evaluates a policy against all bundles of one artifact, in three steps:
//!
//! 1. Examine each bundle on its own.
//! 2. Group the counted bundles that share a signer, a key or a log entry. A group counts as one
//!    signer.
//! 3. Assign groups to thresholds. A group counts for one threshold only.

mod outcome;

use super::assign::can_assign;
use super::condition::StepBudget;
use super::deny::DenyRule;
use super::{MAX_BUNDLES, Member, Policy, SignerMatcher, Threshold};
use crate::protocol::attestation::artifact::Artifact;
use crate::protocol::evidence::{Evidence, SignerIdentity};
pub(crate) use outcome::{
    Accepted, BundleOutcome, Denial, DenialReason, NotCounted, ThresholdOutcome,
};

impl Policy {
    /// Decides whether to accept an artifact, given the evidence of its verified bundles.
    ///
    /// # Errors
    /// The artifact is denied. The error contains the reason and the outcome of every bundle.
    pub fn decide<'a>(
        &self,
        evidence: impl IntoIterator<Item = &'a Evidence>,
    ) -> Result<Accepted, Box<Denial>> {
        let evidence: Vec<_> = evidence.into_iter().collect();
        let deny = |reason, thresholds, bundles| {
            Err(Box::new(Denial {
                reason,
                thresholds,
                bundles,
            }))
        };
        if let Err(reason) = self.check_artifact(&evidence) {
            return deny(reason, Vec::new(), Vec::new());
        }
        let mut steps = StepBudget::per_decision();
        let mut examined: Vec<_> = evidence
            .iter()
            .map(|one| self.examine(one, &mut steps))
            .collect();
        let groups = group(&evidence, &mut examined);
        let alternatives: Vec<_> = (1..)
            .zip(&self.alternatives)
            .map(|(number, thresholds)| self.fill(number, thresholds, &groups))
            .collect();
        let bundles: Vec<_> = examined.into_iter().map(|one| one.outcome).collect();
        let is_met = alternatives.iter().any(|alternative| alternative.is_met);
        let nearest = alternatives
            .iter()
            .min_by_key(|alternative| alternative.shortfall());
        let reason = nearest.and_then(|nearest| nearest.reason(&bundles));
        let thresholds = alternatives.into_iter().flat_map(|one| one.thresholds);
        let thresholds = thresholds.collect();
        if is_met {
            return Ok(Accepted::new(thresholds, bundles));
        }
        let reason = reason.unwrap_or(DenialReason::SharedSigners);
        deny(reason, thresholds, bundles)
    }

    /// Checks that the bundles can be evaluated together.
    fn check_artifact(&self, evidence: &[&Evidence]) -> Result<(), DenialReason> {
        let Some(first) = evidence.first() else {
            return Err(DenialReason::NoBundle);
        };
        if evidence.len() > MAX_BUNDLES {
            return Err(DenialReason::TooManyBundles(evidence.len()));
        }
        for (number, one) in (1..).zip(evidence) {
            if !is_same_artifact(&first.artifact, &one.artifact) {
                return Err(DenialReason::DifferentArtifact { number });
            }
            if one.times.is_empty() {
                return Err(DenialReason::NoTime { number });
            }
        }
        let lacks_digest = |rule: &&DenyRule| evidence.iter().any(|one| rule.lacks_digest(one));
        match self.deny.iter().find(lacks_digest) {
            Some(rule) => Err(DenialReason::DigestNeeded(rule.to_string())),
            None => Ok(()),
        }
    }

    /// Determines whether a bundle counts, and which members it matches.
    fn examine(&self, evidence: &Evidence, steps: &mut StepBudget) -> Examined {
        let signer = evidence.signer().canonical();
        let mut reasons = Vec::new();
        let listed: Vec<_> = self
            .members
            .iter()
            .enumerate()
            .filter(|(_, member)| member.matches_signer(evidence))
            .map(|(index, member)| (index, member, member.failed_claim(evidence)))
            .collect();
        let members: Vec<_> = listed
            .iter()
            .filter(|(_, _, failed_claim)| failed_claim.is_none())
            .map(|(index, ..)| *index)
            .collect();
        if listed.is_empty() {
            reasons.push(NotCounted::NotListed(signer.clone()));
        } else if members.is_empty() {
            let claim = listed.iter().find_map(|(_, _, failed_claim)| *failed_claim);
            reasons.extend(claim.map(NotCounted::Claim));
        }
        reasons.extend(self.require.examine(evidence));
        let hits = self.deny.iter().filter(|rule| rule.denies(evidence));
        reasons.extend(hits.map(|rule| NotCounted::Denied(rule.to_string())));
        // The condition is evaluated last, and only if every other check passed: it is the only check
        // whose cost an unauthenticated client can raise.
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

    /// Evaluates one set of thresholds.
    fn fill(&self, number: usize, thresholds: &[Threshold], groups: &[Group]) -> Alternative {
        let outcomes: Vec<_> = thresholds
            .iter()
            .map(|threshold| ThresholdOutcome {
                alternative: (self.alternatives.len() > 1).then_some(number),
                group: threshold.group.clone(),
                needed: threshold.needed,
                counted: groups
                    .iter()
                    .filter(|group| group.fits(threshold))
                    .map(|group| group.signer.clone())
                    .collect(),
                missing: self.missing(threshold, groups),
            })
            .collect();
        let needs: Vec<_> = thresholds
            .iter()
            .map(|threshold| threshold.needed)
            .collect();
        let fits: Vec<Vec<bool>> = groups
            .iter()
            .map(|group| thresholds.iter().map(|one| group.fits(one)).collect())
            .collect();
        Alternative {
            // Without this check an empty set of thresholds would need no signer.
            is_met: !needs.is_empty() && can_assign(&needs, &fits),
            thresholds: outcomes,
        }
    }

    /// Labels of the threshold's members that have not signed.
    fn missing(&self, threshold: &Threshold, groups: &[Group]) -> Vec<String> {
        let signed = |index: &usize| groups.iter().any(|group| group.members.contains(index));
        threshold
            .members
            .iter()
            .filter(|index| !signed(index))
            .filter_map(|index| self.members.get(*index))
            .map(Member::label)
            .collect()
    }
}

struct Examined {
    outcome: BundleOutcome,
    members: Vec<usize>,
    /// The matched member with `counts_once`, if any.
    counts_as: Option<usize>,
}

/// Bundles that count as one signer.
struct Group {
    signer: SignerIdentity,
    /// Indices of the members that the group matches.
    members: Vec<usize>,
    /// Indices of the group's bundles.
    bundles: Vec<usize>,
}

impl Group {
    fn fits(&self, threshold: &Threshold) -> bool {
        self.members
            .iter()
            .any(|member| threshold.members.contains(member))
    }
}

/// Outcome of one set of thresholds.
struct Alternative {
    is_met: bool,
    thresholds: Vec<ThresholdOutcome>,
}

impl Alternative {
    fn shortfall(&self) -> usize {
        self.thresholds
            .iter()
            // Saturating: surplus signers of one threshold must not offset the shortfall of another.
            .map(|one| one.needed.saturating_sub(one.counted.len()))
            .sum()
    }

    /// The most specific reason: that of the bundle if there is exactly one, else the first threshold
    /// that is not met.
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

/// Groups the counted bundles that share a signer, a key or a log entry. The first bundle of a group
/// stays counted; the others get [`NotCounted::Repeated`].
fn group(evidence: &[&Evidence], examined: &mut [Examined]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, (one, bundle)) in evidence.iter().zip(examined.iter_mut()).enumerate() {
        if !bundle.outcome.reasons.is_empty() {
            continue;
        }
        let mut group = Group {
            signer: bundle.outcome.signer.clone(),
            members: bundle.members.clone(),
            bundles: vec![index],
        };
        let common = |other: &usize| shared(one, evidence.get(*other)?);
        let (alike, others): (Vec<_>, Vec<_>) = groups.into_iter().partition(|earlier| {
            let counts_as_same = |member: &usize| bundle.counts_as == Some(*member);
            earlier.members.iter().any(counts_as_same)
                || earlier.bundles.iter().any(|other| common(other).is_some())
        });
        groups = others;
        let earlier = alike.iter().flat_map(|group| group.bundles.iter().copied());
        let linked = earlier
            .clone()
            .filter_map(|other| Some((other, common(&other)?)))
            .min()
            .or_else(|| earlier.min().map(|other| (other, "accepted identity")));
        if let Some((with, what)) = linked {
            let first = alike.iter().find(|earlier| earlier.bundles.contains(&with));
            group.signer = first.map_or(group.signer, |first| first.signer.clone());
            let number = with + 1;
            let reason = NotCounted::Repeated { what, number };
            bundle.outcome.reasons.push(reason);
        }
        for earlier in alike {
            group.members.extend(earlier.members);
            group.bundles.extend(earlier.bundles);
        }
        groups.push(group);
    }
    groups
}

/// Names what two bundles share, if that makes them count as one signer.
fn shared(one: &Evidence, other: &Evidence) -> Option<&'static str> {
    if one.signer().canonical() == other.signer().canonical() {
        return Some("signer");
    }
    if one.key.fingerprint == other.key.fingerprint {
        return Some("key");
    }
    let has_same_entry = one.entries.iter().any(|entry| {
        other
            .entries
            .iter()
            .any(|theirs| theirs.log_id == entry.log_id && theirs.index == entry.index)
    });
    has_same_entry.then_some("log entry")
}

/// Two artifacts are the same if they share at least one digest algorithm and all digests under shared
/// algorithms are equal.
fn is_same_artifact(one: &Artifact, other: &Artifact) -> bool {
    let comparable = one
        .digests()
        .iter()
        .filter_map(|digest| Some((digest, other.digest(digest.algorithm())?)));
    let mut is_equal = comparable.map(|(digest, theirs)| digest == theirs);
    is_equal
        .next()
        .is_some_and(|first| first && is_equal.all(|equal| equal))
}

impl Member {
    /// Whether the member matches the bundle's signer. Does not compare claims.
    fn matches_signer(&self, evidence: &Evidence) -> bool {
        match (&self.signer, &evidence.certificate) {
            (SignerMatcher::Identity(matcher), Some(certificate)) => {
                matcher.matches(&certificate.identity)
            }
            (SignerMatcher::Key(key), None) => *key == evidence.key.fingerprint,
            _ => false,
        }
    }

    /// The first claim that is absent from the certificate or has another value.
    fn failed_claim(&self, evidence: &Evidence) -> Option<&'static str> {
        let claims = evidence.certificate.as_ref().map(|one| &one.claims);
        self.claims
            .iter()
            .find(|(name, required)| {
                let actual = claims.and_then(|claims| claims.get(name));
                !actual.is_some_and(|actual| required.matches(actual))
            })
            .map(|(name, _)| *name)
    }

    /// The member's name, or a description of its signer.
    fn label(&self) -> String {
        match (&self.name, &self.signer) {
            (Some(name), _) => name.clone(),
            (None, SignerMatcher::Identity(matcher)) => matcher.to_string(),
            (None, SignerMatcher::Key(key)) => format!("key {key}"),
        }
    }

    /// The only signer that matches, in canonical form; `None` if the member has a pattern.
    pub(super) fn only_signer(&self) -> Option<SignerIdentity> {
        let signer = match &self.signer {
            SignerMatcher::Identity(matcher) => {
                SignerIdentity::Certificate(matcher.exact_identity()?)
            }
            SignerMatcher::Key(key) => SignerIdentity::key(*key),
        };
        Some(signer.canonical())
    }
}
