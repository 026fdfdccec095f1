//! Keys in metadata, and their IDs.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{KeyAlgorithm, PublicKey};

/// ID of a key within metadata. In Signet's metadata it is the SHA-256 of the canonical key object, in
/// hexadecimal. In other metadata it may be any text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(String);

/// A key object in a root's `keys` (TUF specification §4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KeyObject(Value);

/// The only kind of key that all Sigstore clients accept for the root and the online roles.
const KEYTYPE: &str = "ecdsa";
const SCHEME: &str = "ecdsa-sha2-nistp256";

/// `keytype` of the same kind of key in older repositories.
const LEGACY_KEYTYPE: &str = "ecdsa-sha2-nistp256";

impl KeyObject {
    /// Builds the object of an ECDSA P-256 key. Returns `None` for other kinds, which some clients reject.
    pub(crate) fn new(key: &PublicKey) -> Option<Self> {
        (key.algorithm() == KeyAlgorithm::P256).then(|| {
            Self(serde_json::json!({
                "keytype": KEYTYPE,
                "scheme": SCHEME,
                "keyval": { "public": key.to_pem() },
            }))
        })
    }

    /// The ID, which is derived from the content.
    pub(crate) fn id(&self) -> KeyId {
        let canonical = canonical::to_canonical(&self.0);
        let canonical = canonical.expect("metadata with fractions is rejected when it is parsed");
        KeyId(Sha256::of(&canonical).to_hex())
    }

    /// The public key, if it is ECDSA P-256.
    pub(crate) fn public_key(&self) -> Option<PublicKey> {
        let text = |name| self.0.get(name).and_then(Value::as_str);
        let known = matches!(text("keytype"), Some(KEYTYPE | LEGACY_KEYTYPE));
        if !known || text("scheme") != Some(SCHEME) {
            return None;
        }
        let pem = self.0.get("keyval")?.get("public")?.as_str()?;
        PublicKey::from_pem(pem)
            .ok()
            .filter(|key| key.algorithm() == KeyAlgorithm::P256)
    }
}

impl KeyId {
    /// The ID of an ECDSA P-256 key in Signet's metadata; `None` for other kinds.
    pub fn of(key: &PublicKey) -> Option<Self> {
        KeyObject::new(key).map(|object| object.id())
    }

    /// The ID as text.
    #[cfg(any(test, feature = "testing"))]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::keys::SigningKey;

    /// The timestamp key of the public Sigstore instance, and the ID that securesystemslib 1.6.0 computes
    /// for it (`SSlibKey.from_crypto`).
    #[test]
    fn a_key_id_is_the_hash_of_the_canonical_key_object() {
        let pem = "-----BEGIN PUBLIC KEY-----\n\
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWRiGr5+j+3J5SsH+Ztr5nE2H2wO7\n\
            BV+nO3s93gLca18qTOzHY1oWyAGDykMSsGTUBSt9D+An0KfKsD2mfSM42Q==\n\
            -----END PUBLIC KEY-----\n";

        let id = KeyId::of(&PublicKey::from_pem(pem).unwrap()).unwrap();

        assert_eq!(
            id.as_str(),
            "c22dd57a38a4b3839dae9b11709221bf4a97ff6932302c4bccde0b1fd5b8a139"
        );
    }

    #[test]
    fn only_p256_keys_are_accepted() {
        let (p256, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let (p384, _) = SigningKey::generate(KeyAlgorithm::P384).unwrap();

        let object = KeyObject::new(p256.public_key()).unwrap();
        assert_eq!(object.public_key().as_ref(), Some(p256.public_key()));
        assert!(KeyObject::new(p384.public_key()).is_none());
        let pem = p384.public_key().to_pem();
        for (keytype, scheme, public) in [
            (KEYTYPE, SCHEME, pem.as_str()),
            ("ed25519", SCHEME, &p256.public_key().to_pem()),
            (KEYTYPE, "ecdsa-sha2-nistp384", &p256.public_key().to_pem()),
            (KEYTYPE, SCHEME, "no key"),
        ] {
            let object = KeyObject(serde_json::json!({
                "keytype": keytype, "scheme": scheme, "keyval": {"public": public}
            }));
            assert!(object.public_key().is_none(), "{keytype} {scheme}");
        }
    }
}
