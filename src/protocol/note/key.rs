//! How keys are named in signature lines (C2SP signed-note, and Sigstore's habits beside it).

use std::fmt;

use super::NoteError;
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::{KeyAlgorithm, PublicKey};

/// The first four bytes of a key's hash, which signature lines carry (C2SP signed-note).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    pub(super) const fn of(hash: &Sha256) -> Self {
        let [a, b, c, d, ..] = *hash.as_bytes();
        Self([a, b, c, d])
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A log's public key and the name under which it signs.
#[derive(Clone, Debug)]
pub(crate) struct NoteKey {
    name: String,
    hash: Sha256,
    key: PublicKey,
}

impl NoteKey {
    /// A key under a name. The name has no whitespace and no `+`.
    ///
    /// # Errors
    /// A name that the format cannot carry.
    pub(crate) fn new(name: &str, key: PublicKey) -> Result<Self, NoteError> {
        check_name(name)?;
        Ok(Self {
            hash: key_hash(name, &key),
            name: name.to_owned(),
            key,
        })
    }

    /// The name in the signature line and the checkpoint's origin.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The whole key hash: `logId.keyId` of the trust documents.
    pub(crate) const fn hash(&self) -> &Sha256 {
        &self.hash
    }

    /// Its first four bytes.
    pub(crate) fn id(&self) -> KeyId {
        KeyId::of(&self.hash)
    }

    /// The key itself.
    pub(crate) const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// Whether a signature line can carry the name.
pub(super) fn check_name(name: &str) -> Result<(), NoteError> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.contains(forbidden) {
        return Err(NoteError::Name);
    }
    Ok(())
}

fn key_hash(name: &str, key: &PublicKey) -> Sha256 {
    match key.algorithm() {
        // C2SP signed-note, signature type 0x01.
        KeyAlgorithm::Ed25519 => Sha256::of_parts(&[name.as_bytes(), b"\n\x01", key.raw()]),
        // Type 0x02 is defined as the hash of the key alone, as RFC 6962 logs are named.
        KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => key.fingerprint(),
        // Type 0xff with a name of its own: what Rekor made of it for RSA keys.
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            Sha256::of_parts(&[
                name.as_bytes(),
                b"\n\xffPKIX-RSA-PKCS#1v1.5",
                key.spki_der(),
            ])
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::bytes::to_base64;
    use crate::protocol::keys::SigningKey;

    /// The key of the wire contract's appendix: Ed25519 from the seed 00 01 … 1f.
    pub(crate) fn appendix_key() -> SigningKey {
        let mut pkcs8 = hex::decode("302e020100300506032b657004220420").unwrap();
        pkcs8.extend(0..32_u8);
        SigningKey::from_pkcs8(&pkcs8).unwrap()
    }

    #[test]
    fn the_ed25519_key_hash_of_the_wire_contract_is_met() {
        let key = appendix_key().public_key().clone();
        assert_eq!(
            hex::encode(key.raw()),
            "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
        );

        let key = NoteKey::new("rekor.example", key).unwrap();

        assert_eq!(
            to_base64(key.hash().as_bytes()),
            "vm9/YJwncku/EwKIvJSquOG9c8AmOKQmkYi0h8n7jtE="
        );
        assert_eq!(key.id(), KeyId([0xbe, 0x6f, 0x7f, 0x60]));
    }

    #[test]
    fn an_ecdsa_key_is_named_by_the_hash_of_its_spki() {
        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let key = key.public_key().clone();

        let named = NoteKey::new("log.example", key.clone()).unwrap();

        assert_eq!(*named.hash(), key.fingerprint());
    }

    #[test]
    fn names_that_a_signature_line_cannot_carry_are_refused() {
        let key = appendix_key().public_key().clone();
        for name in ["", "a b", "a+b", "a\n", "\u{2003}", "a\tb", "\0"] {
            assert_eq!(
                NoteKey::new(name, key.clone()).unwrap_err(),
                NoteError::Name
            );
        }
    }
}
