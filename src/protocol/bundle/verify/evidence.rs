//! What was proved about a bundle, as the plain data that policies look at.

use super::{
    Authentic, AuthenticSigner, CertifiedSigner, EstablishedTime, LoggedEntry, TimeSource,
};
use crate::protocol::attestation::statement::Statement;
use crate::protocol::policy;
use crate::protocol::x509::Certificate;

impl Authentic {
    /// What a policy may look at. It holds nothing that was not proved.
    pub fn evidence(&self) -> policy::Evidence {
        let certificate = match self.signer() {
            AuthenticSigner::Certified(signer) => Some(signer.into()),
            AuthenticSigner::Key(_) => None,
        };
        let digest = |digest: &crate::protocol::bytes::Digest| policy::ArtifactDigest {
            algorithm: digest.algorithm(),
            bytes: digest.as_bytes().to_vec(),
        };
        policy::Evidence {
            certificate,
            key: policy::KeyEvidence {
                fingerprint: self.key().fingerprint(),
                details: self.key_details(),
            },
            artifact: self.artifact().digests().iter().map(digest).collect(),
            times: self.times().iter().map(Into::into).collect(),
            entries: self.entries().iter().map(Into::into).collect(),
            statement: self.statement().map(Into::into),
        }
    }
}

impl From<&CertifiedSigner> for policy::CertificateEvidence {
    fn from(signer: &CertifiedSigner) -> Self {
        let scts = signer.scts.iter().map(|sct| policy::SctEvidence {
            log_id: sct.log_id,
            log: sct.log.clone(),
            time: sct.time,
        });
        Self {
            identity: signer.identity.clone(),
            serial: magnitude(signer.certificate.serial()).to_vec(),
            fingerprint: signer.certificate.fingerprint(),
            authority: signer.anchor,
            claims: claims(&signer.certificate).collect(),
            scts: scts.collect(),
        }
    }
}

/// An INTEGER's content without the zero that DER sets before a high bit.
fn magnitude(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

fn claims(certificate: &Certificate) -> impl Iterator<Item = (&'static str, String)> + '_ {
    policy::claim_names().iter().filter_map(|(number, name)| {
        let value = certificate.extensions().fulcio(*number)?;
        Some((*name, value.to_owned()))
    })
}

impl From<&EstablishedTime> for policy::TimeEvidence {
    fn from(established: &EstablishedTime) -> Self {
        Self {
            time: established.time,
            source: match established.source {
                TimeSource::Timestamp(_) => policy::TimeKind::Timestamp,
                TimeSource::Promise(_) => policy::TimeKind::Promise,
            },
            authority: established.source.url().to_owned(),
        }
    }
}

impl From<&LoggedEntry> for policy::EntryEvidence {
    fn from(entry: &LoggedEntry) -> Self {
        Self {
            log_id: entry.log_id,
            log: entry.log.clone(),
            index: entry.index,
            kind: entry.kind.clone(),
        }
    }
}

impl From<&Statement> for policy::StatementEvidence {
    fn from(statement: &Statement) -> Self {
        let read = |json| serde_json::from_str(json).expect("the whole statement was read as JSON");
        Self {
            predicate_type: statement.predicate_type().to_owned(),
            predicate: statement.predicate().map(read).unwrap_or_default(),
        }
    }
}
