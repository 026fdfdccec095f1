//! Entry IDs and UUIDs of Rekor v1. A UUID is a leaf hash; an entry ID is a tree ID and a leaf hash.

use std::fmt;

use crate::protocol::hash::Sha256;
use crate::services::rekor::TreeId;

/// Tree ID and leaf hash, written as 80 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EntryId {
    tree: TreeId,
    leaf: Sha256,
}

/// The name of an entry in a request: an entry ID or a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryName {
    tree: Option<u64>,
    leaf: Sha256,
}

/// Error parsing an entry ID or UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry UUID has 64 hexadecimal digits, an entry ID 80")]
pub struct NotAnEntryName;

impl EntryId {
    pub(crate) const fn new(tree: TreeId, leaf: Sha256) -> Self {
        Self { tree, leaf }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tree.to_hex())?;
        f.write_str(&self.leaf.to_hex())
    }
}

impl EntryName {
    /// Parses 64 or 80 hexadecimal digits of either case.
    ///
    /// # Errors
    /// The text has another length or other characters.
    pub fn parse(text: &str) -> Result<Self, NotAnEntryName> {
        let (tree, leaf) = match text.len() {
            64 => (None, text),
            80 => {
                let (tree, leaf) = text.split_at_checked(16).ok_or(NotAnEntryName)?;
                let mut bytes = [0; 8];
                hex::decode_to_slice(tree, &mut bytes).map_err(|_| NotAnEntryName)?;
                (Some(u64::from_be_bytes(bytes)), leaf)
            }
            _ => return Err(NotAnEntryName),
        };
        let leaf = Sha256::from_hex(leaf).ok_or(NotAnEntryName)?;
        Ok(Self { tree, leaf })
    }

    /// The leaf hash, unless the name contains the ID of another tree.
    pub fn within(self, tree: TreeId) -> Option<Sha256> {
        let is_here = self
            .tree
            .is_none_or(|named| i64::try_from(named) == Ok(tree.get()));
        is_here.then_some(self.leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubles::keys;

    fn tree() -> TreeId {
        TreeId::of(keys::p256().public_key())
    }

    #[test]
    fn entry_ids_and_uuids_are_parsed_in_upper_and_lower_case() {
        let (tree, other) = (tree(), tree());
        let leaf = Sha256::of(b"leaf");
        let id = EntryId::new(tree, leaf).to_string();

        assert_eq!(id.len(), 80);
        for name in [id.clone(), id.to_uppercase()] {
            let name = EntryName::parse(&name).unwrap();
            assert_eq!(name.within(tree), Some(leaf));
            assert_eq!(name.within(other), None);
        }
        for name in [leaf.to_hex(), leaf.to_hex().to_uppercase()] {
            let name = EntryName::parse(&name).unwrap();
            assert_eq!(name.within(tree), Some(leaf));
            assert_eq!(name.within(other), Some(leaf));
        }
    }

    #[test]
    fn malformed_entry_names_are_rejected() {
        for name in [
            String::new(),
            "0a".repeat(31),
            "0a".repeat(33),
            "0a".repeat(41),
            "0g".repeat(32),
            "0g".repeat(40),
            "é".repeat(32),
            "é".repeat(40),
            format!("{}é{}", "a".repeat(15), "a".repeat(63)),
            format!("0x{}", "0a".repeat(31)),
            format!(" {}", "a".repeat(63)),
            format!("-{}", "1".repeat(79)),
        ] {
            assert_eq!(EntryName::parse(&name), Err(NotAnEntryName), "{name}");
        }
    }
}
