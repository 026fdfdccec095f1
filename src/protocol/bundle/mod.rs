//! Sigstore bundles (`dev.sigstore.bundle.v1`), the trust root they are verified against, and the
//! verifier. Pure: no I/O, no clock.
//!
//! A [`Bundle`] was only read. [`authenticate`] turns it into an [`Authentic`], and only an [`Authentic`]
//! whose signer the caller accepts becomes a [`Verified`].

#[cfg(test)]
mod tests;
pub(crate) mod trusted_root;
pub mod verify;
mod wire;

pub use crate::protocol::attestation::artifact::{Artifact, ArtifactHasher, InvalidDigest};
pub use trusted_root::{TrustedLog, TrustedRoot, TrustedRootError};
pub use verify::{
    Authentic, Check, CheckEvidence, CheckName, Expectation, Outcome, Refusal, VerificationError,
    Verified, authenticate, verify,
};

use serde::{Serialize, Serializer};
use wire::{BundleJson, LogEntryJson};

use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::attestation::statement::Statement;
use crate::protocol::hash::{Digest, HashAlgorithm, Sha256, WrongDigestLength};
use crate::protocol::json;
use crate::protocol::keys::PublicKey;
use crate::protocol::x509::Certificate;

/// Maximum size of a bundle in bytes.
pub(crate) const MAX_BUNDLE_LENGTH: usize = 16 * 1024 * 1024;

/// A bundle. Nothing in it was verified.
#[derive(Clone, Debug)]
pub struct Bundle {
    version: BundleVersion,
    material: SigningMaterial,
    entries: Vec<LogEntry>,
    timestamps: Vec<Vec<u8>>,
    content: Content,
}

/// The version of the bundle format. The versions have different rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BundleVersion {
    /// 0.1: log entries carry inclusion promises
    V0_1,
    /// 0.2: log entries carry inclusion proofs with checkpoints
    V0_2,
    /// 0.3: one certificate in place of a chain
    V0_3,
}

/// What identifies the signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningMaterial {
    /// The signing certificate, DER
    Certificate(Vec<u8>),
    /// The signing certificate and issuers of it that are not trusted, DER
    Chain(Vec<Vec<u8>>),
    /// A key that the verifier must already have
    PublicKey {
        /// How to find the key; not authenticated.
        hint: String,
    },
}

/// A transparency log entry that the bundle claims.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// The position in the log. A Rekor v1 log with shards counts over all of them.
    pub index: u64,
    /// The hash of the log's key.
    pub log_id: Vec<u8>,
    /// `hashedrekord` and so on.
    pub kind: String,
    /// The version of the kind.
    pub version: String,
    /// When a Rekor v1 log says it accepted the entry, in seconds since 1970; otherwise zero.
    pub integrated_time: u64,
    /// A Rekor v1 log's signed entry timestamp, which promises inclusion.
    pub promise: Option<Vec<u8>>,
    /// The proof of inclusion.
    pub proof: Option<InclusionProof>,
    /// The leaf's bytes.
    pub body: Vec<u8>,
}

/// A claimed proof that an entry is in a tree, with the tree's checkpoint.
#[derive(Clone, Debug)]
pub struct InclusionProof {
    /// The leaf's position in the tree.
    pub index: u64,
    /// The number of leaves in the tree.
    pub tree_size: u64,
    /// The tree's root hash.
    pub root: Sha256,
    /// From leaf to root.
    pub hashes: Vec<Sha256>,
    /// The signed note that states size and root.
    pub checkpoint: Option<String>,
}

/// What was signed, and the signature.
#[derive(Clone, Debug)]
pub enum Content {
    /// The artifact itself
    Message {
        /// The artifact's digest; not authenticated, but it must be right.
        digest: Option<Digest>,
        /// The signature over the artifact.
        signature: Vec<u8>,
    },
    /// A statement about the artifact
    Envelope(Envelope),
}

/// Error reading a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The bundle is too large
    #[error("the bundle has {0} bytes; the limit is {MAX_BUNDLE_LENGTH}")]
    TooLarge(usize),
    /// Not JSON, or with other members than a bundle's
    #[error("this is not a Sigstore bundle: {0}")]
    Json(#[source] serde_json::Error),
    /// The format that cosign wrote before bundles existed
    #[error(
        "this is cosign's older detached format, not a Sigstore bundle: \
         sign again with a bundle (cosign sign-blob --new-bundle-format --bundle FILE)"
    )]
    CosignDetached,
    /// The media type is unknown
    #[error("mediaType is not a Sigstore bundle of version 0.1, 0.2 or 0.3")]
    MediaType,
    /// Not exactly one of the three
    #[error(
        "verificationMaterial must have exactly one of certificate, x509CertificateChain and publicKey"
    )]
    MaterialChoice,
    /// Not exactly one of the two
    #[error("a bundle must have exactly one of messageSignature and dsseEnvelope")]
    ContentChoice,
    /// The digest has another length than its function's
    #[error("messageDigest: {0}")]
    MessageDigest(#[source] WrongDigestLength),
    /// A hash of a proof is not a SHA-256
    #[error("inclusionProof.{0} must have 32 bytes")]
    ProofHash(&'static str),
}

impl Bundle {
    /// Reads a bundle, consuming every byte.
    ///
    /// # Errors
    /// Anything that is not exactly a bundle of version 0.1, 0.2 or 0.3 within the limits.
    pub fn from_json(json: &[u8]) -> Result<Self, BundleError> {
        if json.len() > MAX_BUNDLE_LENGTH {
            return Err(BundleError::TooLarge(json.len()));
        }
        let wire: BundleJson = json::from_slice(json).map_err(|error| {
            if is_cosign_detached(json) {
                BundleError::CosignDetached
            } else {
                BundleError::Json(error)
            }
        })?;
        Self::try_from(wire)
    }

    /// Builds a bundle of version 0.3 over a message. `entry` is the log's reply, a `TransparencyLogEntry`
    /// in proto3 JSON; `timestamp` is a DER TimeStampResp.
    ///
    /// # Errors
    /// The log's reply is not an entry.
    pub fn for_message(
        certificate: &Certificate,
        digest: Digest,
        signature: Vec<u8>,
        entry: &[u8],
        timestamp: Vec<u8>,
    ) -> Result<Self, BundleError> {
        let entry: LogEntryJson = json::from_slice(entry).map_err(BundleError::Json)?;
        Ok(Self {
            version: BundleVersion::V0_3,
            material: SigningMaterial::Certificate(certificate.der().to_vec()),
            entries: vec![LogEntry::try_from(entry)?],
            timestamps: vec![timestamp],
            content: Content::Message {
                digest: Some(digest),
                signature,
            },
        })
    }

    /// The bundle in JSON, without empty members.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&BundleJson::from(self))
            .expect("a bundle's JSON has text keys and no floats")
    }

    /// The format's version.
    pub const fn version(&self) -> BundleVersion {
        self.version
    }

    /// What identifies the signer.
    pub const fn material(&self) -> &SigningMaterial {
        &self.material
    }

    /// The claimed log entries.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    /// DER TimeStampResps.
    pub fn timestamps(&self) -> &[Vec<u8>] {
        &self.timestamps
    }

    /// What was signed, and the signature.
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// The functions under which the artifact must be hashed to verify this bundle. `key` is the caller's
    /// key for a bundle without a certificate.
    pub fn hash_algorithms(&self, key: Option<&PublicKey>) -> Vec<HashAlgorithm> {
        match &self.content {
            Content::Message { digest, .. } => {
                let hinted = digest.as_ref().map(Digest::algorithm);
                let signed = match self.material.certificate() {
                    Some(der) => Certificate::from_der(der)
                        .ok()
                        .map(|certificate| certificate.public_key().algorithm().hash()),
                    None => key.map(|key| key.algorithm().hash()),
                };
                [hinted, signed].into_iter().flatten().collect()
            }
            Content::Envelope(envelope) => Statement::parse(&envelope.payload)
                .map(|statement| statement.hash_algorithms().collect())
                .unwrap_or_default(),
        }
    }
}

impl Serialize for BundleVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl SigningMaterial {
    /// The signing certificate's DER, if there is one.
    pub fn certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Certificate(der) => Some(der),
            Self::Chain(chain) => chain.first().map(Vec::as_slice),
            Self::PublicKey { .. } => None,
        }
    }
}

impl BundleVersion {
    /// The version's number, `0.3` and so on.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1",
            Self::V0_2 => "0.2",
            Self::V0_3 => "0.3",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::V0_1 => "application/vnd.dev.sigstore.bundle+json;version=0.1",
            Self::V0_2 => "application/vnd.dev.sigstore.bundle+json;version=0.2",
            Self::V0_3 => "application/vnd.dev.sigstore.bundle.v0.3+json",
        }
    }

    fn from_media_type(media_type: &str) -> Option<Self> {
        let rest = media_type.strip_prefix("application/vnd.dev.sigstore.bundle")?;
        match rest {
            "+json;version=0.1" | ".v0.1+json" => Some(Self::V0_1),
            "+json;version=0.2" | ".v0.2+json" => Some(Self::V0_2),
            "+json;version=0.3" | ".v0.3+json" => Some(Self::V0_3),
            _ => None,
        }
    }
}

/// cosign's `--bundle` before the common format: `{"base64Signature":…,"cert":…,"rekorBundle":…}`.
fn is_cosign_detached(json: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Detached {
        #[serde(rename = "base64Signature")]
        _signature: serde::de::IgnoredAny,
    }
    serde_json::from_slice::<Detached>(json).is_ok()
}
