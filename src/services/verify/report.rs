//! The report on a verification, in the JSON that the endpoint and `--json` write.

use std::fmt;

use serde::Serialize;

use super::request::PolicyRequirement;
use crate::protocol::bundle::{Authentic, Check, CheckName, Outcome, VerificationError, Verified};
use crate::protocol::evidence::Evidence;
use crate::protocol::policy::{BundleOutcome, NotCounted, ThresholdOutcome};

/// A verdict and what it is based on. `reason` and `code` are present exactly if it is a refusal.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub verified: bool,
    /// The first reason for the refusal in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason's stable machine code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyReport>,
    /// What was found in the only bundle; empty if there are several.
    #[serde(flatten)]
    pub findings: Findings,
    /// Each bundle in the caller's order, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<BundleReport>,
}

/// What was found in one bundle.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Findings {
    /// None if the bundle did not verify.
    #[serde(flatten)]
    pub evidence: Option<Evidence>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

/// How far a policy is met.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PolicyReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub met: bool,
    /// In the policy's order.
    pub thresholds: Vec<ThresholdOutcome>,
}

/// One of several bundles.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BundleReport {
    /// Whether it verified and the policy counts it.
    pub counted: bool,
    /// Why it is not counted; empty if it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<ReasonReport>,
    #[serde(flatten)]
    pub findings: Findings,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReasonReport {
    /// One sentence.
    pub reason: String,
    /// The stable machine code.
    pub code: &'static str,
}

type Verdict = Result<Authentic, Box<VerificationError>>;

impl From<Result<Verified, Box<VerificationError>>> for Report {
    fn from(verdict: Result<Verified, Box<VerificationError>>) -> Self {
        let (reason, findings) = match verdict {
            Ok(verified) => (None, Findings::of(verified.into_authentic())),
            Err(refused) => {
                let reason = ReasonReport::of_refused(&refused);
                let findings = Findings {
                    evidence: None,
                    checks: refused.checks,
                };
                (Some(reason), findings)
            }
        };
        Self::new(reason, None, findings, Vec::new())
    }
}

impl Report {
    fn new(
        reason: Option<ReasonReport>,
        policy: Option<PolicyReport>,
        findings: Findings,
        bundles: Vec<BundleReport>,
    ) -> Self {
        let verified = reason.is_none();
        let (reason, code) = reason.map(|one| (one.reason, one.code)).unzip();
        Self {
            verified,
            reason,
            code,
            policy,
            findings,
            bundles,
        }
    }

    /// Evaluates the policy over the bundles that verified. A bundle that did not verify is not
    /// counted, and does not prevent the others from meeting the policy.
    pub(super) fn of_policy(requirement: &PolicyRequirement, verdicts: Vec<Verdict>) -> Self {
        let evidence = verdicts.iter().flatten().map(Authentic::evidence);
        let decision = requirement.policy.decide(evidence);
        let (denial, thresholds, outcomes) = match decision {
            Ok(accepted) => {
                let (thresholds, bundles) = accepted.into_parts();
                (None, thresholds, bundles)
            }
            Err(denial) => {
                let reason = ReasonReport {
                    reason: denial.reason.to_string(),
                    code: denial.reason.code(),
                };
                (Some(reason), denial.thresholds, denial.bundles)
            }
        };
        let mut outcomes = outcomes.into_iter();
        let mut bundles: Vec<_> = verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Ok(authentic) => BundleReport::of(authentic, outcomes.next()),
                Err(refused) => BundleReport::of_refused(*refused),
            })
            .collect();
        let reason = denial.map(|denial| first_reason(denial, &bundles));
        let policy = PolicyReport {
            name: requirement.name.clone(),
            met: reason.is_none(),
            thresholds,
        };
        let findings = match bundles.len() {
            1 => bundles.pop().map(|only| only.findings).unwrap_or_default(),
            _ => Findings::default(),
        };
        Self::new(reason, Some(policy), findings, bundles)
    }
}

/// If there is only one bundle, its own fault says more than the number of missing signers; so does
/// the first bundle's fault if none verifies.
fn first_reason(denial: ReasonReport, bundles: &[BundleReport]) -> ReasonReport {
    let none_verifies = bundles
        .iter()
        .all(|bundle| bundle.findings.evidence.is_none());
    match bundles {
        [first, rest @ ..] if rest.is_empty() || none_verifies => {
            first.reasons.first().cloned().unwrap_or(denial)
        }
        _ => denial,
    }
}

impl Findings {
    fn of(authentic: Authentic) -> Self {
        let (evidence, checks) = authentic.into_parts();
        Self {
            evidence: Some(evidence),
            checks,
        }
    }
}

impl BundleReport {
    fn of(authentic: Authentic, outcome: Option<BundleOutcome>) -> Self {
        let reasons: Vec<ReasonReport> = outcome
            .as_ref()
            .map(|outcome| outcome.reasons.iter().map(Into::into).collect())
            .unwrap_or_default();
        let check = match (&outcome, reasons.first()) {
            (None, _) => Check::not_reached(CheckName::Policy),
            (Some(_), None) => Check::new(
                CheckName::Policy,
                Outcome::Passed,
                "ok",
                "the policy counts it",
            ),
            (Some(_), Some(first)) => Check::new(
                CheckName::Policy,
                Outcome::Failed,
                first.code,
                first.reason.as_str(),
            ),
        };
        let mut findings = Findings::of(authentic);
        findings.checks.push(check);
        Self {
            counted: outcome.is_some() && reasons.is_empty(),
            reasons,
            findings,
        }
    }

    fn of_refused(refused: VerificationError) -> Self {
        let reason = ReasonReport::of_refused(&refused);
        let mut checks = refused.checks;
        // The policy's check takes the place of the check of an expected identity.
        checks.retain(|check| check.name != CheckName::Identity);
        checks.push(Check::not_reached(CheckName::Policy));
        Self {
            counted: false,
            reasons: vec![reason],
            findings: Findings {
                evidence: None,
                checks,
            },
        }
    }
}

impl ReasonReport {
    fn of_refused(refused: &VerificationError) -> Self {
        Self {
            reason: refused.reason.to_string(),
            code: refused.reason.code(),
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

/// The verdict on one line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.verified {
            let reason = self.reason.as_deref().unwrap_or_default();
            return write!(f, "refused: {reason} [{}]", self.code.unwrap_or_default());
        }
        f.write_str("verified:")?;
        if let Some(policy) = &self.policy {
            write!(f, " {policy}")?;
        }
        let Some(evidence) = &self.findings.evidence else {
            return Ok(());
        };
        write!(f, " signed by {}", evidence.signer())?;
        match evidence.times.first() {
            Some(established) => write!(f, " at {}", established.time),
            None => Ok(()),
        }
    }
}

/// All thresholds on one line.
impl fmt::Display for PolicyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for threshold in &self.thresholds {
            write!(f, "{separator}{threshold}")?;
            separator = ", ";
        }
        Ok(())
    }
}
