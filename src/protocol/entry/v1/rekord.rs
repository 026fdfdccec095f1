//! rekord 0.0.1: an artifact with a detached signature in one of several formats. Of the artifact
//! only its SHA-256 stays.

use serde::{Deserialize, Serialize};

use super::super::search::{SearchTerm, SearchTerms};
use super::hash::Sha256Hash;
use super::pki::{Key, PkiFormat, Signature, check_length, read_key};
use super::{EntryError, body};
use crate::protocol::bytes::{Base64, Sha256};

/// The spec as it is proposed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rekord {
    data: Data,
    signature: SignatureForm,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    content: Option<Base64>,
    hash: Option<Sha256Hash>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignatureForm {
    content: Base64,
    format: PkiFormat,
    public_key: KeyForm,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyForm {
    content: Base64,
}

/// The spec as it is logged.
#[derive(Serialize)]
struct Logged {
    data: LoggedData,
    signature: SignatureForm,
}

#[derive(Serialize)]
struct LoggedData {
    hash: Sha256Hash,
}

const DATA: &str = "spec.data.content";
const SIGNATURE: &str = "spec.signature.content";
const PUBLIC_KEY: &str = "spec.signature.publicKey.content";

impl Rekord {
    pub(super) fn admit(&self, terms: &mut SearchTerms) -> Result<Vec<u8>, EntryError> {
        let key = self.key()?;
        let signature = self.signature(key.as_ref())?;
        // SPEC rekor rekord 0.0.1: a hash finds an entry again, but admits none.
        let artifact = self.artifact().ok_or(EntryError::Empty(DATA))?;
        let _valid = signature
            .verify(artifact)
            .map_err(EntryError::signature(SIGNATURE))?;
        let hash = self.hash()?;
        terms.add(SearchTerm::sha256(&hash))?;
        terms.add(SearchTerm::public_key(&key.canonical()))?;
        key.add_names(terms)?;
        self.body(hash, key.as_ref(), signature.as_ref())
    }

    pub(super) fn canonical_body(&self) -> Result<Vec<u8>, EntryError> {
        let key = self.key()?;
        let signature = self.signature(key.as_ref())?;
        self.body(self.hash()?, key.as_ref(), signature.as_ref())
    }

    /// What was signed, if it was sent and is not empty.
    fn artifact(&self) -> Option<&[u8]> {
        let content = self.data.content.as_ref()?;
        (!content.0.is_empty()).then_some(&content.0)
    }

    /// The artifact's hash. One that was sent beside the artifact must be its own.
    fn hash(&self) -> Result<Sha256, EntryError> {
        let sent = self.data.hash.as_ref().map(|hash| hash.0);
        let computed = self.artifact().map(Sha256::of);
        match (computed, sent) {
            (Some(computed), Some(sent)) if computed != sent => Err(EntryError::DataHash),
            (Some(hash), _) | (None, Some(hash)) => Ok(hash),
            (None, None) => Err(EntryError::Empty(DATA)),
        }
    }

    fn key(&self) -> Result<Box<dyn Key>, EntryError> {
        read_key(self.signature.format, &self.signature.public_key.content.0)
            .map_err(EntryError::pki(PUBLIC_KEY))
    }

    fn signature<'a>(&'a self, key: &'a dyn Key) -> Result<Box<dyn Signature + 'a>, EntryError> {
        let bytes = &self.signature.content.0;
        check_length(bytes)
            .and_then(|()| key.signature(bytes))
            .map_err(EntryError::pki(SIGNATURE))
    }

    fn body(
        &self,
        hash: Sha256,
        key: &dyn Key,
        signature: &dyn Signature,
    ) -> Result<Vec<u8>, EntryError> {
        let logged = Logged {
            data: LoggedData {
                hash: Sha256Hash(hash),
            },
            signature: SignatureForm {
                content: Base64(signature.canonical()),
                format: self.signature.format,
                public_key: KeyForm {
                    content: Base64(key.canonical()),
                },
            },
        };
        body::write("rekord", "0.0.1", &logged)
    }
}
