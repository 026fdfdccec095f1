//! What a policy may look at: everything that verification proved about one bundle, as plain data.
//!
//! Nothing here verifies anything. A value is filled only from a bundle that passed every step, with
//! what trusted parties said about it: entries, promises and timestamps of unknown parties stay out.

use std::collections::BTreeMap;
use std::fmt;

use super::Identity;
use crate::protocol::bundle::Artifact;
use crate::protocol::bytes::{HashAlgorithm, Sha256};
use crate::protocol::keys::KeyDetails;
use crate::protocol::time::UnixTime;

/// What was proved about one verified bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The certificate that named the signer; none where the caller brought the key.
    pub certificate: Option<CertificateEvidence>,
    /// The key that made the signature.
    pub key: KeyEvidence,
    /// The digests of the artifact as the caller gave it, one for each function: the same for every
    /// bundle of one decision. Not the bundle's own list.
    pub artifact: Vec<ArtifactDigest>,
    /// The established moments of signing, at least one.
    pub times: Vec<TimeEvidence>,
    /// The entries of trusted signature logs, in the bundle's order.
    pub entries: Vec<EntryEvidence>,
    /// The attestation, where the bundle is one.
    pub statement: Option<StatementEvidence>,
}

/// A signing certificate to which a trusted authority's chain leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEvidence {
    /// The OpenID Connect issuer and the subject alternative name, byte for byte.
    pub identity: Identity,
    /// serialNumber: the bytes of the INTEGER's magnitude, without leading zeros.
    pub serial: Vec<u8>,
    /// SHA-256 of the certificate's DER.
    pub fingerprint: Sha256,
    /// SHA-256 of the DER of the trusted authority's own certificate, the last of its chain.
    pub authority: Sha256,
    /// Fulcio's extensions that are there and readable, by the names of [`claim_name`].
    pub claims: BTreeMap<&'static str, String>,
    /// The verified promises of trusted certificate logs.
    pub scts: Vec<SctEvidence>,
}

/// A trusted certificate log's verified promise (RFC 6962 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SctEvidence {
    /// The log's ID: SHA-256 of its key.
    pub log_id: Sha256,
    /// Where the log is, as the trust root says.
    pub log: String,
    /// When it promised.
    pub time: UnixTime,
}

/// The key that made the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEvidence {
    /// SHA-256 of the SubjectPublicKeyInfo's DER.
    pub fingerprint: Sha256,
    /// Its kind with the hash and padding under which the signature was verified.
    pub details: KeyDetails,
}

/// One digest of the artifact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArtifactDigest {
    /// The function.
    pub algorithm: HashAlgorithm,
    /// Its value.
    pub bytes: Vec<u8>,
}

impl ArtifactDigest {
    /// Every digest that is known of an artifact.
    pub fn all_of(artifact: &Artifact) -> Vec<Self> {
        let known = HashAlgorithm::ALL
            .into_iter()
            .filter_map(|algorithm| artifact.digest(algorithm));
        known
            .map(|digest| Self {
                algorithm: digest.algorithm(),
                bytes: digest.as_bytes().to_vec(),
            })
            .collect()
    }

    /// The function's name as people write it, `sha256` and so on.
    pub const fn algorithm_name(&self) -> &'static str {
        self.algorithm.name()
    }
}

impl fmt::Display for ArtifactDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm_name(), hex::encode(&self.bytes))
    }
}

/// A moment of signing that a trusted third party established.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeEvidence {
    /// The moment.
    pub time: UnixTime,
    /// What kind of party says so.
    pub source: TimeKind,
    /// The party: the timestamp authority's URI or the log's URL, as the trust root says.
    pub authority: String,
}

/// What kind of party established a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeKind {
    /// A timestamp authority (RFC 3161)
    Timestamp,
    /// A Rekor v1 log, by its signed entry timestamp
    Promise,
}

impl TimeKind {
    /// A short name, `timestamp` or `promise`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::Promise => "promise",
        }
    }
}

/// A verified entry of a trusted signature log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryEvidence {
    /// The log's ID.
    pub log_id: Sha256,
    /// Where the log is, as the trust root says.
    pub log: String,
    /// The entry's position.
    pub index: u64,
    /// The kind of entry, `hashedrekord` and so on.
    pub kind: String,
}

/// A verified in-toto statement, read from the very bytes that were signed.
#[derive(Clone, Debug, PartialEq)]
pub struct StatementEvidence {
    /// predicateType
    pub predicate_type: String,
    /// predicate; null where the statement has none.
    pub predicate: serde_json::Value,
}

/// The policy's name of Fulcio's extension `1.3.6.1.4.1.57264.1.<number>`: the claim's name in
/// Fulcio's `oid-info.md`, in snake case. None for the numbers without a claim.
#[cfg(test)]
pub(super) fn claim_name(number: u8) -> Option<&'static str> {
    CLAIMS
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name)
}

/// The names of all claims with the numbers of their extensions, in ascending order.
pub(crate) const fn claim_names() -> &'static [(u8, &'static str)] {
    CLAIMS
}

// Fulcio docs/oid-info.md. Number 7 is the otherName of a subject and no claim.
const CLAIMS: &[(u8, &str)] = &[
    (1, "issuer_v1"),
    (2, "github_workflow_trigger"),
    (3, "github_workflow_sha"),
    (4, "github_workflow_name"),
    (5, "github_workflow_repository"),
    (6, "github_workflow_ref"),
    (8, "issuer"),
    (9, "build_signer_uri"),
    (10, "build_signer_digest"),
    (11, "runner_environment"),
    (12, "source_repository_uri"),
    (13, "source_repository_digest"),
    (14, "source_repository_ref"),
    (15, "source_repository_identifier"),
    (16, "source_repository_owner_uri"),
    (17, "source_repository_owner_identifier"),
    (18, "build_config_uri"),
    (19, "build_config_digest"),
    (20, "build_trigger"),
    (21, "run_invocation_uri"),
    (22, "source_repository_visibility_at_signing"),
    (23, "deployment_environment"),
    (24, "token_subject"),
];
