//! The body of a Rekor v2 log's dsse entry; hashedrekord is `protocol::entry`'s.

use serde::Deserialize;

use crate::protocol::bytes::{Base64, Digest, HashAlgorithm};
use crate::protocol::entry::RawVerifier;
use crate::protocol::keys::KeyDetails;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DsseSpec {
    #[serde(rename = "dsseV002")]
    pub dsse_v002: Dsse,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Dsse {
    pub payload_hash: Hash,
    pub signatures: Vec<Signature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hash {
    algorithm: HashAlgorithm,
    digest: Base64,
}

impl Hash {
    pub(super) fn is(&self, digest: &Digest) -> bool {
        self.algorithm == digest.algorithm() && self.digest.0 == digest.as_bytes()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signature {
    pub content: Base64,
    pub verifier: Verifier,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Verifier {
    pub key_details: KeyDetails,
    x509_certificate: Option<RawBytes>,
    public_key: Option<RawBytes>,
}

impl Verifier {
    /// Exactly one of the two.
    pub(super) fn raw(&self) -> Option<RawVerifier> {
        match (&self.x509_certificate, &self.public_key) {
            (Some(one), None) => Some(RawVerifier::Certificate(one.raw_bytes.0.clone())),
            (None, Some(one)) => Some(RawVerifier::PublicKey(one.raw_bytes.0.clone())),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBytes {
    raw_bytes: Base64,
}
