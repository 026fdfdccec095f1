//! Tree IDs, which identify a log in the Rekor v1 API and are part of entry IDs.

use std::fmt;
use std::num::NonZeroI64;

use crate::protocol::keys::PublicKey;

/// A positive signed 64-bit integer. It is derived from the log's key, so it needs no storage of its own
/// and is stable as long as the key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TreeId(NonZeroI64);

impl TreeId {
    /// Derives the tree ID from the key's fingerprint: its first 8 bytes without the sign bit.
    pub fn of(key: &PublicKey) -> Self {
        let fingerprint = key.fingerprint();
        let [a, b, c, d, e, f, g, h, ..] = *fingerprint.as_bytes();
        let bits = i64::from_be_bytes([a, b, c, d, e, f, g, h]) & i64::MAX;
        // Tree IDs are positive. A fingerprint with 63 leading zero bits does not occur in practice.
        Self(NonZeroI64::new(bits).unwrap_or(NonZeroI64::MAX))
    }

    pub const fn get(self) -> i64 {
        self.0.get()
    }

    /// 16 hexadecimal digits, as in entry IDs.
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
    use crate::doubles::keys;

    #[test]
    fn a_tree_id_is_positive_and_derived_from_the_key() {
        for _ in 0..20 {
            let key = keys::p256();
            let id = TreeId::of(key.public_key());

            assert!(id.get() > 0);
            assert_eq!(id, TreeId::of(key.public_key()));
            assert_eq!(i64::from_str_radix(&id.to_hex(), 16).unwrap(), id.get());
            assert_eq!(id.to_hex().len(), 16);
        }
    }
}
