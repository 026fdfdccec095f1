//! The three hashes of a Merkle tree.

use crate::protocol::bytes::Sha256;

/// `SHA-256(0x00 || leaf)` (RFC 6962 §2.1).
pub fn leaf_hash(leaf: &[u8]) -> Sha256 {
    Sha256::of_parts(&[&[0], leaf])
}

/// `SHA-256(0x01 || left || right)` (RFC 6962 §2.1).
pub fn node_hash(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root of the tree without leaves, the hash of nothing (RFC 6962 §2.1).
pub(crate) fn empty_root() -> Sha256 {
    Sha256::of(b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leaf_hash_of_the_wire_contract_is_met() {
        let body = br#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}"#;

        assert_eq!(
            leaf_hash(body).to_hex(),
            "f029313d11b7293800928e3567bc44640d7ec9d39e5496a263a9f6835b00b008"
        );
    }

    #[test]
    fn leaves_and_nodes_have_separate_domains() {
        let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
        let both = [&left.as_bytes()[..], &right.as_bytes()[..]].concat();

        assert_ne!(node_hash(&left, &right), leaf_hash(&both));
        assert_eq!(
            empty_root().to_hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
