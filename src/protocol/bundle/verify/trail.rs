//! The record to which the steps of one verification add their checks.

use super::{Check, CheckEvidence, CheckName, Outcome, Refusal, Refused};

/// The checks that were made so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    checks: Vec<Check>,
}

impl Trail {
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

    /// Ends with the step that failed, and with every later step as skipped.
    pub(super) fn refuse(mut self, reason: Refusal) -> Box<Refused> {
        let failed = reason.check();
        let check = Check::new(failed, Outcome::Failed, reason.code(), reason.to_string());
        self.checks.push(check);
        let later = CheckName::STEPS.into_iter().filter(|name| *name > failed);
        for name in later {
            // Entries of unknown logs were skipped already, and so was a key's certificate.
            if self.checks.iter().all(|check| check.name != name) {
                self.checks.push(Check::not_reached(name));
            }
        }
        Box::new(Refused {
            reason,
            checks: self.checks,
        })
    }
}
