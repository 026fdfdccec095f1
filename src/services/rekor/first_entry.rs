//! The first entry of a signature log: the trust root that the log was born with, signed by the
//! instance itself.
//!
//! Some clients leave out numbers that are zero and lists that are empty, or cannot write a bundle
//! that has them: sigstore-java, and between sigstore-js and sigstore-python. An entry at index 0 of
//! a tree of one has both. So no client's entry stands there.

use super::v1::{SignatureLogV1, V1Error};
use super::{RekorError, SignatureLog};
use crate::log::{Health, Log};
use crate::protocol::entry::v1::ProposedEntry;
use crate::protocol::entry::v2::V2EntryError;
use crate::protocol::entry::{RawVerifier, UnverifiedHashedRekord};
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{PublicKey, SigningFailed, SigningKey};

/// Why a log has no first entry yet; the next start tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FirstEntryError {
    /// There was no randomness
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// The v1 log did not take it
    #[error(transparent)]
    V1(#[from] V1Error),
    /// The v2 log did not take it
    #[error(transparent)]
    V2(#[from] RekorError),
}

/// The trust root's digest with a signature by a key of the instance.
pub(crate) struct FirstEntry {
    digest: Sha256,
    signature: Vec<u8>,
    key: PublicKey,
}

impl FirstEntry {
    /// Signs the trust root with a key whose signatures both APIs take: P-256.
    ///
    /// # Errors
    /// There is no randomness.
    pub(crate) fn sign(key: &SigningKey, trusted_root: &[u8]) -> Result<Self, SigningFailed> {
        Ok(Self {
            digest: Sha256::of(trusted_root),
            signature: key.sign(trusted_root)?,
            key: key.public_key().clone(),
        })
    }

    /// Appends the entry if the log is empty and takes entries.
    ///
    /// # Errors
    /// See [`FirstEntryError`].
    pub(crate) async fn append_v1(&self, log: &SignatureLogV1) -> Result<(), FirstEntryError> {
        if is_unwritten(log.log()) {
            let entry = self.proposal().admit();
            log.append(entry.map_err(V1Error::from)?).await?;
        }
        Ok(())
    }

    /// Appends the entry if the log is empty and takes entries.
    ///
    /// # Errors
    /// See [`FirstEntryError`].
    pub(crate) async fn append_v2(&self, log: &SignatureLog) -> Result<(), FirstEntryError> {
        if is_unwritten(log.log()) {
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

    fn proposal(&self) -> ProposedEntry {
        ProposedEntry::hashedrekord(self.digest.into(), self.signature.clone(), &self.key)
    }
}

fn is_unwritten(log: &Log) -> bool {
    log.head().size.get() == 0 && log.health() == Health::Ok
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::entry::SearchTerm;
    use crate::protocol::keys::KeyAlgorithm;
    use crate::services::rekor::tests::memory_log;
    use crate::services::rekor::v1::tests::TestLog;
    use crate::services::rekor::v1::{Operator, Query};

    #[tokio::test]
    async fn an_empty_log_begins_with_the_trust_root_and_another_is_left_alone() {
        let v1 = TestLog::new();
        let (v2, _) = memory_log();

        let (key, _) = SigningKey::generate(KeyAlgorithm::P256).unwrap();
        let first = FirstEntry::sign(&key, b"{}").unwrap();
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
        let found = v1.log.search(&Query {
            terms: vec![SearchTerm::from_hash_query(&digest).unwrap()],
            operator: Operator::And,
        });
        assert_eq!(found.unwrap().len(), 1);
    }
}
