//! hashedrekord 0.0.1: a digest, a signature over it, and a key or certificate in PEM.

use serde::Deserialize;

use super::super::binding::{BoundContent, EntryBinding};
use super::super::search::{SearchTerm, SearchTerms};
use super::super::verifier::RawVerifier;
use super::super::{EntryKind, logged_spec};
use super::spec::{LoggedHash, ProposedHash, check_length};
use super::verifier::PemVerifier;
use super::{Proposal, V1EntryError, parse_spec};
use crate::protocol::bytes::{Base64, to_base64};
use crate::protocol::hash::{Digest, HashAlgorithm};
use crate::protocol::keys::{KeyAlgorithm, PublicKey};

pub(in super::super) const KIND: EntryKind = EntryKind {
    name: "hashedrekord",
    version: "0.0.1",
    parse_proposal: Some(parse_spec::<HashedRekordV001<ProposedHash>>),
    parse_logged: Some(parse_logged),
};

/// The spec, proposed or logged. The logged form contains hash and PEM in canonical form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HashedRekordV001<H> {
    data: Data<H>,
    signature: Signature,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data<H> {
    hash: H,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Signature {
    content: Base64,
    public_key: PemText,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PemText {
    content: Base64,
}

const SIGNATURE: &str = "spec.signature.content";

impl HashedRekordV001<ProposedHash> {
    pub(super) fn new(digest: Digest, signature: Vec<u8>, key: &PublicKey) -> Self {
        let pem = key.to_pem().into_bytes();
        Self {
            data: Data {
                hash: ProposedHash(digest),
            },
            signature: Signature {
                content: Base64(signature),
                public_key: PemText {
                    content: Base64(pem),
                },
            },
        }
    }

    fn verifier(&self) -> Result<PemVerifier, V1EntryError> {
        PemVerifier::parse(&self.signature.public_key.content.0)
            .map_err(V1EntryError::verifier("spec.signature.publicKey.content"))
    }

    /// The canonical body (RFC 8785). The members are fixed, and every value is base64, hexadecimal or a
    /// name, so no sorting or escaping is needed.
    fn body(&self, verifier: &PemVerifier) -> Result<Vec<u8>, V1EntryError> {
        let digest = &self.data.hash.0;
        let body = [
            r#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":""#,
            digest.algorithm().name(),
            r#"","value":""#,
            &digest.to_hex(),
            r#""}},"signature":{"content":""#,
            &to_base64(&self.signature.content.0),
            r#"","publicKey":{"content":""#,
            &to_base64(verifier.canonical_pem().as_bytes()),
            r#""}}}}"#,
        ];
        check_length(body.concat().into_bytes())
    }
}

impl Proposal for HashedRekordV001<ProposedHash> {
    fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, V1EntryError> {
        let digest = &self.data.hash.0;
        let signature = &self.signature.content.0;
        if signature.is_empty() {
            return Err(V1EntryError::Empty(SIGNATURE));
        }
        let verifier = self.verifier()?;
        let body = self.body(&verifier)?;
        let is_ed25519 = verifier.algorithm() == KeyAlgorithm::Ed25519;
        if is_ed25519 && digest.algorithm() != HashAlgorithm::Sha512 {
            return Err(V1EntryError::Ed25519Digest);
        }
        let _valid = verifier
            .verify_digest(digest, signature)
            .map_err(V1EntryError::signature(SIGNATURE))?;
        verifier.add_terms(terms)?;
        terms.add(SearchTerm::from(digest))?;
        Ok(body)
    }

    fn canonical_body(&self) -> Result<Vec<u8>, V1EntryError> {
        self.body(&self.verifier()?)
    }
}

fn parse_logged(body: &[u8]) -> Option<EntryBinding> {
    let HashedRekordV001::<LoggedHash> { data, signature } = logged_spec(&KIND, body)?;
    Some(EntryBinding::single(
        Some(signature.content.0),
        RawVerifier::from_pem(&signature.public_key.content.0)?,
        BoundContent::Artifact(data.hash.digest()?),
    ))
}
