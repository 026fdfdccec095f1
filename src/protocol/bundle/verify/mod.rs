//! Verification as a chain of evidence: each step takes what the earlier ones proved, in types
//! that nothing else can make, so that no step can be left out or moved.
//!
//! 1. The bundle keeps the rules of its version, and the caller's expectation fits it.
//! 2. It is about the caller's artifact.
//! 3. At least one moment of signing is established by a trusted third party.
//! 4. At every such moment the signing certificate chains to a trusted authority.
//! 5. A trusted certificate log promised to publish the certificate.
//! 6. A trusted signature log contains this signature, this key and this artifact.
//! 7. The signature holds.
//! 8. The caller accepts the signer.
//!
//! Steps 1 to 7 are [`authenticate`]: they make an [`Authentic`], which says who signed and when,
//! and not that they may. Only step 8, [`Authentic::accept`], makes a [`Verified`]. A policy that
//! looks at several bundles of one artifact takes the [`Authentic`]s' evidence instead.

mod authentic;
mod body;
mod content;
mod entry;
mod evidence;
mod form;
mod refusal;
mod signer;
#[cfg(test)]
pub(crate) mod testing;
mod time;
mod trail;

#[cfg(test)]
mod tests;

pub use authentic::{Authentic, AuthenticSigner, CertifiedSigner};
pub use entry::LoggedEntry;
pub use refusal::Refusal;
pub use time::{EstablishedTime, TimeSource};
pub use trail::{Check, CheckEvidence, CheckName, Outcome};

use super::{Artifact, Bundle, TrustedRoot};
use crate::protocol::keys::PublicKey;
use crate::protocol::policy::{Identity, Policy};
use crate::protocol::time::UnixTime;
use content::SignedContent;
use form::Form;
use signer::Signer;
use time::Times;
use trail::Trail;

/// Whose signature the caller expects.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// Someone whom the policy names, by a certificate
    Identity(Policy),
    /// The holder of this key, which the caller knows from elsewhere
    Key(PublicKey),
}

/// A bundle that passed every step, by a signer whom the caller accepts. [`Authentic::accept`] is
/// the only constructor.
#[derive(Clone, Debug)]
pub struct Verified {
    signer: VerifiedSigner,
    authentic: Authentic,
}

/// Who signed, as the caller accepted it.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each verification, inside a larger value"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifiedSigner {
    /// Someone whom a certificate names and the policy accepts
    Identity(Identity),
    /// The holder of the caller's key
    Key(PublicKey),
}

/// A bundle that was refused: the first reason, and what was checked until then.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// The first reason.
    #[source]
    pub reason: Refusal,
    /// Every check in order, the ones that were not reached as skipped.
    pub checks: Vec<Check>,
}

/// Verifies that `bundle` is a signature over `artifact` by the one whom the caller expects,
/// as of `trust`. The present moment serves only to refuse log entries from the future.
///
/// # Errors
/// The first step that fails.
pub fn verify(
    bundle: &Bundle,
    artifact: &Artifact,
    expectation: &Expectation,
    trust: &TrustedRoot,
    now: UnixTime,
) -> Result<Verified, Box<Refused>> {
    let key = match expectation {
        Expectation::Identity(_) => None,
        Expectation::Key(key) => Some(key),
    };
    authenticate(bundle, artifact, key, trust, now)?.accept(expectation)
}

/// Verifies that `bundle` is a signature over `artifact` by somebody, as of `trust`: everything but
/// whether that one may sign. `key` is the key that the caller brings for a bundle that names no
/// certificate.
///
/// # Errors
/// The first step that fails.
pub fn authenticate(
    bundle: &Bundle,
    artifact: &Artifact,
    key: Option<&PublicKey>,
    trust: &TrustedRoot,
    now: UnixTime,
) -> Result<Authentic, Box<Refused>> {
    let mut trail = Trail::default();
    match run(bundle, artifact, key, trust, now, &mut trail) {
        Ok(proof) => Ok(Authentic::new(artifact, proof, trail)),
        Err(reason) => Err(refused(trail, reason)),
    }
}

/// What the steps proved, and [`Authentic`] alone is made of.
struct Proof {
    signer: AuthenticSigner,
    times: Times,
    entries: Vec<LoggedEntry>,
    statement: Option<crate::protocol::attestation::statement::Statement>,
    signature: content::SignatureHolds,
}

fn run(
    bundle: &Bundle,
    artifact: &Artifact,
    key: Option<&PublicKey>,
    trust: &TrustedRoot,
    now: UnixTime,
    trail: &mut Trail,
) -> Result<Proof, Refusal> {
    let form = Form::examine(bundle, key, trail)?;
    let content = SignedContent::of(&form, artifact, trail)?;
    let times = Times::establish(&form, trust, now, trail)?;
    let signer = Signer::identify(&form, &times, trust, trail)?;
    let entries = entry::verify_entries(&form, &content, &times, trust, trail)?;
    let signature = content.verify_signature(&form, &signer, &entries, trail)?;
    Ok(Proof {
        signer: signer.into_named()?,
        times,
        entries,
        statement: content.into_statement(),
        signature,
    })
}

fn refused(trail: Trail, reason: Refusal) -> Box<Refused> {
    Box::new(Refused {
        checks: trail.finish_refused(&reason),
        reason,
    })
}

impl Verified {
    /// Who signed.
    pub const fn signer(&self) -> &VerifiedSigner {
        &self.signer
    }

    /// Everything else that was proved.
    pub const fn authentic(&self) -> &Authentic {
        &self.authentic
    }

    /// The moments of signing that were established, at least one.
    pub fn times(&self) -> &[EstablishedTime] {
        self.authentic.times()
    }

    /// The log entries that were verified, at least one.
    pub fn entries(&self) -> &[LoggedEntry] {
        self.authentic.entries()
    }

    /// Every check in order.
    pub fn checks(&self) -> &[Check] {
        self.authentic.checks()
    }
}
