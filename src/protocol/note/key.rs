//! The names and IDs of keys in signature lines (C2SP signed-note, and Rekor's ID for RSA keys).

use std::fmt;

use super::NoteError;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{KeyAlgorithm, PublicKey};

/// The ID of a key in signature lines: the first four bytes of its hash (C2SP signed-note).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoteKeyId(pub [u8; 4]);

impl NoteKeyId {
    pub(super) const fn of(hash: &Sha256) -> Self {
        let [a, b, c, d, ..] = *hash.as_bytes();
        Self([a, b, c, d])
    }
}

impl fmt::Debug for NoteKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A log's public key and the name under which the log signs.
#[derive(Clone, Debug)]
pub(crate) struct NoteKey {
    name: String,
    hash: Sha256,
    key: PublicKey,
}

impl NoteKey {
    /// # Errors
    /// A name that signature lines cannot contain: empty, or with whitespace or `+`.
    pub(crate) fn new(name: &str, key: PublicKey) -> Result<Self, NoteError> {
        check_name(name)?;
        Ok(Self {
            hash: key_hash(name, &key),
            name: name.to_owned(),
            key,
        })
    }

    /// The name in signature lines.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The whole key hash: `logId.keyId` of trust roots.
    pub(crate) const fn hash(&self) -> &Sha256 {
        &self.hash
    }

    pub(crate) fn id(&self) -> NoteKeyId {
        NoteKeyId::of(&self.hash)
    }

    pub(crate) const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// Refuses a name that signature lines cannot contain.
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
        // Signature type 0x02: the hash of the key alone, as in RFC 6962.
        KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => key.fingerprint(),
        // Signature type 0xff with a name: Rekor's choice for RSA keys (sigstore/rekor pkg/util).
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

    /// Ed25519 from the seed 00 01 … 1f.
    pub(crate) fn sample_key() -> SigningKey {
        let mut pkcs8 = hex::decode("302e020100300506032b657004220420").unwrap();
        pkcs8.extend(0..32_u8);
        SigningKey::from_pkcs8(&pkcs8).unwrap()
    }

    #[test]
    fn an_ed25519_key_is_identified_by_the_hash_of_name_type_and_key() {
        let key = sample_key().public_key().clone();
        assert_eq!(
            hex::encode(key.raw()),
            "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
        );

        let key = NoteKey::new("rekor.example", key).unwrap();

        assert_eq!(
            to_base64(key.hash().as_bytes()),
            "vm9/YJwncku/EwKIvJSquOG9c8AmOKQmkYi0h8n7jtE="
        );
        assert_eq!(key.id(), NoteKeyId([0xbe, 0x6f, 0x7f, 0x60]));
    }

    #[test]
    fn an_ecdsa_key_is_identified_by_the_hash_of_its_spki() {
        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let key = key.public_key().clone();

        let named = NoteKey::new("log.example", key.clone()).unwrap();

        assert_eq!(*named.hash(), key.fingerprint());
    }

    #[test]
    fn names_that_signature_lines_cannot_contain_are_refused() {
        let key = sample_key().public_key().clone();
        for name in ["", "a b", "a+b", "a\n", "\u{2003}", "a\tb", "\0"] {
            assert_eq!(
                NoteKey::new(name, key.clone()).unwrap_err(),
                NoteError::Name
            );
        }
    }
}
