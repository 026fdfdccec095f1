//! Sigstore bundles (`dev.sigstore.bundle.v1`), the trust root they are verified against, and the
//! verifier. Pure: no I/O, no clock.
//!
//! A [`Bundle`] was read and no more; [`authenticate`] alone makes an [`Authentic`] of it, and only
//! one whose signer the caller accepts becomes a [`Verified`].

mod from_wire;
#[cfg(test)]
mod tests;
mod to_wire;
pub(crate) mod trusted_root;
pub mod verify;
mod wire;

pub use crate::protocol::attestation::artifact::{Artifact, ArtifactHasher, NotADigest};
pub use trusted_root::{TrustedLog, TrustedRoot, TrustedRootError};
pub use verify::{
    Authentic, Check, CheckEvidence, CheckName, Expectation, Outcome, Refusal, Refused, Verified,
    authenticate, verify,
};

use serde::{Serialize, Serializer};

use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::attestation::statement::Statement;
use crate::protocol::bytes::{Digest, HashAlgorithm, Sha256, WrongDigestLength};
use crate::protocol::json;
use crate::protocol::keys::PublicKey;
use crate::protocol::x509::Certificate;

/// The largest bundle that is read, in bytes.
pub(crate) const MAX_BUNDLE_LENGTH: usize = 16 * 1024 * 1024;

/// A bundle that was read. Nothing about it was verified.
#[derive(Clone, Debug)]
pub struct Bundle {
    version: BundleVersion,
    material: SigningMaterial,
    entries: Vec<LogEntry>,
    timestamps: Vec<Vec<u8>>,
    content: Content,
}

/// The bundle format's version, each with rules of its own.
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
    /// The signing certificate and issuers of it that nobody vouches for, DER
    Chain(Vec<Vec<u8>>),
    /// A key that the verifier must know already
    PublicKey {
        /// How the key might be found; not authenticated.
        hint: String,
    },
}

/// A transparency log's entry, as the bundle claims it.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Its position: for a Rekor v1 log with shards, over all of them.
    pub index: u64,
    /// The log's ID: the hash of its key.
    pub log_id: Vec<u8>,
    /// The kind of entry, `hashedrekord` and so on.
    pub kind: String,
    /// The version of the kind.
    pub version: String,
    /// Seconds since 1970 at which a Rekor v1 log says it took the entry; zero where it says none.
    pub integrated_time: u64,
    /// The signed entry timestamp, a Rekor v1 log's promise of inclusion.
    pub promise: Option<Vec<u8>>,
    /// The proof of inclusion.
    pub proof: Option<InclusionProof>,
    /// The entry's leaf, byte for byte.
    pub body: Vec<u8>,
}

/// A claim that an entry is in a tree, with the tree's checkpoint.
#[derive(Clone, Debug)]
pub struct InclusionProof {
    /// The leaf's position in the tree.
    pub index: u64,
    /// How many leaves the tree has.
    pub tree_size: u64,
    /// The tree's root hash.
    pub root: Sha256,
    /// The hashes from leaf to root.
    pub hashes: Vec<Sha256>,
    /// The signed note that states size and root.
    pub checkpoint: Option<String>,
}

/// What was signed, and the signature.
#[derive(Clone, Debug)]
pub enum Content {
    /// The artifact itself
    Message {
        /// A hint at the artifact's digest; not authenticated, but it must be right.
        digest: Option<Digest>,
        /// The signature over the artifact.
        signature: Vec<u8>,
    },
    /// A statement about the artifact
    Envelope(Envelope),
}

/// Why bytes are no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Over [`MAX_BUNDLE_LENGTH`]
    #[error("the bundle has {0} bytes; the limit is {MAX_BUNDLE_LENGTH}")]
    TooLarge(usize),
    /// Not JSON of the form
    #[error("this is not a Sigstore bundle: {0}")]
    Json(#[source] serde_json::Error),
    /// What cosign wrote before there were bundles
    #[error(
        "this is cosign's older detached format, not a Sigstore bundle: \
         sign again with a bundle (cosign sign-blob --new-bundle-format --bundle FILE)"
    )]
    CosignDetached,
    /// A media type that is not known
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
    /// A digest that does not fit its algorithm
    #[error("messageDigest: {0}")]
    MessageDigest(#[source] WrongDigestLength),
    /// A proof's hash that is no SHA-256
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
        let wire: wire::Bundle = json::from_slice(json).map_err(|error| {
            if is_cosign_detached(json) {
                BundleError::CosignDetached
            } else {
                BundleError::Json(error)
            }
        })?;
        Self::try_from(wire)
    }

    /// Puts together a bundle of version 0.3 over a message: what signing has brought home.
    ///
    /// `entry` is the log's reply, a `TransparencyLogEntry` in proto3 JSON; `timestamp` is a DER
    /// TimeStampResp.
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
        let entry: wire::TransparencyLogEntry =
            json::from_slice(entry).map_err(BundleError::Json)?;
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

    /// The bundle in JSON, without members that have nothing to say.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&wire::Bundle::from(self))
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

    /// The log entries that it claims.
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    /// The DER timestamp responses that it carries.
    pub fn timestamps(&self) -> &[Vec<u8>] {
        &self.timestamps
    }

    /// What was signed, and the signature.
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// The functions under which the artifact must be hashed for this bundle to be verified;
    /// `key` is the key that the caller brings for a bundle that names none.
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
