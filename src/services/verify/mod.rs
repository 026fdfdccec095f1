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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::bundle::verify::testing::{ARTIFACT, ISSUER, SUBJECT, World, taken};
    use crate::protocol::policy::{IdentityMatcher, Policy};
    use crate::protocol::time::UnixTime;

    struct FixedClock(UnixTime);

    impl Clock for FixedClock {
        fn now(&self) -> UnixTime {
            self.0
        }
    }

    fn report(artifact: &[u8], now: UnixTime) -> serde_json::Value {
        let world = World::new();
        let bundle = world.message();
        let verifier = Verifier::new(Arc::new(world.trust), Arc::new(FixedClock(now)));
        let matcher = IdentityMatcher::exact(ISSUER, SUBJECT).unwrap();
        let expectation = Expectation::Identity(Policy::any_of([matcher]).unwrap());
        let report = verifier.verify(&bundle, &Artifact::from_bytes(artifact), &expectation);
        serde_json::to_value(report).unwrap()
    }

    #[test]
    fn a_verified_bundle_is_reported_with_signer_times_and_entries() {
        let report = report(ARTIFACT, taken());

        assert_eq!(report["verified"], true);
        assert_eq!(
            report["identity"],
            json!({"issuer": ISSUER, "subject": SUBJECT})
        );
        assert_eq!(
            report["times"],
            json!([{
                "time": "2026-01-01T00:01:00Z",
                "source": "log-promise",
                "authority": "https://log.example"
            }])
        );
        assert_eq!(report["log_entries"][0]["index"], 1000);
        assert_eq!(report["log_entries"][0]["tree_size"], 2);
        assert_eq!(report["checks"][0]["name"], "bundle-form");
        assert_eq!(report["checks"][0]["outcome"], "passed");
        assert!(report.get("reason").is_none() && report.get("code").is_none());
    }

    #[test]
    fn a_refused_bundle_is_reported_with_reason_and_code_and_no_signer() {
        let report = report(b"other", taken());

        assert_eq!(report["verified"], false);
        assert_eq!(report["code"], "artifact-mismatch");
        assert_eq!(report["reason"], report["checks"][1]["detail"]);
        assert_eq!(report["checks"][7]["outcome"], "skipped");
        for absent in ["identity", "times", "log_entries"] {
            assert!(report.get(absent).is_none());
        }
    }

    #[test]
    fn the_clock_that_was_given_decides_what_is_in_the_future() {
        assert_eq!(
            report(ARTIFACT, UnixTime::from_millis(0))["code"],
            "time-in-future"
        );
    }
}
