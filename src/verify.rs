//! Verification as a library: everything that it takes to decide about a Sigstore bundle, from this
//! server or any other instance, without a network.
//!
//! A [`Bundle`] that was read proves nothing. [`verify`] makes a [`Verified`] of it, and nothing else
//! does: when there is one, the signature holds, the artifact is the one that was signed, a trusted
//! authority certified the signer at every established moment, trusted logs contain certificate and
//! signature, and the signer is the one whom the caller expects.
//!
//! [`authenticate`] does all of that but the last: an [`Authentic`] says who signed and not that they
//! may. It is for those who decide themselves, or over several bundles, by [`Authentic::evidence`].
//!
//! ```
//! use signet::verify::{Artifact, Bundle, Expectation, IdentityMatcher, Policy, TrustedRoot};
//! use signet::verify::{UnixTime, verify};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bundle = Bundle::from_json(include_bytes!("../tests/vectors/bundle/hello.bundle.json"))?;
//! let trust = TrustedRoot::from_json(include_bytes!("../tests/vectors/bundle/trusted_root.json"))?;
//! let artifact = Artifact::from_bytes(include_bytes!("../tests/vectors/bundle/hello.txt"));
//! let signer = IdentityMatcher::exact("http://localhost:18477", "build@example.com")?;
//! let expectation = Expectation::Identity(Policy::any_of([signer])?);
//! // The present serves only to refuse log entries from the future.
//! let now = UnixTime::from_rfc3339("2027-01-01T00:00:00Z").ok_or("no time")?;
//!
//! let verified = verify(&bundle, &artifact, &expectation, &trust, now)?;
//! println!("signed at {}", verified.times()[0].time);
//! for check in verified.checks() {
//!     println!("{}: {}", check.name.as_str(), check.detail);
//! }
//!
//! let other = Artifact::from_bytes(b"another file");
//! let refused = verify(&bundle, &other, &expectation, &trust, now).unwrap_err();
//! assert_eq!(refused.reason.code(), "artifact-mismatch");
//! # Ok(())
//! # }
//! ```

pub use crate::protocol::attestation::statement::Statement;
pub use crate::protocol::bundle::{
    Artifact, ArtifactHasher, Authentic, Bundle, BundleError, BundleVersion, Check, CheckEvidence,
    CheckName, Expectation, NotADigest, Outcome, Refusal, Refused, TrustedLog, TrustedRoot,
    TrustedRootError, Verified, authenticate, verify,
};
pub use crate::protocol::evidence::{
    CertificateEvidence, EntryEvidence, Evidence, KeyEvidence, PathEvidence, SignerIdentity,
    TimeEvidence, TimeSource,
};
pub use crate::protocol::identity::CertificateIdentity;
pub use crate::protocol::keys::{KeyAlgorithm, KeyDetails, PublicKey};
pub use crate::protocol::policy::{IdentityMatcher, Policy};
pub use crate::protocol::time::UnixTime;
pub use crate::protocol::x509::VerifiedSct;
