//! Step 1: the bundle keeps its version's rules, and names its signer in one way.

use std::collections::HashSet;

use super::trail::Trail;
use super::{CheckEvidence, CheckName, Refusal};
use crate::protocol::bundle::{Bundle, BundleVersion, Content, LogEntry, SigningMaterial};
use crate::protocol::keys::PublicKey;
use crate::protocol::x509::Certificate;

/// Evidence that the bundle is in form.
pub(super) struct Form<'a> {
    bundle: &'a Bundle,
    claimed: ClaimedSigner<'a>,
    signature: &'a [u8],
}

/// Who is said to have signed; nothing about it is proved yet.
pub(super) enum ClaimedSigner<'a> {
    Certified { leaf: Certificate },
    Managed { key: &'a PublicKey },
}

impl ClaimedSigner<'_> {
    /// The key with which the signature is said to be made.
    pub(super) fn key(&self) -> &PublicKey {
        match self {
            Self::Certified { leaf } => leaf.public_key(),
            Self::Managed { key } => key,
        }
    }
}

impl<'a> Form<'a> {
    pub(super) fn examine(
        bundle: &'a Bundle,
        key: Option<&'a PublicKey>,
        trail: &mut Trail,
    ) -> Result<Self, Refusal> {
        check_material(bundle)?;
        for entry in &bundle.entries {
            check_entry(bundle.version, entry)?;
        }
        check_repetitions(bundle)?;
        let claimed = claimed_signer(bundle, key)?;
        let signature = the_signature(&bundle.content)?;
        let evidence = CheckEvidence::Form {
            version: bundle.version,
            entries: bundle.entries.len(),
            timestamps: bundle.timestamps.len(),
        };
        trail.passed(CheckName::Form, evidence, describe(bundle));
        Ok(Self {
            bundle,
            claimed,
            signature,
        })
    }

    pub(super) const fn bundle(&self) -> &'a Bundle {
        self.bundle
    }

    pub(super) const fn claimed(&self) -> &ClaimedSigner<'a> {
        &self.claimed
    }

    /// The one signature's bytes: what timestamps cover and log entries repeat.
    pub(super) const fn signature(&self) -> &'a [u8] {
        self.signature
    }
}

/// SPEC sigstore bundle: 0.3 has `certificate`, 0.1 and 0.2 have `x509CertificateChain`.
fn check_material(bundle: &Bundle) -> Result<(), Refusal> {
    match (&bundle.material, bundle.version) {
        (SigningMaterial::Chain(_), BundleVersion::V0_3) => {
            Err(Refusal::MaterialForVersion("certificate"))
        }
        (SigningMaterial::Certificate(_), BundleVersion::V0_1 | BundleVersion::V0_2) => {
            Err(Refusal::MaterialForVersion("x509CertificateChain"))
        }
        (SigningMaterial::Chain(chain), _) if chain.is_empty() => Err(Refusal::EmptyChain),
        _ => Ok(()),
    }
}

/// SPEC sigstore bundle: 0.1 needs inclusion promises, later ones proofs with checkpoints.
fn check_entry(version: BundleVersion, entry: &LogEntry) -> Result<(), Refusal> {
    let has_checkpoint = entry.proof.as_ref().map(|proof| proof.checkpoint.is_some());
    let missing = match (version, &entry.promise, has_checkpoint) {
        (BundleVersion::V0_1, None, _) => "inclusionPromise",
        (BundleVersion::V0_2 | BundleVersion::V0_3, _, None) => "inclusionProof",
        (BundleVersion::V0_2 | BundleVersion::V0_3, _, Some(false)) => "inclusionProof.checkpoint",
        _ => return Ok(()),
    };
    Err(Refusal::EntryForVersion {
        index: entry.index,
        missing,
    })
}

/// What counts towards a threshold must not be there twice.
fn check_repetitions(bundle: &Bundle) -> Result<(), Refusal> {
    let mut entries = HashSet::new();
    let mut bodies = HashSet::new();
    for entry in &bundle.entries {
        let place = entries.insert((entry.log_id.as_slice(), entry.index));
        let body = bodies.insert((entry.log_id.as_slice(), entry.body.as_slice()));
        if !place || !body {
            return Err(Refusal::Repeated("log entry"));
        }
    }
    let mut timestamps = HashSet::new();
    if !bundle.timestamps.iter().all(|der| timestamps.insert(der)) {
        return Err(Refusal::Repeated("timestamp"));
    }
    Ok(())
}

fn claimed_signer<'a>(
    bundle: &Bundle,
    key: Option<&'a PublicKey>,
) -> Result<ClaimedSigner<'a>, Refusal> {
    match (bundle.material.certificate(), key) {
        (Some(der), None) => Ok(ClaimedSigner::Certified {
            leaf: Certificate::from_der(der).map_err(Refusal::Certificate)?,
        }),
        (None, Some(key)) => Ok(ClaimedSigner::Managed { key }),
        (None, None) => Err(Refusal::KeyNeeded),
        (Some(_), Some(_)) => Err(Refusal::KeyNotWanted),
    }
}

fn the_signature(content: &Content) -> Result<&[u8], Refusal> {
    match content {
        Content::Message { signature, .. } => Ok(signature),
        Content::Envelope(envelope) => match envelope.signatures.as_slice() {
            [one] => Ok(&one.signature),
            other => Err(Refusal::SignatureCount(other.len())),
        },
    }
}

fn describe(bundle: &Bundle) -> String {
    let version = match bundle.version {
        BundleVersion::V0_1 => "0.1",
        BundleVersion::V0_2 => "0.2",
        BundleVersion::V0_3 => "0.3",
    };
    let content = match bundle.content {
        Content::Message { .. } => "a message signature",
        Content::Envelope(_) => "a DSSE envelope",
    };
    let entries = bundle.entries.len();
    let timestamps = bundle.timestamps.len();
    format!("version {version}, {content}, log entries: {entries}, timestamps: {timestamps}")
}
