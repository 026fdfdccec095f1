//! Rekor v2's reply in proto3 JSON (`dev.sigstore.rekor.v1`). The request is `protocol::entry`'s.

use serde::Serialize;

use crate::protocol::bytes::to_base64;
use crate::services::rekor::LoggedEntry;

/// `TransparencyLogEntry`. Every member is written: 64-bit numbers as strings, and what a v2 log does not
/// have as its zero value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransparencyLogEntry {
    log_index: String,
    log_id: LogId,
    kind_version: KindVersion,
    integrated_time: &'static str,
    inclusion_promise: (),
    inclusion_proof: InclusionProof,
    canonicalized_body: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct KindVersion {
    kind: &'static str,
    version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    log_index: String,
    root_hash: String,
    tree_size: String,
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Checkpoint {
    envelope: String,
}

impl From<&LoggedEntry> for TransparencyLogEntry {
    fn from(entry: &LoggedEntry) -> Self {
        let index = entry.index.get().to_string();
        Self {
            log_index: index.clone(),
            log_id: LogId {
                key_id: to_base64(entry.log_key_id.as_bytes()),
            },
            kind_version: KindVersion {
                kind: entry.kind,
                version: "0.0.2",
            },
            integrated_time: "0",
            inclusion_promise: (),
            inclusion_proof: InclusionProof {
                log_index: index,
                root_hash: to_base64(entry.head.root.as_bytes()),
                tree_size: entry.head.size.get().to_string(),
                hashes: entry
                    .proof
                    .iter()
                    .map(|hash| to_base64(hash.as_bytes()))
                    .collect(),
                checkpoint: Checkpoint {
                    envelope: entry.head.note.clone(),
                },
            },
            canonicalized_body: to_base64(&entry.body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{PublishedHead, SignedHead};
    use crate::protocol::hash::Sha256;
    use crate::protocol::merkle::{LeafIndex, TreeSize};
    use crate::protocol::time::UnixTime;

    #[test]
    fn a_reply_has_every_member_and_its_numbers_are_strings() {
        let entry = LoggedEntry {
            index: LeafIndex::new(0),
            log_key_id: Sha256::from_bytes([1; 32]),
            kind: "hashedrekord",
            body: b"{}".to_vec(),
            proof: Vec::new(),
            head: PublishedHead::for_test(SignedHead {
                size: TreeSize::new(1),
                root: Sha256::from_bytes([2; 32]),
                time: UnixTime::from_seconds(3),
                note: "rekor.example\n1\n".to_owned(),
            }),
        };

        let reply = serde_json::to_string(&TransparencyLogEntry::from(&entry)).unwrap();

        assert_eq!(
            reply,
            concat!(
                r#"{"logIndex":"0","#,
                r#""logId":{"keyId":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},"#,
                r#""kindVersion":{"kind":"hashedrekord","version":"0.0.2"},"#,
                r#""integratedTime":"0","inclusionPromise":null,"#,
                r#""inclusionProof":{"logIndex":"0","#,
                r#""rootHash":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=","#,
                r#""treeSize":"1","hashes":[],"#,
                r#""checkpoint":{"envelope":"rekor.example\n1\n"}},"#,
                r#""canonicalizedBody":"e30="}"#,
            )
        );
    }
}
