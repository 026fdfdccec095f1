//! The trust root as JSON, member by member; what is not listed here is refused.

use serde::{Deserialize, Serialize};

pub(crate) use crate::protocol::proto_json::Bytes;
use crate::protocol::proto_json::at_most;

/// How many logs or authorities of one kind a trust root may list.
const MAX_INSTANCES: usize = 256;
const MAX_CHAIN: usize = 10;

/// The document.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedRoot {
    /// Always [`super::MEDIA_TYPE`].
    #[serde(alias = "media_type")]
    pub media_type: String,
    /// Signature logs.
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_INSTANCES>")]
    pub tlogs: Vec<TransparencyLog>,
    /// Certificate authorities.
    #[serde(
        default,
        alias = "certificate_authorities",
        deserialize_with = "at_most::<_, _, MAX_INSTANCES>"
    )]
    pub certificate_authorities: Vec<Authority>,
    /// Certificate-transparency logs.
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_INSTANCES>")]
    pub ctlogs: Vec<TransparencyLog>,
    /// Timestamp authorities.
    #[serde(
        default,
        alias = "timestamp_authorities",
        deserialize_with = "at_most::<_, _, MAX_INSTANCES>"
    )]
    pub timestamp_authorities: Vec<Authority>,
}

/// A log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransparencyLog {
    /// Where it is.
    #[serde(default, alias = "base_url")]
    pub base_url: String,
    /// The tree's hash function.
    #[serde(alias = "hash_algorithm")]
    pub hash_algorithm: TreeHash,
    /// The log's key.
    #[serde(alias = "public_key")]
    pub public_key: PublicKey,
    /// The log's ID.
    #[serde(alias = "log_id")]
    pub log_id: LogId,
    /// The ID under which it signs checkpoints, where that is another.
    #[serde(alias = "checkpoint_key_id", skip_serializing_if = "Option::is_none")]
    pub checkpoint_key_id: Option<LogId>,
    /// Who runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

/// The only hash function of Merkle trees (RFC 6962 §2.1).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum TreeHash {
    /// SHA-256
    #[serde(rename = "SHA2_256")]
    Sha256,
}

/// A key with its window.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicKey {
    /// SubjectPublicKeyInfo; for `PKCS1_…` details a bare RSAPublicKey.
    #[serde(alias = "raw_bytes")]
    pub raw_bytes: Bytes,
    /// `dev.sigstore.common.v1.PublicKeyDetails`.
    #[serde(alias = "key_details")]
    pub key_details: String,
    /// When the key is trusted.
    #[serde(alias = "valid_for")]
    pub valid_for: ValidFor,
}

/// A window of time, both ends included, RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidFor {
    /// The first moment.
    pub start: String,
    /// The last moment; none where the window is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// A log's ID.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogId {
    /// 32 bytes.
    #[serde(alias = "key_id")]
    pub key_id: Bytes,
}

/// An authority.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authority {
    /// Its name.
    pub subject: DistinguishedName,
    /// Where it is.
    #[serde(default)]
    pub uri: String,
    /// Its certificates, the root last.
    #[serde(alias = "cert_chain")]
    pub cert_chain: CertificateChain,
    /// When it is trusted.
    #[serde(alias = "valid_for")]
    pub valid_for: ValidFor,
    /// Who runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

/// An authority's name, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DistinguishedName {
    /// O
    #[serde(default)]
    pub organization: String,
    /// CN
    #[serde(default, alias = "common_name")]
    pub common_name: String,
}

/// Certificates in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateChain {
    /// From the leaf's side to the root.
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_CHAIN>")]
    pub certificates: Vec<X509Certificate>,
}

/// One certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct X509Certificate {
    /// DER.
    #[serde(alias = "raw_bytes")]
    pub raw_bytes: Bytes,
}
