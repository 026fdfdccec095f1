//! Evidence as tests need it.

use std::collections::BTreeMap;

use super::{
    ArtifactDigest, CertificateEvidence, EntryEvidence, Evidence, Identity, KeyEvidence,
    SctEvidence, StatementEvidence, TimeEvidence, TimeKind,
};
use crate::protocol::bundle::Artifact;
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::KeyDetails;
use crate::protocol::time::UnixTime;

pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const SIGNED_AT: &str = "2026-11-20T12:30:00Z";

/// A signature by this subject with a key and a log entry of its own.
pub(crate) fn signed_by(subject: &str) -> Evidence {
    let own = Sha256::of(subject.as_bytes());
    let [a, b, c, d, ..] = *own.as_bytes();
    Evidence {
        certificate: Some(CertificateEvidence {
            identity: Identity {
                issuer: ISSUER.to_owned(),
                subject: subject.to_owned(),
            },
            serial: own.as_bytes()[..16].to_vec(),
            fingerprint: Sha256::of_parts(&[b"certificate", subject.as_bytes()]),
            authority: Sha256::of(b"authority"),
            claims: BTreeMap::new(),
            scts: vec![sct("https://ct.example")],
        }),
        key: KeyEvidence {
            fingerprint: own,
            details: KeyDetails::EcdsaP256Sha256,
        },
        artifact: ArtifactDigest::all_of(&Artifact::from_bytes(b"artifact")),
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
        source: TimeKind::Timestamp,
        authority: "https://tsa.example".to_owned(),
    }
}

pub(crate) fn entry(log: &str, index: u64) -> EntryEvidence {
    EntryEvidence {
        log_id: Sha256::of(log.as_bytes()),
        log: log.to_owned(),
        index,
        kind: "hashedrekord".to_owned(),
    }
}

pub(crate) fn sct(log: &str) -> SctEvidence {
    SctEvidence {
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
        self.statement = Some(StatementEvidence {
            predicate_type: predicate_type.to_owned(),
            predicate,
        });
        self
    }
}
