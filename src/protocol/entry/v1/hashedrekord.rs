//! hashedrekord 0.0.1: a digest, a signature over it, and the key or certificate in PEM.

use serde::Deserialize;

use super::super::hashedrekord::MAX_BODY;
use super::super::search::{SearchTerm, SearchTerms};
use super::EntryError;
use super::hash::Hash;
use super::verifier::Verifier;
use crate::protocol::bytes::{Base64, HashAlgorithm, to_base64};
use crate::protocol::keys::KeyAlgorithm;

/// The spec as it is proposed; as it is logged, only the PEM text may differ.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HashedRekord {
    data: Data,
    signature: Signature,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    hash: Hash,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Signature {
    content: Base64,
    public_key: PublicKey,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKey {
    content: Base64,
}

const SIGNATURE: &str = "spec.signature.content";

impl HashedRekord {
    pub(super) fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, EntryError> {
        let digest = &self.data.hash.0;
        let signature = &self.signature.content.0;
        if signature.is_empty() {
            return Err(EntryError::Empty(SIGNATURE));
        }
        let verifier = self.verifier()?;
        let body = self.body(&verifier)?;
        let is_ed25519 = verifier.algorithm() == KeyAlgorithm::Ed25519;
        if is_ed25519 && digest.algorithm() != HashAlgorithm::Sha512 {
            return Err(EntryError::Ed25519Digest);
        }
        let _valid = verifier
            .verify_digest(digest, signature)
            .map_err(EntryError::signature(SIGNATURE))?;
        verifier.add_terms(terms)?;
        terms.add(SearchTerm::from(digest))?;
        Ok(body)
    }

    pub(super) fn canonical_body(&self) -> Result<Vec<u8>, EntryError> {
        self.body(&self.verifier()?)
    }

    fn verifier(&self) -> Result<Verifier, EntryError> {
        Verifier::from_pem(&self.signature.public_key.content.0)
            .map_err(EntryError::verifier("spec.signature.publicKey.content"))
    }

    /// The canonical body (RFC 8785): its members are fixed and every value is base64, hexadecimal or
    /// a name, so that it is written straight out, in order and without an escape.
    fn body(&self, verifier: &Verifier) -> Result<Vec<u8>, EntryError> {
        let hash = &self.data.hash;
        let body = [
            r#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":""#,
            hash.algorithm_name(),
            r#"","value":""#,
            &hex::encode(hash.0.as_bytes()),
            r#""}},"signature":{"content":""#,
            &to_base64(&self.signature.content.0),
            r#"","publicKey":{"content":""#,
            &to_base64(verifier.canonical_pem().as_bytes()),
            r#""}}}}"#,
        ]
        .concat()
        .into_bytes();
        if body.len() > MAX_BODY {
            return Err(EntryError::TooLarge(body.len()));
        }
        Ok(body)
    }
}
