//! The unverified contents of a bundle, for `signet inspect`. They are parsed with the verifier's own
//! parsers, so this cannot show anything that the verifier would reject as malformed.

use std::collections::BTreeMap;

use der::Decode as _;
use serde::{Deserialize, Serialize};
use x509_cert::name::Name;

use crate::protocol::attestation::dsse::Envelope;
use crate::protocol::attestation::statement::Statement;
use crate::protocol::bundle::{Bundle, Content, InclusionProof, LogEntry, SigningMaterial};
use crate::protocol::bytes::to_base64;
use crate::protocol::json;
use crate::protocol::keys::KeyDetails;
use crate::protocol::note::UnverifiedNote;
use crate::protocol::time::UnixTime;
use crate::protocol::tsp::UnverifiedTstInfo;
use crate::protocol::x509::Certificate;
use crate::protocol::x509::extensions::SCT_LIST;
use crate::protocol::x509::sct::parse_sct_list;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Contents {
    /// Always false.
    pub verified: bool,
    pub bundle_version: &'static str,
    pub signer: SignerContents,
    pub content: SignedContents,
    pub log_entries: Vec<EntryContents>,
    pub timestamps: Vec<TimestampContents>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignerContents {
    /// The signing certificate first
    Certificates(Vec<CertificateContents>),
    /// A key that the verifier must already have
    PublicKey {
        /// How the key might be found.
        hint: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum CertificateContents {
    Readable(Box<CertificateFields>),
    Unreadable {
        /// Why it cannot be read.
        unreadable: String,
    },
}

/// Times are RFC 3339, keys and fingerprints SHA-256 in the form `sha256:<hex>`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CertificateFields {
    /// The subject alternative name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_issuer: Option<String>,
    /// The name of the certificate's issuer (RFC 4514).
    pub issued_by: String,
    /// Hexadecimal.
    pub serial: String,
    pub not_before: String,
    pub not_after: String,
    pub key_details: KeyDetails,
    /// Of the SubjectPublicKeyInfo.
    pub key: String,
    /// Of the whole certificate.
    pub fingerprint: String,
    /// Fulcio's extensions by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<&'static str, String>,
    /// The identifiers of all extensions in order.
    pub extensions: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scts: Vec<SctContents>,
}

/// A signed certificate timestamp.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SctContents {
    /// Base64.
    pub log_id: String,
    pub time: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum SignedContents {
    /// The artifact itself
    Message {
        /// The digest that the bundle states.
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    Envelope {
        payload_type: String,
        /// The number of signatures.
        signatures: usize,
        /// None if the payload is not a statement that the verifier reads.
        #[serde(skip_serializing_if = "Option::is_none")]
        statement: Option<StatementContents>,
    },
}

/// An in-toto statement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct StatementContents {
    #[serde(rename(deserialize = "predicateType"))]
    pub predicate_type: String,
    #[serde(rename(deserialize = "subject"))]
    pub subjects: Vec<SubjectContents>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct SubjectContents {
    #[serde(default)]
    pub name: String,
    /// By the names of the hash functions.
    #[serde(default)]
    pub digest: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct EntryContents {
    /// Base64.
    pub log_id: String,
    pub index: u64,
    pub kind: String,
    pub version: String,
    /// When a Rekor v1 log states that it accepted the entry, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrated_time: Option<String>,
    /// Whether the entry has a signed entry timestamp.
    pub promise: bool,
    /// The size of the inclusion proof's tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree_size: Option<u64>,
    /// The origin of the inclusion proof's checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum TimestampContents {
    Readable {
        /// genTime, RFC 3339.
        time: String,
        /// Hexadecimal.
        serial: String,
        /// The object identifier of the authority's policy.
        policy: String,
    },
    Unreadable {
        /// Why it cannot be read.
        unreadable: &'static str,
    },
}

impl Contents {
    pub(crate) fn of(bundle: &Bundle) -> Self {
        let certificates = |ders: &[Vec<u8>]| {
            SignerContents::Certificates(ders.iter().map(|der| certificate(der)).collect())
        };
        Self {
            verified: false,
            bundle_version: bundle.version().as_str(),
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
    let certificate = match Certificate::from_der(der) {
        Ok(certificate) => certificate,
        Err(error) => {
            return CertificateContents::Unreadable {
                unreadable: error.to_string(),
            };
        }
    };
    let extensions = certificate.extensions();
    let claims = extensions.claims();
    let ids = extensions.all().iter().map(|one| one.id.to_string());
    let scts = extensions
        .find(SCT_LIST)
        .and_then(|list| parse_sct_list(&list.value).ok())
        .unwrap_or_default();
    let scts = scts.iter().map(|sct| SctContents {
        log_id: to_base64(sct.log_id.as_bytes()),
        time: sct.time.to_rfc3339(),
    });
    let key = certificate.public_key();
    let validity = certificate.validity();
    CertificateContents::Readable(Box::new(CertificateFields {
        subject: certificate.subject_name().map(ToString::to_string),
        oidc_issuer: certificate.oidc_issuer().map(str::to_owned),
        issued_by: Name::from_der(certificate.issuer_name())
            .map(|name| name.to_string())
            .unwrap_or_default(),
        serial: hex::encode(certificate.serial()),
        not_before: validity.start.to_rfc3339(),
        not_after: validity.end.map(UnixTime::to_rfc3339).unwrap_or_default(),
        key_details: key.details(),
        key: key.fingerprint().to_string(),
        fingerprint: certificate.fingerprint().to_string(),
        claims: claims.map(|(name, text)| (name, text.to_owned())).collect(),
        extensions: ids.collect(),
        scts: scts.collect(),
    }))
}

fn envelope(envelope: &Envelope) -> SignedContents {
    let payload = &envelope.payload;
    // The verifier's statement has no names and no digests of unknown algorithms, so the payload is
    // parsed again, but only if the verifier accepts it. Otherwise the two parsers could disagree.
    let statement = Statement::parse(payload)
        .ok()
        .and_then(|_| json::from_slice(payload).ok());
    SignedContents::Envelope {
        payload_type: envelope.payload_type.clone(),
        signatures: envelope.signatures.len(),
        statement,
    }
}

fn entry(entry: &LogEntry) -> EntryContents {
    let proof = entry.proof.as_ref();
    let origin = |proof: &InclusionProof| {
        let note = UnverifiedNote::parse(proof.checkpoint.as_deref()?).ok()?;
        note.unverified_text().lines().next().map(str::to_owned)
    };
    EntryContents {
        log_id: to_base64(&entry.log_id),
        index: entry.index,
        kind: entry.kind.clone(),
        version: entry.version.clone(),
        integrated_time: (entry.integrated_time > 0)
            .then(|| UnixTime::from_seconds(entry.integrated_time).to_rfc3339()),
        promise: entry.promise.is_some(),
        tree_size: proof.map(|proof| proof.tree_size),
        origin: proof.and_then(origin),
    }
}

/// Parsed with the verifier's parser, so that both accept the same tokens.
fn timestamp(der: &[u8]) -> TimestampContents {
    match UnverifiedTstInfo::parse_response(der) {
        Ok(tst_info) => TimestampContents::Readable {
            time: tst_info.time.to_rfc3339(),
            serial: hex::encode(&tst_info.serial),
            policy: tst_info.policy.to_string(),
        },
        Err(_) => TimestampContents::Unreadable {
            unreadable: "not a timestamp that can be read",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::bundle::verify::testing::{ARTIFACT, ISSUER, SUBJECT, World, entry_time};
    use crate::protocol::hash::HashAlgorithm;

    fn json(bundle: &Bundle) -> serde_json::Value {
        serde_json::to_value(Contents::of(bundle)).unwrap()
    }

    #[test]
    fn contents_are_shown_as_unverified() {
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
        assert_eq!(contents["timestamps"][0]["time"], entry_time().to_rfc3339());
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
    fn unreadable_parts_do_not_hide_readable_ones() {
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
