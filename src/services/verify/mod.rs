//! Verification as a service: one trust root, clock and set of named policies for all requests. The
//! endpoint and the command line get the same report for the same request.

mod contents;
mod report;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use contents::{
    CertificateContents, CertificateFields, Contents, EntryContents, SignedContents,
    SignerContents, TimestampContents,
};
pub(crate) use report::{BundleReport, Findings, PolicyReport, Report};
pub(crate) use request::{
    BundleCountError, ExpectedIdentity, NamedPolicies, SignerRequirement, SignerRequirementError,
    SignerRequirementInput, VerificationRequest,
};

use crate::protocol::bundle::{Artifact, Bundle, Expectation, TrustedRoot, authenticate, verify};
use crate::protocol::time::Clock;

/// Verifies bundles against one trust root, without disk and network.
#[derive(Clone)]
pub(crate) struct VerificationService {
    trust: Arc<TrustedRoot>,
    policies: Arc<NamedPolicies>,
    clock: Arc<dyn Clock>,
}

impl VerificationService {
    /// A service without named policies.
    pub(crate) fn new(trust: Arc<TrustedRoot>, clock: Arc<dyn Clock>) -> Self {
        Self {
            trust,
            policies: Arc::default(),
            clock,
        }
    }

    #[must_use]
    pub(crate) fn with_policies(mut self, policies: NamedPolicies) -> Self {
        self.policies = Arc::new(policies);
        self
    }

    /// The policies that requests may name.
    pub(crate) fn policies(&self) -> &NamedPolicies {
        &self.policies
    }

    /// Verifies the bundles of a request. This takes processor time: callers choose the thread.
    pub(crate) fn verify(&self, request: &VerificationRequest) -> Report {
        let requirement = match request.requirement() {
            SignerRequirement::Expected(expectation) => {
                let bundle = request.bundles().first();
                let bundle = bundle.expect("a request without a policy has exactly one bundle");
                return self.verify_bundle(bundle, request.artifact(), expectation);
            }
            SignerRequirement::Policy(requirement) => requirement,
        };
        let now = self.clock.now();
        let verdicts = request.bundles().iter().map(|bundle| {
            // The key is for bundles without a certificate; the others name their signer.
            let key = match bundle.material().certificate() {
                Some(_) => None,
                None => requirement.key.as_ref(),
            };
            authenticate(bundle, request.artifact(), key, &self.trust, now)
        });
        Report::of_policy(requirement, verdicts.collect())
    }

    /// Verifies one bundle by the signer whom the caller expects.
    pub(crate) fn verify_bundle(
        &self,
        bundle: &Bundle,
        artifact: &Artifact,
        expectation: &Expectation,
    ) -> Report {
        verify(bundle, artifact, expectation, &self.trust, self.clock.now()).into()
    }
}
