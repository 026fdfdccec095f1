//! JSON form of the trusted root (proto3 JSON). Unknown members are refused.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use der::Decode;
use der::asn1::{Ia5StringRef, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use serde::{Deserialize, Serialize};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::RdnSequence;

pub(crate) use crate::protocol::proto_json::Bytes;
use crate::protocol::proto_json::at_most;
use crate::protocol::x509::Certificate;

/// Maximum number of logs or authorities of one kind.
const MAX_INSTANCES: usize = 256;
const MAX_CHAIN: usize = 10;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedRoot {
    /// Always [`super::MEDIA_TYPE`].
    #[serde(alias = "media_type")]
    pub media_type: String,
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_INSTANCES>")]
    pub tlogs: Vec<TransparencyLog>,
    #[serde(
        default,
        alias = "certificate_authorities",
        deserialize_with = "at_most::<_, _, MAX_INSTANCES>"
    )]
    pub certificate_authorities: Vec<Authority>,
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_INSTANCES>")]
    pub ctlogs: Vec<TransparencyLog>,
    #[serde(
        default,
        alias = "timestamp_authorities",
        deserialize_with = "at_most::<_, _, MAX_INSTANCES>"
    )]
    pub timestamp_authorities: Vec<Authority>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransparencyLog {
    #[serde(default, alias = "base_url")]
    pub base_url: String,
    #[serde(alias = "hash_algorithm")]
    pub hash_algorithm: TreeHash,
    #[serde(alias = "public_key")]
    pub public_key: PublicKey,
    #[serde(alias = "log_id")]
    pub log_id: LogId,
    /// The key ID of the log's signatures on checkpoints; defaults to `log_id`.
    #[serde(alias = "checkpoint_key_id", skip_serializing_if = "Option::is_none")]
    pub checkpoint_key_id: Option<LogId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

/// Hash function of the tree. RFC 6962 §2.1 allows only SHA-256.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum TreeHash {
    #[serde(rename = "SHA2_256")]
    Sha256,
}

/// A key with its validity window.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicKey {
    /// A SubjectPublicKeyInfo; for `PKCS1_…` details a bare RSAPublicKey.
    #[serde(alias = "raw_bytes")]
    pub raw_bytes: Bytes,
    /// `dev.sigstore.common.v1.PublicKeyDetails`.
    #[serde(alias = "key_details")]
    pub key_details: String,
    #[serde(alias = "valid_for")]
    pub valid_for: ValidFor,
}

/// A validity window. Both ends are RFC 3339 times and inclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidFor {
    pub start: String,
    /// `None` if the window has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogId {
    #[serde(alias = "key_id")]
    pub key_id: Bytes,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authority {
    pub subject: DistinguishedName,
    #[serde(default)]
    pub uri: String,
    #[serde(alias = "cert_chain")]
    pub cert_chain: CertificateChain,
    #[serde(alias = "valid_for")]
    pub valid_for: ValidFor,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

/// Display name of an authority. Members that its certificate lacks are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DistinguishedName {
    #[serde(default)]
    pub organization: String,
    #[serde(default, alias = "common_name")]
    pub common_name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateChain {
    /// Ordered from leaf to root.
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_CHAIN>")]
    pub certificates: Vec<X509Certificate>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct X509Certificate {
    #[serde(alias = "raw_bytes")]
    pub raw_bytes: Bytes,
}

impl DistinguishedName {
    pub fn of_subject(certificate: &Certificate) -> Self {
        let name = RdnSequence::from_der(certificate.subject_name_der()).unwrap_or_default();
        Self {
            organization: attribute(&name, rfc4519::ORGANIZATION_NAME),
            common_name: attribute(&name, rfc4519::COMMON_NAME),
        }
    }
}

fn attribute(name: &RdnSequence, oid: ObjectIdentifier) -> String {
    let mut attributes = name.0.iter().flat_map(|rdn| rdn.0.iter());
    attributes
        .find(|attribute| attribute.oid == oid)
        .and_then(directory_string)
        .unwrap_or_default()
}

/// Decodes a DirectoryString (RFC 5280 §4.1.2.4), or the IA5String that some certificates have instead.
fn directory_string(attribute: &AttributeTypeAndValue) -> Option<String> {
    let value = &attribute.value;
    if let Ok(text) = value.decode_as::<Utf8StringRef<'_>>() {
        return Some(text.to_string());
    }
    if let Ok(text) = value.decode_as::<PrintableStringRef<'_>>() {
        return Some(text.to_string());
    }
    if let Ok(text) = value.decode_as::<Ia5StringRef<'_>>() {
        return Some(text.to_string());
    }
    let text = value.decode_as::<TeletexStringRef<'_>>().ok()?;
    Some(text.to_string())
}
