//! Step 1: the bundle conforms to the rules of its version and identifies its signer in one way.

use std::collections::HashSet;

use super::recorder::CheckRecorder;
use super::{CheckEvidence, CheckName, Refusal};
use crate::protocol::bundle::{Bundle, BundleVersion, Content, LogEntry, SigningMaterial};
use crate::protocol::keys::PublicKey;
use crate::protocol::x509::Certificate;

/// A bundle that passed step 1.
pub(super) struct WellFormedBundle<'a> {
    bundle: &'a Bundle,
    claimed: ClaimedSigner<'a>,
    signature: &'a [u8],
}

/// The signer that the bundle claims, unverified.
pub(super) enum ClaimedSigner<'a> {
    Certified { leaf: Certificate },
    Managed { key: &'a PublicKey },
}

impl ClaimedSigner<'_> {
    pub(super) fn key(&self) -> &PublicKey {
        match self {
            Self::Certified { leaf } => leaf.public_key(),
            Self::Managed { key } => key,
        }
    }
}

impl<'a> WellFormedBundle<'a> {
    pub(super) fn check(
        bundle: &'a Bundle,
        key: Option<&'a PublicKey>,
        recorder: &mut CheckRecorder,
    ) -> Result<Self, Refusal> {
        check_material(bundle)?;
        for entry in &bundle.entries {
            check_entry(bundle.version, entry)?;
        }
        check_repetitions(bundle)?;
        let claimed = match (bundle.material.certificate(), key) {
            (Some(der), None) => ClaimedSigner::Certified {
                leaf: Certificate::from_der(der).map_err(Refusal::Certificate)?,
            },
            (None, Some(key)) => ClaimedSigner::Managed { key },
            (None, None) => return Err(Refusal::KeyRequired),
            (Some(_), Some(_)) => return Err(Refusal::UnexpectedKey),
        };
        let (kind, signature) = match &bundle.content {
            Content::Message { signature, .. } => ("a message signature", signature),
            Content::Envelope(envelope) => match envelope.signatures.as_slice() {
                [one] => ("a DSSE envelope", &one.signature),
                other => return Err(Refusal::SignatureCount(other.len())),
            },
        };
        let version = bundle.version;
        let (entries, timestamps) = (bundle.entries.len(), bundle.timestamps.len());
        let evidence = CheckEvidence::BundleForm {
            bundle_version: version,
            log_entries: entries,
            timestamps,
        };
        let number = version.as_str();
        let detail =
            format!("version {number}, {kind}, log entries: {entries}, timestamps: {timestamps}");
        recorder.passed(CheckName::BundleForm, evidence, detail);
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

    /// The bundle's only signature. Timestamps cover it, and log entries contain it.
    pub(super) const fn signature(&self) -> &'a [u8] {
        self.signature
    }
}

// protobuf-specs, sigstore_bundle.proto: 0.3 has `certificate`, 0.1 and 0.2 have `x509CertificateChain`.
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

// protobuf-specs, sigstore_bundle.proto: 0.1 requires inclusion promises, later versions inclusion proofs
// with checkpoints.
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

/// Refuses repeated entries and timestamps, because policies count them towards thresholds.
fn check_repetitions(bundle: &Bundle) -> Result<(), Refusal> {
    let mut entries = HashSet::new();
    let mut bodies = HashSet::new();
    for entry in &bundle.entries {
        let new_index = entries.insert((entry.log_id.as_slice(), entry.index));
        let new_body = bodies.insert((entry.log_id.as_slice(), entry.body.as_slice()));
        if !new_index || !new_body {
            return Err(Refusal::Repeated("log entry"));
        }
    }
    let mut timestamps = HashSet::new();
    if !bundle.timestamps.iter().all(|der| timestamps.insert(der)) {
        return Err(Refusal::Repeated("timestamp"));
    }
    Ok(())
}
