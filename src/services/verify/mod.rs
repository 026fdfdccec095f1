//! Verification as a service: the trust root and the clock are given once, the report is the same
//! for the endpoint and the command line.

mod report;

use std::sync::Arc;

pub use report::{CheckReport, LogEntryReport, Report, SignerReport, TimeReport};

use crate::protocol::bundle::{Artifact, Bundle, Expectation, TrustedRoot, verify};
use crate::protocol::time::Clock;

/// Verifies bundles against one trust root. It reads nothing and connects to nothing.
#[derive(Clone)]
pub struct Verifier {
    trust: Arc<TrustedRoot>,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// A verifier that believes `trust`.
    pub fn new(trust: Arc<TrustedRoot>, clock: Arc<dyn Clock>) -> Self {
        Self { trust, clock }
    }

    /// Whether `bundle` is a signature over `artifact` as the caller expects, and why. This is
    /// work for the processor: callers choose the thread.
    pub fn verify(
        &self,
        bundle: &Bundle,
        artifact: &Artifact,
        expectation: &Expectation,
    ) -> Report {
        verify(bundle, artifact, expectation, &self.trust, self.clock.now()).into()
    }
}
