//! Verification of a bundle as a chain of evidence. Each step requires the results of earlier steps, in
//! types that only those steps construct, so no step can be skipped or reordered.
//!
//! 1. The bundle conforms to the rules of its version, and the caller supplied a key if it has no
//!    certificate.
//! 2. The signed content is the caller's artifact or a statement about it.
//! 3. A trusted third party established at least one signing time.
//! 4. The signing certificate chains to a trusted authority at each of these times.
//! 5. A trusted certificate log promised to publish the certificate.
//! 6. A trusted signature log contains the signature, the key and the artifact's digest.
//! 7. The signature is valid.
//! 8. The caller accepts the signer.
//!
//! [`authenticate`] performs steps 1 to 7. The [`Authentic`] that it returns proves who signed and when, but
//! not that the signer is authorized. Step 8, [`Authentic::accept`], returns a [`Verified`]. A policy over
//! several bundles of one artifact evaluates the evidence of their [`Authentic`]s instead.

mod check;
mod content;
mod entry;
mod recorder;
mod refusal;
mod signer;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod time;
mod well_formed;

pub use check::{Check, CheckEvidence, CheckName, Outcome};
pub use refusal::Refusal;

use super::{Artifact, Bundle, TrustedRoot};
use crate::protocol::evidence::{EntryEvidence, Evidence, SignerIdentity, TimeEvidence};
use crate::protocol::keys::PublicKey;
use crate::protocol::policy::Policy;
use crate::protocol::time::UnixTime;
use content::SignedContent;
use recorder::CheckRecorder;
use signer::ProvenSigner;
use time::EstablishedTimes;
use well_formed::WellFormedBundle;

/// The signer that the caller accepts.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// A certificate with an identity that the policy permits
    Identity(Policy),
    /// The holder of this key, for bundles without a certificate. The caller must trust the key already.
    Key(PublicKey),
}

/// A bundle with a verified signature, artifact, signer, signing time and log entry, but whose signer has not
/// been accepted. Only [`authenticate`] constructs it.
#[derive(Clone, Debug)]
pub struct Authentic {
    evidence: Evidence,
    recorder: CheckRecorder,
}

/// A bundle that passed every check, including that of its signer. Only [`verify`] and
/// [`Authentic::accept`] construct it.
#[derive(Clone, Debug)]
pub struct Verified {
    signer: SignerIdentity,
    authentic: Authentic,
}

/// Error verifying a bundle.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct VerificationError {
    /// Why the bundle was refused.
    #[source]
    pub reason: Refusal,
    /// All checks in order. Those after the failed one are skipped.
    pub checks: Vec<Check>,
}

/// Verifies that `bundle` contains a signature over `artifact` by the expected signer, according to the
/// trusted root `trust`.
///
/// `now` is used only to reject log entries from the future: an expired certificate is valid if the
/// signature was made before it expired.
///
/// # Errors
/// Returns the first check that failed, with all checks before it.
pub fn verify(
    bundle: &Bundle,
    artifact: &Artifact,
    expectation: &Expectation,
    trust: &TrustedRoot,
    now: UnixTime,
) -> Result<Verified, Box<VerificationError>> {
    let key = match expectation {
        Expectation::Identity(_) => None,
        Expectation::Key(key) => Some(key),
    };
    authenticate(bundle, artifact, key, trust, now)?.accept(expectation)
}

/// Verifies that `bundle` contains a signature over `artifact`, regardless of the
/// signer's identity. This performs every check of [`verify`] except that of the signer.
///
/// `key` is required for a bundle without a certificate and refused for a bundle with one.
///
/// # Errors
/// Returns the first check that failed, with all checks before it.
pub fn authenticate(
    bundle: &Bundle,
    artifact: &Artifact,
    key: Option<&PublicKey>,
    trust: &TrustedRoot,
    now: UnixTime,
) -> Result<Authentic, Box<VerificationError>> {
    let mut recorder = CheckRecorder::default();
    match prove(bundle, artifact, key, trust, now, &mut recorder) {
        Ok(evidence) => Ok(Authentic { evidence, recorder }),
        Err(reason) => Err(recorder.refuse(reason)),
    }
}

fn prove(
    bundle: &Bundle,
    artifact: &Artifact,
    key: Option<&PublicKey>,
    trust: &TrustedRoot,
    now: UnixTime,
    recorder: &mut CheckRecorder,
) -> Result<Evidence, Refusal> {
    let bundle = WellFormedBundle::check(bundle, key, recorder)?;
    let content = SignedContent::of(&bundle, artifact, recorder)?;
    let times = EstablishedTimes::establish(&bundle, trust, now, recorder)?;
    let signer = ProvenSigner::identify(&bundle, &times, trust, recorder)?;
    let entries = entry::verify_entries(&bundle, &content, &times, trust, recorder)?;
    let signature = content.verify_signature(&bundle, &signer, &entries, recorder)?;
    Ok(Evidence {
        certificate: signer.into_certificate()?,
        key: signature.into_evidence(),
        artifact: artifact.clone(),
        times: times.into_vec(),
        entries,
        statement: content.into_statement(),
    })
}

impl Authentic {
    /// The facts that verification proved.
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// All checks in order.
    pub fn checks(&self) -> &[Check] {
        self.recorder.checks()
    }

    pub(crate) fn into_parts(self) -> (Evidence, Vec<Check>) {
        (self.evidence, self.recorder.into_checks())
    }

    /// Accepts the signer if the expectation permits it.
    ///
    /// # Errors
    /// The signer is not permitted, or the expectation is an identity and the bundle has no certificate, or
    /// the reverse.
    pub fn accept(mut self, expectation: &Expectation) -> Result<Verified, Box<VerificationError>> {
        let accepted = match (&self.evidence.certificate, expectation) {
            (Some(certificate), Expectation::Identity(policy)) => policy
                .permit(certificate.identity.clone())
                .map(|permit| SignerIdentity::Certificate(permit.into_identity()))
                .map_err(Refusal::Denied),
            (None, Expectation::Key(expected)) => {
                let fingerprint = expected.fingerprint();
                if fingerprint == self.evidence.key.fingerprint {
                    Ok(SignerIdentity::key(fingerprint))
                } else {
                    Err(Refusal::KeyMismatch)
                }
            }
            (None, Expectation::Identity(_)) => Err(Refusal::KeyRequired),
            (Some(_), Expectation::Key(_)) => Err(Refusal::UnexpectedKey),
        };
        let signer = match accepted {
            Ok(signer) => signer,
            Err(reason) => return Err(self.recorder.refuse(reason)),
        };
        let detail = match &signer {
            SignerIdentity::Certificate(identity) => identity.to_string(),
            SignerIdentity::Key { fingerprint } => format!("the caller's key {fingerprint}"),
        };
        let evidence = CheckEvidence::Signer(signer.clone());
        self.recorder.passed(CheckName::Identity, evidence, detail);
        Ok(Verified {
            signer,
            authentic: self,
        })
    }
}

impl Verified {
    /// The accepted signer.
    pub const fn signer(&self) -> &SignerIdentity {
        &self.signer
    }

    /// The bundle's evidence and checks.
    pub const fn authentic(&self) -> &Authentic {
        &self.authentic
    }

    pub(crate) fn into_authentic(self) -> Authentic {
        self.authentic
    }

    /// The established signing times; at least one.
    pub fn times(&self) -> &[TimeEvidence] {
        &self.authentic.evidence.times
    }

    /// The verified log entries; at least one.
    pub fn entries(&self) -> &[EntryEvidence] {
        &self.authentic.evidence.entries
    }

    /// All checks in order.
    pub fn checks(&self) -> &[Check] {
        self.authentic.checks()
    }
}
