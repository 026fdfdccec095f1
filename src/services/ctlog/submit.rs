//! Submission of precertificates.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::{CtLog, CtSubmitError};
use crate::log::{IndexTooLarge, Leaf};
use crate::protocol::hash::Sha256;
use crate::protocol::merkle::LeafIndex;
use crate::protocol::time::UnixTime;
use crate::protocol::x509::Certificate;
use crate::protocol::x509::sct::{
    PrecertEntry, SignedCertificateTimestamp, precert_chain_entry, set_leaf_time_and_index,
};

/// A signed precertificate with its log entry and chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Precertificate<'a> {
    pub der: &'a [u8],
    /// The part that the log hashes and signs.
    pub entry: &'a PrecertEntry,
    /// The issuing certificate first.
    pub chain: &'a [Certificate],
}

/// An SCT for an entry that is durable and published.
#[derive(Clone, Debug)]
pub(crate) struct Promise {
    pub sct: SignedCertificateTimestamp,
    pub leaf_index: u64,
}

impl CtLog {
    /// Appends a precertificate and signs an SCT once the entry is durable and published.
    ///
    /// # Errors
    /// See [`CtSubmitError`].
    pub(crate) async fn add(
        &self,
        precertificate: Precertificate<'_>,
    ) -> Result<Promise, CtSubmitError> {
        let issuers = self.issuers.unrecorded(precertificate.chain);
        let leaf = Leaf {
            data: precertificate.entry.leaf_template()?,
            extra: precert_chain_entry(precertificate.der, precertificate.chain)?,
            keys: issuers.clone(),
        };
        let appended = self.log.append_with_index(leaf, place).await?;
        self.issuers.record(issuers);
        // The SCT is signed after the commit, so that none exists for an entry that a crash could lose.
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

/// An entry has the time of the first head that contains it. Head times never decrease, and RFC 6962
/// §3.5 requires a head to be at least as recent as every SCT of its tree.
fn place(leaf: &mut Leaf, index: LeafIndex, time: UnixTime) -> Result<(), IndexTooLarge> {
    set_leaf_time_and_index(&mut leaf.data, time, index).map_err(|_| IndexTooLarge)
}

/// Issuer certificates of logged certificates. Data tiles contain only their fingerprints (C2SP
/// static-ct-api), and clients fetch the certificates by fingerprint. The first leaf after each start
/// that was submitted with an issuer has the issuer's fingerprint as a search key.
pub(super) struct Issuers {
    /// The chain of this instance's authority, issuing certificate first, root last
    pub(super) current: Vec<Certificate>,
    /// Fingerprints that are search keys of a durable leaf
    recorded: Mutex<HashSet<Sha256>>,
}

impl Issuers {
    pub(super) fn new(current: Vec<Certificate>) -> Self {
        Self {
            current,
            recorded: Mutex::default(),
        }
    }

    /// The fingerprints of a chain that are not yet search keys of a leaf.
    pub(super) fn unrecorded(&self, chain: &[Certificate]) -> Vec<Sha256> {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let fingerprints = chain.iter().map(|issuer| Sha256::of(issuer.der()));
        fingerprints
            .filter(|fingerprint| !recorded.contains(fingerprint))
            .collect()
    }

    /// Records that a leaf with these search keys is durable.
    pub(super) fn record(&self, fingerprints: Vec<Sha256>) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.extend(fingerprints);
    }
}
