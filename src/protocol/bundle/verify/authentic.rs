//! A bundle whose every proof holds, by a signer whom nobody has accepted yet.

use super::trail::Trail;
use super::{
    Check, CheckEvidence, CheckName, EstablishedTime, Expectation, LoggedEntry, Proof, Refusal,
    Refused, Verified, VerifiedSigner, refused,
};
use crate::protocol::attestation::statement::Statement;
use crate::protocol::bundle::Artifact;
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::{KeyDetails, PublicKey};
use crate::protocol::policy::Identity;
use crate::protocol::x509::{Certificate, VerifiedSct};

/// A bundle that passed every step but the last: it is known who signed, what, when, and where that
/// is published. Whether they may sign is not decided: only [`Authentic::accept`] or a policy over
/// the evidence of several bundles decides that. [`super::authenticate`] is the only constructor.
#[derive(Clone, Debug)]
pub struct Authentic {
    signer: AuthenticSigner,
    artifact: Artifact,
    statement: Option<Statement>,
    times: Vec<EstablishedTime>,
    entries: Vec<LoggedEntry>,
    details: KeyDetails,
    trail: Trail,
}

/// Who signed, as far as it was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthenticSigner {
    /// Someone whom a certificate names
    Certified(CertifiedSigner),
    /// The holder of the key that the caller brought
    Key(PublicKey),
}

/// A signer whom a trusted authority named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedSigner {
    /// Whom the certificate names.
    pub identity: Identity,
    /// The signing certificate.
    pub certificate: Certificate,
    /// The authority's URI, as the trust root says.
    pub authority: String,
    /// SHA-256 of the DER of the authority's own certificate, the last of its chain.
    pub anchor: Sha256,
    /// The promises to publish the certificate: one for each trusted log, at least one.
    pub scts: Vec<VerifiedSct>,
}

impl Authentic {
    pub(super) fn new(artifact: &Artifact, proof: Proof, trail: Trail) -> Self {
        Self {
            signer: proof.signer,
            artifact: artifact.clone(),
            statement: proof.statement,
            times: proof.times.into_vec(),
            entries: proof.entries,
            details: proof.signature.details,
            trail,
        }
    }

    /// Accepts the signer if it is the one whom the caller expects.
    ///
    /// # Errors
    /// It is someone else.
    pub fn accept(mut self, expectation: &Expectation) -> Result<Verified, Box<Refused>> {
        match self.expected(expectation) {
            Ok(signer) => {
                self.trail_identity(&signer);
                Ok(Verified {
                    signer,
                    authentic: self,
                })
            }
            Err(reason) => Err(refused(self.trail, reason)),
        }
    }

    fn expected(&self, expectation: &Expectation) -> Result<VerifiedSigner, Refusal> {
        match (&self.signer, expectation) {
            (AuthenticSigner::Certified(signer), Expectation::Identity(policy)) => {
                let permit = policy.permit(signer.identity.clone());
                let permit = permit.map_err(Refusal::Denied)?;
                Ok(VerifiedSigner::Identity(permit.identity().clone()))
            }
            (AuthenticSigner::Key(key), Expectation::Key(expected)) if key == expected => {
                Ok(VerifiedSigner::Key(key.clone()))
            }
            (AuthenticSigner::Key(_), Expectation::Key(_)) => Err(Refusal::OtherKey),
            (AuthenticSigner::Key(_), Expectation::Identity(_)) => Err(Refusal::KeyNeeded),
            (AuthenticSigner::Certified(_), Expectation::Key(_)) => Err(Refusal::KeyNotWanted),
        }
    }

    fn trail_identity(&mut self, signer: &VerifiedSigner) {
        let (evidence, detail) = match signer {
            VerifiedSigner::Identity(identity) => (
                CheckEvidence::Identity(identity.clone()),
                identity.to_string(),
            ),
            VerifiedSigner::Key(key) => {
                let fingerprint = key.fingerprint();
                let detail = format!("the caller's key {fingerprint}");
                (CheckEvidence::Key(fingerprint), detail)
            }
        };
        self.trail.passed(CheckName::Identity, evidence, detail);
    }

    /// Who signed.
    pub const fn signer(&self) -> &AuthenticSigner {
        &self.signer
    }

    /// The key that made the signature.
    pub fn key(&self) -> &PublicKey {
        match &self.signer {
            AuthenticSigner::Certified(signer) => signer.certificate.public_key(),
            AuthenticSigner::Key(key) => key,
        }
    }

    /// How the key signed: its kind, the hash and the padding.
    pub const fn key_details(&self) -> KeyDetails {
        self.details
    }

    /// The artifact, as the caller gave it.
    pub const fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// The statement about the artifact, where the bundle is an attestation.
    pub const fn statement(&self) -> Option<&Statement> {
        self.statement.as_ref()
    }

    /// The moments of signing that were established, at least one.
    pub fn times(&self) -> &[EstablishedTime] {
        &self.times
    }

    /// The log entries that were verified, at least one.
    pub fn entries(&self) -> &[LoggedEntry] {
        &self.entries
    }

    /// Every check in order, the last step's where it was taken.
    pub fn checks(&self) -> &[Check] {
        self.trail.checks()
    }

    /// How many signature logs contain the signature. Two of one URL or of one key are one log.
    pub fn distinct_logs(&self) -> usize {
        distinct(
            self.entries
                .iter()
                .map(|entry| (entry.log.as_str(), entry.key)),
        )
    }

    /// How many parties established a moment. Two of one URL or of one key are one party.
    pub fn distinct_time_authorities(&self) -> usize {
        distinct(self.times.iter().map(|time| (time.source.url(), time.key)))
    }
}

/// Counts parties, each known by a URL, which may be empty, and a key. Whoever shares either with
/// one that was counted is not counted again.
fn distinct<'a>(parties: impl Iterator<Item = (&'a str, Sha256)>) -> usize {
    let mut counted: Vec<(&str, Sha256)> = Vec::new();
    for (url, key) in parties {
        let known = counted
            .iter()
            .any(|(seen, seen_key)| *seen_key == key || (!url.is_empty() && *seen == url));
        if !known {
            counted.push((url, key));
        }
    }
    counted.len()
}
