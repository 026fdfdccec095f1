//! How clients of the v1 dialect name an entry: by its leaf hash, with the tree's ID before it or not.

use std::fmt;

use crate::protocol::hash::Sha256;
use crate::services::rekor::TreeId;

/// The whole name of an entry: tree ID and leaf hash, 80 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EntryId {
    tree: TreeId,
    leaf: Sha256,
}

/// A name as it was asked for: an entry ID, or a UUID, which is the leaf hash alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryName {
    tree: Option<u64>,
    leaf: Sha256,
}

/// Not a name of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry is named by 64 hexadecimal digits, its leaf hash, or by 80, its entry ID")]
pub struct NotAnEntryName;

impl EntryId {
    /// The name of the leaf with this hash in this tree.
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
    /// Reads 64 or 80 hexadecimal digits of either case.
    ///
    /// # Errors
    /// Anything else.
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

    /// The leaf hash, if the name is of an entry in this tree or leaves the tree open.
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
    use crate::protocol::keys::{KeyAlgorithm, SigningKey};

    fn tree() -> TreeId {
        TreeId::of(
            SigningKey::generate(KeyAlgorithm::P256)
                .unwrap()
                .0
                .public_key(),
        )
    }

    #[test]
    fn an_entry_goes_by_its_id_and_by_its_leaf_hash_in_either_case() {
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
    fn nothing_else_names_an_entry() {
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
