//! Records the checks of one verification. Separate from `check`, whose `CheckName` [`Refusal`] uses.

use super::{Check, CheckEvidence, CheckName, Outcome, Refusal, VerificationError};

/// Records the checks of one verification, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct CheckRecorder {
    checks: Vec<Check>,
}

impl CheckRecorder {
    pub(super) fn passed(
        &mut self,
        name: CheckName,
        evidence: CheckEvidence,
        detail: impl Into<String>,
    ) {
        self.checks.push(Check {
            evidence: Some(evidence),
            ..Check::new(name, Outcome::Passed, "ok", detail)
        });
    }

    pub(super) fn skipped(
        &mut self,
        name: CheckName,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        let check = Check::new(name, Outcome::Skipped, code, detail);
        self.checks.push(check);
    }

    pub(super) fn checks(&self) -> &[Check] {
        &self.checks
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }

    /// Records the failed step and marks every later step as skipped.
    pub(super) fn refuse(mut self, reason: Refusal) -> Box<VerificationError> {
        let failed = reason.check();
        let check = Check::new(failed, Outcome::Failed, reason.code(), reason.to_string());
        self.checks.push(check);
        let later = CheckName::STEPS.into_iter().filter(|name| *name > failed);
        for name in later {
            // A later step may already be recorded as skipped, such as the certificate steps of a bundle
            // that is verified with a key.
            if self.checks.iter().all(|check| check.name != name) {
                self.checks.push(Check::not_reached(name));
            }
        }
        Box::new(VerificationError {
            reason,
            checks: self.checks,
        })
    }
}
