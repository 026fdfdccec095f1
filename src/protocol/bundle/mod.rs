//! Sigstore bundles (`dev.sigstore.bundle.v1`), the trusted root that verifies them, and the verifier.
//!
//! A [`Bundle`] is parsed but unverified. [`authenticate`] turns it into an [`Authentic`], and accepting the
//! signer turns that into a [`Verified`].

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

/// A parsed Sigstore bundle. Nothing in it is verified; see [`verify()`].
#[derive(Clone, Debug)]
pub struct Bundle {
    version: BundleVersion,
    material: SigningMaterial,
    entries: Vec<LogEntry>,
    timestamps: Vec<Vec<u8>>,
    content: Content,
}

/// Version of the bundle format. Each version requires different material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BundleVersion {
    /// 0.1: log entries carry inclusion promises
    V0_1,
    /// 0.2: log entries carry inclusion proofs with checkpoints
    V0_2,
    /// 0.3: a single certificate instead of a chain
    V0_3,
}

/// The material that identifies the signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningMaterial {
    /// The signing certificate, DER
    Certificate(Vec<u8>),
    /// The signing certificate and its issuers, DER. The issuers are not trusted
    Chain(Vec<Vec<u8>>),
    /// A public key that the verifier must already have
    PublicKey {
        /// Hint for finding the key; not authenticated.
        hint: String,
    },
}

/// A transparency log entry, unverified.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Index of the entry in the log. A Rekor v1 log counts over all of its shards.
    pub index: u64,
    /// The log's ID: a SHA-256 hash that depends on its key.
    pub log_id: Vec<u8>,
    /// Entry kind, such as `hashedrekord`.
    pub kind: String,
    /// Version of the entry kind, such as `0.0.1`.
    pub version: String,
    /// Time at which a Rekor v1 log accepted the entry, in seconds since 1970; otherwise zero.
    pub integrated_time: u64,
    /// Signed entry timestamp of a Rekor v1 log, a promise of inclusion.
    pub promise: Option<Vec<u8>>,
    pub proof: Option<InclusionProof>,
    /// The canonical entry, which is the leaf of the log's tree.
    pub body: Vec<u8>,
}

/// A Merkle inclusion proof with the tree's checkpoint, unverified.
#[derive(Clone, Debug)]
pub struct InclusionProof {
    /// Index of the leaf in the tree.
    pub index: u64,
    /// Number of leaves in the tree.
    pub tree_size: u64,
    /// Root hash of the tree.
    pub root: Sha256,
    /// Sibling hashes, from leaf to root.
    pub hashes: Vec<Sha256>,
    /// Signed note with the tree's size and root (C2SP tlog-checkpoint).
    pub checkpoint: Option<String>,
}

/// What was signed, and the signature.
#[derive(Clone, Debug)]
pub enum Content {
    /// A signature over the artifact itself
    Message {
        /// Digest of the artifact. It is not signed, but must match the artifact.
        digest: Option<Digest>,
        /// Signature over the artifact.
        signature: Vec<u8>,
    },
    /// A signed envelope with a statement about the artifact
    Envelope(Envelope),
}

/// Error reading a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The bundle exceeds the size limit
    #[error("the bundle has {0} bytes; the limit is {MAX_BUNDLE_LENGTH}")]
    TooLarge(usize),
    /// The document is not JSON or does not have a bundle's members
    #[error("this is not a Sigstore bundle: {0}")]
    Json(#[source] serde_json::Error),
    /// The document has cosign's format that predates bundles
    #[error(
        "this is cosign's older detached format, not a Sigstore bundle: \
         sign again with a bundle (cosign sign-blob --new-bundle-format --bundle FILE)"
    )]
    CosignDetached,
    /// The media type is unknown
    #[error("mediaType is not a Sigstore bundle of version 0.1, 0.2 or 0.3")]
    MediaType,
    /// There is no signing material, or more than one kind
    #[error(
        "verificationMaterial must have exactly one of certificate, x509CertificateChain and publicKey"
    )]
    MaterialChoice,
    /// There is no signed content, or more than one kind
    #[error("a bundle must have exactly one of messageSignature and dsseEnvelope")]
    ContentChoice,
    /// The length of the digest does not match its hash function
    #[error("messageDigest: {0}")]
    MessageDigest(#[source] WrongDigestLength),
    /// A hash of an inclusion proof is not 32 bytes long
    #[error("inclusionProof.{0} must have 32 bytes")]
    ProofHash(&'static str),
}

impl Bundle {
    /// Parses a bundle of version 0.1, 0.2 or 0.3. Bytes after the document are refused.
    ///
    /// # Errors
    /// Malformed or oversized documents, and documents with unknown or repeated members.
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

    /// Builds a bundle of version 0.3 with a message signature. `entry` is the log's reply, a
    /// `TransparencyLogEntry` in proto3 JSON; `timestamp` is a DER TimeStampResp (RFC 3161).
    ///
    /// # Errors
    /// The log's reply is malformed.
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

    /// Serializes the bundle as JSON. Empty optional members are omitted.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&BundleJson::from(self))
            .expect("a bundle's JSON has text keys and no floats")
    }

    /// Version of the bundle format.
    pub const fn version(&self) -> BundleVersion {
        self.version
    }

    /// The material that identifies the signer.
    pub const fn material(&self) -> &SigningMaterial {
        &self.material
    }

    /// The log entries, unverified.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    /// The timestamps, unverified: DER TimeStampResps (RFC 3161).
    pub fn timestamps(&self) -> &[Vec<u8>] {
        &self.timestamps
    }

    /// What was signed, and the signature.
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// Hash functions that [`Artifact`] needs for verifying this bundle; they may repeat. `key` is the
    /// caller's key for a bundle without a certificate.
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
    /// DER of the signing certificate, if there is one.
    pub fn certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Certificate(der) => Some(der),
            Self::Chain(chain) => chain.first().map(Vec::as_slice),
            Self::PublicKey { .. } => None,
        }
    }
}

impl BundleVersion {
    /// The version number, such as `0.3`.
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

/// Detects the output of cosign's `--bundle` before it wrote Sigstore bundles: `{"base64Signature":…,"cert":…,"rekorBundle":…}`.
fn is_cosign_detached(json: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Detached {
        #[serde(rename = "base64Signature")]
        _signature: serde::de::IgnoredAny,
    }
    serde_json::from_slice::<Detached>(json).is_ok()
}
