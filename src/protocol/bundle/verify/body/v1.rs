//! The bodies of a Rekor v1 log, as the log writes them.

use serde::Deserialize;

use crate::protocol::bytes::{Base64, Digest, HashAlgorithm};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HashedRekord {
    pub data: Data,
    pub signature: Signature,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    pub hash: Hash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Signature {
    pub content: Base64,
    pub public_key: PublicKey,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicKey {
    pub content: Base64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hash {
    algorithm: HashName,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum HashName {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) fn is(&self, digest: &Digest) -> bool {
        let algorithm = match self.algorithm {
            HashName::Sha256 => HashAlgorithm::Sha256,
            HashName::Sha384 => HashAlgorithm::Sha384,
            HashName::Sha512 => HashAlgorithm::Sha512,
        };
        algorithm == digest.algorithm() && self.value == hex::encode(digest.as_bytes())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Dsse {
    /// Over the envelope's JSON as it was uploaded, which a bundle does not keep.
    #[serde(rename = "envelopeHash")]
    _envelope_hash: Hash,
    pub payload_hash: Hash,
    pub signatures: Vec<DsseSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DsseSignature {
    pub signature: Base64,
    pub verifier: Base64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intoto {
    pub content: IntotoContent,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IntotoContent {
    pub envelope: IntotoEnvelope,
    /// As the client supplied it; it proves nothing.
    #[serde(rename = "hash")]
    _hash: Option<Hash>,
    pub payload_hash: Hash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IntotoEnvelope {
    pub payload: Option<Base64>,
    pub payload_type: String,
    pub signatures: Vec<IntotoSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IntotoSignature {
    #[serde(rename = "keyid")]
    _key_id: Option<String>,
    pub public_key: Base64,
    pub sig: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IntotoV1 {
    pub content: IntotoV1Content,
    pub public_key: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IntotoV1Content {
    /// Over the envelope's JSON as it was uploaded.
    pub hash: Hash,
    pub payload_hash: Hash,
}
