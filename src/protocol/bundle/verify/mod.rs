//! Verification as a chain of evidence: each step takes what the earlier ones proved, in types
//! that nothing else can make, so that no step can be left out or moved.
//!
//! 1. The bundle keeps the rules of its version, and the caller's expectation fits it.
//! 2. It is about the caller's artifact.
//! 3. At least one moment of signing is established by a trusted third party.
//! 4. At every such moment the signing certificate chains to a trusted authority.
//! 5. A trusted certificate log promised to publish the certificate.
//! 6. The policy names the signer.
//! 7. A trusted signature log contains this signature, this key and this artifact.
//! 8. The signature holds.

mod body;
mod content;
mod entry;
mod form;
mod refusal;
mod signer;
#[cfg(test)]
pub(crate) mod testing;
mod time;
mod trail;

#[cfg(test)]
mod tests;

pub use entry::LoggedEntry;
pub use refusal::Refusal;
pub use time::{EstablishedTime, TimeSource};
pub use trail::{Check, CheckName, Outcome};

use super::{Artifact, Bundle, TrustedRoot};
use crate::protocol::keys::{PublicKey, SignatureValid};
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

/// A bundle that passed every step. [`verify`] is the only constructor.
#[derive(Clone, Debug)]
pub struct Verified {
    signer: VerifiedSigner,
    times: Vec<EstablishedTime>,
    entries: Vec<LoggedEntry>,
    checks: Vec<Check>,
    _signature: SignatureValid,
}

/// Who signed, as far as it was proved.
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
    let mut trail = Trail::default();
    match run(bundle, artifact, expectation, trust, now, &mut trail) {
        Ok((signer, times, entries, signature)) => Ok(Verified {
            signer: signer.into_verified(),
            times: times.into_vec(),
            entries,
            checks: trail.finish(),
            _signature: signature,
        }),
        Err(reason) => Err(Box::new(Refused {
            checks: trail.finish_refused(&reason),
            reason,
        })),
    }
}

type Evidence = (Signer, Times, Vec<LoggedEntry>, SignatureValid);

fn run(
    bundle: &Bundle,
    artifact: &Artifact,
    expectation: &Expectation,
    trust: &TrustedRoot,
    now: UnixTime,
    trail: &mut Trail,
) -> Result<Evidence, Refusal> {
    let form = Form::examine(bundle, expectation, trail)?;
    let content = SignedContent::of(&form, artifact, trail)?;
    let times = Times::establish(&form, trust, now, trail)?;
    let signer = Signer::identify(&form, &times, trust, trail)?;
    let entries = entry::verify_entries(&form, &content, &times, trust, trail)?;
    let signature = content.verify_signature(&form, &signer, trail)?;
    Ok((signer, times, entries, signature))
}

impl Verified {
    /// Who signed.
    pub const fn signer(&self) -> &VerifiedSigner {
        &self.signer
    }

    /// The moments of signing that were established, at least one.
    pub fn times(&self) -> &[EstablishedTime] {
        &self.times
    }

    /// The log entries that were verified, at least one.
    pub fn entries(&self) -> &[LoggedEntry] {
        &self.entries
    }

    /// Every check in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}
