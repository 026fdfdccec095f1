//! Builders of evidence for tests.

use std::collections::BTreeMap;

use serde_json::json;

use crate::protocol::attestation::artifact::Artifact;
use crate::protocol::attestation::statement::Statement;
use crate::protocol::evidence::{
    CertificateEvidence, EntryEvidence, Evidence, KeyEvidence, PathEvidence, TimeEvidence,
    TimeSource,
};
use crate::protocol::hash::Sha256;
use crate::protocol::identity::CertificateIdentity;
use crate::protocol::keys::KeyDetails;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::VerifiedSct;

pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const SIGNED_AT: &str = "2026-11-20T12:30:00Z";

/// Evidence of a signature by this subject. Key and log entry are derived from the subject.
pub(crate) fn signed_by(subject: &str) -> Evidence {
    let digest = Sha256::of(subject.as_bytes());
    let [a, b, c, d, ..] = *digest.as_bytes();
    Evidence {
        certificate: Some(CertificateEvidence {
            identity: CertificateIdentity {
                issuer: ISSUER.to_owned(),
                subject: subject.to_owned(),
            },
            serial: digest.as_bytes()[..16].to_vec(),
            path: PathEvidence {
                authority: "https://ca.example".to_owned(),
                anchor: Sha256::of(b"authority"),
                certificate: Sha256::of_parts(&[b"certificate", subject.as_bytes()]),
            },
            claims: BTreeMap::new(),
            scts: vec![sct("https://ct.example")],
        }),
        key: KeyEvidence {
            fingerprint: digest,
            details: KeyDetails::EcdsaP256Sha256,
        },
        artifact: Artifact::from_bytes(b"artifact"),
        times: vec![stamped(SIGNED_AT)],
        entries: vec![entry(
            "https://log.example",
            u32::from_be_bytes([a, b, c, d]).into(),
        )],
        statement: None,
    }
}

pub(crate) fn stamped(at: &str) -> TimeEvidence {
    TimeEvidence {
        time: UnixTime::from_rfc3339(at).unwrap(),
        source: TimeSource::Timestamp,
        authority: "https://tsa.example".to_owned(),
        key: Sha256::of(b"tsa"),
    }
}

pub(crate) fn entry(log: &str, index: u64) -> EntryEvidence {
    EntryEvidence {
        log: log.to_owned(),
        log_id: Sha256::of(log.as_bytes()),
        key: Sha256::of(log.as_bytes()),
        index,
        tree_size: None,
        kind: "hashedrekord".to_owned(),
        version: "0.0.2".to_owned(),
        key_details: None,
    }
}

pub(crate) fn sct(log: &str) -> VerifiedSct {
    VerifiedSct {
        log_id: Sha256::of(log.as_bytes()),
        log: log.to_owned(),
        time: UnixTime::from_rfc3339(SIGNED_AT).unwrap(),
    }
}

impl Evidence {
    pub(crate) fn at(mut self, at: &str) -> Self {
        self.times = vec![stamped(at)];
        self
    }

    pub(crate) fn claiming(mut self, name: &'static str, value: &str) -> Self {
        let certificate = self.certificate.as_mut().unwrap();
        certificate.claims.insert(name, value.to_owned());
        self
    }

    pub(crate) fn attesting(mut self, predicate_type: &str, predicate: serde_json::Value) -> Self {
        let digest = Sha256::of(b"artifact").to_hex();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": digest}}],
            "predicateType": predicate_type,
            "predicate": predicate,
        });
        self.statement = Some(Statement::parse(statement.to_string().as_bytes()).unwrap());
        self
    }
}
