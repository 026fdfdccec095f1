//! Verification as a service: the trust root, the clock and the named policies are given once; the
//! answer to a question is the same for the endpoint and the command line.

mod contents;
mod decision;
mod question;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use contents::{
    CertificateContents, CertificateFields, Contents, EntryContents, SignedContents,
    SignerContents, TimestampContents,
};
pub(crate) use decision::{BundleReport, PolicyReport};
pub(crate) use question::{Demand, PolicyDemand, Question, QuestionError};
pub(crate) use report::{Findings, Report, SignerReport};

use crate::protocol::bundle::{Artifact, Bundle, Expectation, TrustedRoot, authenticate, verify};
use crate::protocol::policy::Policy;
use crate::protocol::time::Clock;

/// Policies by the names under which callers may ask for them.
pub(crate) type NamedPolicies = BTreeMap<String, Arc<Policy>>;

/// Verifies bundles against one trust root. It reads nothing and connects to nothing.
#[derive(Clone)]
pub(crate) struct Verifier {
    trust: Arc<TrustedRoot>,
    policies: Arc<NamedPolicies>,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// A verifier that believes `trust` and knows no policy by name.
    pub(crate) fn new(trust: Arc<TrustedRoot>, clock: Arc<dyn Clock>) -> Self {
        Self {
            trust,
            policies: Arc::default(),
            clock,
        }
    }

    /// The same verifier with policies that callers may name.
    #[must_use]
    pub(crate) fn with_policies(mut self, policies: NamedPolicies) -> Self {
        self.policies = Arc::new(policies);
        self
    }

    /// The policy of this name, if there is one.
    pub(crate) fn policy(&self, name: &str) -> Option<Arc<Policy>> {
        self.policies.get(name).cloned()
    }

    /// The names of all policies, in order.
    pub(crate) fn policy_names(&self) -> impl Iterator<Item = &str> {
        self.policies.keys().map(String::as_str)
    }

    /// Answers a question. This is work for the processor: callers choose the thread.
    pub(crate) fn answer(&self, question: &Question) -> Report {
        match question.demand() {
            Demand::Signer(expectation) => {
                let mut reports = question
                    .bundles()
                    .map(|bundle| self.verify(bundle, question.artifact(), expectation));
                reports
                    .next()
                    .expect("a question has at least one bundle, and exactly one without a policy")
            }
            Demand::Policy(demand) => self.decide(question, demand),
        }
    }

    /// Whether `bundle` is a signature over `artifact` as the caller expects, and why.
    pub(crate) fn verify(
        &self,
        bundle: &Bundle,
        artifact: &Artifact,
        expectation: &Expectation,
    ) -> Report {
        verify(bundle, artifact, expectation, &self.trust, self.clock.now()).into()
    }

    /// Whether the bundles together meet a policy: a bundle that does not verify does not count.
    fn decide(&self, question: &Question, demand: &PolicyDemand) -> Report {
        let now = self.clock.now();
        let verdicts = question.bundles().map(|bundle| {
            // A bundle with a certificate says by itself whose it is.
            let key = match bundle.material().certificate() {
                Some(_) => None,
                None => demand.key.as_ref(),
            };
            authenticate(bundle, question.artifact(), key, &self.trust, now)
        });
        decision::decide(demand, verdicts.collect())
    }
}
