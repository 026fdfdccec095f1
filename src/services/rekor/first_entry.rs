//! The first entry of a signature log: the instance's trust root, signed by the instance.
//!
//! It keeps clients' entries away from index 0. The proof of the first entry in a tree of one has index
//! zero and an empty list of hashes. sigstore-java cannot write such a bundle, and sigstore-js omits
//! these fields, which sigstore-python then rejects.

use super::v1::{SignatureLogV1, V1Error};
use super::{RekorError, SignatureLog};
use crate::log::{Health, Log};
use crate::protocol::entry::v1::ProposedEntry;
use crate::protocol::entry::v2::V2EntryError;
use crate::protocol::entry::{RawVerifier, UnverifiedHashedRekord};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{PublicKey, SigningFailed, SigningKey};

/// Error appending the first entry. The next start tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FirstEntryError {
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    #[error(transparent)]
    V1(#[from] V1Error),
    #[error(transparent)]
    V2(#[from] RekorError),
}

/// The trust root's digest and a signature by one of the instance's keys.
pub(crate) struct FirstEntry {
    digest: Sha256,
    signature: Vec<u8>,
    key: PublicKey,
}

impl FirstEntry {
    /// Signs the trust root. The key must be P-256, which both APIs accept.
    ///
    /// # Errors
    /// The operating system supplied no randomness.
    pub(crate) fn sign(key: &SigningKey, trusted_root: &[u8]) -> Result<Self, SigningFailed> {
        Ok(Self {
            digest: Sha256::of(trusted_root),
            signature: key.sign(trusted_root)?,
            key: key.public_key().clone(),
        })
    }

    /// Appends the entry if the log is empty and writable.
    ///
    /// # Errors
    /// See [`FirstEntryError`].
    pub(crate) async fn append_v1(&self, log: &SignatureLogV1) -> Result<(), FirstEntryError> {
        if is_empty_and_writable(log.log()) {
            let proposal =
                ProposedEntry::hashedrekord(self.digest.into(), self.signature.clone(), &self.key);
            log.append(proposal.admit().map_err(V1Error::from)?).await?;
        }
        Ok(())
    }

    /// Appends the entry if the log is empty and writable.
    ///
    /// # Errors
    /// See [`FirstEntryError`].
    pub(crate) async fn append_v2(&self, log: &SignatureLog) -> Result<(), FirstEntryError> {
        if is_empty_and_writable(log.log()) {
            let entry = UnverifiedHashedRekord::new(
                self.digest.as_bytes().to_vec(),
                self.signature.clone(),
                RawVerifier::PublicKey(self.key.spki_der().to_vec()),
                self.key.details(),
            );
            let entry = entry
                .and_then(|entry| entry.verify())
                .map_err(V2EntryError::from);
            log.append(entry.map_err(RekorError::from)?).await?;
        }
        Ok(())
    }
}

fn is_empty_and_writable(log: &Log) -> bool {
    log.head().size.get() == 0 && log.health() == Health::Ok
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubles::keys;
    use crate::protocol::entry::SearchTerm;
    use crate::services::rekor::tests::memory_log;
    use crate::services::rekor::v1::tests::TestLog;
    use crate::services::rekor::v1::{SearchOperator, SearchQuery};

    #[tokio::test]
    async fn the_trust_root_is_appended_to_empty_logs_only() {
        let v1 = TestLog::new();
        let (v2, _) = memory_log();

        let first = FirstEntry::sign(&keys::p256(), b"{}").unwrap();
        for _ in 0..2 {
            first.append_v1(&v1.log).await.unwrap();
            first.append_v2(&v2).await.unwrap();

            assert_eq!(v1.log.head().size.get(), 1);
            assert_eq!(v2.log().head().size.get(), 1);
        }
        let digest = Sha256::of(b"{}").to_hex();
        let first = v2.log().leaves(0..1).unwrap();
        let body = UnverifiedHashedRekord::parse_body(&first[0].data).unwrap();
        assert_eq!(hex::encode(body.digest.as_bytes()), digest);
        let found = v1.log.search(&SearchQuery {
            terms: vec![SearchTerm::from_hash_query(&digest).unwrap()],
            operator: SearchOperator::And,
        });
        assert_eq!(found.unwrap().len(), 1);
    }
}
