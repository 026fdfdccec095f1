//! Search terms. Entries and queries (Rekor v1 `/api/v1/index/retrieve`) build identical terms.

use std::collections::BTreeSet;

use crate::protocol::hash::{Digest, HashAlgorithm, Sha256};

/// Maximum number of terms of an entry.
pub const MAX_TERMS: usize = 8_192;

/// A term under which an entry is indexed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SearchTerm {
    /// Digest of an artifact, payload, envelope or statement subject.
    Digest {
        /// In lower case. Statements may use algorithms that Signet does not support.
        algorithm: String,
        /// Lower-case hexadecimal.
        hex: String,
    },
    /// SHA-256 of the verifying key or certificate in canonical form.
    PublicKey(Sha256),
    /// Name of the signer in lower case: an e-mail address, URI, user name or host.
    Name(String),
}

/// A hash query is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "hash must be hexadecimal: 40, 64, 96 or 128 characters, alone or after \
     sha1:, sha256:, sha384: or sha512:"
)]
pub struct NotADigestQuery;

/// The entry exceeds [`MAX_TERMS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry has too many search terms (digests, keys and names); the limit is {MAX_TERMS}")]
pub struct TooManyTerms;

impl SearchTerm {
    /// Term for a digest under any algorithm, supported or not.
    pub fn named_digest(algorithm: &str, hex: &str) -> Self {
        Self::Digest {
            algorithm: algorithm.to_lowercase(),
            hex: hex.to_lowercase(),
        }
    }

    /// A SHA-256 digest.
    pub fn sha256(digest: &Sha256) -> Self {
        Self::Digest {
            algorithm: HashAlgorithm::Sha256.name().to_owned(),
            hex: digest.to_hex(),
        }
    }

    /// A signer's name: an e-mail address or another subject.
    pub fn name(text: &str) -> Self {
        Self::Name(text.to_lowercase())
    }

    /// The key or certificate with these canonical bytes.
    pub fn public_key(canonical: &[u8]) -> Self {
        Self::PublicKey(Sha256::of(canonical))
    }

    /// Reads a query's `hash`: `sha256:<hex>` and the like, or only the hexadecimal, whose length then
    /// determines the function.
    ///
    /// # Errors
    /// The text is neither.
    pub fn from_hash_query(text: &str) -> Result<Self, NotADigestQuery> {
        let (named, hex) = match text.split_once(':') {
            Some((name, hex)) => (Some(name), hex),
            None => (None, text),
        };
        // SHA-1 is never used for signatures, but statements may contain SHA-1 digests.
        let supported = HashAlgorithm::ALL.map(|one| (one.name(), one.size()));
        let (algorithm, _) = [("sha1", 20)]
            .into_iter()
            .chain(supported)
            .find(|(_, size)| size * 2 == hex.len())
            .ok_or(NotADigestQuery)?;
        let name_fits = named.is_none_or(|name| name.eq_ignore_ascii_case(algorithm));
        if name_fits && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self::named_digest(algorithm, hex))
        } else {
            Err(NotADigestQuery)
        }
    }

    /// Key of the term in the index: SHA-256 over its length-prefixed parts, so that different terms have
    /// different keys.
    pub fn key(&self) -> Sha256 {
        let (kind, first, second): (&[u8], &[u8], &[u8]) = match self {
            Self::Digest { algorithm, hex } => (b"digest", algorithm.as_bytes(), hex.as_bytes()),
            Self::PublicKey(hash) => (b"public key", hash.as_bytes(), b""),
            Self::Name(name) => (b"name", name.as_bytes(), b""),
        };
        let length = |part: &[u8]| part.len().to_string();
        let head = format!("signet search term\0{}\0{}\0", length(kind), length(first));
        Sha256::of_parts(&[head.as_bytes(), kind, first, second])
    }
}

impl From<&Digest> for SearchTerm {
    fn from(digest: &Digest) -> Self {
        Self::named_digest(digest.algorithm().name(), &digest.to_hex())
    }
}

/// Collects distinct terms, up to [`MAX_TERMS`].
#[derive(Clone, Debug, Default)]
pub(super) struct SearchTerms(BTreeSet<SearchTerm>);

impl SearchTerms {
    pub(super) fn add(&mut self, term: SearchTerm) -> Result<(), TooManyTerms> {
        self.0.insert(term);
        if self.0.len() > MAX_TERMS {
            return Err(TooManyTerms);
        }
        Ok(())
    }

    pub(super) fn extend(
        &mut self,
        terms: impl IntoIterator<Item = SearchTerm>,
    ) -> Result<(), TooManyTerms> {
        terms.into_iter().try_for_each(|term| self.add(term))
    }

    /// Returns the terms in sorted order.
    pub(super) fn into_vec(self) -> Vec<SearchTerm> {
        self.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_and_an_entry_build_the_same_term_for_a_digest() {
        let digest = HashAlgorithm::Sha256.digest(b"abc");
        let hex = hex::encode(digest.as_bytes());
        let term = SearchTerm::from(&digest);

        assert_eq!(term, SearchTerm::sha256(&Sha256::of(b"abc")));
        for query in [
            hex.clone(),
            hex.to_uppercase(),
            format!("sha256:{hex}"),
            format!("SHA256:{}", hex.to_uppercase()),
        ] {
            assert_eq!(SearchTerm::from_hash_query(&query).as_ref(), Ok(&term));
        }
        let sha1 = SearchTerm::from_hash_query(&"0a".repeat(20)).unwrap();
        assert_eq!(sha1, SearchTerm::named_digest("sha1", &"0A".repeat(20)));
        for length in [48, 64] {
            SearchTerm::from_hash_query(&"0a".repeat(length)).unwrap();
        }
    }

    #[test]
    fn a_malformed_hash_query_is_rejected() {
        for text in [
            String::new(),
            "sha256:".to_owned(),
            "0a".repeat(31),
            "0g".repeat(32),
            "é".repeat(32),
            format!("sha512:{}", "0a".repeat(32)),
            format!("md5:{}", "0a".repeat(32)),
            format!("sha256:sha256:{}", "0a".repeat(32)),
        ] {
            assert_eq!(
                SearchTerm::from_hash_query(&text),
                Err(NotADigestQuery),
                "{text}"
            );
        }
    }

    #[test]
    fn different_terms_have_different_keys() {
        let hash = Sha256::of(b"x");
        let terms = [
            SearchTerm::sha256(&hash),
            SearchTerm::PublicKey(hash),
            SearchTerm::name(&hash.to_hex()),
            SearchTerm::named_digest("a", "bc"),
            SearchTerm::named_digest("ab", "c"),
            SearchTerm::name("abc"),
            SearchTerm::name(""),
        ];

        let keys: BTreeSet<Sha256> = terms.iter().map(SearchTerm::key).collect();
        assert_eq!(keys.len(), terms.len());
    }

    #[test]
    fn terms_are_deduplicated_and_limited() {
        let mut terms = SearchTerms::default();
        for _ in 0..2 {
            let names = (0..MAX_TERMS).map(|n| SearchTerm::name(&n.to_string()));
            terms.extend(names).unwrap();
        }

        assert_eq!(terms.clone().into_vec().len(), MAX_TERMS);
        assert_eq!(terms.add(SearchTerm::name("more")), Err(TooManyTerms));
    }
}
