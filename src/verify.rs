//! Offline verification of Sigstore bundles, from Signet or any other Sigstore instance.
//!
//! [`Bundle::from_json`] parses a bundle and verifies nothing. [`verify()`] checks it against an artifact,
//! a trusted root and the signer that the caller expects, and returns a [`Verified`]. A [`Verified`] cannot
//! be constructed without these checks. It guarantees that:
//!
//! - the signature is valid and covers the artifact;
//! - a trusted timestamp authority or log established when the signature existed;
//! - the certificate, if the bundle has one, chains to a trusted authority at each of these times, and a
//!   trusted certificate-transparency log promised to publish it;
//! - a trusted log contains the signature;
//! - the signer satisfies the [`Expectation`].
//!
//! [`authenticate`] performs all of these checks except the last. It returns an [`Authentic`], which
//! proves who signed but not that the signer is authorized. Use it to decide about the signer in your own
//! code, or about several bundles together, based on [`Authentic::evidence`].
//!
//! Neither function accesses the network, the file system or the clock.
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
//! // Signing times come from the bundle; the current time only rejects log entries from the future.
//! let now = UnixTime::from_rfc3339("2027-01-01T00:00:00Z").ok_or("not an RFC 3339 time")?;
//!
//! let verified = verify(&bundle, &artifact, &expectation, &trust, now)?;
//! println!("signed at {}", verified.times()[0].time);
//! for check in verified.checks() {
//!     println!("{}: {}", check.name.as_str(), check.detail);
//! }
//!
//! let other = Artifact::from_bytes(b"another file");
//! let error = verify(&bundle, &other, &expectation, &trust, now).unwrap_err();
//! assert_eq!(error.reason.code(), "artifact-mismatch");
//! # Ok(())
//! # }
//! ```

pub use crate::protocol::attestation::statement::Statement;
pub use crate::protocol::bundle::{
    Artifact, ArtifactHasher, Authentic, Bundle, BundleError, BundleVersion, Check, CheckEvidence,
    CheckName, Expectation, InvalidDigest, Outcome, Refusal, TrustedLog, TrustedRoot,
    TrustedRootError, VerificationError, Verified, authenticate, verify,
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
