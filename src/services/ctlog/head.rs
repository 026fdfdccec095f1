//! Tree heads of the certificate log: one signature serves checkpoint and `get-sth`.

use std::sync::Arc;

use crate::log::HeadSigner;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{PublicKey, SigningFailed, SigningKey};
use crate::protocol::merkle::TreeSize;
use crate::protocol::note::{NoteError, TreeHeadKey, UnverifiedNote};
use crate::protocol::time::UnixTime;

/// Signs tree heads (RFC 6962 §3.5) inside checkpoints.
#[derive(Clone, Debug)]
pub(crate) struct CtHeadSigner {
    key: Arc<SigningKey>,
    head_key: TreeHeadKey,
}

impl CtHeadSigner {
    /// `origin` is the log's URL without the scheme; the key must be P-256.
    ///
    /// # Errors
    /// The origin is not a valid key name of a note, or the key is not P-256.
    pub(crate) fn new(origin: &str, key: Arc<SigningKey>) -> Result<Self, NoteError> {
        let head_key = TreeHeadKey::new(origin, key.public_key().clone())?;
        Ok(Self { key, head_key })
    }

    pub(crate) const fn head_key(&self) -> &TreeHeadKey {
        &self.head_key
    }

    pub(super) const fn signing_key(&self) -> &Arc<SigningKey> {
        &self.key
    }
}

impl HeadSigner for CtHeadSigner {
    fn origin(&self) -> &str {
        self.head_key.origin()
    }

    fn key(&self) -> &PublicKey {
        self.head_key.key()
    }

    fn log_id(&self) -> Sha256 {
        self.head_key.key().fingerprint()
    }

    fn sign(&self, size: TreeSize, root: &Sha256, time: UnixTime) -> Result<String, SigningFailed> {
        self.head_key.sign(&self.key, size, root, time)
    }

    fn recognises(&self, note: &str, size: TreeSize, root: &Sha256) -> bool {
        UnverifiedNote::parse(note)
            .and_then(|note| self.head_key.open(&note))
            .is_ok_and(|head| head.checkpoint.size == size && head.checkpoint.root == *root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::keys::KeyAlgorithm;

    fn signer(kind: KeyAlgorithm) -> Result<CtHeadSigner, NoteError> {
        let (key, _) = SigningKey::generate(kind).unwrap();
        CtHeadSigner::new("log.example/ct", Arc::new(key))
    }

    #[test]
    fn a_signer_recognises_its_own_heads_and_no_others() {
        let one = signer(KeyAlgorithm::P256).unwrap();
        let other = signer(KeyAlgorithm::P256).unwrap();
        let (size, root) = (TreeSize::new(7), Sha256::of(b"root"));

        let note = one.sign(size, &root, UnixTime::from_seconds(1)).unwrap();

        assert!(one.recognises(&note, size, &root));
        assert!(!one.recognises(&note, TreeSize::new(8), &root));
        assert!(!one.recognises(&note, size, &Sha256::of(b"other")));
        assert!(!other.recognises(&note, size, &root));
        assert!(!one.recognises("", size, &root));
    }

    #[test]
    fn only_a_p256_key_signs_heads() {
        assert!(signer(KeyAlgorithm::Ed25519).is_err());
        assert!(signer(KeyAlgorithm::P384).is_err());
    }
}
