//! What a bundle says of itself, for people who look into one. Nothing in here was verified, and
//! nothing in here verifies.

use std::collections::BTreeMap;

use der::Decode as _;
use serde::{Deserialize, Serialize};
use x509_cert::name::Name;

use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::bundle::{
    Bundle, BundleVersion, Content, InclusionProof, LogEntry, SigningMaterial,
};
use crate::protocol::bytes::to_base64;
use crate::protocol::json;
use crate::protocol::keys::PublicKey;
use crate::protocol::policy::claim_names;
use crate::protocol::time::UnixTime;
use crate::protocol::tsp::UnverifiedStatement;
use crate::protocol::x509::Certificate;
use crate::protocol::x509::extensions::SCT_LIST;
use crate::protocol::x509::sct::{SignedCertificateTimestamp, parse_sct_list};

/// Everything that a bundle claims.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Contents {
    /// Always false: this is a reading, no verification.
    pub verified: bool,
    /// The bundle format's version.
    pub bundle_version: &'static str,
    /// Who signed, as the bundle claims.
    pub signer: SignerContents,
    /// What was signed.
    pub content: SignedContents,
    /// Log entries.
    pub log_entries: Vec<EntryContents>,
    /// Timestamps.
    pub timestamps: Vec<TimestampContents>,
}

/// Who signed, as a bundle claims.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignerContents {
    /// The first is the signing certificate.
    Certificates(Vec<CertificateContents>),
    /// A key that the verifier must know
    PublicKey {
        /// How it might be found.
        hint: String,
    },
}

/// A certificate, or why it is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum CertificateContents {
    /// It can be read
    Readable(Box<CertificateFields>),
    /// It cannot
    Unreadable {
        /// Why.
        unreadable: String,
    },
}

/// A certificate's fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CertificateFields {
    /// The subject alternative name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The OpenID Connect issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_issuer: Option<String>,
    /// The name of the certificate's issuer (RFC 4514).
    pub issued_by: String,
    /// In hexadecimal.
    pub serial: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// The registry's name of the key.
    pub key_details: &'static str,
    /// `sha256:` and the fingerprint of the SubjectPublicKeyInfo.
    pub key: String,
    /// `sha256:` of the whole certificate.
    pub fingerprint: String,
    /// Fulcio's extensions by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<&'static str, String>,
    /// The identifiers of all extensions, in their order.
    pub extensions: Vec<String>,
    /// Signed certificate timestamps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scts: Vec<SctContents>,
}

/// A signed certificate timestamp.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SctContents {
    /// The certificate log's ID in base64.
    pub log_id: String,
    /// RFC 3339.
    pub time: String,
}

/// What was signed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum SignedContents {
    /// The artifact itself
    Message {
        /// The digest that the bundle hints at.
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    /// An envelope
    Envelope {
        /// The type of what is in it.
        payload_type: String,
        /// How many signatures it has.
        signatures: usize,
        /// The statement, where it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        statement: Option<StatementContents>,
    },
}

/// An in-toto statement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct StatementContents {
    /// What it says about its subjects.
    #[serde(rename(deserialize = "predicateType"))]
    pub predicate_type: String,
    /// What it is about.
    #[serde(rename(deserialize = "subject"))]
    pub subjects: Vec<SubjectContents>,
}

/// One thing that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct SubjectContents {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its digests by the functions' names.
    #[serde(default)]
    pub digest: BTreeMap<String, String>,
}

/// A log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct EntryContents {
    /// The log's ID in base64.
    pub log_id: String,
    /// Its position.
    pub index: u64,
    /// Its kind.
    pub kind: String,
    /// The kind's version.
    pub version: String,
    /// When a Rekor v1 log says that it took the entry, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrated_time: Option<String>,
    /// Whether it has a signed entry timestamp.
    pub promise: bool,
    /// The size of the tree that its proof is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_size: Option<u64>,
    /// The log's name in the proof's checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// A timestamp, or why it is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum TimestampContents {
    /// It can be read
    Readable {
        /// genTime, RFC 3339.
        time: String,
        /// In hexadecimal.
        serial: String,
        /// The identifier of the authority's policy.
        policy: String,
    },
    /// It cannot
    Unreadable {
        /// Why.
        unreadable: &'static str,
    },
}

impl Contents {
    /// What a bundle claims.
    pub(crate) fn of(bundle: &Bundle) -> Self {
        let certificates = |ders: &[Vec<u8>]| {
            SignerContents::Certificates(ders.iter().map(|der| certificate(der)).collect())
        };
        Self {
            verified: false,
            bundle_version: version_number(bundle.version()),
            signer: match bundle.material() {
                SigningMaterial::Certificate(der) => certificates(std::slice::from_ref(der)),
                SigningMaterial::Chain(chain) => certificates(chain),
                SigningMaterial::PublicKey { hint } => {
                    SignerContents::PublicKey { hint: hint.clone() }
                }
            },
            content: match bundle.content() {
                Content::Message { digest, .. } => SignedContents::Message {
                    digest: digest.as_ref().map(ToString::to_string),
                },
                Content::Envelope(content) => envelope(content),
            },
            log_entries: bundle.entries().iter().map(entry).collect(),
            timestamps: bundle
                .timestamps()
                .iter()
                .map(|der| timestamp(der))
                .collect(),
        }
    }
}

fn certificate(der: &[u8]) -> CertificateContents {
    match Certificate::from_der(der) {
        Ok(certificate) => CertificateContents::Readable(Box::new(fields(&certificate))),
        Err(error) => CertificateContents::Unreadable {
            unreadable: error.to_string(),
        },
    }
}

fn fields(certificate: &Certificate) -> CertificateFields {
    let extensions = certificate.extensions();
    let claims = claim_names().iter().filter_map(|(number, name)| {
        extensions
            .fulcio(*number)
            .map(|value| (*name, value.to_owned()))
    });
    let scts = extensions
        .find(SCT_LIST)
        .and_then(|list| parse_sct_list(&list.value).ok());
    let key: &PublicKey = certificate.public_key();
    let validity = certificate.validity();
    CertificateFields {
        subject: certificate.subject_name().map(ToString::to_string),
        oidc_issuer: certificate.oidc_issuer().map(str::to_owned),
        issued_by: Name::from_der(certificate.issuer_name())
            .map(|name| name.to_string())
            .unwrap_or_default(),
        serial: hex::encode(certificate.serial()),
        not_before: validity.start.to_rfc3339(),
        not_after: validity.end.map(UnixTime::to_rfc3339).unwrap_or_default(),
        key_details: key.details().registry_name(),
        key: key.fingerprint().to_string(),
        fingerprint: certificate.fingerprint().to_string(),
        claims: claims.collect(),
        extensions: extensions
            .all()
            .iter()
            .map(|extension| extension.id.to_string())
            .collect(),
        scts: scts.unwrap_or_default().iter().map(sct).collect(),
    }
}

fn sct(sct: &SignedCertificateTimestamp) -> SctContents {
    SctContents {
        log_id: to_base64(sct.log_id.as_bytes()),
        time: sct.time.to_rfc3339(),
    }
}

fn envelope(envelope: &Envelope) -> SignedContents {
    SignedContents::Envelope {
        payload_type: envelope.payload_type.clone(),
        signatures: envelope.signatures.len(),
        statement: json::from_slice(&envelope.payload).ok(),
    }
}

fn entry(entry: &LogEntry) -> EntryContents {
    let checkpoint = |proof: &InclusionProof| {
        let origin = proof.checkpoint.as_deref()?.lines().next()?;
        Some(origin.to_owned())
    };
    EntryContents {
        log_id: to_base64(&entry.log_id),
        index: entry.index,
        kind: entry.kind.clone(),
        version: entry.version.clone(),
        integrated_time: (entry.integrated_time > 0)
            .then(|| UnixTime::from_seconds(entry.integrated_time).to_rfc3339()),
        promise: entry.promise.is_some(),
        tree_size: entry.proof.as_ref().map(|proof| proof.tree_size),
        origin: entry.proof.as_ref().and_then(checkpoint),
    }
}

/// Read by the verifier's own reader: what it refuses is not shown as readable here.
fn timestamp(der: &[u8]) -> TimestampContents {
    match UnverifiedStatement::parse_response(der) {
        Ok(statement) => TimestampContents::Readable {
            time: statement.time.to_rfc3339(),
            serial: hex::encode(&statement.serial),
            policy: statement.policy.to_string(),
        },
        Err(_) => TimestampContents::Unreadable {
            unreadable: "it is no timestamp that can be read",
        },
    }
}

pub(super) const fn version_number(version: BundleVersion) -> &'static str {
    match version {
        BundleVersion::V0_1 => "0.1",
        BundleVersion::V0_2 => "0.2",
        BundleVersion::V0_3 => "0.3",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::bundle::verify::testing::{ARTIFACT, ISSUER, SUBJECT, World, taken};
    use crate::protocol::bytes::HashAlgorithm;

    fn json(bundle: &Bundle) -> serde_json::Value {
        serde_json::to_value(Contents::of(bundle)).unwrap()
    }

    #[test]
    fn a_bundle_of_ours_is_laid_open_and_never_called_verified() {
        let contents = json(&World::new().native());

        assert_eq!(contents["verified"], false);
        assert_eq!(contents["bundle_version"], "0.3");
        let certificate = &contents["signer"]["certificates"][0];
        assert_eq!(certificate["subject"], SUBJECT);
        assert_eq!(certificate["oidc_issuer"], ISSUER);
        assert_eq!(certificate["claims"]["issuer"], ISSUER);
        assert_eq!(certificate["key_details"], "PKIX_ECDSA_P256_SHA_256");
        assert_eq!(certificate["scts"].as_array().unwrap().len(), 1);
        assert_eq!(contents["log_entries"][0]["tree_size"], 2);
        assert_eq!(contents["log_entries"][0]["origin"], "tiles.example");
        assert_eq!(contents["timestamps"][0]["time"], taken().to_rfc3339());
        let digest = HashAlgorithm::Sha256.digest(ARTIFACT).to_string();
        assert_eq!(contents["content"]["digest"], digest);
    }

    #[test]
    fn a_statement_is_shown_with_its_subjects_and_its_type() {
        let contents = json(&World::new().attestation());

        let statement = &contents["content"]["statement"];
        assert_eq!(statement["predicate_type"], "p");
        assert_eq!(statement["subjects"][0]["name"], "a");
        assert_eq!(contents["log_entries"][0]["promise"], true);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_stops_nothing() {
        let good = World::new().message().to_json();
        let mut bundle: serde_json::Value = serde_json::from_str(&good).unwrap();
        bundle["verificationMaterial"]["certificate"]["rawBytes"] = "AAAA".into();
        bundle["verificationMaterial"]["timestampVerificationData"] =
            serde_json::json!({"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}]});

        let contents = json(&Bundle::from_json(bundle.to_string().as_bytes()).unwrap());

        assert!(contents["signer"]["certificates"][0]["unreadable"].is_string());
        assert!(contents["timestamps"][0]["unreadable"].is_string());
        assert_eq!(contents["log_entries"][0]["index"], 1000);
    }
}
