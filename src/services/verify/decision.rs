//! What a policy says about all bundles of one artifact, as a report.

use std::fmt;

use serde::Serialize;

use super::question::PolicyDemand;
use super::report::{CheckReport, Findings, Report, SignerReport};
use crate::protocol::bundle::{Authentic, Outcome, Refused};
use crate::protocol::policy::{BundleOutcome, Evidence, NotCounted, Signer, ThresholdOutcome};

/// How far a policy is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PolicyReport {
    /// Its name, where it was asked for by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it is met.
    pub met: bool,
    /// Every threshold in the policy's order.
    pub thresholds: Vec<ThresholdReport>,
}

/// How far a threshold is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ThresholdReport {
    /// Which of the policy's alternatives it belongs to, from 1; absent where there is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternative: Option<usize>,
    /// The group that it counts in; absent where it counts in all identities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether enough distinct signers count.
    pub met: bool,
    /// How many distinct signers it asks for.
    pub needed: usize,
    /// Who counts, in the form in which signers are told apart.
    pub counted: Vec<SignerReport>,
    /// Who is named and does not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The whole in a few words.
    pub summary: String,
}

/// What became of one of several bundles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BundleReport {
    /// Whether it verified, and the policy counts it.
    pub counted: bool,
    /// Why it does not count; empty where it does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ReasonReport>,
    /// What was found in it.
    #[serde(flatten)]
    pub findings: Findings,
}

/// A reason against a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ReasonReport {
    /// One sentence.
    pub reason: String,
    /// Its stable machine code.
    pub code: &'static str,
}

type Verdict = Result<Authentic, Box<Refused>>;

/// Lets the policy decide about the bundles that verified, and reports on all of them.
pub(super) fn decide(demand: &PolicyDemand, verdicts: Vec<Verdict>) -> Report {
    let evidence: Vec<Evidence> = verdicts.iter().flatten().map(Authentic::evidence).collect();
    let decision = demand.policy.decide(&evidence);
    let (denied, thresholds, outcomes) = match &decision {
        Ok(accepted) => (None, accepted.thresholds(), accepted.bundles()),
        Err(denial) => {
            let reason = ReasonReport {
                reason: denial.reason.to_string(),
                code: denial.code(),
            };
            (Some(reason), &*denial.thresholds, &*denial.bundles)
        }
    };
    let mut outcomes = outcomes.iter();
    let mut bundles: Vec<_> = verdicts
        .iter()
        .map(|verdict| match verdict {
            Ok(authentic) => BundleReport::of(authentic, outcomes.next()),
            Err(refused) => BundleReport::of_refused(refused),
        })
        .collect();
    let denied = denied.map(|denial| first_reason(denial, &bundles));
    let policy = PolicyReport {
        name: demand.name.clone(),
        met: denied.is_none(),
        thresholds: thresholds.iter().map(Into::into).collect(),
    };
    let findings = match bundles.len() {
        1 => bundles.pop().map(|only| only.findings).unwrap_or_default(),
        _ => Findings::default(),
    };
    let (reason, code) = denied.map(|denied| (denied.reason, denied.code)).unzip();
    Report {
        verified: policy.met,
        reason,
        code,
        policy: Some(policy),
        findings,
        bundles,
    }
}

/// Where there is only one bundle, what is wrong with it says more than how many are missing; and
/// where none verifies, the first says why.
fn first_reason(denial: ReasonReport, bundles: &[BundleReport]) -> ReasonReport {
    let none_verifies = bundles
        .iter()
        .all(|bundle| bundle.findings.identity.is_none());
    match bundles {
        [first, rest @ ..] if rest.is_empty() || none_verifies => {
            first.reasons.first().cloned().unwrap_or(denial)
        }
        _ => denial,
    }
}

impl BundleReport {
    fn of(authentic: &Authentic, outcome: Option<&BundleOutcome>) -> Self {
        let reasons: Vec<ReasonReport> = outcome
            .map(|outcome| outcome.reasons.iter().map(Into::into).collect())
            .unwrap_or_default();
        let mut findings = Findings::of(authentic);
        let check = match (outcome, reasons.first()) {
            (None, _) => {
                CheckReport::of_policy(Outcome::Skipped, "not-reached", "not reached".to_owned())
            }
            (Some(_), None) => {
                CheckReport::of_policy(Outcome::Passed, "ok", "the policy counts it".to_owned())
            }
            (Some(_), Some(first)) => {
                CheckReport::of_policy(Outcome::Failed, first.code, first.reason.clone())
            }
        };
        findings.checks.push(check);
        Self {
            counted: outcome.is_some() && reasons.is_empty(),
            reasons,
            findings,
        }
    }

    fn of_refused(refused: &Refused) -> Self {
        let mut findings = Findings::of_refused(refused);
        // The signer's check belongs to questions without a policy.
        findings.checks.retain(|check| check.name != "identity");
        let detail = "not reached".to_owned();
        findings.checks.push(CheckReport::of_policy(
            Outcome::Skipped,
            "not-reached",
            detail,
        ));
        Self {
            counted: false,
            reasons: vec![ReasonReport {
                reason: refused.reason.to_string(),
                code: refused.reason.code(),
            }],
            findings,
        }
    }
}

impl From<&NotCounted> for ReasonReport {
    fn from(reason: &NotCounted) -> Self {
        Self {
            reason: reason.to_string(),
            code: reason.code(),
        }
    }
}

impl From<&ThresholdOutcome> for ThresholdReport {
    fn from(outcome: &ThresholdOutcome) -> Self {
        Self {
            alternative: outcome.alternative,
            group: outcome.group.clone(),
            met: outcome.is_met(),
            needed: outcome.needed,
            counted: outcome.counted.iter().map(Into::into).collect(),
            missing: outcome.missing.clone(),
            summary: outcome.to_string(),
        }
    }
}

impl From<&Signer> for SignerReport {
    fn from(signer: &Signer) -> Self {
        match signer {
            Signer::Identity(identity) => identity.into(),
            Signer::Key(fingerprint) => Self::Key {
                key: fingerprint.to_string(),
            },
        }
    }
}

impl fmt::Display for PolicyReport {
    /// All thresholds on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for threshold in &self.thresholds {
            write!(f, "{separator}{}", threshold.summary)?;
            separator = ", ";
        }
        Ok(())
    }
}
