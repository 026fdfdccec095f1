//! Documents with signatures: parsing, signing and merging.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::canonical;
use super::error::{MetadataError, SignError};
use super::{KeyId, Metadata};
use crate::protocol::json;
use crate::protocol::keys::SigningKey;

/// A document with unverified signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    bytes: Vec<u8>,
    payload: Vec<u8>,
    body: T,
    signatures: Vec<(KeyId, Vec<u8>)>,
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

/// Maximum number of signatures that are parsed, which exceeds the number of keys of any root. Further
/// signatures are ignored.
const MAX_SIGNATURES: usize = 256;

const SERIALIZABLE: &str = "documents have string keys and integers";

impl<T: Metadata> Signed<T> {
    /// Parses a document. Unknown members are preserved, because they are part of the signed content.
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
                expected: T::ROLE,
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
            // Skip signatures that are not hexadecimal: some tools write placeholders.
            signatures: signatures
                .filter_map(|one| Some((one.keyid, hex::decode(one.sig).ok()?)))
                .collect(),
        })
    }

    /// Creates a document without signatures.
    pub fn unsigned(body: T) -> Self {
        let value = serde_json::to_value(&body).expect(SERIALIZABLE);
        let mut document = Self {
            bytes: Vec::new(),
            payload: canonical::to_canonical(&value).expect(SERIALIZABLE),
            body,
            signatures: Vec::new(),
        };
        document.render();
        document
    }

    /// Creates a document with a signature by each key.
    ///
    /// # Errors
    /// See [`SignError`].
    pub fn sign(body: T, keys: &[&SigningKey]) -> Result<Self, SignError> {
        let mut document = Self::unsigned(body);
        for key in keys {
            document.add_signature(key)?;
        }
        Ok(document)
    }

    /// Adds a signature. It replaces an earlier signature by the same key.
    ///
    /// # Errors
    /// See [`SignError`].
    pub fn add_signature(&mut self, key: &SigningKey) -> Result<(), SignError> {
        let id = KeyId::of(key.public_key()).ok_or(SignError::KeyKind)?;
        let signature = key.sign(&self.payload)?;
        self.put_signature(id, signature);
        Ok(())
    }

    /// Adds the signatures of another copy of the same document. Returns false if the contents differ.
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

    /// Serializes the document again. Preserves unknown members of a parsed document.
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
        let signed =
            signed.unwrap_or_else(|| serde_json::to_value(&self.body).expect(SERIALIZABLE));
        let document = json!({ "signatures": signatures, "signed": signed });
        self.bytes = serde_json::to_vec_pretty(&document).expect(SERIALIZABLE);
    }

    /// The document's JSON.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signed bytes: the body in canonical form.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The document without its signatures.
    pub const fn body(&self) -> &T {
        &self.body
    }

    /// The unverified signatures, each with its key ID.
    pub fn signatures(&self) -> impl Iterator<Item = (&KeyId, &[u8])> {
        self.signatures
            .iter()
            .map(|(id, signature)| (id, signature.as_slice()))
    }
}
