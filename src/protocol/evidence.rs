//! The facts that verification proved about one bundle.
//!
//! The verifier fills these records, policies read them, and reports serialize them. They contain only facts
//! signed by parties in the trusted root; log entries and SCTs of other parties are omitted. The records are
//! plain data: only an `Authentic` or a `Verified`, which contain them, proves that a bundle was verified.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::attestation::artifact::Artifact;
use super::attestation::statement::Statement;
use super::hash::Sha256;
use super::identity::CertificateIdentity;
use super::keys::KeyDetails;
use super::time::UnixTime;
use super::x509::VerifiedSct;
use super::x509::sct::serialize_log_id;

/// The facts that verification proved about one bundle.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The signing certificate; `None` if the caller supplied the key.
    pub certificate: Option<CertificateEvidence>,
    /// The key that made the signature.
    pub key: KeyEvidence,
    /// The artifact that the caller supplied.
    pub artifact: Artifact,
    /// Times at which the signature existed; at least one.
    pub times: Vec<TimeEvidence>,
    /// Entries of trusted signature logs, in the bundle's order; at least one.
    pub entries: Vec<EntryEvidence>,
    /// The signed statement; `None` if the bundle is not an attestation.
    pub statement: Option<Statement>,
}

/// A signing certificate that chains to a trusted authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEvidence {
    /// OpenID Connect issuer and subject alternative name, not normalized.
    pub identity: CertificateIdentity,
    /// Magnitude of the serial number, big-endian without leading zeros.
    pub serial: Vec<u8>,
    /// The path to the trusted authority.
    pub path: PathEvidence,
    /// Fulcio's certificate extensions, keyed by their names in Fulcio's `oid-info.md` in snake case.
    pub claims: BTreeMap<&'static str, String>,
    /// SCTs of trusted certificate-transparency logs; at least one.
    pub scts: Vec<VerifiedSct>,
}

/// The ends of a certificate path that is valid at every established signing time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathEvidence {
    /// URI of the authority in the trusted root.
    pub authority: String,
    /// SHA-256 of the DER of the trust anchor, the last certificate of the authority's chain.
    #[serde(serialize_with = "as_text")]
    pub anchor: Sha256,
    /// SHA-256 of the DER of the signing certificate.
    #[serde(serialize_with = "as_text")]
    pub certificate: Sha256,
}

/// The key that made the signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyEvidence {
    /// SHA-256 of the DER of the SubjectPublicKeyInfo.
    #[serde(rename = "key", serialize_with = "as_text")]
    pub fingerprint: Sha256,
    /// Signature scheme with which the signature was verified.
    #[serde(rename = "key_details")]
    pub details: KeyDetails,
}

/// A time at which the signature existed, established by a trusted third party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimeEvidence {
    /// The time that the party signed.
    pub time: UnixTime,
    /// Kind of party that established the time.
    pub source: TimeSource,
    /// URI of the timestamp authority or URL of the log in the trusted root.
    pub authority: String,
    /// SHA-256 of the SubjectPublicKeyInfo of the party's key.
    #[serde(serialize_with = "as_text")]
    pub key: Sha256,
}

/// Kind of party that established a signing time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum TimeSource {
    /// A timestamp authority (RFC 3161)
    #[serde(rename = "rfc3161-timestamp")]
    Timestamp,
    /// A Rekor v1 log, by its signed entry timestamp
    #[serde(rename = "log-promise")]
    Promise,
}

/// A verified entry of a trusted signature log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryEvidence {
    /// URL of the log in the trusted root.
    pub log: String,
    /// The log's ID.
    #[serde(serialize_with = "serialize_log_id")]
    pub log_id: Sha256,
    /// SHA-256 of the SubjectPublicKeyInfo of the log's key.
    #[serde(serialize_with = "as_text")]
    pub key: Sha256,
    /// Index of the entry in the log. A Rekor v1 log counts over all of its shards.
    pub index: u64,
    /// Size of the signed tree that contains the entry; `None` if only a promise was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_size: Option<u64>,
    /// Entry kind, such as `hashedrekord`.
    pub kind: String,
    /// Version of the entry kind, such as `0.0.1`.
    pub version: String,
    /// Signature scheme that the entry states; `None` for Rekor v1 entries, which do not state one.
    #[serde(skip)]
    pub key_details: Option<KeyDetails>,
}

/// A signer, identified by a certificate or by a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum SignerIdentity {
    /// The identity in a certificate
    Certificate(CertificateIdentity),
    /// The holder of a key
    Key {
        /// SHA-256 of its SubjectPublicKeyInfo.
        #[serde(rename = "key", serialize_with = "as_text")]
        fingerprint: Sha256,
    },
}

impl Evidence {
    /// Returns the identity in the certificate, or the key if there is no certificate.
    pub fn signer(&self) -> SignerIdentity {
        match &self.certificate {
            Some(certificate) => SignerIdentity::Certificate(certificate.identity.clone()),
            None => SignerIdentity::key(self.key.fingerprint),
        }
    }
}

/// Serializes the signer, the signing times and the log entries. The checks of a report contain the rest.
impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Evidence", 3)?;
        fields.serialize_field("identity", &self.signer())?;
        fields.serialize_field("times", &self.times)?;
        fields.serialize_field("log_entries", &self.entries)?;
        fields.end()
    }
}

fn as_text<S: Serializer>(hash: &Sha256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(hash)
}

impl SignerIdentity {
    pub(crate) const fn key(fingerprint: Sha256) -> Self {
        Self::Key { fingerprint }
    }

    /// Canonical form for counting signers; see [`CertificateIdentity::canonical`].
    #[must_use]
    pub fn canonical(&self) -> Self {
        match self {
            Self::Certificate(identity) => Self::Certificate(identity.canonical()),
            Self::Key { fingerprint } => Self::key(*fingerprint),
        }
    }
}

impl fmt::Display for SignerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(identity) => identity.fmt(f),
            Self::Key { fingerprint } => write!(f, "the key {fingerprint}"),
        }
    }
}

impl fmt::Display for EntryEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            version,
            index,
            log,
            ..
        } = self;
        write!(f, "{kind} {version} entry {index} of {log}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::policy::testing::signed_by;

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn each_record_has_the_members_of_the_report() {
        let mut evidence = signed_by("a@x");
        evidence.entries[0].index = 7;
        evidence.times[0].source = TimeSource::Promise;
        let log_id = "f7V4U2yptKRT6k9gaeUDbsNElt+MoFEElGXNZ7exVdk=";
        let hex = Sha256::of(b"https://log.example").to_hex();

        assert_eq!(
            json(&evidence),
            format!(
                r#"{{"identity":{{"issuer":"https://idp.example","subject":"a@x"}},"times":[{{"time":"2026-11-20T12:30:00Z","source":"log-promise","authority":"https://tsa.example","key":"{}"}}],"log_entries":[{{"log":"https://log.example","log_id":"{log_id}","key":"sha256:{hex}","index":7,"kind":"hashedrekord","version":"0.0.2"}}]}}"#,
                Sha256::of(b"tsa")
            )
        );
        let own = Sha256::of(b"a@x");
        assert_eq!(
            json(&evidence.key),
            format!(r#"{{"key":"{own}","key_details":"PKIX_ECDSA_P256_SHA_256"}}"#)
        );
        let key = SignerIdentity::key(own);
        assert_eq!(json(&key), format!(r#"{{"key":"{own}"}}"#));
        let path = &evidence.certificate.unwrap().path;
        assert_eq!(
            json(path),
            format!(
                r#"{{"authority":"https://ca.example","anchor":"{}","certificate":"{}"}}"#,
                path.anchor, path.certificate
            )
        );
    }
}
