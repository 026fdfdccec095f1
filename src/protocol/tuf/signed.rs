//! A document with its signatures, as it is published.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::canonical::{self, JsonError};
use super::root::RuleError;
use super::{KeyId, Metadata, Role, Root};
use crate::protocol::json;
use crate::protocol::keys::{SigningFailed, SigningKey};

/// A document with its signatures: read whole, and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    bytes: Vec<u8>,
    payload: Vec<u8>,
    body: T,
    signatures: Vec<(KeyId, Vec<u8>)>,
}

/// Why bytes are no document.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Longer than clients fetch
    #[error("{role} metadata is longer than {limit} bytes")]
    TooLarge {
        /// Whose
        role: Role,
        /// The limit
        limit: usize,
    },
    /// Not JSON
    #[error("{0} metadata: {1}")]
    Json(Role, #[source] JsonError),
    /// JSON of another form
    #[error("{0} metadata: {1}")]
    Form(Role, #[source] serde_json::Error),
    /// Another role's document
    #[error("this is {found} metadata, and {wanted} metadata was wanted")]
    OtherRole {
        /// What it says it is
        found: Role,
        /// What it should be
        wanted: Role,
    },
    /// Another specification's
    #[error("metadata of the specification {0:?}, and only version 1 is known")]
    SpecVersion(String),
    /// A root whose keys or thresholds mean nothing
    #[error("root metadata: {0}")]
    Rules(#[from] RuleError),
}

/// Why a document cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// No randomness
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// A key that metadata cannot name
    #[error("metadata is signed with ECDSA P-256 keys alone")]
    Kind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    signatures: Vec<Signature>,
    signed: Value,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    keyid: KeyId,
    sig: String,
}

/// More signatures than any root has keys; the rest would only cost time.
const MAX_SIGNATURES: usize = 256;

/// Why what is made here can always be written.
const OUR_FORM: &str = "documents have text names and whole numbers";

impl<T: Metadata> Signed<T> {
    /// Reads a document, consuming every byte. Members that are not known are signed with the rest.
    ///
    /// # Errors
    /// See [`MetadataError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        if bytes.len() > T::MAX_BYTES {
            return Err(MetadataError::TooLarge {
                role: T::ROLE,
                limit: T::MAX_BYTES,
            });
        }
        let form = |error| MetadataError::Form(T::ROLE, error);
        let whole = canonical::parse(bytes).map_err(|error| MetadataError::Json(T::ROLE, error))?;
        let envelope: Envelope = serde_json::from_value(whole).map_err(form)?;
        let text = serde_json::to_vec(&envelope.signed).map_err(form)?;
        let body: T = json::from_slice(&text).map_err(form)?;
        if body.kind() != T::ROLE {
            return Err(MetadataError::OtherRole {
                found: body.kind(),
                wanted: T::ROLE,
            });
        }
        if body.spec_version().split('.').next() != Some("1") {
            return Err(MetadataError::SpecVersion(body.spec_version().to_owned()));
        }
        let payload = canonical::to_canonical(&envelope.signed)
            .map_err(|error| MetadataError::Json(T::ROLE, error))?;
        let signatures = envelope.signatures.into_iter().take(MAX_SIGNATURES);
        Ok(Self {
            bytes: bytes.to_vec(),
            payload,
            body,
            // What is no hexadecimal is no signature; some tools keep empty places.
            signatures: signatures
                .filter_map(|one| Some((one.keyid, hex::decode(one.sig).ok()?)))
                .collect(),
        })
    }

    /// A document that nobody has signed yet.
    pub fn unsigned(body: T) -> Self {
        let value = serde_json::to_value(&body).expect(OUR_FORM);
        let mut made = Self {
            bytes: Vec::new(),
            payload: canonical::to_canonical(&value).expect(OUR_FORM),
            body,
            signatures: Vec::new(),
        };
        made.render();
        made
    }

    /// A document that these keys sign.
    ///
    /// # Errors
    /// See [`SignError`].
    pub fn sign(body: T, keys: &[&SigningKey]) -> Result<Self, SignError> {
        let mut made = Self::unsigned(body);
        for key in keys {
            made.add_signature(key)?;
        }
        Ok(made)
    }

    /// Adds a key's signature; one that it made before is replaced.
    ///
    /// # Errors
    /// See [`SignError`].
    pub fn add_signature(&mut self, key: &SigningKey) -> Result<(), SignError> {
        let id = KeyId::of(key.public_key()).ok_or(SignError::Kind)?;
        let signature = key.sign(&self.payload)?;
        self.put_signature(id, signature);
        Ok(())
    }

    /// Takes over the signatures of another copy. Answers whether it is a copy of this document.
    pub fn merge(&mut self, other: &Self) -> bool {
        if other.payload != self.payload {
            return false;
        }
        for (id, signature) in &other.signatures {
            self.put_signature(id.clone(), signature.clone());
        }
        true
    }

    fn put_signature(&mut self, id: KeyId, signature: Vec<u8>) {
        self.signatures.retain(|(known, _)| *known != id);
        self.signatures.push((id, signature));
        self.render();
    }

    /// Writes the document anew from what was read, members included that are not known here.
    fn render(&mut self) {
        let signatures: Vec<_> = self
            .signatures
            .iter()
            .map(|(id, signature)| Signature {
                keyid: id.clone(),
                sig: hex::encode(signature),
            })
            .collect();
        let read = canonical::parse(&self.bytes).ok();
        let signed = read.and_then(|mut whole| whole.get_mut("signed").map(Value::take));
        let signed = signed.unwrap_or_else(|| serde_json::to_value(&self.body).expect(OUR_FORM));
        let document = json!({ "signatures": signatures, "signed": signed });
        self.bytes = serde_json::to_vec_pretty(&document).expect(OUR_FORM);
    }

    /// The document as it is published.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is signed: the canonical form of the body.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the document says.
    pub const fn body(&self) -> &T {
        &self.body
    }

    /// The signatures, with the ids of the keys that they say they are from.
    pub fn signatures(&self) -> impl Iterator<Item = (&KeyId, &[u8])> {
        self.signatures
            .iter()
            .map(|(id, signature)| (id, signature.as_slice()))
    }
}

impl Signed<Root> {
    /// Reads a root, as [`Self::parse`], and demands that its thresholds mean something.
    ///
    /// # Errors
    /// See [`MetadataError`].
    pub fn parse_root(bytes: &[u8]) -> Result<Self, MetadataError> {
        let root = Self::parse(bytes)?;
        root.body.check()?;
        Ok(root)
    }

    /// The root that takes this one's place: one version further, signed by the thresholds of both.
    ///
    /// # Errors
    /// See [`SuccessionError`].
    pub fn check_successor(&self, next: &Self) -> Result<(), SuccessionError> {
        if Some(next.body.version()) != self.body.version().next() {
            return Err(SuccessionError::Version {
                found: next.body.version().get(),
                after: self.body.version().get(),
            });
        }
        // SPEC TUF §5.3.4: a threshold of the old root's keys, and one of the new root's.
        self.body.verify(next).map_err(SuccessionError::Old)?;
        next.body.verify(next).map_err(SuccessionError::New)
    }
}

/// Why a root does not follow another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// Not one version further
    #[error("root version {found} does not follow version {after}")]
    Version {
        /// What it has
        found: u32,
        /// What there is
        after: u32,
    },
    /// The old root's keys have not signed
    #[error("by the keys of the root before: {0}")]
    Old(#[source] super::VerifyError),
    /// Its own keys have not signed
    #[error("by its own keys: {0}")]
    New(#[source] super::VerifyError),
}
