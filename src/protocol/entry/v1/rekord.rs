//! rekord 0.0.1: an artifact with a detached signature in one of several formats. The artifact's SHA-256
//! is logged.

use serde::{Deserialize, Serialize};

use super::super::EntryKind;
use super::super::search::{SearchTerm, SearchTerms};
use super::pki::{self, PkiFormat, PkiKey, PkiSignature};
use super::spec::{LoggedHash, ProposedSha256, write_body};
use super::{Proposal, V1EntryError, parse_spec};
use crate::protocol::bytes::Base64;
use crate::protocol::hash::Sha256;

pub(in super::super) const KIND: EntryKind = EntryKind {
    name: "rekord",
    version: "0.0.1",
    parse_proposal: Some(parse_spec::<RekordV001>),
    parse_logged: None,
};

/// The proposed spec.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RekordV001 {
    data: ProposedData,
    signature: Signature,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProposedData {
    content: Option<Base64>,
    hash: Option<ProposedSha256>,
}

/// The logged form contains key and signature in canonical form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Signature {
    content: Base64,
    format: PkiFormat,
    public_key: PublicKeyText,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKeyText {
    content: Base64,
}

/// The logged spec.
#[derive(Serialize)]
struct LoggedRekord {
    data: LoggedData,
    signature: Signature,
}

#[derive(Serialize)]
struct LoggedData {
    hash: LoggedHash,
}

const DATA: &str = "spec.data.content";
const SIGNATURE: &str = "spec.signature.content";
const PUBLIC_KEY: &str = "spec.signature.publicKey.content";

impl RekordV001 {
    /// The signed artifact, if present and not empty.
    fn artifact(&self) -> Option<&[u8]> {
        let content = self.data.content.as_ref()?;
        (!content.0.is_empty()).then_some(&content.0)
    }

    /// The artifact's hash. If both hash and content are present, they must match.
    fn hash(&self) -> Result<Sha256, V1EntryError> {
        let sent = self.data.hash.map(|hash| hash.0);
        let computed = self.artifact().map(Sha256::of);
        match (computed, sent) {
            (Some(computed), Some(sent)) if computed != sent => Err(V1EntryError::DataHash),
            (Some(hash), _) | (None, Some(hash)) => Ok(hash),
            (None, None) => Err(V1EntryError::Empty(DATA)),
        }
    }

    fn key(&self) -> Result<Box<dyn PkiKey>, V1EntryError> {
        pki::parse_key(self.signature.format, &self.signature.public_key.content.0)
            .map_err(V1EntryError::pki(PUBLIC_KEY))
    }

    fn signature<'a>(
        &'a self,
        key: &'a dyn PkiKey,
    ) -> Result<Box<dyn PkiSignature + 'a>, V1EntryError> {
        pki::parse_signature(key, &self.signature.content.0).map_err(V1EntryError::pki(SIGNATURE))
    }

    fn body(
        &self,
        hash: Sha256,
        key: &dyn PkiKey,
        signature: &dyn PkiSignature,
    ) -> Result<Vec<u8>, V1EntryError> {
        let spec = LoggedRekord {
            data: LoggedData {
                hash: LoggedHash::sha256(hash),
            },
            signature: Signature {
                content: Base64(signature.canonical()),
                format: self.signature.format,
                public_key: PublicKeyText {
                    content: Base64(key.canonical()),
                },
            },
        };
        write_body(&KIND, &spec)
    }
}

impl Proposal for RekordV001 {
    fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, V1EntryError> {
        let key = self.key()?;
        let signature = self.signature(key.as_ref())?;
        // Rekor pkg/types/rekord/v0.0.1: a hash is enough to look up an entry, but logging requires the
        // artifact.
        let artifact = self.artifact().ok_or(V1EntryError::Empty(DATA))?;
        let _valid = signature
            .verify(artifact)
            .map_err(V1EntryError::signature(SIGNATURE))?;
        let hash = self.hash()?;
        terms.add(SearchTerm::sha256(&hash))?;
        terms.add(SearchTerm::public_key(&key.canonical()))?;
        key.add_names(terms)?;
        self.body(hash, key.as_ref(), signature.as_ref())
    }

    fn canonical_body(&self) -> Result<Vec<u8>, V1EntryError> {
        let key = self.key()?;
        let signature = self.signature(key.as_ref())?;
        self.body(self.hash()?, key.as_ref(), signature.as_ref())
    }
}
