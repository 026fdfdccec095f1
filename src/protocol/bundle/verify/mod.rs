//! Verification of a bundle as a chain of evidence: each step takes what earlier steps proved, in
//! types that only those steps construct, so no step can be skipped or reordered.
//!
//! 1. The bundle follows the rules of its version, and the caller supplied a key if it needs one.
//! 2. It is about the caller's artifact.
//! 3. A trusted third party establishes at least one moment of signing.
//! 4. At every such moment the signing certificate chains to a trusted authority.
//! 5. A trusted certificate log promised to publish the certificate.
//! 6. A trusted signature log contains this signature, this key and this artifact.
//! 7. The signature holds.
//! 8. The caller accepts the signer.
//!
//! [`authenticate`] is steps 1 to 7. Its [`Authentic`] proves who signed and when, not that they may.
//! Step 8, [`Authentic::accept`], returns a [`Verified`]. A policy over several bundles of one
//! artifact decides about the evidence of their [`Authentic`]s instead.

mod check;
mod content;
mod entry;
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
use check::CheckRecorder;
use content::SignedContent;
use signer::ProvenSigner;
use time::EstablishedTimes;
use well_formed::WellFormedBundle;

/// The signer that the caller expects.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// An identity that the policy names, in a certificate
    Identity(Policy),
    /// The holder of this key, which the caller trusts for reasons of its own
    Key(PublicKey),
}

/// A bundle that passed steps 1 to 7: its signature, artifact, signer, times and log entries are
/// proved. Whether the signer may sign is undecided. Only [`authenticate`] constructs it.
#[derive(Clone, Debug)]
pub struct Authentic {
    evidence: Evidence,
    recorder: CheckRecorder,
}

/// A bundle that passed every step: the caller accepts its signer. Only [`Authentic::accept`]
/// constructs it.
#[derive(Clone, Debug)]
pub struct Verified {
    signer: SignerIdentity,
    authentic: Authentic,
}

/// A bundle that failed a step.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct VerificationError {
    /// Why the step failed.
    #[source]
    pub reason: Refusal,
    /// Every check in order; those that were not reached are skipped.
    pub checks: Vec<Check>,
}

/// Verifies that `bundle` is a signature over `artifact` by the signer whom the caller expects, with
/// the trust root `trust`. `now` serves only to refuse log entries from the future.
///
/// # Errors
/// The first step that fails.
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

/// Verifies that `bundle` is a signature over `artifact`, whoever made it: every step of [`verify`]
/// but the last. A bundle without a certificate needs the caller's `key`.
///
/// # Errors
/// The first step that fails.
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
    /// Everything that was proved.
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Every check in order.
    pub fn checks(&self) -> &[Check] {
        self.recorder.checks()
    }

    /// The evidence and the checks.
    pub(crate) fn into_parts(self) -> (Evidence, Vec<Check>) {
        (self.evidence, self.recorder.into_checks())
    }

    /// Accepts the signer if it is the one that the caller expects.
    ///
    /// # Errors
    /// It is another one.
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

    /// Everything else that was proved.
    pub const fn authentic(&self) -> &Authentic {
        &self.authentic
    }

    pub(crate) fn into_authentic(self) -> Authentic {
        self.authentic
    }

    /// The established moments of signing, at least one.
    pub fn times(&self) -> &[TimeEvidence] {
        &self.authentic.evidence.times
    }

    /// The verified log entries, at least one.
    pub fn entries(&self) -> &[EntryEvidence] {
        &self.authentic.evidence.entries
    }

    /// Every check in order.
    pub fn checks(&self) -> &[Check] {
        self.authentic.checks()
    }
}
