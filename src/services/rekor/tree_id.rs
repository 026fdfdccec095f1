//! The number by which clients of the v1 dialect name a log, and which precedes its entries' hashes.

use std::fmt;
use std::num::NonZeroI64;

use crate::protocol::keys::PublicKey;

/// A tree ID: a positive signed 64-bit integer. It follows from the log's key, so that it is as
/// unique and as lasting as the key, and there is nothing else to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TreeId(NonZeroI64);

impl TreeId {
    /// The ID of the log with this key: the first 63 bits of its fingerprint.
    pub fn of(key: &PublicKey) -> Self {
        let fingerprint = key.fingerprint();
        let [a, b, c, d, e, f, g, h, ..] = *fingerprint.as_bytes();
        let bits = i64::from_be_bytes([a, b, c, d, e, f, g, h]) & i64::MAX;
        // Zero would be no ID; a fingerprint that begins with 63 zero bits is not to be expected.
        Self(NonZeroI64::new(bits).unwrap_or(NonZeroI64::MAX))
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0.get()
    }

    /// Its 16 hexadecimal digits, with which an entry ID begins.
    pub fn to_hex(self) -> String {
        format!("{:016x}", self.0)
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::keys::{KeyAlgorithm, SigningKey};

    #[test]
    fn a_tree_id_is_positive_and_the_key_s_own() {
        for _ in 0..20 {
            let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
            let id = TreeId::of(key.public_key());

            assert!(id.get() > 0);
            assert_eq!(id, TreeId::of(key.public_key()));
            assert_eq!(i64::from_str_radix(&id.to_hex(), 16).unwrap(), id.get());
            assert_eq!(id.to_hex().len(), 16);
        }
    }
}
