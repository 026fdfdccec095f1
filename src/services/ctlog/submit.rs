//! Submission: from a precertificate to the log's promise.

use std::future::Future;
use std::pin::Pin;

use super::{CtError, CtLog};
use crate::log::{Leaf, Unnumbered};
use crate::protocol::merkle::LeafIndex;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::Certificate;
use crate::protocol::x509::sct::{
    PrecertEntry, SignedCertificateTimestamp, place_leaf, precert_chain_entry,
};

/// A precertificate on its way into the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Precertificate<'a> {
    /// The signed precertificate in DER.
    pub der: &'a [u8],
    /// What of it the log hashes and signs.
    pub entry: &'a PrecertEntry,
    /// The authority's certificates above it, the issuing one first.
    pub chain: &'a [Certificate],
}

/// The log's promise, given after the entry was durable and published.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    /// The promise as it goes into the certificate.
    pub sct: SignedCertificateTimestamp,
    /// Where the entry stands in the log.
    pub leaf_index: u64,
}

/// The answer of a [`PrecertificateLog`], in time.
pub(crate) type PromiseFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Promise, CtError>> + Send + 'a>>;

/// A port: the certificate-transparency log that every certificate passes through.
pub(crate) trait PrecertificateLog: Send + Sync {
    /// Enters a precertificate. The promise is made only once the entry would survive a power cut.
    fn add_precertificate<'a>(&'a self, precertificate: Precertificate<'a>) -> PromiseFuture<'a>;
}

impl CtLog {
    /// Appends a precertificate and, once that is durable and published, promises it.
    ///
    /// # Errors
    /// The entry was not appended, or the promise could not be signed.
    pub(crate) async fn add(&self, precertificate: Precertificate<'_>) -> Result<Promise, CtError> {
        let issuers = self.issuers.unrecorded(precertificate.chain);
        let leaf = Leaf {
            data: precertificate.entry.unplaced_leaf()?,
            extra: precert_chain_entry(precertificate.der, precertificate.chain)?,
            keys: issuers.clone(),
        };
        let appended = self.log.append_with(leaf, place).await?;
        self.issuers.record(issuers);
        // CRASH: signed only now, so that no promise exists for an entry that could be lost.
        let sct = SignedCertificateTimestamp::sign_at(
            &self.key,
            precertificate.entry,
            appended.head.time,
            appended.index,
        )?;
        Ok(Promise {
            sct,
            leaf_index: appended.index.get(),
        })
    }
}

/// An entry is as old as the first head that contains it: heads never go back in time, and
/// RFC 6962 §3.5 wants them at least as recent as the promises in their tree.
fn place(leaf: &mut Leaf, index: LeafIndex, time: UnixTime) -> Result<(), Unnumbered> {
    place_leaf(&mut leaf.data, time, index).map_err(|_| Unnumbered)
}

impl PrecertificateLog for CtLog {
    fn add_precertificate<'a>(&'a self, precertificate: Precertificate<'a>) -> PromiseFuture<'a> {
        Box::pin(self.add(precertificate))
    }
}
