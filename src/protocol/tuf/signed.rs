//! A document with its signatures.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::canonical;
use super::error::{MetadataError, SignError};
use super::{KeyId, Metadata};
use crate::protocol::json;
use crate::protocol::keys::SigningKey;

/// A document with its signatures, which were not verified.
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

/// Maximum number of signatures that are read: more than any root has keys. The rest is ignored.
const MAX_SIGNATURES: usize = 256;

const WRITABLE: &str = "documents have text names and whole numbers";

impl<T: Metadata> Signed<T> {
    /// Reads a document, consuming every byte. Unknown members are part of what is signed.
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
            // Some tools write placeholders that are not hexadecimal.
            signatures: signatures
                .filter_map(|one| Some((one.keyid, hex::decode(one.sig).ok()?)))
                .collect(),
        })
    }

    /// A document without signatures.
    pub fn unsigned(body: T) -> Self {
        let value = serde_json::to_value(&body).expect(WRITABLE);
        let mut made = Self {
            bytes: Vec::new(),
            payload: canonical::to_canonical(&value).expect(WRITABLE),
            body,
            signatures: Vec::new(),
        };
        made.render();
        made
    }

    /// Signs a document with these keys.
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

    /// Adds a key's signature, which replaces an earlier one by the same key.
    ///
    /// # Errors
    /// See [`SignError`].
    pub fn add_signature(&mut self, key: &SigningKey) -> Result<(), SignError> {
        let id = KeyId::of(key.public_key()).ok_or(SignError::Kind)?;
        let signature = key.sign(&self.payload)?;
        self.put_signature(id, signature);
        Ok(())
    }

    /// Adds the signatures of another copy of the document. Returns false if it is another document.
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

    /// Rewrites the document from what was read, unknown members included.
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
        let signed = signed.unwrap_or_else(|| serde_json::to_value(&self.body).expect(WRITABLE));
        let document = json!({ "signatures": signatures, "signed": signed });
        self.bytes = serde_json::to_vec_pretty(&document).expect(WRITABLE);
    }

    /// The document's JSON.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The canonical form of the body, which is signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The document without its signatures.
    pub const fn body(&self) -> &T {
        &self.body
    }

    /// The signatures, each with the ID of the key that allegedly made it.
    pub fn signatures(&self) -> impl Iterator<Item = (&KeyId, &[u8])> {
        self.signatures
            .iter()
            .map(|(id, signature)| (id, signature.as_slice()))
    }
}
